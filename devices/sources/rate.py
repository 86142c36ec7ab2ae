"""Compare the measured sample rate with the nominal one, and report lost samples."""

from __future__ import annotations

from collections import deque
from statistics import median

#: Relative difference between measured and nominal rate that is reported: crystals deviate by a tenth of it.
SAID = 2e-4
#: Relative difference at which a rate is wrong: filters are designed for the nominal rate, and a notch that is 1 %
#: off misses the mains frequency.
WRONG = 0.01
#: Share of missing samples that is reported every minute, and that interval in seconds of stream.
LOST, EVERY_S = 0.005, 60.0
#: Gaps at regular distances of at most this many seconds may be artefacts: minimum number, and share at equal distance.
N_REGULAR, REGULAR, REGULAR_S = 20, 0.9, 0.5
#: Minimum seconds of stream before a rate is known, and before a small deviation is reported.
LEAST_S, SURE_S = 3.0, 20.0
#: Part of messages where stamps do not show where a sample is missing.
BLIND = "and where cannot be told"


def percent(share: float) -> str:
    """Format a share in percent, with two significant digits."""
    return f"{100 * share:.2g} %"


def rate_words(real: float, nominal: float, blind: bool) -> str:
    """Describe the measured rate; return an empty string if it equals the nominal one.

    Parameters
    ----------
    real, nominal : float
        In Hz; samples known to be missing are included.
    blind : bool
        Whether the stamps scatter too much to show where a sample is missing.
    """
    off = real / nominal - 1
    if abs(off) <= SAID:
        return ""
    if blind and off < -LOST:
        return (
            f"{real:.5g} of {nominal:g} Hz: {percent(-off)} of the samples are missing, {BLIND}, "
            "since the receiver made the stamps; or the rate is not as declared"
        )
    side = "below" if off < 0 else "above"
    return f"the real rate is {real:.7g} Hz, {percent(abs(off))} {side} the nominal {nominal:g} Hz"


class RateWatch:
    """Report once that the measured rate differs from the nominal one, and once a minute that samples are missing.

    Parameters
    ----------
    name : str
        Stream name.
    sfreq : float
        Nominal rate in Hz.
    """

    def __init__(self, name: str, sfreq: float) -> None:
        self._name, self._sfreq = name, sfreq
        self._said, self._at = 0.0, 0.0
        self._n_come = self._n_lost = self._n_gaps = 0
        #: Samples received before each of the newest gaps, and missing in it; samples received since the last gap.
        self._runs: deque[tuple[int, int]] = deque(maxlen=4 * N_REGULAR)
        self._since, self._regular_said = 0, False
        #: Samples per second according to the stamps, known missing ones included; None until it is known well enough
        #: to be compared with the nominal rate.
        self.real: float | None = None
        #: Whether stamps scatter too much to show where a sample is missing.
        self.blind = False

    def count(self, n: int) -> None:
        """Count received samples."""
        self._n_come += n
        self._since += n

    def lose(self, n: int) -> None:
        """Count missing samples."""
        self._n_lost += n
        self._n_gaps += 1
        self._runs.append((self._since, n))
        self._since = 0

    @property
    def regular(self) -> float | None:
        """The rate in Hz if regular losses are really a lower sample rate; None if losses are not regular.

        A sender that stamps its chunks, and whose true rate is lower than declared, leaves a gap after each chunk.
        """
        runs = [run for run, _ in self._runs]
        if len(runs) < N_REGULAR:
            return None
        middle = median(runs)
        if middle > REGULAR_S * self._sfreq or sum(abs(run - middle) <= 1 for run in runs) < REGULAR * len(runs):
            return None
        return self._sfreq * sum(runs) / sum(run + n for run, n in self._runs)

    @property
    def regular_words(self) -> str:
        """Describe losses at regular intervals; empty if there are none."""
        regular = self.regular
        if regular is None:
            return ""
        run, n = median(run for run, _ in self._runs), median(n for _, n in self._runs)
        return (
            f"after every {run:g} samples {n:g} are missing: they are lost regularly, or the real rate is about "
            f"{regular:.3g} Hz, not {self._sfreq:g} Hz"
        )

    @property
    def words(self) -> str:
        """Describe problems of the rate; empty if there are none."""
        real = "" if self.real is None else rate_words(self.real, self._sfreq, self.blind)
        return "; ".join(words for words in (self.regular_words, real) if words)

    @property
    def wrong(self) -> bool:
        """Whether the rate is so wrong that filters designed for the nominal rate miss their frequencies."""
        return self.likely is not None and abs(self.likely / self._sfreq - 1) > WRONG

    @property
    def likely(self) -> float | None:
        """The best value for ``sfreq``, in Hz; None while it is not known."""
        return self.real if self.regular is None else self.regular

    def look(self, index: int, slope: float, scatter: float, blind: bool) -> list[str]:
        """Return the messages that are due now.

        Parameters
        ----------
        index : int
            Samples of the stream so far, missing ones included.
        slope : float
            Seconds per sample, according to the stamps.
        scatter : float
            Scatter of the stamps, in seconds.
        blind : bool
            Whether the stamps scatter too much to show where a sample is missing.
        """
        seconds = index / self._sfreq
        off = 1 / (slope * self._sfreq) - 1 if slope > 0 else -1.0
        known = slope > 0 and seconds >= LEAST_S and 4 * scatter / min(seconds, 60.0) < max(abs(off), SAID)
        self.blind, self.real = blind, 1 / slope if known else None
        found = []
        again = max(5 * SAID, abs(off) / 4) if self._said else SAID
        if known and (self.wrong or seconds >= SURE_S) and abs(off - self._said) > again:
            self._said = off
            if words := self.words:
                found.append(f"{self._name}: {words}")
        if not self._regular_said and self.regular is not None:
            self._regular_said = True
            found.append(f"{self._name}: {self.words}")
        if seconds - self._at >= EVERY_S:
            lost = self._n_lost / max(1, self._n_lost + self._n_come)
            if lost > LOST:
                found.append(
                    f"{self._name}: {self._n_lost} samples in {self._n_gaps} gaps were missing in the last "
                    f"{seconds - self._at:.0f} s, {percent(lost)}"
                )
            elif known and blind and off < -LOST and self._at:
                found.append(f"{self._name}: {self.words}")
            self._at, self._n_come, self._n_lost, self._n_gaps = seconds, 0, 0, 0
        return found
