"""Contents of a recorded session on the time axis of a BIDS recording: seconds by the sample count.

The clock of an amplifier runs slightly faster or slower than that of the sound, so times are converted with the clock
maps that decoding used: sample ``i`` is at ``i / sfreq``, an event is where it was among the samples, and each sample
of the envelope of a talker has a time on that axis. The onset and the mean speed are for other programs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.bids import ATTENTION_TRIAL, AUDIO, SKIP
from earmark.devices.files.journal import HeardLine, MaskedLine
from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.session_file import Consumed, Noted, SessionFile
from earmark.devices.files.session_run import CUES, REORIENT_S, read_cues
from earmark.devices.sources.lsl_description import StreamDescription
from earmark.pipeline.stream import Block, ClockMap, Gap, Marker
from earmark.pipeline.units import microvolts

#: Maximum duration in seconds of a gap that is filled.
MAX_GAP_S = 3600.0
#: A channel that was masked for at least this fraction of a recording is written as bad.
MASKED = 0.95


class Source(NamedTuple):
    """A recorded session to export.

    Attributes
    ----------
    path : Path
        The recording.
    neural, talkers : str
        Names of the streams of electrodes and of envelopes.
    listener : str
        Name of the listener.
    audio : dict of str to Path
        Sound file of each talker that has one.
    positions : callable
        Returns the position of each talker in its file at an LSL time, s, from the journal's lines about what was
        played; None if unknown.
    """

    path: Path
    neural: str
    talkers: str
    listener: str
    audio: Mapping[str, Path] = MappingProxyType({})
    positions: Callable[[Sequence[HeardLine], float], Sequence[float] | None] = lambda heard, at: None

    @property
    def session(self) -> Path:
        """Folder of the session, which contains calibrations and the folders of runs."""
        folder = self.path.absolute().parent
        return folder.parent if re.fullmatch(r"run-\d+", folder.name) else folder


@dataclass
class _Clock:
    """Time of the samples of a stream, each by the latest clock map before it."""

    starts: list[int] = field(default_factory=list)
    maps: list[ClockMap] = field(default_factory=list)

    def add(self, index: int, clock: ClockMap) -> None:
        """Add a map that holds from a sample on."""
        self.starts.append(index)
        self.maps.append(clock)

    def times(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the LSL times of samples."""
        at = np.maximum(np.searchsorted(self.starts, indices, side="right") - 1, 0)
        index0, time0, period = np.array([(m.index0, m.time0, m.period) for m in self.maps])[at].T
        return np.asarray(time0 + (indices - index0) * period)

    def indices(self, times: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the positions among the samples at LSL times."""
        begun = [clock.time(start) for start, clock in zip(self.starts, self.maps, strict=True)]
        maps = [self.maps[max(bisect_right(begun, time) - 1, 0)] for time in times]
        return np.array([clock.index(time) for time, clock in zip(times, maps, strict=True)])


class SessionContents:
    """Contents of a recording; the neural samples are written to a file at once."""

    def __init__(self, session: SessionFile, source: Source, data: BinaryIO) -> None:
        self.session, self._source = session, source
        self._named_bad: NDArray[np.bool_] | None = None
        # Bad channels keep their samples in the data set.
        self.description = session.streams[source.neural]
        if self.description.applied is not None:
            self._named_bad = self.description.applied.bad
            self.description = replace(self.description, applied=replace(self.description.applied, bad=None))
            session.streams[source.neural] = self.description
        self._speech: StreamDescription = session.streams[source.talkers]
        self._clock, self._speech_clock = _Clock(), _Clock()
        self.n_samples = 0
        self._pieces: list[tuple[int, list[NDArray[Any]]]] = []
        self._gaps: list[tuple[int, int]] = []
        self._markers: list[Marker] = []
        self._masked: list[tuple[float, MaskedLine]] = []
        self._times: list[float] = []
        self._heard: list[HeardLine] = []
        self._read(source, data)
        if not self._clock.maps or not self.n_samples:
            raise RunError("it has no samples")
        self._cues = read_cues(session, CUES) if CUES in session.streams else []

    def _read(self, source: Source, data: BinaryIO) -> None:
        n_channels, following = self.description.spec.n_channels, 0
        for event in self.session:
            if isinstance(event, Noted):
                self._times.append(event.time)
                if isinstance(event.line, MaskedLine):
                    self._masked.append((event.time, event.line))
                elif isinstance(event.line, HeardLine):
                    self._heard.append(event.line)
            if not isinstance(event, Consumed):
                continue
            match event.item:
                case Marker():
                    self._markers.append(event.item)
                case Block() as block if event.stream == source.neural:
                    data.write(np.ascontiguousarray(block.data, "<f4").tobytes())
                    self.n_samples = block.stop
                case Gap(start, stop) if event.stream == source.neural and stop > start:
                    if stop - start > MAX_GAP_S * self.description.spec.sfreq:
                        hours = (stop - start) / self.description.spec.sfreq / 3600
                        raise RunError(f"samples of {hours:.1f} h are missing in it, more than is filled")
                    data.write(np.full((stop - start, n_channels), np.nan, "<f4").tobytes())
                    self.n_samples = stop
                    self._gaps.append((start, stop))
                case Block() as block if event.stream == source.talkers:
                    if not self._pieces or following != block.start:
                        self._pieces.append((block.start, []))
                    self._pieces[-1][1].append(block.data)
                    following = block.stop
                case ClockMap() as clock if event.stream == source.neural:
                    self._clock.add(self.n_samples, clock)
                case ClockMap() as clock if event.stream == source.talkers:
                    self._speech_clock.add(following, clock)

    def _seconds(self, times: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert LSL times to seconds by the sample count."""
        return self._clock.indices(times) / self.description.spec.sfreq

    def channels(self) -> list[dict[str, str]]:
        """Return the rows of the table of channels."""
        spec, masked = self.description.spec, self._masked_share()
        rows = []
        for i, (name, kind, unit) in enumerate(zip(spec.ch_names, spec.ch_types, spec.units, strict=True)):
            named = self._named_bad is not None and bool(self._named_bad[i])
            share = masked.get(name, 0.0)
            why = ["named bad in the session"] if named else []
            why += [f"masked by the quality check for {100 * share:.0f} % of the recording"] if share else []
            rows.append(
                {
                    "name": cell(name),
                    "type": kind.upper(),
                    "units": cell(unit) if microvolts(unit) is None else "uV",
                    "low_cutoff": "n/a",
                    "high_cutoff": "n/a",
                    "status": "bad" if named or share >= MASKED else "good",
                    "status_description": "; ".join(why) or "n/a",
                }
            )
        return rows

    def _masked_share(self) -> dict[str, float]:
        share: dict[str, float] = {}
        now: dict[str, tuple[str, ...]] = {}
        if not self._masked or self._times[-1] <= self._times[0]:
            return {}
        whole = self._times[-1] - self._times[0]
        ends = [time for time, _ in self._masked[1:]] + [self._times[-1]]
        for (time, line), end in zip(self._masked, ends, strict=True):
            now[line.by] = line.masked
            for name in {name for names in now.values() for name in names}:
                share[name] = share.get(name, 0.0) + (end - time) / whole
        return share

    def events(self) -> list[dict[str, str]]:
        """Return the rows of gaps, markers and trials."""
        sfreq = self.description.spec.sfreq
        rows = [_event(start / sfreq, (stop - start) / sfreq, SKIP) for start, stop in self._gaps]
        onsets = self._seconds([marker.time for marker in self._markers])
        rows += [_event(at, 0.0, cell(m.value)) for at, m in zip(onsets, self._markers, strict=True)]
        cued = [time for time, _ in self._cues]
        edges = [*self._seconds(cued).tolist(), self.n_samples / sfreq]
        found = self._seconds([time + REORIENT_S for time in cued])
        for (_, name), start, stop, since in zip(self._cues, edges[:-1], edges[1:], found, strict=True):
            if name and stop > start:
                rows.append(_event(start, stop - start, ATTENTION_TRIAL))
                rows.append(_event(since, max(stop - since, 0.0), "attention", attended=cell(name)))
        return rows

    def sounds(self, folder: Path, stem: str | None) -> list[dict[str, str]]:
        """Write the envelopes of all talkers to a folder, if ``stem`` is given, and return their rows."""
        rows = []
        sfreq = self._speech.spec.sfreq
        pieces = self._pieces if stem and self._speech_clock.maps else []
        for number, (begin, parts) in enumerate(pieces, 1):
            envelopes = np.concatenate(parts)
            at = self._seconds(self._speech_clock.times(np.arange(begin, begin + len(envelopes))))
            at = np.maximum.accumulate(at)
            step = float(at[-1] - at[0]) / (len(at) - 1) if at[-1] > at[0] else 1 / sfreq
            for k, talker in enumerate(self._speech.spec.ch_names):
                label = re.sub("[^A-Za-z0-9]", "", talker) or "talker"
                file = f"{str(stem).partition('_')[0]}/{stem}_stim-{k + 1}{label}_part-{number}.npz"
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                row = _event(float(at[0]), len(at) * step, "sound", talker=cell(talker), stim_file=file)
                heard = at - float(row["onset"])  # as written, so that the sum is exact
                np.savez_compressed(folder / file, envelope=envelopes[:, k], sfreq=sfreq, heard_s=heard)
                rows.append({**row, "stim_speed": f"{1 / (sfreq * step):.12g}"})
        return rows

    def audio(self, name_of: Callable[[Path], str]) -> list[dict[str, str]]:
        """Return a row for the sound file of each talker; ``name_of`` returns its name in the data set."""
        first, talkers = float(self._clock.times(np.array([0]))[0]), self._speech.spec.ch_names
        where = self._source.positions(self._heard, first)
        if where is None or len(where) != len(talkers):
            return []
        length = self.n_samples / self.description.spec.sfreq
        return [
            _event(0.0, length, AUDIO, talker=cell(name), stim_file=name_of(file), stim_start=f"{position:.6f}")
            for name, position in zip(talkers, where, strict=True)
            for file in [self._source.audio.get(name)]
            if file is not None
        ]


def _event(onset: float, duration: float, what: str, **others: str) -> dict[str, str]:
    return {"onset": f"{onset:.9f}", "duration": f"{duration:.9f}", "trial_type": what, **others}


def cell(text: str) -> str:
    """Return a text for a cell of a table."""
    return " ".join(text.split()) or "n/a"
