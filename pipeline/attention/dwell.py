"""Laws of the dwell: for how long attention stays with a talker before it switches to another one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

#: Shape of the gamma law of a dwell of known mean: the standard deviation is half of the mean.
KNOWN_SHAPE = 4
#: After this many mean dwells without evidence, nothing is known any more: longer times change nothing.
FORGOTTEN = 100.0
#: Terms of a series for at most one jump on average; the next one is below 1e-18.
TERMS = 20


@dataclass(frozen=True, slots=True)
class Dwell:
    """Distribution of the dwell: a sum of independent stages, each of them exponential.

    A gamma law of integer shape has equal stages, and a single stage is the law without memory. With stages, attention
    is a Markov chain in continuous time over (talker, stage): it advances by any time exactly, and its state is small
    and of fixed size, without a grid of seconds since the switch (method of stages; for semi-Markov models see Yu 2010,
    doi:10.1016/j.artint.2009.11.011).

    Attributes
    ----------
    stages_s : tuple of float
        Mean duration of each stage in seconds, in order.
    """

    stages_s: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.stages_s or not all(0 < seconds < math.inf for seconds in self.stages_s):
            raise ValueError(f"dwell: stages are {self.stages_s} s, but must be positive, and one or more")

    @classmethod
    def memoryless(cls, switch_rate: float) -> Self:
        """Return the exponential law: attention leaves at ``switch_rate`` per second, however long it has stayed."""
        return cls((1 / switch_rate,))

    @classmethod
    def known(cls, mean_s: float) -> Self:
        """Return the gamma law of shape :data:`KNOWN_SHAPE` with a mean in seconds."""
        return cls((mean_s / KNOWN_SHAPE,) * KNOWN_SHAPE)

    @property
    def mean_s(self) -> float:
        """Mean dwell in seconds."""
        return math.fsum(self.stages_s)

    def at_rest(self, n_talkers: int) -> NDArray[np.float64]:
        """Return the probability of each talker and stage if nothing is known, shape (n_talkers, n_stages)."""
        return np.tile(np.array(self.stages_s) / (n_talkers * self.mean_s), (n_talkers, 1))

    def advance(self, n_talkers: int, seconds: float) -> NDArray[np.float64]:
        """Return the matrix by which the probabilities of (talker, stage) advance by a time without evidence.

        Parameters
        ----------
        n_talkers : int
            All switches between them are equally likely.
        seconds : float
            Not negative.

        Returns
        -------
        array, shape (n_talkers * n_stages, n_talkers * n_stages)
            Probability of each state (row) after this time, given the state before (column); columns sum to 1.
        """
        n, rates = len(self.stages_s), 1 / np.array(self.stages_s)
        within = np.diag(rates[:-1], -1) - np.diag(rates)
        between = np.zeros((n, n))
        between[0, -1] = rates[-1] / (n_talkers - 1)
        same = np.eye(n_talkers)
        generator = np.kron(same, within) + np.kron(1 - same, between)
        return _exponential(generator, float(rates.max()) * min(seconds, FORGOTTEN * self.mean_s), float(rates.max()))


def _exponential(generator: NDArray[np.float64], jumps: float, rate: float) -> NDArray[np.float64]:
    """Return the exponential of a generator of a Markov chain times ``jumps / rate``, by uniformisation and squaring.

    ``rate`` is the largest rate at which a state is left, ``jumps`` the mean number of jumps at this rate. All numbers
    are sums and products of positive ones: unlike with :func:`scipy.linalg.expm`, tiny probabilities are accurate, and
    none is negative.
    """
    halvings = math.ceil(math.log2(max(jumps, 1.0)))
    few = jumps / 2**halvings
    jump = np.eye(len(generator)) + generator / rate
    term = math.exp(-few) * np.eye(len(generator))
    found = term.copy()
    for number in range(1, TERMS):
        term = term @ jump * (few / number)
        found += term
    for _ in range(halvings):
        found = found @ found
    return found


#: Law of a dwell that nobody stated, of a minute on average. The first stage is short: for some seconds attention
#: hardly switches back. The last one is long, because a listener who is free may stay for minutes (standard deviation
#: 43 s). The optimum is flat: see ``benchmarks/dwell.py`` and ``docs/figures.md``.
UNKNOWN = Dwell((5.0, 15.0, 40.0))
