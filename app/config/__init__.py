"""Configuration files: session, sound and protocol, and messages about what is wrong in them."""
