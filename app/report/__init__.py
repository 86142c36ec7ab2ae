"""What a recorded session amounts to: its figures, and the page about them."""
