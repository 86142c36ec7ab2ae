"""Separators: which share of each frequency belongs to which talker. The embedded one compares beams."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.node import State
from earmark.pipeline.scene.array import Array, Steering
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.transform import Framing

#: Least and greatest number of places.
PLACES = (2, 4)
#: Directions of a table, one for each degree.
ROUND = 360
#: Greatest delay of a separator, s.
MOST_DELAY_S = 0.1
#: Power that every beam has: in silence all masks are equal, and nothing decays to numbers that are slow.
LEAST = np.float32(1e-30)
#: Greatest power that counts, so that sums stay finite.
MOST = np.float32(1e30)


class Separator(Protocol):
    """Separator: masks of talkers, hop by hop.

    It is causal: masks depend on the spectra given so far and on nothing else, and the same spectra give the same
    masks. It takes one hop at a time, so that its result cannot depend on the chunks that sound comes in. It neither
    raises nor stops at spectra that are zero, huge or not finite; its masks are finite then, too.
    """

    #: Sampling rate in Hz, and samples from one window to the next.
    sfreq: float
    hop: int
    #: Samples by which masks are later than the spectra that they belong to: whole hops, 0.1 s at most.
    delay: int
    #: Number of microphones, of frequencies and of talkers.
    n_mics: int
    n_bins: int
    n_places: int
    #: Bytes that it holds.
    memory: int

    def process(self, spectra: NDArray[np.complex64], directions: NDArray[np.float64], /) -> NDArray[np.float32]:
        """Return the masks for the newest spectra.

        Parameters
        ----------
        spectra : array, shape (n_mics, n_bins)
        directions : array, shape (n_places,)
            Azimuths in degrees; NaN for an unused place, whose mask is zero. With fewer than two directions nothing can
            be told apart, and all masks are equal.

        Returns
        -------
        masks : array, shape (n_places, n_bins)
            Shares of the talkers, which sum to one; valid until the next call.
        """

    def reset(self) -> None:
        """Forget all spectra."""

    def state(self) -> State:
        """Return everything that later masks depend on."""

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""


def hops_late(separator: Separator) -> int:
    """Return by how many hops the masks of a separator are later than the spectra that they belong to.

    Raises
    ------
    SceneError
        If its delay is negative, no multiple of the hop, or longer than 0.1 s.
    """
    late, rest = divmod(separator.delay, separator.hop)
    if late < 0 or rest or separator.delay > MOST_DELAY_S * separator.sfreq:
        raise SceneError(
            f"separator: its delay is {separator.delay} samples, but must be 0 or whole hops of {separator.hop}, "
            f"{1e3 * MOST_DELAY_S:g} ms at most"
        )
    return int(late)


class BeamMasks:
    """Compare beams: one to each talker, with a zero to each of the others.

    A mask is the share of the squared power of one beam in that of all, ``p_k**2 / sum(p_j**2)``, where ``p_k`` is the
    mean of ``|y_k|**2`` over the last hops. In rooms, both the mean and the square separate more than the share of the
    power in one hop does. Beams are linearly constrained minimum variance beams [1]_ in diffuse noise. Their weights
    are computed when a direction moves by a degree, from tables of all directions, so that this takes no longer than a
    hop has.

    With more talkers than microphones, not all zeros can be had: beams then fulfil their constraints as well as least
    squares allow, and masks separate less, but stay defined.

    Parameters
    ----------
    array : Array
    framing : Framing
    n_places : int
        Number of talkers at most, 2 to 4.
    floor : float
        Least mask of a used place, as a share of an equal division among them: of two places, 0.1 gives masks of
        0.05 to 0.95.
    smooth_s : float
        Time constant of the mean of the power, s; 0 takes each hop alone.
    loading : float
        Noise of the microphones, as power relative to the diffuse noise: the more, the less do beams trust differences
        between microphones that are close together.
    slack : float
        How far constraints may give way where directions look alike, relative to the power of beams.

    Raises
    ------
    SceneError
        If a parameter is out of range.

    References
    ----------
    .. [1] Frost 1972, Proc. IEEE 60(8), doi:10.1109/PROC.1972.8817.
    """

    delay = 0

    def __init__(
        self,
        array: Array,
        framing: Framing,
        n_places: int = 2,
        floor: float = 0.05,
        smooth_s: float = 0.012,
        loading: float = 0.03,
        slack: float = 0.01,
    ) -> None:
        if not PLACES[0] <= n_places <= PLACES[1]:
            raise SceneError(f"separator: there are {n_places} places, but must be {PLACES[0]} to {PLACES[1]}")
        for name, value, low, high in (
            ("floor", floor, 0.0, 1.0),
            ("smooth_s", smooth_s, 0.0, 1.0),
            ("loading", loading, 1e-6, 100.0),
            ("slack", slack, 0.0, 1.0),
        ):
            if not low <= value <= high:
                raise SceneError(f"separator: {name} is {value}, but must be {low:g} to {high:g}")
        self.sfreq, self.hop, self.n_bins = framing.sfreq, framing.hop, framing.n_bins
        self.n_mics, self.n_places = array.n_mics, n_places
        self._floor, self._slack = floor, slack
        self._keep = math.exp(-framing.hop / framing.sfreq / smooth_s) if smooth_s else 0.0
        #: Share of the newest hop in the mean of the power.
        self.share = 1 - self._keep
        noise = array.diffuse(framing.frequencies) + loading * np.eye(array.n_mics)
        steering, noise_inverse = Steering(array, framing.frequencies), np.linalg.inv(noise)
        shape = (ROUND, array.n_mics, framing.n_bins)
        self._vectors, self._filtered = np.empty(shape, np.complex64), np.empty(shape, np.complex64)
        for degree in range(ROUND):
            vectors = steering(np.array([float(degree)]))
            self._vectors[degree], self._filtered[degree] = vectors[:, :, 0].T, (noise_inverse @ vectors)[:, :, 0].T
        self._at = np.full(n_places, np.nan)
        self._used = np.zeros(n_places, bool)
        self._weights = np.zeros((n_places, array.n_mics, framing.n_bins), np.complex64)
        self._products = np.zeros_like(self._weights)
        self._beams = np.zeros((n_places, framing.n_bins), np.complex64)
        self._power = np.zeros((n_places, framing.n_bins), np.float32)
        self._squares = np.zeros_like(self._power)
        self._mean = np.zeros_like(self._power)
        self._sum = np.zeros(framing.n_bins, np.float32)
        self._masks = np.zeros_like(self._power)
        self.memory = sum(one.nbytes for one in vars(self).values() if isinstance(one, np.ndarray))

    @property
    def weights(self) -> NDArray[np.complex64]:
        """Weights of the beams, conjugated, shape (n_places, n_mics, n_bins); zero for unused places."""
        return self._weights

    @property
    def power(self) -> NDArray[np.float32]:
        """Power of the beams in the newest hop times ``share``, shape (n_places, n_bins); finite."""
        return self._power

    def process(self, spectra: NDArray[np.complex64], directions: NDArray[np.float64], /) -> NDArray[np.float32]:
        """Return the masks for the newest spectra, see :class:`Separator`."""
        self._steer(directions)
        n_used = int(self._used.sum())
        if n_used < 2:
            self._masks[:] = 1 / self.n_places
            return self._masks
        with np.errstate(all="ignore"):
            np.multiply(self._weights, spectra, out=self._products)
            np.sum(self._products, axis=1, out=self._beams)
            np.multiply(self._beams.real, self._beams.real, out=self._power)
            np.multiply(self._beams.imag, self._beams.imag, out=self._squares)
            self._power += self._squares
            self._power *= self.share
            self._power[~np.isfinite(self._power)] = 0
            np.minimum(self._power, MOST, out=self._power)
        self._mean *= self._keep
        self._mean += self._power
        self._mean += LEAST
        np.sum(self._mean, axis=0, out=self._sum)
        np.divide(self._mean, self._sum, out=self._masks)
        np.multiply(self._masks, self._masks, out=self._masks)
        self._masks[~self._used] = 0
        np.sum(self._masks, axis=0, out=self._sum)
        self._masks /= self._sum
        self._masks *= 1 - self._floor
        self._masks += self._floor / n_used
        self._masks[~self._used] = 0
        return self._masks

    def reset(self) -> None:
        """Forget all spectra."""
        self._mean[:] = 0

    def state(self) -> State:
        """Return the mean power of the beams."""
        return {"mean": self._mean.copy()}

    def restore(self, state: State) -> None:
        """Restore the mean power of the beams."""
        self._mean[:] = state["mean"]

    def _steer(self, directions: NDArray[np.float64]) -> None:
        at = np.round(directions)
        if np.array_equal(at, self._at, equal_nan=True):
            return
        self._at[:] = at
        self._used[:] = np.isfinite(at)
        self._weights[:] = 0
        if self._used.sum() > 1:
            degrees = at[self._used].astype(np.int64) % ROUND
            beams = lcmv(self._vectors[degrees], self._filtered[degrees], self._slack)
            self._weights[self._used] = beams.conj()


def lcmv(vectors: NDArray[np.complex64], filtered: NDArray[np.complex64], slack: float) -> NDArray[np.complex128]:
    """Weights of beams that hear one talker each and none of the others.

    Parameters
    ----------
    vectors : array, shape (n_talkers, n_mics, n_bins)
        Steering vectors.
    filtered : array, shape (n_talkers, n_mics, n_bins)
        The same, multiplied by the inverse of the covariance of the noise.
    slack : float
        What is added to the diagonal of the constraints, relative to its mean. At 0 they are met exactly, if they
        can be.

    Returns
    -------
    weights : array, shape (n_talkers, n_mics, n_bins)
        Beam k is ``np.sum(weights[k].conj() * spectra, axis=0)``.
    """
    n_talkers = len(vectors)
    conjugated, filtered = vectors.conj().astype(np.complex128), filtered.astype(np.complex128)
    gram = np.array([[np.sum(one * other, axis=0) for other in filtered] for one in conjugated])  # (k, k, n_bins)
    mean = sum(gram[k, k].real for k in range(n_talkers)) / n_talkers
    for k in range(n_talkers):
        gram[k, k] += slack * mean + 1e-12
    if n_talkers == 2:  # thousands of small inverses take long
        (a, b), (c, d) = gram
        return np.asarray(
            np.stack([d * filtered[0] - c * filtered[1], a * filtered[1] - b * filtered[0]]) / (a * d - b * c)
        )
    inverse = np.linalg.inv(gram.transpose(2, 0, 1)).transpose(1, 2, 0)
    return np.asarray(np.sum(filtered[:, None] * inverse[:, :, None], axis=0))
