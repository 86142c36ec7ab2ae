"""What the window knows: the status that processes publish, its history, and the link to the session."""
