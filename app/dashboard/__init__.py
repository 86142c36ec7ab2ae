"""The operator's window. It reads published status and sends commands; no other process waits for it."""
