"""Live sound: talkers, gains, space and a limiter, in a process of their own."""
