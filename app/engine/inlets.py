"""The input streams of an engine: finding and opening them, checking them, and counting their samples."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from earmark.app.config.session import Config, ConfigError, StreamConfig
from earmark.devices.sources.lsl_description import StreamDescription
from earmark.devices.sources.source import SOURCES, Arrival, Sender, Source, Wanted
from earmark.devices.sources.stamp_clock import other_clock
from earmark.pipeline.stream import ClockMap, Gap

#: An episode of lag ends after this many seconds without skipped samples. Time stamps must be off for as long until
#: they count as stamps of another clock.
CALM_S = 2.0


@dataclass
class LagEpisode:
    """An episode in which samples are skipped because the graph fell behind; reported at its start and its end."""

    n: int = 0
    start: int = 0
    stop: int = 0
    #: Longest waiting time of a skipped sample, s.
    longest_s: float = 0.0
    last: float = 0.0

    def skip(self, gap: Gap, now: float, waited_s: float) -> str:
        """Count skipped samples; return an event text at the start of an episode, else an empty text."""
        first = not self.n
        if first:
            self.start, self.longest_s = gap.start, 0.0
        self.n, self.stop, self.last = self.n + gap.stop - gap.start, gap.stop, now
        self.longest_s = max(self.longest_s, waited_s)
        return f"the graph fell behind by {waited_s:.1f} s; samples are skipped from index {gap.start} on" * first

    def end(self, now: float) -> str:
        """Return an event text with the number of skipped samples if an episode has just ended, else an empty text."""
        if not self.n or now - self.last < CALM_S:
            return ""
        n, self.n = self.n, 0
        return f"fell behind by {self.longest_s:.1f} s; {n} samples skipped from index {self.start} to {self.stop}"


@dataclass
class StreamStatus:
    """Counts and times of a stream as it is received."""

    n_samples: int = 0
    n_gaps: int = 0
    n_short: int = 0
    n_missing: int = 0
    n_skipped: int = 0
    n_first: int = 0
    first_arrival: float = 0.0
    last_arrival: float = 0.0
    #: LSL time of the newest sample.
    newest: float | None = None
    clock: ClockMap | None = None
    behind: LagEpisode = field(default_factory=LagEpisode)
    #: Whether its time runs at normal speed; not so for a recording that is streamed at another speed.
    timed: bool = True
    #: Message that its time stamps are of another clock; empty if they are of LSL's clock.
    other_clock: str = ""
    _other_clock_since: float | None = None

    def stamped(self, stamp: float, arrival: float) -> str:
        """Set the time of the newest sample; return a message if time stamps turn out to be of another clock.

        Parameters
        ----------
        stamp, arrival : float
            LSL times of the newest sample and of its arrival.
        """
        self.newest = stamp
        words = other_clock(stamp, arrival) if self.timed else ""
        if not words:
            self.other_clock, self._other_clock_since = "", None
            return ""
        if self._other_clock_since is None:
            self._other_clock_since = arrival
        if self.other_clock or arrival - self._other_clock_since < CALM_S:
            return ""
        self.other_clock = words
        return words

    def arrived(self, n: int, at: float) -> None:
        """Count samples, or a marker, that arrived at an LSL time."""
        self.n_samples += n
        self._count(n, at)

    def missed(self, n: int, at: float) -> None:
        """Count a gap of ``n`` samples that was detected at an LSL time."""
        self.n_gaps += 1
        self.n_missing += n
        self._count(n, at)

    def skip(self, gap: Gap, at: float) -> None:
        """Count samples that arrived, but were skipped."""
        self.n_skipped += gap.stop - gap.start
        self._count(gap.stop - gap.start, at)

    def _count(self, n: int, at: float) -> None:
        if not self.last_arrival:
            self.first_arrival = at
        if at == self.first_arrival:  # the first chunk: the time in which its samples were taken is not known
            self.n_first += n
        self.last_arrival = at

    @property
    def effective_sfreq(self) -> float | None:
        """Measured rate in Hz of this machine's clock, missing and skipped samples included; None if not yet known."""
        seconds = self.last_arrival - self.first_arrival
        n = self.n_samples + self.n_missing + self.n_skipped - self.n_first
        return n / seconds if seconds > 0 else None


def make_source(
    name: str,
    stream: StreamConfig,
    sink: Callable[[Arrival], None],
    before: Sender | None = None,
    stop: threading.Event | None = None,
) -> Source:
    """Create the source of a stream, which starts to search for it.

    Parameters
    ----------
    name : str
        Name of the stream in the configuration.
    stream : StreamConfig
    sink : callable
        Called with everything that arrives.
    before : Sender, optional
        Previous sender of the stream, which is searched for.
    stop : threading.Event, optional
        Ends the search.

    Raises
    ------
    earmark.devices.sources.lsl_description.StreamError
        If the search cannot be started.
    earmark.pipeline.registry.RegistryError
        If there is no such kind of source, or it cannot be used.
    """
    table = f"[streams.{name}]"
    return SOURCES.get(stream.kind)(Wanted(name, stream.place, sink, stream.overrides, before, stop, table))


def connect(source: Source, name: str, timeout: float) -> None:
    """Wait for the stream of a source, and warn about configured corrections that have no effect.

    Raises
    ------
    earmark.devices.sources.lsl_description.StreamError
        If the stream is not found within ``timeout`` seconds, or cannot be opened.
    """
    source.connect(timeout)
    if source.description.applied is not None:
        source.description.applied.warn(f"stream {name!r}")


def check_expected(config: Config, descriptions: Mapping[str, StreamDescription]) -> None:
    """Check that streams have the numbers of channels that the configuration requires.

    Raises
    ------
    ConfigError
        If one has not; names the stream and both numbers.
    """
    for name, wanted in config.streams.items():
        found, value = descriptions[name].sent.n_channels, wanted.n_channels
        if value is not None and value != found:
            raise ConfigError(f"stream {name!r}: n_channels is {found}, but must be {value} by [streams.{name}]")
