from .decoders import check_decoder, made_up_run
from .failure import CheckFailed
from .laws import check_law
from .nodes import check_node
from .separators import check_separator
from .sources import check_source
from .spaces import check_space

__all__ = [
    "CheckFailed",
    "check_decoder",
    "check_law",
    "check_node",
    "check_separator",
    "check_source",
    "check_space",
    "made_up_run",
]
