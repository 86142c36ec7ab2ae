"""What files say: the session's TOML, sound, protocol, and the choices that a configuration offers."""
