"""How commands speak with a person: console, keys, signals, warnings, and text of unknown origin."""
