"""Input streams from LSL and FieldTrip: their descriptions, time stamps, clocks and gaps."""
