"""Telling talkers of a mixture apart with several microphones, and remixing them: arrays in, arrays out."""
