"""Preprocessing graph of a decoder: turns electrode signals and speech envelopes into features on one sample grid.

The same graph processes live and recorded signals.
"""

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
from earmark.pipeline.nodes.tilt import Tilt, TiltConfig

#: The last neural step: its channels are those of the decoder.
NEURAL = "neural features"
#: The step that assesses channels: its output is the unfiltered signal in microvolts.
QUALITY = "quality"
#: The stream of control messages, by which a session informs its graph of the operator's commands and of the time.
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
    """Connect the nodes of a preset; the returned graph is not yet open.

    Scalp EEG is band-pass filtered and re-referenced to the average. For intracranial EEG, the high-gamma amplitude
    and the voltage up to the preset's ``high_hz`` are separate channels. Neural and speech features then have the
    same rate and have passed the same causal Butterworth band-pass and, if the preset has one, the same tilt.

    Parameters
    ----------
    preset : Preset
        Band and rate; its name is the kind of signal.
    neural : str
        Name of the stream of electrodes.
    talkers : sequence of str
        Names of the streams of speech features, of one or more talkers each.
    n_features : int
        Number of features of each talker.
    max_wait_s : float
        See :class:`earmark.pipeline.nodes.align.AlignConfig`.
    attend : Attend, optional
        Node that decides; its second input is a stream named ``control``.
    watched : bool
        If True, the graph also outputs the unfiltered signals and their quality, for display.

    Returns
    -------
    Graph
        Its output is ``attend`` if given, else ``align``; if ``watched``, ``quality`` is the first output.
    """

    def bandpass() -> Bandpass:
        return Bandpass(BandpassConfig(preset.low_hz, preset.high_hz))

    def resample() -> Resample:
        return Resample(ResampleConfig(preset.sfreq, preset.high_hz))

    def tilt() -> Tilt:
        return Tilt(TiltConfig(preset.tilt_hz or 0.0))

    nodes: list[tuple[str, Node]]
    speech: list[Callable[[], Bandpass | Resample | Tilt]]
    if preset.name == "ieeg":
        types: tuple[str, ...] = ("seeg", "ecog")
        # A recursive filter depends slightly on its sampling rate, so both sides are filtered at the same rate.
        nodes = [("high_gamma", HighGamma(HighGammaConfig(below_hz=preset.high_hz))), ("resample", resample())]
        nodes.append(("bandpass", bandpass()))
        speech = [resample, bandpass]
    else:
        types = ("eeg",)
        nodes = [("bandpass", bandpass()), ("reference", Reference(ReferenceConfig())), ("resample", resample())]
        speech = [bandpass, resample]
    if preset.tilt_hz is not None:
        nodes.append(("tilt", tilt()))
        speech.append(tilt)
    nodes = [
        ("pick", Pick(PickConfig(types))),
        ("reblock", Reblock(ReblockConfig())),
        (QUALITY, Quality(QualityConfig())),
        *nodes[:-1],
        (NEURAL, nodes[-1][1]),
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
