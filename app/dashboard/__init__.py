"""The window for whoever runs the experiment. It looks and asks; nothing waits for it."""
