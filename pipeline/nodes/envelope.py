"""Node that computes the auditory envelope of speech with a gammatone filter bank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.gammatone import ORDER, erb_spaced, gammatone_envelopes, gammatone_poles
from earmark.pipeline.node import State
from earmark.pipeline.nodes.resample import Resample, ResampleConfig
from earmark.pipeline.stream import Block, ChannelQuality, ClockMap, Gap, Item, StreamSpec, WiringError, wiring_error

#: Minimum intermediate rate of the band envelopes. The widest band is 1.1 kHz wide, so aliasing is negligible, and the
#: costly power() runs on few samples.
BAND_RATE_HZ = 6000.0
#: Maximum centre frequency of a band relative to the sampling rate: the Nyquist frequency would truncate higher bands.
HIGHEST_PART = 0.45
#: Audio beyond this is clipped and marked as bad. No audio format reaches this value, and its powers are finite.
LIMIT = 1e12


@dataclass(frozen=True, slots=True)
class EnvelopeConfig:
    """Settings of :class:`Envelope`.

    Attributes
    ----------
    n_bands : int
        Gammatone bands per talker, equally spaced on the ERB-number scale.
    low_hz, high_hz : float
        Centre frequencies of the first and the last band.
    power : float
        Exponent that compresses the magnitude of each band.
    sfreq : float
        Sampling rate of the envelope in Hz.
    passband_hz : float
        Upper limit of the band without aliasing; as for resampling, a lower value gives a shorter delay. The default
        is the upper limit of the usual band-pass of the neural signal, so that both have the same delay.
    per_band : bool
        True for one feature per band, False for the sum of all bands.
    """

    n_bands: int = 28
    low_hz: float = 50.0
    high_hz: float = 5000.0
    power: float = 0.6
    sfreq: float = 64.0
    passband_hz: float = 9.0
    per_band: bool = False


class Envelope:
    """Cochlear envelopes of talkers, one talker per channel.

    Applies gammatone filters, raises the magnitude to a power, sums over bands, and resamples (Biesmans et al. 2017).
    A sine of amplitude A at the centre of a band gives A to that power in the band. If the sampling rate of the audio
    is too low for the upper bands, the sum omits them; with one feature per band this is an error.

    The gammatone filters delay the envelopes, by 1 ms in the highest band and 21 ms in the lowest. The mean over bands
    is part of the declared delay, for which the clock map is corrected together with the delay of resampling.

    References
    ----------
    Biesmans, W., Das, N., Francart, T., & Bertrand, A. (2017). Auditory-inspired speech envelope extraction methods
    for improved EEG-based auditory attention detection in a cocktail party scenario. IEEE Transactions on Neural
    Systems and Rehabilitation Engineering 25(5), 402-412.
    """

    Config = EnvelopeConfig
    n_inputs = 1

    def __init__(self, config: EnvelopeConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Check the audio, place the bands, and design the decimation."""
        c, highest = self.config, HIGHEST_PART * spec.sfreq
        if spec.hop is None:
            raise wiring_error(
                "envelope", "input", f"{spec.name!r} in ragged blocks", "reblocked: put reblock before it"
            )
        if set(spec.ch_types) != {"misc"}:
            found = f"channel types {sorted(set(spec.ch_types))}"
            raise wiring_error("envelope", "input", found, "misc: the audio of talkers")
        if c.n_bands < 2:
            raise wiring_error("envelope", "n_bands", c.n_bands, "2 or more")
        if not 0 < c.low_hz < c.high_hz:
            raise wiring_error("envelope", "low_hz", c.low_hz, f"above 0 and below high_hz, {c.high_hz:g} Hz")
        if not c.low_hz < highest:
            raise wiring_error("envelope", "low_hz", c.low_hz, f"below {highest:g} Hz for audio at {spec.sfreq:g} Hz")
        if c.per_band and not c.high_hz <= highest:
            wanted = f"at most {highest:g} Hz for audio at {spec.sfreq:g} Hz if every band is a feature"
            raise wiring_error("envelope", "high_hz", c.high_hz, wanted)
        if not 0 < c.power <= 2:
            raise wiring_error("envelope", "power", c.power, "above 0, at most 2")
        if not 0 < c.sfreq <= spec.sfreq:
            raise wiring_error("envelope", "sfreq", c.sfreq, f"above 0, at most the audio's {spec.sfreq:g} Hz")
        if not 0 < c.passband_hz < c.sfreq / 2:
            raise wiring_error("envelope", "passband_hz", c.passband_hz, f"above 0 and below {c.sfreq / 2:g} Hz")

        centres = erb_spaced(c.low_hz, c.high_hz, c.n_bands)
        self.centres_hz = centres[centres <= highest]
        self._poles = gammatone_poles(self.centres_hz, spec.sfreq)
        decay = np.abs(self._poles)
        self._delay_samples = float(np.mean(ORDER * decay / (1 - decay)))  # group delay at the centre of each band
        self._memory = np.zeros((spec.n_channels, len(self._poles), ORDER), dtype=np.complex128)
        self._bad = np.zeros(spec.n_channels, dtype=bool)
        self._width = len(self._poles) if c.per_band else 1
        bands = [f" {hz:.0f} Hz" for hz in self.centres_hz] if c.per_band else [""]
        n_out = spec.n_channels * self._width
        envelopes = spec.evolve(
            ch_names=tuple(name + band for name in spec.ch_names for band in bands),
            ch_types=("misc",) * n_out,
            units=("",) * n_out,
            positions=None,
            delay=spec.delay + self._delay_samples / spec.sfreq,
            highpass=0.0,
            lowpass=None,
        )
        self._resample = Resample(ResampleConfig(c.sfreq, c.passband_hz))
        for step in range(max(1, int(spec.sfreq / BAND_RATE_HZ)), 0, -1):
            try:
                out = self._resample.open(envelopes.evolve(sfreq=spec.sfreq / step, hop=-(-spec.hop // step)))
            except WiringError:  # not a ratio of integers; another step may give one
                continue
            self._step = step
            return out
        wanted = f"a ratio of integers below 10000 of the audio's {spec.sfreq:g} Hz, or of a whole part of it"
        raise wiring_error("envelope", "sfreq", c.sfreq, wanted)

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Compute envelopes of blocks; reset the state at a gap; convert indices of other items to the new rate."""
        if isinstance(item, Block):
            envelopes = self._block(item)
            if len(envelopes.data):
                yield from self._resample.process(envelopes)
        elif isinstance(item, Gap):
            self._memory[:] = 0.0
            self._bad[:] = False
            yield from self._resample.process(Gap(self._first_at(item.start), self._first_at(item.stop)))
        elif isinstance(item, ClockMap):
            time0 = item.time0 - self._delay_samples * item.period
            yield from self._resample.process(ClockMap(item.index0 / self._step, time0, item.period * self._step))
        elif isinstance(item, ChannelQuality):
            yield from self._resample.process(replace(item, stop=self._first_at(item.stop)))
        else:
            yield item

    def _first_at(self, index: int) -> int:
        """Return the index of the first envelope computed at sample ``index`` or later."""
        return -(-index // self._step)

    def _block(self, block: Block) -> Block:
        first, stop = self._first_at(block.start), self._first_at(block.stop)
        x = np.ascontiguousarray(block.data)
        self._bad |= False if block.bad is None else block.bad
        if np.abs(x).max() > LIMIT:
            self._bad |= (np.abs(x) > LIMIT).any(axis=0)
            x = np.clip(x, -LIMIT, LIMIT)
        y = np.zeros((stop - first, len(self._bad) * self._width))
        gammatone_envelopes(
            x,
            first * self._step - block.start,
            self._step,
            self._poles,
            self.config.power,
            self.config.per_band,
            self._memory,
            y,
        )
        bad = np.repeat(self._bad, self._width) if self._bad.any() else None
        if len(y):
            self._bad[:] = False
        return Block(first, y, bad)

    def state(self) -> State:
        """Return the filter memory, masks not yet output, and the state of resampling."""
        kept = {f"resample_{key}": value for key, value in self._resample.state().items()}
        return {"memory": self._memory.copy(), "bad": self._bad.copy(), **kept}

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._memory[:], self._bad[:] = state["memory"], state["bad"]
        self._resample.restore({key: state[f"resample_{key}"] for key in self._resample.state()})


def speech_envelope(audio: NDArray[np.floating], rate: float, config: EnvelopeConfig) -> NDArray[np.float64]:
    """Return the envelope of a recording of one talker: the output of the node on live audio, bit for bit.

    Parameters
    ----------
    audio : array, shape (n_samples,)
        Audio of a single talker.
    rate : float
        Sampling rate of the audio in Hz.
    config : EnvelopeConfig
        Settings of the node.

    Returns
    -------
    envelope : array, shape (n_out, n_features)
        At ``config.sfreq``. As for live audio, row ``j`` belongs to the time ``j / sfreq`` minus the delay that
        :meth:`Envelope.open` declares.

    Raises
    ------
    WiringError
        If the settings are not possible at this rate.
    ValueError
        If ``audio`` is not one channel of finite numbers.
    """
    if audio.ndim != 1 or not np.isfinite(audio).all():
        raise ValueError(f"audio has shape {audio.shape}, but must be one channel of finite numbers")
    hop = max(1, round(rate))  # blocks of one second limit the memory used
    node = Envelope(config)
    spec = node.open(StreamSpec("audio", rate, ("audio",), ("misc",), ("",), hop=hop))
    x = np.asarray(audio, dtype=np.float64)[:, None]
    blocks = (Block(i, x[i : i + hop]) for i in range(0, len(x), hop))
    found = [out.data for block in blocks for out in node.process(block) if isinstance(out, Block)]
    return np.concatenate(found) if found else np.empty((0, spec.n_channels))
