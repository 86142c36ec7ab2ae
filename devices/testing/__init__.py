"""Checks of anybody's node, decoder or source, against everything that Earmark relies on.

``check_node(MyNode)`` returns if all is well, and raises :class:`CheckFailed` with the first thing that is not: call it
from a test of your package. Nothing but Earmark is needed.
"""

import lazy_loader

# What is public, by name: in __init__.pyi. A name is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
