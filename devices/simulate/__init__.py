"""Simulation: a simulated listener, and recordings played back as live streams."""
