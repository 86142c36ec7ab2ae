from .align import Align
from .attend import Attend
from .bandpass import Bandpass
from .decode import Decode
from .envelope import Envelope, speech_envelope
from .epochs import Epochs
from .evaluation.evaluate import evaluate
from .evaluation.metrics import (
    Mesd,
    Reliability,
    auc,
    chance_limit,
    information_transfer_rate,
    mesd,
    reliability,
    switch_latencies,
)
from .evaluation.results import Evaluation
from .evaluation.run import Run
from .graph import Graph, Step
from .high_gamma import HighGamma
from .node import Node
from .notch import Notch
from .pick import Pick
from .quality import Quality
from .reblock import Reblock
from .reference import Reference
from .resample import Resample
from .stream import Aligned, Block, ChannelQuality, Decision, Epoch, Gap, Marker, StreamSpec, WiringError

__all__ = [
    "Align",
    "Aligned",
    "Attend",
    "Bandpass",
    "Block",
    "ChannelQuality",
    "Decision",
    "Decode",
    "Envelope",
    "Epoch",
    "Epochs",
    "Evaluation",
    "Gap",
    "Graph",
    "HighGamma",
    "Marker",
    "Mesd",
    "Node",
    "Notch",
    "Pick",
    "Quality",
    "Reblock",
    "Reference",
    "Reliability",
    "Resample",
    "Run",
    "Step",
    "StreamSpec",
    "WiringError",
    "auc",
    "chance_limit",
    "evaluate",
    "information_transfer_rate",
    "mesd",
    "reliability",
    "speech_envelope",
    "switch_latencies",
]
