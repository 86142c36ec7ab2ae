"""Decoders: which of several talkers a stretch of neural signal answers to."""
