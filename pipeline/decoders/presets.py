"""Presets: settings that are known to work, by kind of recording."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings for preprocessing and decoding.

    Attributes
    ----------
    name : str
        Kind of recording that the preset is for.
    sfreq : float
        Sampling rate of neural and talker features in Hz.
    low_hz, high_hz : float
        Causal band-pass in Hz of the voltage, of the high-gamma amplitude if there is one, and of the speech envelope.
    tmin, tmax : float
        Minimum and maximum lag of the neural signal in seconds.
    lag_step : int
        Samples between lags.
    window, hop : float
        Decision window, and time between scores, in seconds.
    context : float
        Duration of earlier stimulus, in seconds, in the components of a canonical correlation.
    variance : float or None
        Fraction of the variance of the lagged neural matrix to keep in principal components; None keeps all.
    separable : float
        Fraction of the covariance of lagged neural samples that is replaced by one topography times one time course.
    tilt_hz : float or None
        Corner of the tilt of neural and talker features, see :class:`earmark.pipeline.nodes.tilt.Tilt`; None for none.
    """

    name: str
    sfreq: float
    low_hz: float
    high_hz: float
    tmin: float
    tmax: float
    lag_step: int
    window: float
    hop: float
    context: float
    variance: float | None
    separable: float = 0.0
    tilt_hz: float | None = None

    @property
    def signals(self) -> str:
        """Text that describes the preprocessing; decoders with the same text can replace each other."""
        tilt = "" if self.tilt_hz is None else f", tilted above {self.tilt_hz:g} Hz,"
        return f"{self.name} signals of {self.low_hz:g} to {self.high_hz:g} Hz{tilt} at {self.sfreq:g} Hz"


#: Scalp EEG follows the envelope at 0.5 to 12 Hz with a delay of up to a quarter of a second [1]_. Windows are short,
#: because the evidence accumulates scores over time and can distinguish a switch from noise.
#:
#: .. [1] O'Sullivan et al., Attentional selection in a cocktail party environment can be decoded from single-trial
#:    EEG, Cerebral Cortex 25 (2015).
#:
#: Both are dominated by their lowest frequencies, so they are tilted: the corner is that of a filter with the lag-1
#: autocorrelation of EEG of this band at 64 Hz, 0.8.
EEG = Preset("eeg", 64.0, 0.5, 12.0, 0.0, 0.25, 2, 2.0, 0.5, 0.25, None, 0.7, 2.3)

#: High-gamma amplitude of intracranial EEG and, as separate channels, its voltage up to 30 Hz; canonical correlations
#: of lagged principal components [1]_. Only every second lag is used: the speech envelope above 15 Hz adds too little
#: to justify a fit that takes eight times as long.
#:
#: .. [1] Choudhari et al., Brain-controlled augmented hearing for spatially moving conversations in multi-talker
#:    environments, Advanced Science 11 (2024).
IEEG = Preset("ieeg", 100.0, 0.5, 30.0, 0.0, 0.4, 2, 4.0, 0.5, 0.2, 0.99, 0.7)

PRESETS = {preset.name: preset for preset in (EEG, IEEG)}
#: Presets before signals were tilted, for recordings from then.
UNTILTED = {"eeg": replace(EEG, low_hz=1.0, high_hz=9.0, tilt_hz=None), "ieeg": IEEG}
#: Kind of decoder that is trained if none is named, by preset.
DEFAULT_DECODER = {"eeg": "filterbank", "ieeg": "linear"}
