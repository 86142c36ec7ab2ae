"""Everything that touches the outside: LSL, recordings, XDF, shared memory, clocks."""
