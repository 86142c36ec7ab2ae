"""Simulate recorded sessions with the writer and graph of live ones, much faster than real time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.app.config.session import parse_config
from earmark.app.engine.events_file import copied_decoders
from earmark.devices.files.journal import About, DecisionLine, DigestLine, EventLine
from earmark.devices.files.session_writer import Digest, SessionWriter
from earmark.devices.sources.lsl_description import StreamDescription, describe_xml, make_info
from earmark.devices.sources.source import Arrival
from earmark.pipeline.attention.decoding_graph import CONTROL
from earmark.pipeline.control import Session, SessionChanged, Tick, TimedControl
from earmark.pipeline.graph import Graph
from earmark.pipeline.stream import Block, ClockMap, Decision, Marker, StreamSpec

SFREQ, SPEECH_HZ, TALKERS = 128.0, 64.0, ("Joe", "Ada")
CONFIG = """
[streams.eeg]
name = "amp"
[streams.speech]
name = "speech"
ch_type = "misc"
[streams.cues]
name = "cues"
type = "Markers"
[attention]
"""
#: LSL time of the start of a recording.
BEGIN = 1000.0
Trials = Sequence[tuple[str, float]]
TWO: Trials = (("Joe", 8.0), ("Ada", 8.0))


def slow(seed: int, seconds: float, sfreq: float) -> NDArray[np.float64]:
    """Return a signal of 2 to 6 Hz, the same at every sampling rate."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sfreq)) / sfreq
    f, p = rng.uniform(2, 6, 12), rng.uniform(0, 6, 12)
    return np.asarray(np.cos(2 * np.pi * t[:, None] * f + p).sum(axis=1))


def descriptions(n_channels: int) -> dict[str, StreamDescription]:
    """Return the streams of a session."""
    names = tuple(f"E{i}" for i in range(n_channels))
    infos = {
        "eeg": make_info(StreamSpec("amp", SFREQ, names, ("eeg",) * n_channels, ("uV",) * n_channels), "EEG", "amp"),
        "speech": make_info(StreamSpec("speech", SPEECH_HZ, TALKERS, ("misc",) * 2, ("",) * 2), "Envelope", "speech"),
        "cues": make_info(StreamSpec("cues", 0.0, ("cue",), ("misc",), ("",)), "Markers", "cues", "string"),
    }
    return {name: describe_xml(info.as_xml()) for name, info in infos.items()}


class _Live:
    """Writes arrivals, and the output of a graph for them."""

    def __init__(self, writer: SessionWriter, graph: Graph | None) -> None:
        self._writer, self._graph, self._n = writer, graph, 0
        self._digests = {name: Digest() for name in graph.outputs} if graph else {}

    def write(self, arrival: Arrival) -> None:
        self._writer.arrival(arrival)
        if self._graph is None or not isinstance(arrival.item, Block | ClockMap | Marker | TimedControl):
            return
        for name, item in self._graph.feed(arrival.stream, arrival.item):
            self._digests[name].add(item)
            self._writer.output(name, item)
            if isinstance(item, Decision):
                self._n += 1
                scored = bool(np.isfinite(item.scores).all())
                self._writer.journal(
                    item.time, DecisionLine(self._n, item.time, item.time, item.time, item.time, scored)
                )

    def seal(self, now: float) -> None:
        for name, digest in self._digests.items():
            self._writer.journal(now, DigestLine(name, digest.n_items, digest.hexdigest()))
        self._writer.journal(now, EventLine(f"it is {now:g} s"))
        self._writer.boundary()
        self._writer.seal(now)


def write_session(
    path: Path,
    trials: Trials = TWO,
    seed: int = 0,
    n_channels: int = 4,
    end: bool = True,
    about: About | None = None,
    decoder: Path | None = None,
    attention: str = "",
    signals: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> Path:
    """Write a calibration, or a run if there is a decoder: a second of rest, then the trials.

    Chunks are 0.125 s long, and there is a seal every second.

    Parameters
    ----------
    path : Path
        Recording to write.
    trials : sequence of (str, float)
        Attended talker and length in s of each trial.
    seed : int
        Seed of the signals.
    n_channels : int
        Number of EEG channels.
    end : bool
        Whether the recording is complete; else it is cut short.
    about : About, optional
        Metadata of the recording.
    decoder : Path, optional
        Folder of a decoder.
    attention : str
        Further lines of ``[attention]`` of a run.
    signals : tuple of array, optional
        EEG in µV at :data:`SFREQ`, shape (n, n_channels), and envelopes of the talkers at :data:`SPEECH_HZ`, shape
        (m, 2), from the start of the recording on; made up from ``seed`` if not given.

    Returns
    -------
    Path
        ``path``.
    """
    streams = descriptions(n_channels)
    metadata = replace(about or About(""), config=CONFIG, talkers=TALKERS)
    path.parent.mkdir(parents=True, exist_ok=True)
    graph, outputs = None, {}
    if decoder is not None:
        text = f'{CONFIG}{attention}decoder = "decoder"\n'
        config = parse_config(text, "made here", decoder.parent)
        copies = copied_decoders([decoder], path)
        metadata = replace(metadata, config=text, decoders=copies, mode="closed", steered=True)
        graph = config.graph([decoder])
        graph.open(config.sources({name: one.spec for name, one in streams.items()}))
        outputs = {name: graph.specs[name] for name in config.block_outputs()}
    writer = SessionWriter(streams, outputs, metadata)
    seconds = 1.0 + sum(length for _, length in trials)
    starts = np.cumsum([1.0, *(length for _, length in trials)])
    cues = [(float(at), name) for at, (name, _) in zip(starts, (*trials, ("", 0.0)), strict=True)]
    eeg, speech = _made_up(cues, seconds, seed, n_channels) if signals is None else signals
    with path.open("wb") as file:
        file.write(writer.headers)

        def put(chunk: bytes) -> None:
            file.write(chunk)

        writer.begin(put)
        live = _Live(writer, graph)
        if graph is not None:
            live.write(Arrival(CONTROL, TimedControl(BEGIN, SessionChanged(Session.RUNNING)), BEGIN))
        for name, sfreq in (("eeg", SFREQ), ("speech", SPEECH_HZ)):
            live.write(Arrival(name, ClockMap(0.0, BEGIN, 1 / sfreq), BEGIN))
        for step in range(round(seconds * 8)):
            now = BEGIN + (step + 1) / 8
            while cues and cues[0][0] <= step / 8:
                at, name = cues.pop(0)
                _cue(live, BEGIN + at, name)
            for name, sfreq, data in (("eeg", SFREQ, eeg), ("speech", SPEECH_HZ, speech)):
                n = round(sfreq / 8)
                rows = slice(step * n, (step + 1) * n)
                stamps = BEGIN + np.arange(rows.start, rows.stop) / sfreq
                live.write(Arrival(name, Block(rows.start, data[rows].astype(np.float32)), now, stamps))
                if step % 8 == 7:  # as in a live session, a clock map refers to the next sample
                    live.write(Arrival(name, ClockMap(float(rows.stop), BEGIN + rows.stop / sfreq, 1 / sfreq), now))
            if step % 8 == 7:
                live.write(Arrival(CONTROL, TimedControl(now, Tick()), now))
                live.seal(now)
        for at, name in cues:
            _cue(live, BEGIN + at, name)
        if end:
            writer.end()
    return path


def _made_up(
    cues: Sequence[tuple[float, str]], seconds: float, seed: int, n_channels: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return noise, with the attended talker in the first channel, and the talkers."""
    voices = np.stack([slow(100 * seed + k, seconds, SFREQ) for k in range(2)], axis=1)
    rng = np.random.default_rng(seed)
    eeg = rng.normal(0, 1, (len(voices), n_channels)) + rng.normal(0, 3, (len(voices), 1))
    for k, (at, name) in enumerate(cues[:-1]):
        rows = slice(round(at * SFREQ), round(cues[k + 1][0] * SFREQ))
        eeg[rows, 0] += 2 * voices[rows, TALKERS.index(name)]
    return eeg, np.stack([slow(100 * seed + k, seconds, SPEECH_HZ) for k in range(2)], axis=1)


def _cue(live: _Live, at: float, name: str) -> None:
    marker = Marker(at, f"attend:{name}")
    live.write(Arrival("cues", marker, at, np.array([at]), [marker.value]))
