"""Check a separator against :class:`earmark.pipeline.scene.separator.Separator`, on simulated mixtures."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError
from earmark.pipeline.scene.array import SOUND, Array, preset
from earmark.pipeline.scene.separator import Separator, hops_late
from earmark.pipeline.scene.transform import Analysis, Framing
from earmark.testing.failure import CheckFailed, bits, demand, gives_a_reason, run_checks

#: Arrays, rates and directions that it is checked with; NaN is a place where nobody is.
CASES = (("glasses6", 16_000.0, (-40.0, 30.0)), ("ears2", 48_000.0, (-60.0, 50.0, np.nan)))
#: Number of hops, and of those after which the future, or the instance, is another.
N, CUT = 60, 31
#: Greatest error of a mask, or of a sum of masks.
CLOSE = 1e-4
#: A class, or a function, that makes a separator.
Make = Callable[[Array, Framing, int], Separator]


def check_separator(separator: Make) -> float:
    """Check a class of separators: with six microphones at 16 kHz, and with two at 48 kHz and a place that is unused.

    One of the two may be refused, with a SceneError or ValueError that says why.

    Parameters
    ----------
    separator : callable
        The class, or a function that makes a separator: of an array, a framing and a number of places.

    Returns
    -------
    float
        Median time of a hop, s, with six microphones, or two if six are refused. It is not checked: it must be much
        shorter than a hop, which is 4 ms by default, on every machine that the separator runs on.

    Raises
    ------
    CheckFailed
        At the first check that fails.
    """
    if not callable(separator):
        raise CheckFailed(
            f"check_separator: it was given {separator!r}, but needs a class, or a function of array, framing and "
            "number of places: check_separator(MySeparator)"
        )
    hop_s, refusal = 0.0, None
    for name, sfreq, azimuths in CASES:
        check = _Check(separator, preset(name), Framing(sfreq), np.array(azimuths))
        try:
            check.make()
        except (EarmarkError, ValueError) as error:
            check.demand(gives_a_reason(error), f"it refuses without saying why: {str(error)!r}")
            refusal = error
            continue
        checks = (
            check.declares_what_is_used,
            check.gives_masks,
            check.keeps_to_what_it_was_given,
            check.repeats_itself,
            check.survives_anything,
            check.goes_on_from_its_state,
            check.resets,
        )
        run_checks(checks, lambda check=check: check.name)  # type: ignore[misc]
        hop_s = hop_s or check.hop_s
    if not hop_s:
        raise CheckFailed(f"{check.name}: it refuses all arrays that it is checked with: {refusal}")
    return hop_s


class _Check:
    def __init__(self, separator: Make, array: Array, framing: Framing, azimuths: NDArray[np.float64]) -> None:
        self.separator, self.array, self.framing, self.azimuths = separator, array, framing, azimuths
        self.name = getattr(separator, "__name__", type(separator).__name__)
        self.used = np.isfinite(azimuths)
        self.given = _mixture(array, framing, azimuths[self.used])
        self.hop_s = 0.0

    def demand(self, fine: object, found: str) -> None:
        n_mics, sfreq = self.array.n_mics, self.framing.sfreq
        demand(fine, self.name, f"with {n_mics} microphones at {sfreq:g} Hz, {found}")

    def make(self) -> Separator:
        return self.separator(self.array, self.framing, len(self.azimuths))

    # The checks

    def declares_what_is_used(self) -> None:
        made = self.make()
        for what, wanted in (
            ("sfreq", self.framing.sfreq),
            ("hop", self.framing.hop),
            ("n_mics", self.array.n_mics),
            ("n_bins", self.framing.n_bins),
            ("n_places", len(self.azimuths)),
        ):
            found = getattr(made, what, None)
            self.demand(found == wanted, f"{what} is {found}, but must be {wanted}, as it was made")
        for what in ("delay", "memory"):
            found = getattr(made, what, None)
            self.demand(
                isinstance(found, int | np.integer) and found >= 0, f"{what} is {found!r}, but must be a number"
            )
        hops_late(made)
        for member in ("process", "reset", "state", "restore"):
            self.demand(callable(getattr(made, member, None)), f"there is no {member}")

    def gives_masks(self) -> None:
        made, took = self.make(), []
        for spectra in self.given:
            before = bits(spectra), bits(self.azimuths)
            began = time.perf_counter()
            masks = made.process(spectra, self.azimuths)
            took.append(time.perf_counter() - began)
            self.demand((bits(spectra), bits(self.azimuths)) == before, "it changes what it is given: work on a copy")
            self._fits(masks, "")
        self.hop_s = statistics.median(took)
        for few in (np.full(len(self.azimuths), np.nan), np.where(np.arange(len(self.azimuths)) == 1, 10.0, np.nan)):
            masks = np.asarray(made.process(self.given[0], few))
            self.demand(
                np.abs(masks - 1 / len(few)).max() <= CLOSE,
                "with fewer than two directions, masks differ: nothing can be told apart",
            )
        for moved in (self.azimuths + 7.3, self.azimuths[::-1].copy(), self.azimuths):
            self._fits(made.process(self.given[0], moved), "after directions have changed, ", np.isfinite(moved))

    def keeps_to_what_it_was_given(self) -> None:
        wanted = self._run(self.make(), self.given)
        lent, made, found = np.empty_like(self.given[0]), self.make(), []
        for k, spectra in enumerate(self.given):
            lent[:] = spectra
            found.append(bits(np.asarray(made.process(lent, self.azimuths))))
            lent[:] = 1e3 * (k + 1)
        self.demand(found == wanted, "masks change with spectra that it was lent before: it must keep copies")
        other = [*self.given[:CUT], *(10 * spectra[::-1] for spectra in self.given[CUT:])]
        found = self._run(self.make(), other)
        self.demand(found[:CUT] == wanted[:CUT], "masks depend on spectra that come later")

    def repeats_itself(self) -> None:
        runs = []
        for number in (1, 2):
            np.random.seed(number)  # noqa: NPY002 - which a separator must not draw from
            random.seed(number)
            runs.append(self._run(self.make(), self.given))
        self.demand(runs[0] == runs[1], "for the same spectra, another instance gives other masks")

    def survives_anything(self) -> None:
        made = self.make()
        zeros = np.zeros_like(self.given[0])
        for what, odd in (
            ("zeros", zeros),
            ("NaN", zeros + np.complex64(np.nan)),
            ("infinity", zeros + np.complex64(np.inf)),
            ("huge values", zeros + np.complex64(3e38)),
            ("tiny values", zeros + np.complex64(1e-42)),
        ):
            with np.errstate(all="ignore"):
                for _ in range(5):
                    self._fits(made.process(odd, self.azimuths), f"given {what}, ")
                for spectra in self.given:
                    self._fits(made.process(spectra, self.azimuths), f"after {what}, ")

    def goes_on_from_its_state(self) -> None:
        for cut in (0, 1, CUT):
            one, other = self.make(), self.make()
            self._run(one, self.given[:cut])
            state = one.state()
            fine = isinstance(state, dict) and all(
                isinstance(key, str) and isinstance(value, np.ndarray) and value.dtype != object
                for key, value in state.items()
            )
            self.demand(fine, "state must be a dict of NumPy arrays by name, none of them of objects")
            kept, wanted = bits(state), self._run(one, self.given[cut:])
            self.demand(bits(state) == kept, "what state gave changes while it goes on: give copies")
            self._run(other, self.given[::-1])  # which restore must make it forget
            other.restore(state)
            self.demand(self._run(other, self.given[cut:]) == wanted, "restored from its state, it goes on otherwise")
            self.demand(bits(state) == kept, "restored, it changes the state that it was given: take copies")

    def resets(self) -> None:
        made = self.make()
        self._run(made, self.given[::-1])
        made.reset()
        wanted = self._run(self.make(), self.given)
        self.demand(self._run(made, self.given) == wanted, "after reset, it has not forgotten what came before")

    # Shared by the checks

    def _fits(self, masks: Any, when: str, used: NDArray[np.bool_] | None = None) -> None:
        used, shape = self.used if used is None else used, (len(self.azimuths), self.framing.n_bins)
        self.demand(isinstance(masks, np.ndarray), f"{when}process gives a {type(masks).__name__}, not an array")
        self.demand(
            masks.shape == shape and masks.dtype == np.float32,
            f"{when}masks are {masks.dtype} {masks.shape}, but must be float32 {shape}",
        )
        self.demand(np.isfinite(masks).all(), f"{when}masks are not finite")
        low, high = float(masks.min()), float(masks.max())
        self.demand(low >= -CLOSE and high <= 1 + CLOSE, f"{when}masks are {low:g} to {high:g}, but must be 0 to 1")
        off = float(np.abs(masks.sum(axis=0) - 1).max())
        self.demand(off <= CLOSE, f"{when}masks do not sum to one, but differ by {off:.2g}")
        self.demand(not masks[~used].any(), f"{when}the mask of an unused place is not zero")

    def _run(self, made: Separator, given: Iterable[NDArray[np.complex64]]) -> list[Any]:
        """Return the bits of the masks of each hop."""
        return [bits(np.asarray(made.process(spectra, self.azimuths))) for spectra in given]


def _mixture(array: Array, framing: Framing, azimuths: NDArray[np.float64]) -> list[NDArray[np.complex64]]:
    """Return spectra of talkers of noise, in the open, with syllables."""
    rng = np.random.default_rng(0)
    n = N * framing.hop
    frequencies, angles = np.fft.rfftfreq(n, 1 / framing.sfreq), np.deg2rad(azimuths)
    heard = 0.001 * rng.standard_normal((array.n_mics, n))
    for k, angle in enumerate(angles):
        syllables = np.repeat(rng.random(N // 10) > 0.4, 10 * framing.hop)
        spectrum = np.fft.rfft(rng.standard_normal(n) * (syllables + 0.01 * (k + 1)))
        delays = -(array.positions @ [np.sin(angle), np.cos(angle), 0]) / SOUND
        heard += 0.1 * np.fft.irfft(spectrum * np.exp(-2j * np.pi * frequencies * delays[:, None]), n)
    analysis = Analysis(framing, array.n_mics)
    hops = heard.astype(np.float32).reshape(array.n_mics, N, framing.hop)
    return [analysis.push(hops[:, k]).copy() for k in range(N)]
