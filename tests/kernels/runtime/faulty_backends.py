"""Faulty backends, each a wrapper of a correct network."""

from __future__ import annotations

import numpy as np

from earmark.kernels.runtime.backend import Network


class Wrapper(Network):
    """Passes everything through unchanged."""

    def __init__(self, correct: Network) -> None:
        self.correct, self.n = correct, 0
        self.before = [np.zeros(shape, np.float32) for shape in correct.info().outputs]

    def info(self):
        return self.correct.info()

    def run_into(self, x, out):
        self.n += 1
        self.correct.run_into(x, out)


class Zeros(Wrapper):
    def run_into(self, x, out):
        for y in out:
            y[...] = 0.0


class Silent(Wrapper):
    """Writes nothing."""

    def run_into(self, x, out):
        pass


class Stale(Wrapper):
    """Returns the output for the previous window."""

    def run_into(self, x, out):
        super().run_into(x, out)
        for y, old in zip(out, self.before, strict=True):
            new = y.copy()
            y[...] = old
            old[...] = new


class Frozen(Wrapper):
    """Always returns the output for the first window, like a graph whose input is not copied."""

    def run_into(self, x, out):
        super().run_into(x, out)
        for y, old in zip(out, self.before, strict=True):
            if self.n == 1:
                old[...] = y
            y[...] = old


class NotFinite(Wrapper):
    """Sets one value of every tenth output to NaN."""

    def run_into(self, x, out):
        super().run_into(x, out)
        if self.n % 10 == 0:
            out[0].flat[-1] = np.nan


class Swapped(Wrapper):
    """Swaps two channels of the input."""

    def run_into(self, x, out):
        wrong = [np.array(one) for one in x]
        wrong[0][:, [0, 1]] = wrong[0][:, [1, 0]]
        super().run_into(wrong, out)


class SwappedTalkers(Wrapper):
    """Swaps the scores of two talkers."""

    def run_into(self, x, out):
        super().run_into(x, out)
        out[-1][...] = out[-1][..., ::-1].copy()


class Overflowing(Wrapper):
    """Converts scaled inputs to half precision, whose maximum is 65504."""

    def run_into(self, x, out):
        with np.errstate(over="ignore"):
            narrow = [(100 * one).astype(np.float16).astype(np.float32) / 100 for one in x]
        super().run_into(narrow, out)


class Saturating(Wrapper):
    """Like Overflowing, but clips large inputs instead of making them infinite."""

    def run_into(self, x, out):
        super().run_into([np.clip(one, -655.0, 655.0) for one in x], out)


FAULTY = (Zeros, Silent, Stale, Frozen, NotFinite, Swapped, SwappedTalkers, Overflowing, Saturating)
