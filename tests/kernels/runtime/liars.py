"""Backends that lie, each around a network that does not."""

from __future__ import annotations

import numpy as np

from earmark.kernels.runtime.backend import Network


class Liar(Network):
    """Tells the truth."""

    def __init__(self, honest: Network) -> None:
        self.honest, self.n = honest, 0
        self.before = [np.zeros(shape, np.float32) for shape in honest.info().outputs]

    def info(self):
        return self.honest.info()

    def run_into(self, x, out):
        self.n += 1
        self.honest.run_into(x, out)


class Zeros(Liar):
    def run_into(self, x, out):
        for y in out:
            y[...] = 0.0


class Silent(Liar):
    """Writes nothing."""

    def run_into(self, x, out):
        pass


class Stale(Liar):
    """Answers what it should have answered the time before."""

    def run_into(self, x, out):
        super().run_into(x, out)
        for y, old in zip(out, self.before, strict=True):
            new = y.copy()
            y[...] = old
            old[...] = new


class Frozen(Liar):
    """Answers the first window for ever, like a graph whose input is not copied."""

    def run_into(self, x, out):
        super().run_into(x, out)
        for y, old in zip(out, self.before, strict=True):
            if self.n == 1:
                old[...] = y
            y[...] = old


class NotFinite(Liar):
    """One value of one answer in ten is NaN."""

    def run_into(self, x, out):
        super().run_into(x, out)
        if self.n % 10 == 0:
            out[0].flat[-1] = np.nan


class Swapped(Liar):
    """Two channels change places."""

    def run_into(self, x, out):
        wrong = [np.array(one) for one in x]
        wrong[0][:, [0, 1]] = wrong[0][:, [1, 0]]
        super().run_into(wrong, out)


class SwappedTalkers(Liar):
    """Scores of two talkers change places."""

    def run_into(self, x, out):
        super().run_into(x, out)
        out[-1][...] = out[-1][..., ::-1].copy()


class Overflowing(Liar):
    """Inputs go through half precision, which ends at 65504."""

    def run_into(self, x, out):
        with np.errstate(over="ignore"):
            narrow = [(100 * one).astype(np.float16).astype(np.float32) / 100 for one in x]
        super().run_into(narrow, out)


class Saturating(Liar):
    """As before, but clipped instead of infinite."""

    def run_into(self, x, out):
        super().run_into([np.clip(one, -655.0, 655.0) for one in x], out)


LIARS = (Zeros, Silent, Stale, Frozen, NotFinite, Swapped, SwappedTalkers, Overflowing, Saturating)
