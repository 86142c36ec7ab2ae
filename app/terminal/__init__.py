"""The user's terminal: console, log, keys, signals, warnings, and safe display of untrusted text."""
