"""Replay of a recorded session: verification against the live output, and playback in real time."""
