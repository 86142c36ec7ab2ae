"""What comes before a decoder: from electrodes and speech envelopes to features on one grid, live or recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from earmark.pipeline.attention.attend import Attend
from earmark.pipeline.decoders.presets import Preset
from earmark.pipeline.graph import Graph, Step
from earmark.pipeline.node import Node
from earmark.pipeline.nodes.align import Align, AlignConfig
from earmark.pipeline.nodes.bandpass import Bandpass, BandpassConfig
from earmark.pipeline.nodes.high_gamma import HighGamma, HighGammaConfig
from earmark.pipeline.nodes.pick import Pick, PickConfig
from earmark.pipeline.nodes.quality import Quality, QualityConfig
from earmark.pipeline.nodes.reblock import Reblock, ReblockConfig
from earmark.pipeline.nodes.reference import Reference, ReferenceConfig
from earmark.pipeline.nodes.resample import Resample, ResampleConfig

#: The last neural step: its channels are those of the decoder.
NEURAL = "neural features"
#: The step that judges channels: its signals are as they came, in microvolts.
QUALITY = "quality"
#: The stream by which a session tells its graph what the operator wants and how time passes.
CONTROL = "control"


def decoding_graph(
    preset: Preset,
    neural: str,
    talkers: Sequence[str],
    n_features: int,
    max_wait_s: float,
    attend: Attend | None = None,
    watched: bool = False,
) -> Graph:
    """Wire the nodes of a preset; the graph is not yet open.

    Scalp EEG is band-passed and re-referenced to its average. Of intracranial EEG the high-gamma amplitude and the
    voltage up to the preset's ``high_hz`` become channels of their own. Both sides then have the same rate and have
    passed the same causal Butterworth band-pass.

    Parameters
    ----------
    preset : Preset
        Band, rate, and the kind of signal by its name.
    neural : str
        Name of the stream of electrodes.
    talkers : sequence of str
        Names of the streams of speech features, of one or more talkers each.
    n_features : int
        Features of each talker.
    max_wait_s : float
        See :class:`earmark.pipeline.nodes.align.AlignConfig`.
    attend : Attend, optional
        Decides, told what to do by a stream called ``control``.
    watched : bool
        Whether somebody looks on: then the raw signals, and what they are worth, are given out as well.

    Returns
    -------
    Graph
        Its output is ``align``, or ``attend`` if there is one; before it ``quality``, if that is watched.
    """

    def bandpass() -> Bandpass:
        return Bandpass(BandpassConfig(preset.low_hz, preset.high_hz))

    def resample() -> Resample:
        return Resample(ResampleConfig(preset.sfreq, preset.high_hz))

    nodes: list[tuple[str, Node]]
    speech: list[Callable[[], Bandpass | Resample]]
    if preset.name == "ieeg":
        types: tuple[str, ...] = ("seeg", "ecog")
        # Recursive filters differ a little with the rate at which they run: both sides have theirs at the same one.
        nodes = [("high_gamma", HighGamma(HighGammaConfig(below_hz=preset.high_hz))), ("resample", resample())]
        nodes.append((NEURAL, bandpass()))
        speech = [resample, bandpass]
    else:
        types = ("eeg",)
        nodes = [("bandpass", bandpass()), ("reference", Reference(ReferenceConfig())), (NEURAL, resample())]
        speech = [bandpass, resample]
    nodes = [
        ("pick", Pick(PickConfig(types))),
        ("reblock", Reblock(ReblockConfig())),
        (QUALITY, Quality(QualityConfig())),
        *nodes,
    ]
    steps, before = [], neural
    for name, node in nodes:
        steps.append(Step(name, node, (before,)))
        before = name
    for k, talker in enumerate(talkers):
        before = talker
        chain: list[tuple[str, Node]] = [("reblock", Reblock(ReblockConfig()))]
        chain += [(make.__name__, make()) for make in speech]
        for name, node in chain:
            steps.append(Step(f"{name} {k}", node, (before,)))
            before = f"{name} {k}"
    last = tuple(f"{speech[-1].__name__} {k}" for k in range(len(talkers)))
    align = Align(AlignConfig(n_streams=len(talkers), n_features=n_features, max_wait_s=max_wait_s))
    steps.append(Step("align", align, (NEURAL, *last)))
    if attend is not None:
        steps.append(Step("attend", attend, ("align", CONTROL)))
    return Graph(steps, [*([QUALITY] if watched else []), steps[-1].name])
