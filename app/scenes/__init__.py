"""Evaluation of scenes: mixtures, separators, and what is left of attention decoding."""
