"""Settings that are known to work, by kind of recording."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """How signals are prepared and decoded.

    Attributes
    ----------
    name : str
        What the preset is for.
    sfreq : float
        Rate of neural and talker features in Hz.
    low_hz, high_hz : float
        Causal band-pass in Hz of the voltage, of the high-gamma amplitude if there is one, and of the speech envelope.
    tmin, tmax : float
        Lags of the neural side in seconds.
    lag_step : int
        Samples from one lag to the next.
    window, hop : float
        Decision window and how often it is scored, in seconds.
    context : float
        Seconds of earlier stimulus that components of a canonical correlation look back on.
    variance : float or None
        Share of the variance of the lagged neural matrix whose principal components are kept; None keeps all.
    separable : float
        Share of the covariance of lagged neural samples that is replaced by one topography times one time course.
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

    @property
    def signals(self) -> str:
        """How signals are prepared, in words; decoders that agree in it can take the place of one another."""
        return f"{self.name} signals of {self.low_hz:g} to {self.high_hz:g} Hz at {self.sfreq:g} Hz"


#: Scalp EEG follows the envelope at 1 to 9 Hz with a delay of up to a quarter of a second [1]_. Each score is short:
#: what adds them up over time is the evidence, which can tell a switch from noise.
#:
#: .. [1] O'Sullivan et al., Attentional selection in a cocktail party environment can be decoded from single-trial
#:    EEG, Cerebral Cortex 25 (2015).
EEG = Preset("eeg", 64.0, 1.0, 9.0, 0.0, 0.25, 2, 2.0, 0.5, 0.25, None, 0.7)

#: High-gamma amplitude of intracranial EEG and, as channels of their own, its voltage up to 30 Hz; canonical
#: correlations of lagged principal components [1]_. Every second lag: what the envelope of speech has above 15 Hz is
#: not worth eight times as long a fit.
#:
#: .. [1] Choudhari et al., Brain-controlled augmented hearing for spatially moving conversations in multi-talker
#:    environments, Advanced Science 11 (2024).
IEEG = Preset("ieeg", 100.0, 0.5, 30.0, 0.0, 0.4, 2, 4.0, 0.5, 0.2, 0.99, 0.7)

PRESETS = {preset.name: preset for preset in (EEG, IEEG)}
