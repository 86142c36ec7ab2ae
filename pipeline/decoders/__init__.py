"""Decoders: which of several talkers a stretch of neural signal answers to."""

import lazy_loader

# What is public, by name: in __init__.pyi. A name is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
