"""The closed loop: the engine process, its streams and decoder, and how decisions keep time."""
