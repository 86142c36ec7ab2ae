"""The streaming graph and all computations in it. Pure: no clock, thread, socket, file, sound or window."""

import lazy_loader

# __init__.pyi lists the public names. Each is imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
