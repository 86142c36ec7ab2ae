"""Live sound in a process of its own: talkers, gains, virtual positions and a limiter."""
