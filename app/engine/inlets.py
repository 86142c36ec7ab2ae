"""Streams that an engine listens to: found and opened, compared with what is expected, and how they fare."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from earmark.app.config.session import Config, ConfigError, StreamConfig
from earmark.devices.sources.lsl_description import StreamDescription
from earmark.devices.sources.source import SOURCES, Arrival, Sender, Source, Wanted
from earmark.devices.sources.stamp_clock import other_clock
from earmark.pipeline.stream import ClockMap, Gap

#: An episode of falling behind has ended once nothing was skipped for so many seconds; stamps are of another clock
#: once they have been for as long.
CALM_S = 2.0


@dataclass
class LagEpisode:
    """An episode of samples skipped because the graph fell behind: said once at its start, and once at its end."""

    n: int = 0
    start: int = 0
    stop: int = 0
    #: Longest time that a skipped sample had waited, in seconds.
    longest_s: float = 0.0
    last: float = 0.0

    def skip(self, gap: Gap, now: float, waited_s: float) -> str:
        """Count skipped samples; return what is to be said of them, which is nothing within an episode."""
        first = not self.n
        if first:
            self.start, self.longest_s = gap.start, 0.0
        self.n, self.stop, self.last = self.n + gap.stop - gap.start, gap.stop, now
        self.longest_s = max(self.longest_s, waited_s)
        return f"the graph fell behind by {waited_s:.1f} s; samples are skipped from index {gap.start} on" * first

    def end(self, now: float) -> str:
        """Say how much was skipped, if an episode is over by now."""
        if not self.n or now - self.last < CALM_S:
            return ""
        n, self.n = self.n, 0
        return f"fell behind by {self.longest_s:.1f} s; {n} samples skipped from index {self.start} to {self.stop}"


@dataclass
class StreamStatus:
    """What is known of a stream now."""

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
    #: Whether its time runs as fast as ours, as that of a recording played at another speed does not.
    timed: bool = True
    #: That its stamps are of another clock, in words, and since which arrival they are; empty if they are of LSL's.
    other_clock: str = ""
    _other_clock_since: float | None = None

    def stamped(self, stamp: float, arrival: float) -> str:
        """Take the time of the newest sample; say, once it has lasted, that it is of another clock."""
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
        """Count samples, or a marker."""
        self.n_samples += n
        self._count(n, at)

    def missed(self, n: int, at: float) -> None:
        """Count samples that never arrived, as was noticed when others did."""
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
        if at == self.first_arrival:  # all of what came first: how long it took is not known
            self.n_first += n
        self.last_arrival = at

    @property
    def effective_sfreq(self) -> float | None:
        """Samples per second of this machine's clock; what is missing or was skipped counts as sent."""
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
    """Make the source of a stream, which begins to look for it.

    Parameters
    ----------
    name : str
        Its name in the configuration.
    stream : StreamConfig
    sink : callable
        Receives everything that arrives.
    before : Sender, optional
        Where it came from until now: it is looked for there.
    stop : threading.Event, optional
        Ends the search for it.

    Raises
    ------
    earmark.devices.sources.lsl_description.StreamError
        If it cannot be looked for.
    earmark.pipeline.registry.RegistryError
        If there is no such kind of source, or it cannot be used.
    """
    table = f"[streams.{name}]"
    return SOURCES.get(stream.kind)(Wanted(name, stream.place, sink, stream.overrides, before, stop, table))


def connect(source: Source, name: str, timeout: float) -> None:
    """Wait for the stream of a source, and say what of the user's word changes nothing.

    Raises
    ------
    earmark.devices.sources.lsl_description.StreamError
        If it is not there within ``timeout`` seconds, or cannot be opened.
    """
    source.connect(timeout)
    if source.description.applied is not None:
        source.description.applied.warn(f"stream {name!r}")


def check_expected(config: Config, descriptions: Mapping[str, StreamDescription]) -> None:
    """Refuse streams that have another number of channels than the configuration says.

    Raises
    ------
    ConfigError
        Naming stream, number found and number wanted.
    """
    for name, wanted in config.streams.items():
        found, value = descriptions[name].sent.n_channels, wanted.n_channels
        if value is not None and value != found:
            raise ConfigError(f"stream {name!r}: n_channels is {found}, but must be {value} by [streams.{name}]")
