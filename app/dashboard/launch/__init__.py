"""Processes that the window starts, and work it does in the background."""
