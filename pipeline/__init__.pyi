from .attention.attend import Attend
from .attention.decode import Decode
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
from .graph import Graph, Step
from .node import Node
from .nodes.align import Align
from .nodes.bandpass import Bandpass
from .nodes.envelope import Envelope, speech_envelope
from .nodes.epochs import Epochs
from .nodes.high_gamma import HighGamma
from .nodes.notch import Notch
from .nodes.pick import Pick
from .nodes.quality import Quality
from .nodes.reblock import Reblock
from .nodes.reference import Reference
from .nodes.resample import Resample
from .run import Run
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
