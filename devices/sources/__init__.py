"""What comes in: LSL and FieldTrip streams, their descriptions, stamps, clocks and gaps."""
