"""What is kept: recordings, runs, sessions, decoders, and what is read from other people's files."""
