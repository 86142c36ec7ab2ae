"""The gate before a backend goes live: its answers against a float64 reference, on windows good and bad."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from earmark.kernels.runtime.backend import TOLERANCE, Arrays, BackendError, Network, Tensors, as_tuple

#: Real windows derived from each one given: as it is, and disturbed, so that no two answers are alike.
N_DISTURBED = 12
#: How much louder than a real window the largest one is, and how much softer the smallest.
HUGE, TINY = 1e3, 1e-6
#: An answer may err by this many times what plain float32 errs on the same window, and what the exact answer changes by
#: when the window is rounded otherwise: on a constant window, say, what is left after subtracting the mean is rounding
#: alone, in every backend.
SLACK = 4.0
#: How often what rounding may do is tried where an answer errs by more.
N_ROUNDED = 16
#: Where rounding alone changes the answer by more than this part of it, a window that is not real can tell one backend
#: from another no more; its answer must still be finite.
UNDECIDED = 0.02
#: An answer smaller than this part of what is usual is judged as if it were that large: what remains is rounding.
SMALL = 1e-2
#: Two candidates closer than this part of the largest are a tie, and either may win.
TIE = 1e-5

Decide = Callable[[Arrays], int]


class ParityError(BackendError):
    """Raised when a backend does not compute what the network does; says on which window and by how much."""


@dataclass(frozen=True, slots=True)
class Parity:
    """What was found.

    Attributes
    ----------
    error : float
        Largest error on real windows, as a part of the largest value of the answer.
    worst : float
        Largest error on any window, in units of what is allowed; 1 or less.
    n_windows, n_undecided : int
        Windows asked for; answers to those that are not real of which only rounding decides, so that they were only
        looked at for values that are not finite.
    n_decisions : int
        Decisions on real windows, all of them as the reference decides.
    """

    error: float
    worst: float
    n_windows: int
    n_undecided: int
    n_decisions: int


def best_score(outputs: Arrays) -> int:
    """Index of the largest value of the last output: the talker chosen, where outputs are scores."""
    return int(np.argmax(outputs[-1]))


def windows(real: Sequence[Arrays]) -> Iterator[tuple[str, list[NDArray[np.float32]]]]:
    """Windows to judge by, each with its kind: real, disturbed, zero, tiny, huge, saturated, constant.

    Parameters
    ----------
    real : sequence of (sequence of array)
        One or more windows as they occur, none of them silent.

    Raises
    ------
    ValueError
        If there is none, or one is silent.
    """
    if not real:
        raise ValueError("parity: one real window or more is needed")
    rng = np.random.default_rng(0)
    for i, window in enumerate(real):
        if not all(np.isfinite(x).all() and np.ptp(x) > 0 for x in window):
            raise ValueError(f"parity: real window {i} is constant or not finite, and tells nothing")
        yield "real", [np.array(x, np.float32) for x in window]
        for _ in range(N_DISTURBED):
            yield "real", [_disturbed(x, rng) for x in window]
        peak = [np.abs(x).max() for x in window]
        for kind, made in (
            ("zero", [np.zeros_like(x) for x in window]),
            ("tiny", [TINY * x for x in window]),
            ("huge", [HUGE * x for x in window]),
            ("saturated", [HUGE * p * np.sign(x) for x, p in zip(window, peak, strict=True)]),
            ("constant", [np.full_like(x, p) for x, p in zip(window, peak, strict=True)]),
        ):
            yield kind, [np.asarray(x, np.float32) for x in made]


def _disturbed(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The same signal later, louder or softer, with other noise on it."""
    axis = int(np.argmax(x.shape))
    later = np.roll(x, int(rng.integers(x.shape[axis])), axis=axis)
    noise = 0.3 * x.std() * rng.standard_normal(x.shape)
    return np.asarray(rng.uniform(0.5, 2.0) * (later + noise), np.float32)


class Reference:
    """What a network should answer, and how far from that mere rounding may lead.

    Parameters
    ----------
    module : torch.nn.Module
        Float32, on the CPU. It is left as it is.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._module, self._wide = module, copy.deepcopy(module).double()
        self._rng = np.random.default_rng(1)

    def answer(self, x: Arrays) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]], list[float]]:
        """Outputs in float64, in float32, and how far plain rounding moves each of them: of sums, and of the window."""
        exact, plain = _run(self._wide, x, torch.float64), _run(self._module, x, torch.float32)
        nudged = _run(self._wide, [_rounded_otherwise(one, self._rng) for one in x], torch.float64)
        loose = [
            max(float(np.abs(rounded - wanted).max()), float(np.abs(other - wanted).max()))
            for wanted, rounded, other in zip(exact, plain, nudged, strict=True)
        ]
        return exact, plain, loose

    def rounding(self, x: Arrays) -> list[float]:
        """How far float32 may move each output, in whatever order it is computed: every layer's values are rounded."""
        exact = _run(self._wide, x, torch.float64)
        shaken = copy.deepcopy(self._wide)
        for layer in shaken.modules():
            if not any(layer.children()):
                layer.register_forward_hook(lambda _, __, y: self._shake(y))
        trials = [_run(shaken, [_rounded_otherwise(one, self._rng) for one in x], torch.float64)
                  for _ in range(N_ROUNDED)]  # fmt: skip
        return [max(float(np.abs(one[i] - wanted).max()) for one in trials) for i, wanted in enumerate(exact)]

    def _shake(self, y: torch.Tensor) -> torch.Tensor:
        noise = torch.from_numpy(self._rng.standard_normal(tuple(y.shape)))
        return y * (1 + torch.finfo(torch.float32).eps * noise)


def check(
    network: Network,
    module: torch.nn.Module,
    real: Sequence[Arrays],
    decide: Decide = best_score,
    tolerance: float | None = None,
) -> Parity:
    """Compare a network that is ready to answer with its module in float64.

    Every window is asked for twice, each time after others, and with the answer of the last one still in memory: a
    backend that repeats itself, or answers nothing at all, is found out.

    Parameters
    ----------
    network : Network
        As it will be used, graph and all.
    module : torch.nn.Module
        What it was made of; float32, on the CPU. It is left as it is.
    real : sequence of (sequence of array)
        Windows as they occur.
    decide : callable
        From outputs to a decision.
    tolerance : float, optional
        Error allowed, as a part of the largest value of the answer; by default what the precision allows.

    Returns
    -------
    Parity

    Raises
    ------
    ParityError
        If an answer is off, not finite where the reference is, or decides otherwise: do not use this backend.
    """
    info = network.info()
    allowed = TOLERANCE[info.precision] if tolerance is None else tolerance
    asked = list(windows(real))
    reference = Reference(module)
    exact, plain, loosely = zip(*(reference.answer(x) for _, x in asked), strict=True)
    usual = [max(np.abs(y[i]).max() for (kind, _), y in zip(asked, exact, strict=True) if kind == "real")
             for i in range(len(exact[0]))]  # fmt: skip
    out = [np.full(shape, np.nan, np.float32) for shape in info.outputs]
    error = worst = 0.0
    n_decisions = n_undecided = 0
    for k in [*range(len(asked)), *reversed(range(len(asked)))]:
        kind, x = asked[k]
        network.run_into(x, out)
        for i, (found, wanted, rounded, loose) in enumerate(zip(out, exact[k], plain[k], loosely[k], strict=True)):
            name = f"{info.backend} ({info.precision}), {kind} window, output {i}"
            if found.shape != wanted.shape:
                raise ParityError(f"{name}: shape {found.shape} instead of {wanted.shape}")
            if not np.isfinite(wanted).all() or not np.isfinite(rounded).all():
                raise ParityError(f"{name}: the network itself gives values that are not finite; it cannot go live")
            if not np.isfinite(found).all():
                raise ParityError(f"{name}: {np.count_nonzero(~np.isfinite(found))} values are not finite")
            size = max(float(np.abs(wanted).max()), SMALL * usual[i], np.finfo(np.float32).tiny)
            off = float(np.abs(found - wanted).max())
            if off > max(allowed * size, SLACK * loose):
                loosely[k][i] = loose = max(loose, reference.rounding(x)[i])  # noqa: PLW2901
            if kind != "real" and loose > UNDECIDED * size:
                n_undecided += 1
                continue
            may = max(allowed * size, SLACK * loose)
            if off > may:
                raise ParityError(
                    f"{name}: off by {off / size:.2g} of its largest value, {may / size:.2g} is allowed; not used"
                )
            worst = max(worst, off / may)
            if kind == "real":
                error = max(error, off / size)
        if kind == "real":
            n_decisions += 1
            if (chosen := decide(out)) != (right := decide(exact[k])) and not _tied(exact[k][-1], chosen, right):
                raise ParityError(
                    f"{info.backend} ({info.precision}): decides {chosen} where the reference decides {right}; not used"
                )
    return Parity(error, worst, len(asked), n_undecided, n_decisions)


def _rounded_otherwise(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float64]:
    """Move every value by about as much as float32 can tell apart."""
    moved: NDArray[np.float64] = x * (1 + np.finfo(np.float32).eps * rng.standard_normal(x.shape))
    return moved


def _run(module: torch.nn.Module, x: Sequence[NDArray[Any]], dtype: torch.dtype) -> list[NDArray[np.float64]]:
    with torch.no_grad():
        given: Tensors = tuple(torch.from_numpy(one).to(dtype) for one in x)
        return [y.numpy().astype(np.float64) for y in as_tuple(module(*given))]


def _tied(scores: NDArray[np.float64], chosen: int, right: int) -> bool:
    flat = scores.ravel()
    if max(chosen, right) >= flat.size:
        return False
    return bool(abs(flat[chosen] - flat[right]) <= TIE * np.abs(flat).max())
