"""Read and write files: recordings, runs, sessions, decoders, and formats of other software."""
