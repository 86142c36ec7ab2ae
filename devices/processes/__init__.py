"""What lives beside us: child processes, shared memory and what limits them."""
