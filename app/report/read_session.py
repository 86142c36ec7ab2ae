"""Read and replay a recorded session, and compute its figures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from earmark.app.config.modes import Mode
from earmark.app.config.session import Config, parse_config
from earmark.app.engine.events_file import parts, read_events
from earmark.app.replay.verify import Replay
from earmark.app.report.figures import (
    Cues,
    SessionFigures,
    at_newest_sample,
    in_columns,
    measure,
    sound_counters,
    stream_rates,
)
from earmark.app.report.posterior import live_and_smoothed
from earmark.devices.files.corpus import evaluate_corpus
from earmark.devices.files.decoder_folder import load_decoder
from earmark.devices.files.journal import About, EventLine, Line
from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.session_file import LONGEST_S, Consumed, Noted, SessionFile
from earmark.devices.files.session_run import CUES, read_cues, read_session_runs
from earmark.devices.files.subjects import whose
from earmark.devices.sources.lsl_description import StreamDescription
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.attention.attend import evidence_config
from earmark.pipeline.evaluation.evaluate import WINDOWS
from earmark.pipeline.evaluation.splits import TRAINED_ELSEWHERE
from earmark.pipeline.stream import Block, ChannelQuality, ClockMap, Decision, Gap, Item


@dataclass
class _Contents:
    """Contents of all files of a recording, from reading and replaying them; times are LSL times."""

    cues: list[tuple[float, str]] = field(default_factory=list)
    #: One list per file; each file was written by one engine.
    journals: list[list[tuple[float, Line]]] = field(default_factory=list)
    decided: list[list[Decision]] = field(default_factory=list)
    gaps: dict[str, tuple[int, int]] = field(default_factory=dict)
    n_samples: dict[str, int] = field(default_factory=dict)
    nominal: dict[str, float] = field(default_factory=dict)
    periods: dict[str, list[float]] = field(default_factory=dict)
    first: float = np.inf
    last: float = -np.inf
    described: dict[str, StreamDescription] = field(default_factory=dict)
    whole: bool = False
    damage: list[str] = field(default_factory=list)
    quality: dict[str, list[bool]] = field(default_factory=dict)

    def add(self, file: SessionFile) -> None:
        """Read and replay one more file."""
        self.described |= file.streams
        self.nominal |= {name: one.spec.sfreq for name, one in file.streams.items() if one.spec.sfreq}
        self.cues += read_cues(file, CUES) if CUES in file.streams else []
        for event in file:
            if isinstance(event, Consumed) and isinstance(event.item, Gap):
                n, missing = self.gaps.get(event.stream, (0, 0))
                self.gaps[event.stream] = n + 1, missing + event.item.stop - event.item.start
            elif isinstance(event, Consumed) and isinstance(event.item, Block):
                self.n_samples[event.stream] = self.n_samples.get(event.stream, 0) + len(event.item.data)
            elif isinstance(event, Consumed) and isinstance(event.item, ClockMap):
                self.periods.setdefault(event.stream, []).append(event.item.period)
            if isinstance(event, Noted):
                self.first, self.last = min(self.first, event.time), max(self.last, event.time)
        self.whole = file.whole
        self.damage += [f"{file.path.name}: {words}" for words in file.damage]
        replay = Replay(file)
        self.decided.append([])
        replay.run(self._collect)
        self.journals.append(replay.events)

    def _collect(self, output: str, item: Item) -> None:
        if isinstance(item, Decision):
            self.decided[-1].append(item)
        elif isinstance(item, ChannelQuality):
            for name, bad in zip(item.ch_names, item.bad, strict=True):
                self.quality.setdefault(name, []).append(bool(bad))

    @property
    def decisions(self) -> list[Decision]:
        """Decisions of all engines."""
        return [one for decided in self.decided for one in decided]

    def lines(self) -> list[list[Line]]:
        """Return the journal lines, one list per engine."""
        both = zip(self.journals, self.decided, strict=True)
        return [at_newest_sample([line for _, line in journal], decided) for journal, decided in both]

    def events(self) -> list[tuple[float, str]]:
        """Return time and text of the engine's messages; the recording itself contains no others."""
        return [(at, line.event) for journal in self.journals for at, line in journal if isinstance(line, EventLine)]


def session_figures(path: Path) -> SessionFigures:
    """Replay a recorded run and compare its decisions with its cues.

    Parameters
    ----------
    path : Path
        The recording, or its first file, next to the copy of its decoder.

    Returns
    -------
    SessionFigures

    Raises
    ------
    EarmarkError
        If the recording cannot be replayed, or has no decision.
    """
    files, read = parts(path), _Contents()
    for file in files:
        read.add(SessionFile(file))
    about = SessionFile(path).about
    decoder, facts = load_decoder(path.with_suffix(".decoder"))
    talkers = about.talkers
    _check(path, read, talkers)
    begin = min(one.time for one in read.decisions)
    given = sorted(read.cues, key=lambda cue: cue[0])
    cues = Cues(
        np.array([time for time, _ in given], np.float64) - begin,
        np.array([talkers.index(name) if name else -1 for _, name in given], np.int64),
    )
    # In an open loop decisions set no gains.
    decisions = in_columns(read.decisions, begin, steering=about.mode != Mode.OPEN)
    end = max(read.last - begin, float(decisions.times[-1]))
    if not max([end, *cues.times]) - min([0.0, *cues.times]) <= LONGEST_S:
        raise RunError(f"{path} is damaged: its times span more than {LONGEST_S / 86400:g} days")
    lines = read.lines()
    measured = measure(
        decisions, cues, lines, end=end, window_s=decoder.spec.window, hop_s=decoder.preset.hop, begin=begin
    )
    messages = read.events()
    config = _config(about).attention
    assert config is not None
    posterior = later = None
    if facts.emissions is not None and len(about.decoders) == 1:  # a fallback has scores of its own
        evidence = evidence_config(config.settings, len(talkers), decoder.spec.window)
        posterior, later = live_and_smoothed(read.decided, cues, begin, decoder.spec.sfreq, evidence, facts.emissions)
    return SessionFigures(
        **vars(measured),
        talkers=talkers,
        begin=begin,
        cues=tuple((time - begin, name) for time, name in given),
        accuracy=_accuracy(files, decoder, about),
        masked={name: float(np.mean(bad)) for name, bad in read.quality.items()},
        gaps=read.gaps,
        rates=stream_rates(
            read.nominal,
            read.periods,
            read.n_samples,
            {name: missing for name, (_, missing) in read.gaps.items()},
            [words for _, words in messages],
        ),
        sound=sound_counters(lines),
        # The events file beside the recording has all messages; the recording only those of the engines.
        events=tuple((time - begin, words) for time, words in read_events(path) or messages),
        n_files=len(files),
        whole=read.whole,
        damage=tuple(read.damage),
        about=about,
        posterior=posterior,
        smoothed=later,
        subject=about.subject or whose(path)[0],
        ended=max(file.stat().st_mtime for file in files),
        seconds=read.last - read.first if read.last > read.first else float("nan"),
        amplifier=_amplifier(read.described[config.neural]),
    )


def _amplifier(stream: StreamDescription) -> str:
    """Describe the stream of the brain signals."""
    described = ET.fromstring(stream.xml)  # noqa: S314 - expat is bounded
    places = ("desc/acquisition/manufacturer", "desc/manufacturer", "desc/acquisition/model", "desc/model")
    made = " ".join(words for place in places if (words := (described.findtext(place) or "").strip()))
    origin = f"{stream.origin} ({made})" if made else stream.origin
    return f"{origin}, {len(stream.sent.ch_names)} channels at {stream.sent.sfreq:g} Hz"


def _check(path: Path, read: _Contents, talkers: Sequence[str]) -> None:
    """Raise if a recording cannot be evaluated."""
    if not read.decisions:
        raise RunError(f"{path} contains no decision: record a run with a decoder, by 'earmark run'")
    if len(talkers) != len(read.decisions[0].scores):
        raise RunError(
            f"{path} is damaged: it names {len(talkers)} talkers, but its decisions have "
            f"{len(read.decisions[0].scores)} scores"
        )
    if unknown := sorted({name for _, name in read.cues} - {*talkers, ""}):
        raise RunError(f"{path}: a cue names {unknown[0]!r}, but the talkers are {', '.join(talkers)}")


def _config(about: About) -> Config:
    return parse_config(about.config, "the recording", recorded=about.format)


def _accuracy(files: Sequence[Path], decoder: Any, about: About) -> dict[str, Any] | str:
    """Evaluate the run's decoder on the run by decision window, with a null; or give the reason why that failed."""
    from earmark.app.training.trained import Trained

    attention = _config(about).attention
    assert attention is not None
    try:
        runs = [
            run
            for file in files
            for run in read_session_runs(file, decoder.preset, attention.neural, attention.talkers, CUES)
        ]
        longest = max(run.duration for run in runs)
        windows = tuple(window for window in WINDOWS if window <= longest / 2)
        return evaluate_corpus(runs, partial(Trained, decoder), TRAINED_ELSEWHERE, windows).to_json()
    except EarmarkError as error:
        return str(error)
