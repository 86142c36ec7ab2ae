"""What is made up: a simulated listener, and recordings played out as live streams."""
