"""Processes that the window starts: sessions and background jobs."""
