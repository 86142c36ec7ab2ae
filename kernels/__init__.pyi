from .block_filter import BlockFilter
from .block_fir import BlockFir
from .cascade import sos_inplace
from .gammatone import erb_spaced, gammatone_envelopes

__all__ = ["BlockFilter", "BlockFir", "erb_spaced", "gammatone_envelopes", "sos_inplace"]
