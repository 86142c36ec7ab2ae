from .cca import CcaDecoder
from .decoder import Decoder, DecoderError, DecoderMismatch, DecoderSpec
from .filterbank import FilterBankDecoder
from .linear import LinearDecoder
from .matcher import MatcherDecoder
from .presets import EEG, IEEG, PRESETS, Preset

__all__ = [
    "EEG",
    "IEEG",
    "PRESETS",
    "CcaDecoder",
    "Decoder",
    "DecoderError",
    "DecoderMismatch",
    "DecoderSpec",
    "FilterBankDecoder",
    "LinearDecoder",
    "MatcherDecoder",
    "Preset",
]
