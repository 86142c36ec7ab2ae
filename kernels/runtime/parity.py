"""Parity check of a backend before use: its outputs against a float64 reference, on real and artificial windows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from earmark.kernels.runtime.backend import TOLERANCE, Arrays, BackendError, Network, Tensors, as_tuple

#: Number of disturbed copies of each real window, so that no two outputs are equal.
N_DISTURBED = 12
#: Scale of the largest and of the smallest artificial window, relative to a real window.
HUGE, TINY = 1e3, 1e-6
#: Allowed error as a multiple of the rounding error: the error of plain float32 on the same window or the change of
#: the exact output when the window is rounded differently, whichever is larger. On a constant window, for example, only
#: rounding errors remain after the mean is subtracted, in every backend.
SLACK = 4.0
#: Number of trials that estimate the effect of rounding if an output exceeds the allowed error.
N_ROUNDED = 16
#: If rounding alone changes the output on an artificial window by more than this fraction, that window cannot
#: distinguish one backend from another; its output must still be finite.
UNDECIDED = 0.02
#: Errors are relative to at least this fraction of the usual largest value: smaller outputs are rounding errors.
SMALL = 1e-2
#: Two candidates that differ by less than this fraction of the largest score are a tie, and either may win.
TIE = 1e-5

Decide = Callable[[Arrays], int]


class ParityError(BackendError):
    """Raised when the output of a backend differs from that of the network; names the window and the difference."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Result of a parity check.

    Attributes
    ----------
    error : float
        Largest error on real windows, relative to the largest value of the output.
    worst : float
        Largest error on any window, relative to the allowed error; at most 1.
    n_windows, n_undecided : int
        Number of windows; number of outputs on artificial windows that rounding dominates, which were only checked
        for values that are not finite.
    n_decisions : int
        Number of decisions on real windows; all agree with the reference.
    """

    error: float
    worst: float
    n_windows: int
    n_undecided: int
    n_decisions: int


def best_score(outputs: Arrays) -> int:
    """Return the index of the largest value of the last output: the chosen talker, if outputs are scores."""
    return int(np.argmax(outputs[-1]))


def windows(real: Sequence[Arrays]) -> Iterator[tuple[str, list[NDArray[np.float32]]]]:
    """Yield the test windows, each with its kind: real (also disturbed), zero, tiny, huge, saturated or constant.

    Parameters
    ----------
    real : sequence of (sequence of array)
        One or more windows of real data, none of them constant.

    Raises
    ------
    ValueError
        If there is no window, or one is constant or not finite.
    """
    if not real:
        raise ValueError("parity: at least one real window is needed")
    rng = np.random.default_rng(0)
    for i, window in enumerate(real):
        if not all(np.isfinite(x).all() and np.ptp(x) > 0 for x in window):
            raise ValueError(f"parity: real window {i} is constant or not finite, so that it cannot be used")
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
    """Shift the signal in time, scale it and add noise."""
    axis = int(np.argmax(x.shape))
    later = np.roll(x, int(rng.integers(x.shape[axis])), axis=axis)
    noise = 0.3 * x.std() * rng.standard_normal(x.shape)
    return np.asarray(rng.uniform(0.5, 2.0) * (later + noise), np.float32)


class Reference:
    """Reference outputs of a network, and how much rounding alone can change them.

    Parameters
    ----------
    module : torch.nn.Module
        Float32, on the CPU. It is not modified.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._module, self._wide = module, copy.deepcopy(module).double()
        self._rng = np.random.default_rng(1)

    def answer(self, x: Arrays) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]], list[float]]:
        """Return the outputs in float64 and in float32, and how much rounding (of sums or input) changes each."""
        exact, plain = _run(self._wide, x, torch.float64), _run(self._module, x, torch.float32)
        nudged = _run(self._wide, [_rounded_otherwise(one, self._rng) for one in x], torch.float64)
        loose = [
            max(float(np.abs(rounded - wanted).max()), float(np.abs(other - wanted).max()))
            for wanted, rounded, other in zip(exact, plain, nudged, strict=True)
        ]
        return exact, plain, loose

    def rounding(self, x: Arrays) -> list[float]:
        """Estimate how much float32 can change each output, in any order of computation, by rounding every layer."""
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
    """Compare a network that is ready to run with its module in float64.

    Every window is run twice, in different orders, and into output arrays that still hold the previous output. This
    detects a backend that repeats an earlier output or writes none.

    Parameters
    ----------
    network : Network
        Exactly as it will be used, including its CUDA graph.
    module : torch.nn.Module
        The module it was built from; float32, on the CPU. It is not modified.
    real : sequence of (sequence of array)
        Windows of real data.
    decide : callable
        Maps outputs to a decision.
    tolerance : float, optional
        Allowed error relative to the largest value of the output; by default that of the precision.

    Returns
    -------
    Parity

    Raises
    ------
    ParityError
        If an output is wrong or not finite, or leads to another decision. Do not use the backend then.
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
                raise ParityError(f"{name}: the network itself returns values that are not finite; it cannot be used")
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
    """Change every value by about the resolution of float32."""
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
