"""The closed loop: the engine process, its streams and decoder, and the timing of decisions."""
