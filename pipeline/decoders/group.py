"""Mean over other listeners, mixed into the sums of a listener whose calibration is short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.decoders.decoder import DecoderError, DecoderMismatch, some
from earmark.pipeline.decoders.discriminant import Separation
from earmark.pipeline.decoders.moments import Moments, total
from earmark.pipeline.decoders.saved import Saved

#: Seconds of the listener's own signal that the mean over others is worth.
WORTH_S = 100.0
#: Prefix of the names of saved arrays.
GROUP = "group"


@dataclass(frozen=True, slots=True)
class Group:
    """What other listeners with the same channels have in common.

    Attributes
    ----------
    ch_names : tuple of str
    bands : tuple of Moments
        Mean over listeners, per sample, of each band. The channels and features of every listener have mean 0 and
        variance 1, so that neither amplifiers nor skulls matter.
    separation : Separation
        Mean over listeners.
    n_listeners : int
    """

    ch_names: tuple[str, ...]
    bands: tuple[Moments, ...]
    separation: Separation
    n_listeners: int

    @classmethod
    def of(
        cls,
        ch_names: tuple[str, ...],
        listeners: Sequence[Sequence[Moments]],
        separations: Sequence[Separation],
    ) -> Self:
        """Compute the mean over listeners.

        Parameters
        ----------
        ch_names : tuple of str
        listeners : sequence of sequence of Moments
            Moments of each listener, in each band.
        separations : sequence of Separation
            Of each listener, from runs that are held out in turn.

        Raises
        ------
        DecoderError
            If there is no listener.
        """
        n = len(listeners)
        if not n:
            raise DecoderError("a group needs at least one listener")
        bands = []
        for band in zip(*listeners, strict=True):
            parts = [_standard(one.centred(), len(ch_names)) for one in band]
            bands.append(total(parts).scaled(1 / n))
        mean = Separation(
            sum(one.n for one in separations),
            np.mean([one.mean for one in separations], axis=0),
            np.mean([one.covariance for one in separations], axis=0),
        )
        return cls(ch_names, tuple(bands), mean, n)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return everything but the channels, by name."""
        found = {"mean": self.separation.mean, "covariance": self.separation.covariance}
        found["counts"] = np.array([self.separation.n, self.n_listeners], np.float64)
        for number, band in enumerate(self.bands):
            found |= {f"{number}.{key}": getattr(band, key) for key in ("xx", "xy", "yy")}
        return {f"{GROUP}.{name}": array for name, array in found.items()}

    @classmethod
    def rebuild(cls, saved: Saved, sizes: Sequence[tuple[int, int]]) -> Self:
        """Make a group from what :meth:`arrays` gave; ``sizes`` are numbers of lagged channels and features by band.

        Raises
        ------
        KeyError, ValueError
            If the arrays are not those of a group.
        """
        n_separated, n_listeners = saved.array(f"{GROUP}.counts", (2,)).tolist()
        bands = []
        for number, (n_x, n_y) in enumerate(sizes):
            xx, xy, yy = (
                saved.array(f"{GROUP}.{number}.{key}", shape)
                for key, shape in (("xx", (n_x, n_x)), ("xy", (n_x, n_y)), ("yy", (n_y, n_y)))
            )
            bands.append(Moments(1.0, np.zeros(n_x), xx, np.zeros(n_y), yy, xy))
        n = len(sizes)
        mean, covariance = saved.array(f"{GROUP}.mean", (n,)), saved.array(f"{GROUP}.covariance", (n, n))
        return cls(saved.spec.ch_names, tuple(bands), Separation(int(n_separated), mean, covariance), int(n_listeners))

    def prior(self, own: Sequence[Moments], sfreq: float) -> list[Moments]:
        """Return the mean as :data:`WORTH_S` seconds of signal in the units of a listener, to be added to own moments.

        Parameters
        ----------
        own : sequence of Moments
            The listener's own moments in each band.
        sfreq : float
            Sampling rate in Hz.
        """
        n, found = WORTH_S * sfreq, []
        for band, one in zip(self.bands, own, strict=True):
            x, y = _sd(one.centred(), len(self.ch_names))
            found.append(_scaled(band, np.sqrt(n) * x, np.sqrt(n) * y, n))
        return found

    def check(self, ch_names: tuple[str, ...]) -> None:
        """Check that a listener has the channels of the group; raise DecoderMismatch if not."""
        if ch_names != self.ch_names:
            missing = [name for name in self.ch_names if name not in ch_names]
            extra = [name for name in ch_names if name not in self.ch_names]
            words = [f"{which} {some(names)}" for which, names in (("without", missing), ("with", extra)) if names]
            what = ", ".join(words) or "they are in another order"
            raise DecoderMismatch(f"the listener does not have the channels of the group: {what}")


def _sd(centred: Moments, n_channels: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the standard deviations of lagged channels, the same for all lags of a channel, and of features."""
    power = np.diag(centred.xx).reshape(-1, n_channels).mean(axis=0) / centred.n
    return np.sqrt(np.tile(power, len(centred.x) // n_channels)), np.sqrt(np.diag(centred.yy) / centred.n)


def _standard(centred: Moments, n_channels: int) -> Moments:
    """Return moments of one sample, with channels and features of variance 1; 0 for those that are constant."""
    x, y = (np.divide(1.0, sd, out=np.zeros(len(sd)), where=sd > 0) for sd in _sd(centred, n_channels))
    root = np.sqrt(centred.n)
    return _scaled(centred, x / root, y / root, 1.0)


def _scaled(centred: Moments, x: NDArray[np.float64], y: NDArray[np.float64], n: float) -> Moments:
    """Multiply each lagged channel and feature of centred moments by a factor, and set the number of samples."""
    return Moments(
        n,
        np.zeros_like(centred.x),
        centred.xx * x * x[:, None],
        np.zeros_like(centred.y),
        centred.yy * y * y[:, None],
        centred.xy * y * x[:, None],
    )
