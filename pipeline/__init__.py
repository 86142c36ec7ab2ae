"""The streaming graph and every computation in it. Pure: no clock, thread, socket, file, sound or window."""
