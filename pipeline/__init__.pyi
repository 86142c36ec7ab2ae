from .attention.attend import Attend
from .attention.decode import Decode
from .control import (
    ControlError,
    Demote,
    Late,
    Mute,
    Override,
    Session,
    SessionChanged,
    StreamChanged,
    Tick,
    TimedControl,
)
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
    "ControlError",
    "Decision",
    "Decode",
    "Demote",
    "Envelope",
    "Epoch",
    "Epochs",
    "Evaluation",
    "Gap",
    "Graph",
    "HighGamma",
    "Late",
    "Marker",
    "Mesd",
    "Mute",
    "Node",
    "Notch",
    "Override",
    "Pick",
    "Quality",
    "Reblock",
    "Reference",
    "Reliability",
    "Resample",
    "Run",
    "Session",
    "SessionChanged",
    "Step",
    "StreamChanged",
    "StreamSpec",
    "Tick",
    "TimedControl",
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
