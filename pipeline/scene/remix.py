"""Remix of a mixture: the microphones at the ears, and on top of them what the gains change of each talker."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.scene.delivered import Delivered
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.howl import HowlGuard
from earmark.pipeline.scene.separator import Separator, hops_late
from earmark.pipeline.scene.transform import Analysis, Framing, Hops, Synthesis


class Directions(Protocol):
    """Where the talkers are: a tracker, or directions that are known."""

    def process(self, spectra: NDArray[np.complex64], /) -> NDArray[np.float64]:
        """Return the azimuths in degrees, shape (n_places,), NaN for an unused place, given the newest spectra."""

    def reset(self) -> None:
        """Forget what was heard."""


class Known:
    """Directions that are known from elsewhere.

    Parameters
    ----------
    azimuths : array, shape (n_places,)
        Azimuths in degrees, to the right positive; NaN for an unused place. Assign to ``azimuths`` to move talkers,
        from the next hop on.
    """

    def __init__(self, azimuths: NDArray[np.float64]) -> None:
        self.azimuths = np.array(azimuths, np.float64)

    def process(self, spectra: NDArray[np.complex64], /) -> NDArray[np.float64]:
        """Return the azimuths."""
        return self.azimuths

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""


class Remix:
    """Change the gains of talkers in a mixture, at both ears alike.

    The output is the delayed microphone of each ear plus ``sum((gain_k - 1) * part_k)``, where a part is that ear
    through the mask of the talker. Both ears use the same masks: differences between them, and so where a talker is
    heard, stay. With all gains at one, the output is the delayed microphones to the last bit, whatever the masks are.
    A wrong mask costs decibels: no frequency is turned up above the highest gain or down below the lowest, or one if
    all gains are on the same side of it.

    The gain of a hop is that of its newest sample. Windows overlap, so that gains glide from hop to hop.

    Samples that are not finite are replaced by silence and counted in ``n_bad``.

    The parts of one microphone, too, are made: what each talker is at it, for envelopes. They sum to that microphone,
    are as late as the output, and do not depend on the gains.

    Parameters
    ----------
    framing : Framing
    separator : Separator
        It fits the framing. If its masks are late, microphones are delayed by as much.
    directions : Directions
        Places of the talkers, as many as the separator has.
    ears : tuple of int
        Microphone of the left and the right ear.
    reference : int
        Microphone whose parts are made.
    guard : HowlGuard, optional
        Turns the output down while it howls.

    Raises
    ------
    SceneError
        If separator and framing do not fit, its delay is no multiple of the hop, or an ear or the reference has no
        microphone.
    """

    def __init__(
        self,
        framing: Framing,
        separator: Separator,
        directions: Directions,
        ears: tuple[int, int] = (0, 1),
        reference: int = 0,
        guard: HowlGuard | None = None,
    ) -> None:
        for what, found, wanted in (
            ("rate", separator.sfreq, framing.sfreq),
            ("hop", separator.hop, framing.hop),
        ):
            if found != wanted:
                raise SceneError(f"remix: the separator has a {what} of {found}, but must have {wanted}")
        if len(ears) != 2 or not all(0 <= ear < separator.n_mics for ear in ears):
            raise SceneError(
                f"remix: ears are {ears}, but must be two microphones of {separator.n_mics}, counted from 0"
            )
        if not 0 <= reference < separator.n_mics:
            raise SceneError(f"remix: the reference is microphone {reference}, but must be 0 to {separator.n_mics - 1}")
        self._framing, self._separator, self._directions = framing, separator, directions
        self._ears, self._reference, self._guard = list(ears), reference, guard
        self._hops = Hops(framing.hop)
        self._analysis = Analysis(framing, separator.n_mics)
        self._synthesis = Synthesis(framing, 2)
        # Spectra, and hops of the ears, that masks are still to come for.
        n, self._at = hops_late(separator) + 1, 0
        self._waiting = np.zeros((n, separator.n_mics, framing.n_bins), np.complex64)
        self._leaving = np.zeros((n, 2, framing.hop), np.float32)
        self._new = np.zeros((separator.n_mics, framing.hop), np.float32)
        self._ready = np.zeros((2, framing.hop), np.float32)
        self._change = np.zeros((2, framing.n_bins), np.complex64)
        self._sounding = False
        self._apart = Synthesis(framing, separator.n_places)
        self._shares = np.zeros((separator.n_places, framing.n_bins), np.complex64)
        self._bounded = np.zeros(self._shares.shape, np.float32)
        self._parts = np.zeros((separator.n_places, framing.hop), np.float32)
        #: Change of the level of each talker against the others.
        self.delivered = Delivered(separator.n_places, framing)
        #: What the newest window adds to a spectrum, as a factor of it, shape (n_bins,); zero where nothing changes.
        self.factor = np.zeros(framing.n_bins, np.float32)
        #: Samples of microphones that were not finite.
        self.n_bad = 0

    @property
    def delay(self) -> int:
        """Samples from a microphone to the output."""
        return self._framing.delay + self._separator.delay

    def process(
        self, mics: NDArray[np.float32], gains: NDArray[np.float64], parts: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Remix the next samples.

        Parameters
        ----------
        mics : array, shape (n_mics, n_samples)
            Microphones.
        gains : array, shape (n_places, n_samples)
            Gain of each talker at each sample, as a factor; one that is not finite counts as 1.
        parts : array, shape (n_places, n_samples), optional
            Set to the parts of the reference, ``delay`` samples late.

        Returns
        -------
        ears : array, shape (2, n_samples)
            Left and right ear, ``delay`` samples late.

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        n = mics.shape[-1]
        wanted = (self._separator.n_mics, n), (self._separator.n_places, n)
        if (mics.shape, gains.shape) != wanted:
            raise ValueError(f"microphones and gains have shapes {mics.shape}, {gains.shape}, but must have {wanted}")
        out = np.empty((2, n), np.float32)
        for chunk, hop, whole in self._hops.cut(n):
            out[:, chunk] = self._ready[:, hop]
            if parts is not None:
                parts[:, chunk] = self._parts[:, hop]
            self._new[:, hop] = mics[:, chunk]
            if whole:
                self._next(gains[:, chunk.stop - 1])
        return out

    def _next(self, gains: NDArray[np.float64]) -> None:
        bad = ~np.isfinite(self._new)
        if bad.any():
            self.n_bad += int(bad.sum())
            self._new[bad] = 0
        spectra = self._analysis.push(self._new)
        masks = self._separator.process(spectra, self._directions.process(spectra))
        self._waiting[self._at], self._leaving[self._at] = spectra, self._analysis.past[self._ears, : self._framing.hop]
        self._at = (self._at + 1) % len(self._waiting)
        spectra = self._waiting[self._at]
        self._divide(spectra[self._reference], masks)
        np.copyto(self._ready, self._leaving[self._at])
        gains = np.where(np.isfinite(gains), gains, 1.0)
        if (gains == 1).all():
            self.factor[:] = 0
            if self._sounding:
                self._ready += self._synthesis.end()
            self._sounding = False
            self.delivered.update(spectra[self._reference], self._bounded, self.factor)
            self._guarded(spectra)
            return
        bounded_change(masks, gains, self.factor)
        self.delivered.update(spectra[self._reference], self._bounded, self.factor)
        np.multiply(spectra[self._ears], self.factor, out=self._change)
        self._ready += self._synthesis.push(self._change)
        self._sounding = True
        self._guarded(spectra)

    def _guarded(self, spectra: NDArray[np.complex64]) -> None:
        """Turn down what is ready if it howls."""
        if self._guard is not None:
            first, last = self._guard.update(spectra[self._ears])
            if first < 1 or last < 1:
                self._ready *= np.linspace(first, last, self._framing.hop, dtype=np.float32)

    def _divide(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32]) -> None:
        """Divide the reference among the talkers."""
        with np.errstate(all="ignore"):
            np.clip(masks, 0.0, 1.0, out=self._bounded)
            self._bounded[~np.isfinite(self._bounded)] = 0
            np.multiply(self._bounded, spectrum, out=self._shares)
            self._shares[~np.isfinite(self._shares)] = 0
            np.copyto(self._parts, self._apart.push(self._shares))

    def reset(self) -> None:
        """Start anew, with silence before the first sample."""
        for one in (self._hops, self._analysis, self._directions, self._separator):
            one.reset()
        self._synthesis.end()
        self._apart.end()
        self.delivered.reset()
        if self._guard is not None:
            self._guard.reset()
        self._sounding = False
        self._waiting[:], self._leaving[:] = 0, 0
        self._ready[:], self._parts[:], self.factor[:] = 0, 0, 0


def bounded_change(
    masks: NDArray[np.float32], gains: NDArray[np.float64], out: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Compute what gains change of a spectrum, as a factor of it.

    Parameters
    ----------
    masks : array, shape (n_places, n_bins)
        Share of each talker. Where they are not finite, nothing changes.
    gains : array, shape (n_places,)
        Gain of each talker, as a factor.
    out : array, shape (n_bins,)
        Set to ``sum((gain_k - 1) * mask_k)``, between the least and the greatest ``gain_k - 1``, or zero if that is
        nearer to it.

    Returns
    -------
    out : array, shape (n_bins,)
    """
    extra = (gains - 1).astype(np.float32)
    with np.errstate(all="ignore"):
        out[:] = 0
        for one, mask in zip(extra, masks, strict=True):
            out += one * mask
    out[~np.isfinite(out)] = 0
    return np.clip(out, min(0.0, float(extra.min())), max(0.0, float(extra.max())), out=out)
