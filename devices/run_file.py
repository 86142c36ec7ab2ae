"""Runs on disk: one continuous recording with what each talker said and who was attended, in one XDF file.

An ``EEG`` stream as recorded; a ``Speech`` stream per talker, named after the talker, with the cochlear envelope
before any band-pass; and a stream of markers, ``attend:NAME``, each valid until the next.
"""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices import xdf
from devices.lsl_info import DTYPES, StreamDescription, StreamError, describe_xml, make_info
from devices.recordings import Recording
from pipeline.align import Align, AlignConfig
from pipeline.bandpass import Bandpass, BandpassConfig
from pipeline.decoders.presets import Preset
from pipeline.graph import Graph, Step
from pipeline.high_gamma import HighGamma, HighGammaConfig
from pipeline.pick import Pick, PickConfig
from pipeline.reblock import Reblock, ReblockConfig
from pipeline.reference import Reference, ReferenceConfig
from pipeline.resample import Resample, ResampleConfig
from pipeline.run import Run
from pipeline.stream import Aligned, Block, ClockMap, Gap, Item, StreamSpec

ATTEND = "attend:"
#: Seconds of each stream that are fed at a time.
PIECE_S = 0.5


class RunError(ValueError):
    """A file is not a run, or not one that can be used as it is asked for."""


@dataclass(frozen=True, slots=True)
class Talker:
    """What one talker said.

    Attributes
    ----------
    name : str
        Of the talker.
    envelope : array, shape (n_samples, n_features)
        From the first neural sample on.
    sfreq : float
        Its rate in Hz.
    """

    name: str
    envelope: NDArray[np.float64]
    sfreq: float

    @property
    def stimulus(self) -> str:
        """Identity of what was said, however it is called."""
        raw = np.ascontiguousarray(self.envelope, dtype="<f8").tobytes()
        return hashlib.blake2b(raw, digest_size=8).hexdigest()


def write_run(
    path: Path, recording: Recording, talkers: Sequence[Talker], attended: Sequence[tuple[float, str]], subject: str
) -> None:
    """Write a run.

    Parameters
    ----------
    path : Path
        File to create; it must not exist.
    recording : Recording
        The neural side.
    talkers : sequence of Talker
        Two or more.
    attended : sequence of (float, str)
        From when on, in seconds, which talker was attended; ``""`` for nobody.
    subject : str
        Who listened.

    Raises
    ------
    RunError
        If talkers or events do not fit together, or the file exists.
    """
    names = [talker.name for talker in talkers]
    if len(names) < 2 or len(set(names)) < len(names):
        raise RunError(f"talkers are {names}, but must be two or more, each with a name of its own")
    for time, name in attended:
        if name not in ("", *names):
            raise RunError(f"attended at {time:g} s is {name!r}, but must be one of {', '.join(names)}")
    kind = next((k for k in ("eeg", "seeg", "ecog") if k in recording.spec.ch_types), "misc").upper()
    chunks = [xdf.file_header(), xdf.stream_header(1, _with_subject(make_info(recording.spec, kind, "run"), subject))]
    for number, talker in enumerate(talkers, 2):
        spec = _feature_spec(talker.name, talker.sfreq, talker.envelope.shape[1])
        chunks.append(xdf.stream_header(number, make_info(spec, "Speech", talker.stimulus, "double64").as_xml()))
    attention = len(talkers) + 2
    marker = StreamSpec("attention", 0.0, ("talker",), ("misc",), ("",))
    chunks.append(xdf.stream_header(attention, make_info(marker, "Markers", "attention", "string").as_xml()))
    chunks += [xdf.text_sample(attention, time, [ATTEND + name]) for time, name in attended]
    try:
        with path.open("xb") as file:
            file.writelines(chunks)
            step = max(1, round(recording.spec.sfreq))
            for segment in recording.segments:
                for start in range(segment.start, segment.stop, step):
                    stop = min(start + step, segment.stop)
                    stamps = np.array([segment.time_at(i, recording.spec.sfreq) for i in range(start, stop)])
                    file.write(xdf.samples(1, stamps, recording.read(start, stop)))
            for number, talker in enumerate(talkers, 2):
                stamps = np.arange(len(talker.envelope)) / talker.sfreq
                file.write(xdf.samples(number, stamps, np.asarray(talker.envelope, dtype=np.float64)))
            file.write(xdf.boundary())
    except FileExistsError:
        raise RunError(f"{path} exists already, and runs are never overwritten") from None
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from None


def _feature_spec(name: str, sfreq: float, n_features: int) -> StreamSpec:
    labels = tuple(f"band{i + 1}" for i in range(n_features)) if n_features > 1 else ("envelope",)
    return StreamSpec(name, sfreq, labels, ("misc",) * n_features, ("",) * n_features)


def _with_subject(info: Any, subject: str) -> str:
    info.desc().append_child("subject").append_child_value("id", subject)
    return str(info.as_xml())


@dataclass(slots=True)
class _Stream:
    description: StreamDescription
    stamps: NDArray[np.float64]
    data: NDArray[Any]


def read_run(path: Path, preset: Preset) -> Run:
    """Read a run through the very nodes that a live session uses.

    Both sides pass the same causal Butterworth band-pass: the voltage of scalp EEG, re-referenced to its average, or
    the high-gamma amplitude of intracranial EEG; and the envelope of each talker.

    Parameters
    ----------
    path : Path
        Written by :func:`write_run`.
    preset : Preset
        Band, rate, and the kind of signal by its name.

    Raises
    ------
    RunError
        If the file is not a run.
    pipeline.stream.WiringError
        If the preset does not fit its rate or channels.
    """
    neural, talkers, attended = _streams(path)
    names = tuple(stream.description.spec.name for stream in talkers)
    band, rate = BandpassConfig(preset.low_hz, preset.high_hz), ResampleConfig(preset.sfreq)
    nodes: list[tuple[str, Any]]
    types: tuple[str, ...]
    if preset.name == "ieeg":
        types, nodes = (
            ("seeg", "ecog"),
            [
                ("high_gamma", HighGamma(HighGammaConfig())),
                ("resample", Resample(ResampleConfig(preset.sfreq, preset.high_hz))),
                ("bandpass", Bandpass(band)),
            ],
        )
    else:
        types, nodes = (
            ("eeg",),
            [
                ("bandpass", Bandpass(band)),
                ("reference", Reference(ReferenceConfig())),
                ("resample", Resample(rate)),
            ],
        )
    nodes = [("pick", Pick(PickConfig(types))), ("reblock", Reblock(ReblockConfig())), *nodes]
    steps, before = [], "neural"
    for name, node in nodes:
        steps.append(Step(name, node, (before,)))
        before = name
    for k in range(len(talkers)):
        steps += [
            Step(f"reblock {k}", Reblock(ReblockConfig()), (f"talker {k}",)),
            Step(f"bandpass {k}", Bandpass(band), (f"reblock {k}",)),
            Step(f"speech {k}", Resample(rate), (f"bandpass {k}",)),
        ]
    n_features = talkers[0].description.spec.n_channels
    align = AlignConfig(n_streams=len(talkers), n_features=n_features, max_wait_s=4 * PIECE_S)
    speech = tuple(f"speech {k}" for k in range(len(talkers)))
    steps.append(Step("align", Align(align), (before, *speech)))
    graph = Graph(steps, ["align"])
    sources = {"neural": neural, **{f"talker {k}": stream for k, stream in enumerate(talkers)}}
    graph.open({name: stream.description.spec for name, stream in sources.items()})
    found = [item for name, piece in _interleave(sources) for _, item in graph.feed(name, piece)]
    stimuli = tuple(stream.description.source_id for stream in talkers)
    ch_names = graph.specs["pick"].ch_names
    return _as_run(path, neural, found, ch_names, names, stimuli, attended, preset.sfreq, n_features)


def _as_run(
    path: Path,
    neural: _Stream,
    found: Sequence[Any],
    ch_names: tuple[str, ...],
    names: tuple[str, ...],
    stimuli: tuple[str, ...],
    attended: Sequence[tuple[float, str]],
    sfreq: float,
    n_features: int,
) -> Run:
    pieces = [item for item in found if isinstance(item, Aligned)]
    if not pieces:
        raise RunError(f"{path}: neural signal and talkers have no instant in common")
    first, stop = pieces[0].start, pieces[-1].stop
    n_channels = pieces[0].neural.shape[1]
    x, y = np.zeros((stop - first, n_channels)), np.zeros((len(names), stop - first, n_features))
    known = np.zeros(stop - first, dtype=bool)
    for piece in pieces:
        rows = slice(piece.start - first, piece.stop - first)
        x[rows], y[:, rows], known[rows] = piece.neural, piece.talkers, True
    # The instants of the samples, by the clock maps that came with them; within a run they are one line.
    clock = next(item for item in found if isinstance(item, ClockMap))
    times = np.array([clock.time(index) for index in range(first, stop)])
    who = np.full(stop - first, -1)
    for time, name in attended:
        who[times >= time] = names.index(name) if name else -1
    who[~known] = -1
    root = ET.fromstring(neural.description.xml)  # noqa: S314 - expat bounds entity expansion
    subject = root.findtext("desc/subject/id") or path.stem
    return Run(path.stem, subject, sfreq, ch_names, x, names, y, who, stimuli)


def _streams(path: Path) -> tuple[_Stream, list[_Stream], list[tuple[float, str]]]:
    descriptions: dict[int, StreamDescription] = {}
    found: dict[int, list[tuple[NDArray[np.float64], NDArray[Any]]]] = {}
    attended: list[tuple[float, str]] = []
    try:
        for chunk in xdf.read_chunks(path):
            if chunk.tag == xdf.STREAM_HEADER:
                descriptions[chunk.stream_id] = describe_xml(chunk.content.decode("utf-8", "replace"))
            elif chunk.tag == xdf.SAMPLES and chunk.stream_id in descriptions:
                description = descriptions[chunk.stream_id]
                dtype = DTYPES[description.format]
                if dtype is not None:
                    samples = xdf.parse_samples(chunk.content, dtype, description.spec.n_channels)
                    found.setdefault(chunk.stream_id, []).append(samples)
                elif description.spec.name == "attention":
                    time, (value,) = xdf.parse_text(chunk.content, 1)
                    if value.startswith(ATTEND):
                        attended.append((time, value.removeprefix(ATTEND)))
    except (xdf.XdfError, StreamError) as error:
        raise RunError(f"{path} is not a run: {error}") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    streams = [
        _Stream(descriptions[i], np.concatenate([s for s, _ in parts]), np.concatenate([d for _, d in parts]))
        for i, parts in found.items()
    ]
    neural = [s for s in streams if s.description.type in ("EEG", "SEEG", "ECOG")]
    talkers = [s for s in streams if s.description.type == "Speech"]
    if len(neural) != 1 or len(talkers) < 2:
        raise RunError(
            f"{path} is not a run: {len(neural)} neural streams and {len(talkers)} talkers, but must be 1 and at "
            "least 2. Make one with 'earmark import'"
        )
    shapes = {(s.description.spec.sfreq, s.description.spec.n_channels) for s in talkers}
    if len(shapes) > 1:
        raise RunError(f"{path}: talkers differ in rate or number of features: {sorted(shapes)}")
    return neural[0], talkers, sorted(attended)


def _interleave(sources: dict[str, _Stream]) -> list[tuple[str, Item]]:
    """All streams in pieces, in order of time: nothing has to wait long for anything."""
    pieces: list[tuple[float, str, Item]] = []
    for name, stream in sources.items():
        sfreq = stream.description.spec.sfreq
        index = 0
        breaks = np.flatnonzero(np.abs(np.diff(stream.stamps) - 1 / sfreq) > 0.5 / sfreq) + 1
        for first, last in zip([0, *breaks], [*breaks, len(stream.stamps)], strict=True):
            begin = float(stream.stamps[first])
            if first:
                missing = max(1, round((begin - float(stream.stamps[first - 1])) * sfreq) - 1)
                pieces.append((begin, name, Gap(index, index + missing)))
                index += missing
            pieces.append((begin, name, ClockMap(float(index), begin, 1 / sfreq)))
            step = max(1, round(PIECE_S * sfreq))
            for start in range(first, last, step):
                data = stream.data[start : min(start + step, last)]
                end = float(stream.stamps[min(start + step, last) - 1])
                pieces.append((end, name, Block(index, data)))
                index += len(data)
        pieces.append((float(stream.stamps[-1]), name, Gap(index, index)))  # the end: let what is held go
    pieces.sort(key=lambda piece: piece[0])
    return [(name, item) for _, name, item in pieces]
