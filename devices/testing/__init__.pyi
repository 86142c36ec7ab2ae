from .decoders import check_decoder, made_up_run
from .failure import CheckFailed
from .nodes import check_node
from .sources import check_source

__all__ = ["CheckFailed", "check_decoder", "check_node", "check_source", "made_up_run"]
