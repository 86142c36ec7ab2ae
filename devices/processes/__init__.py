"""Child processes, shared memory between processes, and system resource limits."""
