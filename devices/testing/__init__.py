"""Check any node, decoder, source, gain law, sound space or separator against everything that Earmark relies on.

``check_node(MyNode)`` returns if all checks pass, and raises :class:`CheckFailed` at the first one that fails: call it
from a test of your package. It needs nothing but Earmark.
"""

import lazy_loader

# Public names are listed in __init__.pyi and imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
