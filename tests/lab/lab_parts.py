"""Parts of a session as another laboratory would write them in its own package."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pylsl

from earmark.devices.sources.lsl_description import StreamError
from earmark.devices.sources.rate import RateWatch
from earmark.devices.sources.source import Sender, Wanted, describe
from earmark.devices.sources.unstamped import Unstamped
from earmark.pipeline.attention.evidence import Posterior
from earmark.pipeline.decoders.decoder import DecoderError, DecoderSpec, Projections
from earmark.pipeline.decoders.linear import make_spec
from earmark.pipeline.decoders.moments import lagged_product, moments, total
from earmark.pipeline.decoders.presets import Preset
from earmark.pipeline.decoders.saved import Saved, make
from earmark.pipeline.node import State
from earmark.pipeline.run import Run
from earmark.pipeline.scene.array import Array
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.transform import Framing
from earmark.pipeline.stream import Block, Gap, Item, StreamSpec, wiring_error


@dataclass(frozen=True)
class DriftConfig:
    """Time constant of the level, s, and the channels (default: all)."""

    seconds: float
    channels: tuple[str, ...] = ()


class Drift:
    """Subtract the level of each channel: a leaky mean that starts at the first sample."""

    Config = DriftConfig
    n_inputs = 1

    def __init__(self, config: DriftConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec) -> StreamSpec:
        if not spec.sfreq > 0:
            raise wiring_error("drift", "input", f"{spec.name!r} with irregular rate", "a regularly sampled stream")
        if not self.config.seconds > 0:
            raise wiring_error("drift", "seconds", self.config.seconds, "above 0")
        missing = [name for name in self.config.channels if name not in spec.ch_names]
        if missing:
            raise wiring_error("drift", "channels", missing, f"among {', '.join(spec.ch_names)}")
        self._which = [spec.ch_names.index(name) for name in self.config.channels or spec.ch_names]
        self._leak = 1 / (self.config.seconds * spec.sfreq + 1)
        self._level: np.ndarray | None = None
        return spec

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        if isinstance(item, Gap):
            self._level = None
        elif isinstance(item, Block):
            data = item.data.astype(np.float64)
            for row in data:
                if self._level is None:
                    self._level = row[self._which].copy()
                self._level += self._leak * (row[self._which] - self._level)
                row[self._which] -= self._level
            item = Block(item.start, data, item.bad)
        yield item

    def state(self) -> State:
        return {"level": np.zeros(0) if self._level is None else self._level.copy()}

    def restore(self, state: State) -> None:
        self._level = state["level"].astype(np.float64) if len(state["level"]) else None


@dataclass(frozen=True)
class FitSummary:
    """Summary of a fit."""

    n_samples: int


class Difference(Projections):
    """Reconstruct the attended talker from covariances, independently for each lag and channel."""

    kind = "difference"
    spec: DecoderSpec
    chosen: FitSummary

    def __init__(self, preset: Preset) -> None:
        self.preset = preset

    @classmethod
    def rebuild(cls, saved: Saved) -> Self:
        decoder = cls(saved.preset)
        shape = (len(saved.spec.lags) * len(saved.spec.ch_names), saved.spec.n_features)
        decoder.weights = saved.array("weights", shape)
        decoder.spec, decoder.chosen = saved.spec, make(FitSummary, saved.chosen)
        return decoder

    def arrays(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights}

    def fit(self, runs: Sequence[Run]) -> Self:
        if not runs:
            raise DecoderError("difference decoder: no training runs")
        self.spec = make_spec(self.kind, runs[0], self.preset)
        parts = [part for part in (moments(run, self.spec) for run in runs) if part.n]
        if not parts:
            raise DecoderError("difference decoder: in no run is attention known for longer than the lags")
        self.weights = total(parts).centred().xy
        self.weights = self.weights / np.abs(self.weights).max()
        self.chosen = FitSummary(sum(len(run.neural) for run in runs))
        return self

    def project_neural(self, neural: np.ndarray) -> np.ndarray:
        return lagged_product(neural, self.spec.lags, self.spec, self.weights)

    def project_talkers(self, talkers: np.ndarray) -> np.ndarray:
        return talkers[:, self.spec.ahead : max(talkers.shape[1] - self.spec.behind, self.spec.ahead)]

    def combine(self, correlations: np.ndarray) -> np.ndarray:
        return correlations.mean(axis=-1)


@dataclass(frozen=True)
class TcpConfig:
    """Address of the amplifier."""

    host: str = "127.0.0.1"
    port: int = 4711


class TcpAmplifier:
    """An amplifier that sends over TCP: a line of JSON, then packets of a number and one float32 per channel."""

    Config = TcpConfig
    sender: Sender | None = None

    def __init__(self, wanted: Wanted) -> None:
        self._wanted, self.status = wanted, "live"
        self._stop, self._socket = threading.Event(), None
        self._thread = threading.Thread(target=self._receive, name=f"tcp {wanted.stream}", daemon=True)

    def connect(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while not self._open():
            if time.monotonic() > end or (self._wanted.stop is not None and self._wanted.stop.is_set()):
                at = f"{self._wanted.config.host}:{self._wanted.config.port}"
                raise StreamError(f"no amplifier answers at {at} within {timeout:g} s: switch it on, or correct 'port'")
            time.sleep(0.05)
        names = tuple(self._header["names"])
        spec = StreamSpec("amplifier", self._header["sfreq"], names, ("eeg",) * len(names), ("uV",) * len(names))
        self.description = describe(spec, f"tcp-{self._wanted.config.port}", overrides=self._wanted.overrides)
        self._samples = Unstamped(self._wanted.stream, self.description, self._wanted.sink)
        self._packet = np.dtype([("number", "<u4"), ("values", "<f4", len(names))])

    @property
    def rate(self) -> RateWatch:
        return self._samples.rate

    def start(self, hops: Sequence[int] = ()) -> None:
        self._next: int | None = None
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)
        if self._socket is not None:
            self._socket.close()

    def _open(self) -> bool:
        if self._socket is not None:
            self._socket.close()
        try:
            self._socket = socket.create_connection((self._wanted.config.host, self._wanted.config.port), 0.2)
            with self._socket.makefile("rb") as file:
                line = b""
                while not line.endswith(b"\n"):
                    line += file.read1(1)
            self._header = json.loads(line)
        except (OSError, ValueError):
            return False
        self._socket.settimeout(0.05)
        return True

    def _receive(self) -> None:
        held = b""
        while not self._stop.is_set():
            try:
                received = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                received = b""
            if not received:
                held = b""
                self._reconnect()
                continue
            held += received
            n = len(held) // self._packet.itemsize
            if n:
                self._emit(np.frombuffer(held[: n * self._packet.itemsize], self._packet), pylsl.local_clock())
                held = held[n * self._packet.itemsize :]

    def _emit(self, packets: np.ndarray, arrival: float) -> None:
        start = int(packets["number"][0])
        if self._next is not None and start > self._next:
            self._samples.gap(self._next, start, arrival)
        self._samples.block(start, packets["values"], arrival)
        self._next = start + len(packets)

    def _reconnect(self) -> None:
        self._change("lost", "the amplifier is gone; looking for it")
        while not self._stop.wait(0.05):
            if self._open():
                self._change("live", "the amplifier is back")
                return

    def _change(self, status: str, words: str) -> None:
        self.status = status
        self._samples.tell(f"{self._wanted.stream}: {words}", pylsl.local_clock())


@dataclass(frozen=True)
class GentleConfig:
    """Gain for the decided talker, dB."""

    help_db: float = 2.0


class Gentle:
    """Amplify the decided talker by a fixed gain, and leave the others unchanged."""

    Config = GentleConfig

    def __init__(self, config: GentleConfig, n_talkers: int) -> None:
        self.config, self.n_talkers = config, n_talkers
        self.neutral = np.zeros(n_talkers)
        self.reset()

    def reset(self) -> None:
        self._talker = -1

    @property
    def gains(self) -> np.ndarray:
        return self.neutral.copy() if self._talker < 0 else self.favour(self._talker)

    def favour(self, talker: int) -> np.ndarray:
        return np.where(np.arange(self.n_talkers) == talker, self.config.help_db, 0.0)

    def update(self, posterior: Posterior, at: float) -> None:
        self._talker = -1 if posterior.talker is None else posterior.talker

    def state(self) -> State:
        return {"talker": np.array(self._talker)}

    def restore(self, state: State) -> None:
        self._talker = int(state["talker"])


def mono(sfreq: float) -> tuple[np.ndarray, np.ndarray]:
    """Place all talkers in the centre."""
    return np.array([0.0]), np.ones((1, 2, 1))


class Louder:
    """Give each frequency to the place whose microphone hears more of it: for microphones near the talkers' mouths."""

    delay = 0

    def __init__(self, array: Array, framing: Framing, n_places: int) -> None:
        if n_places > array.n_mics:
            raise SceneError(f"louder: {n_places} places need as many microphones, but there are {array.n_mics}")
        self.sfreq, self.hop, self.n_bins = framing.sfreq, framing.hop, framing.n_bins
        self.n_mics, self.n_places = array.n_mics, n_places
        self._keep = np.exp(-framing.hop / framing.sfreq / 0.02)
        self._power = np.zeros((n_places, framing.n_bins))
        self.memory = self._power.nbytes

    def process(self, spectra: np.ndarray, directions: np.ndarray) -> np.ndarray:
        used = np.isfinite(directions)
        if used.sum() < 2:
            return np.full(self._power.shape, 1 / self.n_places, np.float32)
        with np.errstate(all="ignore"):
            power = np.abs(spectra[: self.n_places]).astype(float) ** 2
        power = np.minimum(np.nan_to_num(power, posinf=1e30), 1e30)
        self._power = self._keep * self._power + (1 - self._keep) * power
        shares = (self._power + 1e-30) * used[:, None]
        return (shares / shares.sum(axis=0)).astype(np.float32)

    def reset(self) -> None:
        self._power[:] = 0

    def state(self) -> State:
        return {"power": self._power.copy()}

    def restore(self, state: State) -> None:
        self._power[:] = state["power"]
