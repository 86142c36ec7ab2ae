"""Check a gain law against :class:`earmark.pipeline.attention.steering.Law`, on simulated posteriors."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.scene import GAIN_DB
from earmark.pipeline.attention.emissions import N_TALKERS, TALKERS
from earmark.pipeline.attention.evidence import Posterior
from earmark.pipeline.attention.steering import Law, check_gains
from earmark.testing.failure import (
    CheckFailed,
    bits,
    demand,
    demand_class,
    gives_a_reason,
    run_checks,
    settings_for,
)

#: Seconds between posteriors, number of posteriors, and time of the first, s.
HOP_S, N, BEGIN = 0.5, 120, 1e5


def check_law(law: type[Law], config: Any = None) -> None:
    """Check a class of gain laws, for every number of talkers that it supports.

    Parameters
    ----------
    law : type
        The class.
    config : object, optional
        Settings to check it with; by default ``law.Config()``.

    Raises
    ------
    CheckFailed
        At the first check that fails.
    """
    demand_class(law, "check_law", "law")
    check = _Check(law, config)
    checks = (
        check.has_what_is_used,
        check.supports_some_numbers_of_talkers,
        check.gives_gains,
        check.favours,
        check.repeats_itself,
        check.goes_on_from_its_state,
        check.resets,
    )
    run_checks(checks, lambda: check.name)


class _Check:
    def __init__(self, law: type[Law], config: Any) -> None:
        self.law, self.name, self.config = law, law.__name__, config

    def demand(self, fine: object, found: str) -> None:
        demand(fine, self.name, found)

    # The checks

    def has_what_is_used(self) -> None:
        for member in ("Config", "gains", "favour", "update", "reset", "state", "restore"):
            self.demand(hasattr(self.law, member), f"there is no {member}")
        self.config = settings_for("check_law", self.name, self.law.Config, self.config)

    def supports_some_numbers_of_talkers(self) -> None:
        self.supported = []
        for n in TALKERS:
            try:
                made = self.law(self.config, n)
            except ValueError as error:
                self.demand(gives_a_reason(error), f"it refuses {n} talkers without saying why: {str(error)!r}")
                continue
            self.demand(getattr(made, "n_talkers", None) == n, f"n_talkers must be {n}, as it was made")
            self.supported.append(n)
        self.demand(self.supported, f"it refuses every number of talkers, {N_TALKERS}, with these settings")

    def gives_gains(self) -> None:
        for n in self.supported:
            law = self.law(self.config, n)
            self._range(law, n)
            neutral = bits(law.neutral)
            self.demand(_same(law.gains, law.neutral), "before the first posterior, gains are not neutral")
            for at, posterior in _posteriors(n):
                given = bits(posterior)
                law.update(posterior, at)
                self.demand(bits(posterior) == given, "update changes the posterior it was given: work on a copy")
                self._range(law, n)
            self.demand(bits(law.neutral) == neutral, "neutral changes with posteriors: it must stay")
            before = bits(law.gains), bits(law.favour(0))
            law.gains[:] = law.favour(0)[:] = 1.0
            after = bits(law.gains), bits(law.favour(0))
            self.demand(after == before, "gains or favour give their own memory: who writes to it changes them")

    def favours(self) -> None:
        for n in self.supported:
            law = self.law(self.config, n)
            for talker in range(n):
                state = bits(law.state())
                gains = law.favour(talker)
                self.demand(
                    gains[talker] == gains.max(), f"favour({talker}) gives another talker a higher gain: {gains}"
                )
                self.demand(bits(law.state()) == state, "favour changes the state: it must only return gains")
            for talker in range(n):
                law = self.law(self.config, n)
                for k in range(N):
                    law.update(_sure(talker, n), BEGIN + k * HOP_S)
                gains = law.gains
                self.demand(
                    gains[talker] == gains.max(),
                    f"after {N * HOP_S:g} s of certain attention to talker {talker}, another one has a higher gain: "
                    f"{gains}",
                )

    def repeats_itself(self) -> None:
        for n in self.supported:
            runs = []
            for number in (1, 2):
                np.random.seed(number)  # noqa: NPY002 - which a law must not draw from
                random.seed(number)
                runs.append(self._run(self.law(self.config, n), _posteriors(n)))
            self.demand(
                runs[0] == runs[1],
                "for the same posteriors, another instance gives other gains: it draws or reads a clock",
            )

    def goes_on_from_its_state(self) -> None:
        for n in self.supported:
            given = _posteriors(n)
            for cut in (0, 1, N // 3, N // 2, N - 1):
                one, other = self.law(self.config, n), self.law(self.config, n)
                self._run(one, given[:cut])
                state = one.state()
                fine = isinstance(state, dict) and all(
                    isinstance(key, str) and isinstance(value, np.ndarray) and value.dtype != object
                    for key, value in state.items()
                )
                self.demand(fine, "state must be a dict of NumPy arrays by name, none of them of objects")
                kept, now = bits(state), bits(one.gains)
                wanted = self._run(one, given[cut:])
                self.demand(bits(state) == kept, "what state gave changes while the law goes on: give copies")
                self._run(other, given[::-1])  # which restore must make it forget
                other.restore(state)
                self.demand(bits(other.gains) == now, "restored from its state, it has other gains")
                self.demand(self._run(other, given[cut:]) == wanted, "restored from its state, it goes on otherwise")
                self.demand(bits(state) == kept, "a restored law changes the state it was given: take copies")

    def resets(self) -> None:
        for n in self.supported:
            given = _posteriors(n)
            fresh, law = self.law(self.config, n), self.law(self.config, n)
            self._run(law, given)
            law.reset()
            self.demand(_same(law.gains, law.neutral), "after reset, gains are not neutral")
            again = [(at - BEGIN, posterior) for at, posterior in given]  # an earlier time, too
            self.demand(
                self._run(law, again) == self._run(fresh, again), "after reset, it has not forgotten what came before"
            )

    # Shared by the checks

    def _range(self, law: Law, n: int) -> None:
        try:
            check_gains(law, n, *GAIN_DB)
        except ValueError as error:
            raise CheckFailed(f"{self.name}: with {n} talkers, {error}") from None

    def _run(self, law: Law, given: list[tuple[float, Posterior]]) -> list[Any]:
        """Return the bits of the gains after each posterior."""
        found = []
        for at, posterior in given:
            law.update(posterior, at)
            found.append(bits(np.asarray(law.gains)))
        return found


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return np.array_equal(np.asarray(one, np.float64), np.asarray(other, np.float64))


def _sure(talker: int, n: int) -> Posterior:
    """Return a posterior that is as certain as evidence gets."""
    probability = np.full(n, 0.02 / (n - 1))
    probability[talker] = 0.98
    return Posterior(probability, talker)


def _posteriors(n: int) -> list[tuple[float, Posterior]]:
    """Make posteriors with their times: undecided, certain, in between, with a pause and a clock that steps back."""
    rng = np.random.default_rng(n)
    odds = np.cumsum(rng.normal(size=(N, n)), axis=0)
    odds[:4] = 0.0
    odds[N // 4 : N // 3] = 50.0 * np.eye(n)[-1]
    times = BEGIN + HOP_S * np.arange(N)
    times[N // 2 :] += 5.0
    times[3 * N // 4 :] -= 2.0
    assert any(b < a for a, b in pairwise(times))
    found = []
    for at, row in zip(times, odds, strict=True):
        probability = np.exp(row - row.max())
        probability /= probability.sum()
        talker = int(probability.argmax()) if probability.max() > 0.6 else None
        found.append((float(at), Posterior(probability, talker)))
    return found
