"""Simulate everything an amplifier records besides the brain's response to speech."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, iirpeak, sosfreqz, tf2sos

from earmark.devices.simulate.electrodes import Electrodes
from earmark.kernels.block_filter import BlockFilter

#: Band in Hz over which the amplitude of the background is stated.
STATED_HZ = (1.0, 40.0)
_KNEE_HZ = 0.1  # the 1/f spectrum is flat below
_ALPHA_HZ, _ALPHA_Q = 10.0, 8.0  # 1.3 Hz wide, so that it waxes and wanes about once a second
_DRIFT_HZ = 0.005
_BLINK_S = 0.3
_POP_DECAY_S = 0.5
_WARM_UP_S = 10.0


@dataclass(frozen=True, slots=True)
class BackgroundConfig:
    """Amplitudes of everything that is not a response.

    Attributes
    ----------
    brain_uv : float
        RMS in µV, 1 to 40 Hz, average over channels, of a 1/f background that is correlated between neighbours.
    sensor_uv : float
        RMS in µV of independent white noise per channel, over the whole band.
    alpha_uv : float
        RMS in µV of the alpha rhythm in the channel where it is largest.
    blink_uv : float
        Mean peak in µV of blinks in the channel where it is largest; a blink occurs every 2 to 6 s.
    line_hz, line_uv : float
        Mains frequency, and its mean amplitude over channels.
    offset_uv, drift_uv : float
        Standard deviation of the electrodes' constant offset, and of its slow drift.
    pops_per_min : float
        Steps of single electrodes by 50 to 300 µV that decay within seconds.
    """

    brain_uv: float = 10.0
    sensor_uv: float = 0.7
    alpha_uv: float = 8.0
    blink_uv: float = 110.0
    line_hz: float = 50.0
    line_uv: float = 2.0
    offset_uv: float = 3000.0
    drift_uv: float = 25.0
    pops_per_min: float = 0.5


class Background:
    """Noise of one recording, in hops of a fixed length.

    Parameters
    ----------
    config : BackgroundConfig
    electrodes : Electrodes
    sfreq : float
        Hz.
    hop : int
        Samples per call of :meth:`next`.
    rng : Generator
        Random numbers for this object alone.
    """

    def __init__(
        self, config: BackgroundConfig, electrodes: Electrodes, sfreq: float, hop: int, rng: np.random.Generator
    ) -> None:
        n = len(electrodes.ch_names)
        self._config, self._electrodes, self._sfreq, self._hop, self._n, self._rng = (
            config, electrodes, sfreq, hop, n, rng
        )  # fmt: skip
        pink, alpha = _pink_sos(sfreq), _alpha_sos(sfreq)
        self._n_sources = electrodes.mixing.shape[1]
        self._brain = BlockFilter(pink, hop, self._n_sources)
        self._alpha = BlockFilter(alpha, hop, 2)
        self._mixing = config.brain_uv / _gain(pink, sfreq, STATED_HZ) * electrodes.mixing.T
        self._alpha_mixing = config.alpha_uv / _gain(alpha, sfreq, (0.0, sfreq / 2)) * electrodes.alpha.T
        self._offset = rng.normal(0.0, config.offset_uv, n)
        self._drift = rng.normal(0.0, config.drift_uv, n)
        amplitude, phase = config.line_uv * rng.uniform(0.5, 1.5, n), rng.uniform(-0.5, 0.5, n)
        self._line = np.array([amplitude * np.cos(phase), amplitude * np.sin(phase)])
        self._at = 0  # samples so far
        self._blinks: list[tuple[float, float]] = []  # onset in s, peak in µV
        self._next_blink = rng.uniform(1.0, 4.0)
        self._pops: list[tuple[float, int, float]] = []  # onset in s, channel, step in µV
        self._next_pop = self._wait_for_pop()
        for _ in range(round(_WARM_UP_S * sfreq / hop)):
            self._rhythms()

    def next(self) -> NDArray[np.float64]:
        """Return the next hop in µV, shape (hop, n_channels)."""
        seconds = (self._at + np.arange(self._hop)) / self._sfreq
        self._at += self._hop
        x = self._rhythms()
        x += self._config.sensor_uv * self._rng.normal(size=(self._hop, self._n))
        angle = 2 * np.pi * self._config.line_hz * seconds
        x += np.column_stack([np.sin(angle), np.cos(angle)]) @ self._line
        x += self._wander()
        if self._electrodes.blink.any():
            x += np.outer(self._eyes(seconds), self._electrodes.blink)
        self._pop(seconds, x)
        return x

    def _rhythms(self) -> NDArray[np.float64]:
        brain = self._brain(self._rng.normal(size=(self._hop, self._n_sources))) @ self._mixing
        x: NDArray[np.float64] = brain + self._alpha(self._rng.normal(size=(self._hop, 2))) @ self._alpha_mixing
        return x

    def _wander(self) -> NDArray[np.float64]:
        """Offset of each electrode, interpolated over the hop between steps of a slow mean-reverting random walk."""
        keep = np.exp(-2 * np.pi * _DRIFT_HZ * self._hop / self._sfreq)
        step = np.sqrt(1 - keep**2) * self._config.drift_uv
        before, self._drift = self._drift, keep * self._drift + step * self._rng.normal(size=self._n)
        part = (np.arange(self._hop) / self._hop)[:, None]
        return self._offset + (1 - part) * before + part * self._drift

    def _eyes(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        while self._next_blink <= seconds[-1]:
            self._blinks.append((self._next_blink, self._config.blink_uv * self._rng.uniform(0.7, 1.3)))
            self._next_blink += self._rng.uniform(2.0, 6.0)
        self._blinks = [blink for blink in self._blinks if blink[0] + _BLINK_S > seconds[0]]
        x = np.zeros(self._hop)
        for onset, peak in self._blinks:
            part = (seconds - onset) / _BLINK_S
            x += np.where((part > 0) & (part < 1), peak * np.sin(np.pi * np.clip(part, 0, 1)) ** 2, 0.0)
        return x

    def _wait_for_pop(self) -> float:
        rate = self._config.pops_per_min
        return float(self._rng.exponential(60.0 / rate)) if rate else np.inf

    def _pop(self, seconds: NDArray[np.float64], x: NDArray[np.float64]) -> None:
        while self._next_pop <= seconds[-1]:
            step = float(self._rng.uniform(50.0, 300.0) * self._rng.choice([-1.0, 1.0]))
            self._pops.append((self._next_pop, int(self._rng.integers(self._n)), step))
            self._next_pop += self._wait_for_pop()
        self._pops = [pop for pop in self._pops if pop[0] + 12 * _POP_DECAY_S > seconds[0]]
        for onset, channel, step in self._pops:
            since = seconds - onset
            x[:, channel] += np.where(since >= 0, step * np.exp(-np.maximum(since, 0.0) / _POP_DECAY_S), 0.0)


def band_noise(low_hz: float, high_hz: float, sfreq: float) -> tuple[NDArray[np.float64], float]:
    """Return a filter that makes band noise from white noise of variance 1, and the RMS of its output."""
    sos = butter(2, (low_hz, high_hz), "bandpass", fs=sfreq, output="sos")
    return sos, _gain(sos, sfreq, (0.0, sfreq / 2))


def _pink_sos(sfreq: float) -> NDArray[np.float64]:
    """Poles and zeros that alternate, an octave apart, so that power falls as 1/f."""
    poles_hz = _KNEE_HZ * 4.0 ** np.arange(np.ceil(np.log(sfreq / 2 / _KNEE_HZ) / np.log(4.0)))
    poles, zeros = np.exp(-2 * np.pi * poles_hz / sfreq), np.exp(-4 * np.pi * poles_hz / sfreq)
    none, one = np.zeros_like(poles), np.ones_like(poles)
    return np.column_stack([one, -zeros, none, one, -poles, none])


def _alpha_sos(sfreq: float) -> NDArray[np.float64]:
    sos: NDArray[np.float64] = tf2sos(*iirpeak(_ALPHA_HZ, _ALPHA_Q, fs=sfreq))
    return sos


def _gain(sos: NDArray[np.float64], sfreq: float, band_hz: tuple[float, float]) -> float:
    """RMS within a band of the output of a filter for white noise of variance 1."""
    hz, response = sosfreqz(sos, 1 << 15, fs=sfreq)
    inside = (hz >= band_hz[0]) & (hz <= band_hz[1])
    return float(np.sqrt(np.sum(np.abs(response[inside]) ** 2) / len(hz)))
