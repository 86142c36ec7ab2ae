"""Streams that an engine listens to: found and opened, compared with what is expected, and how they fare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.config import Config, ConfigError, StreamConfig
from devices.fieldtrip_inlet import FieldTripInlet
from devices.lsl import Arrival, Inlet
from devices.lsl_info import StreamDescription
from pipeline.stream import ClockMap


@dataclass
class StreamStatus:
    """What is known of a stream now."""

    n_samples: int = 0
    n_gaps: int = 0
    n_missing: int = 0
    n_skipped: int = 0
    n_first: int = 0
    first_arrival: float = 0.0
    last_arrival: float = 0.0
    #: LSL time of the newest sample.
    newest: float | None = None
    clock: ClockMap | None = None

    @property
    def effective_sfreq(self) -> float | None:
        """Samples per second of this machine's clock; what is missing counts as sent."""
        seconds = self.last_arrival - self.first_arrival
        return (self.n_samples + self.n_missing - self.n_first) / seconds if seconds > 0 else None


def open_inlet(
    name: str, stream: StreamConfig, sink: Callable[[Arrival], None], timeout: float
) -> Inlet | FieldTripInlet:
    """Find and open a stream, whatever it comes from.

    Raises
    ------
    devices.lsl_info.StreamError
        If it is not there or cannot be opened.
    """
    if stream.fieldtrip:
        return FieldTripInlet(name, stream.fieldtrip, sink, stream.unit, stream.ch_type, timeout)
    return Inlet(name, stream.selector, sink, stream.unit, timeout)


def check_expected(config: Config, descriptions: Mapping[str, StreamDescription]) -> None:
    """Refuse streams that are not what the configuration says.

    Raises
    ------
    ConfigError
        Naming stream, key, value found and value wanted.
    """
    for name, wanted in config.streams.items():
        spec = descriptions[name].spec
        for key, found, value in (
            ("sfreq", spec.sfreq, wanted.sfreq),
            ("n_channels", spec.n_channels, wanted.n_channels),
        ):
            if value is not None and value != found:
                raise ConfigError(f"stream {name!r}: {key} is {found:g}, but must be {value:g} by [streams.{name}]")
