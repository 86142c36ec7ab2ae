"""Data of the window: the status that other processes publish, its history, and the command link."""
