"""Numeric hot loops: arrays in, arrays out. Knows nothing of EEG, talkers or files."""
