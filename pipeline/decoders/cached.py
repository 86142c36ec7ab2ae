"""Incremental computation of a network, hop by hop: every stage caches the past samples that it needs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earmark.pipeline.decoders.networks import MatchNetwork, Tower, eager, reach_of
from earmark.pipeline.node import State


class CachedTower:
    """A tower with a cache of the last ``reach`` inputs of each stage, so that only new samples are computed.

    Parameters
    ----------
    tower : Tower
    n, n_in : int
        Number of signals, and number of channels of each.
    """

    def __init__(self, tower: Tower, n: int, n_in: int) -> None:
        self._branches = tower.chains()
        self._held: list[list[Tensor]] = []
        for stages in self._branches:
            x, held = torch.zeros(n, n_in, 1), []
            for stage in stages:
                held.append(torch.zeros(n, x.shape[1], reach_of(stage)))
                x = stage(torch.cat([held[-1], x], dim=-1))
            self._held.append(held)

    def push(self, x: Tensor) -> Tensor:
        """(n, n_in, n_new) → (n, n_components, n_new); valid after at least ``reach`` earlier samples."""
        outputs = []
        for stages, held in zip(self._branches, self._held, strict=True):
            y = x
            for i, stage in enumerate(stages):
                reach = held[i].shape[-1]
                if reach:
                    y = torch.cat([held[i], y], dim=-1)
                    held[i] = y[..., y.shape[-1] - reach :].clone()
                y = stage(y)
            outputs.append(y)
        return torch.cat(outputs, dim=1)

    def state(self) -> NDArray[np.generic]:
        """Return the contents of all caches as one vector."""
        return torch.cat([h.flatten() for held in self._held for h in held]).numpy()

    def restore(self, state: NDArray[np.generic]) -> None:
        """Restore what :meth:`state` returned."""
        at, whole = 0, torch.from_numpy(np.array(state, dtype=np.float32))
        for held in self._held:
            for i, one in enumerate(held):
                held[i] = whole[at : at + one.numel()].reshape(one.shape).clone()
                at += one.numel()

    def reset(self) -> None:
        """Clear the caches."""
        for held in self._held:
            for one in held:
                one.zero_()


class CachedHops:
    """Components of the neural signal and the talkers, hop by hop.

    Everything is computed in pieces of one hop, on a grid that does not depend on where the signal starts: the same
    samples give bit-identical results.

    Parameters
    ----------
    net : MatchNetwork
    n_talkers, n_hop : int
    """

    def __init__(self, net: MatchNetwork, n_talkers: int, n_hop: int) -> None:
        self._net, self._n_hop = net, n_hop
        with torch.no_grad():
            self._neural = CachedTower(net.neural, 1, len(net.standardise.scale))
            self._talkers = CachedTower(net.talkers, n_talkers, net.loudness.shape[1])
        self._warm = False

    def reset(self) -> None:
        """Clear the caches, as after a gap."""
        self._neural.reset()
        self._talkers.reset()
        self._warm = False

    def hop(
        self, neural: NDArray[np.float64], talkers: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Project the latest hop.

        Parameters
        ----------
        neural : array, shape (n_hop + reach, n_channels)
            The samples before the latest hop are used only in the first call.
        talkers : array, shape (n_talkers, n_hop + reach, n_features)

        Returns
        -------
        neural : array, shape (n_hop, n_components)
        talkers : array, shape (n_talkers, n_hop, n_components)
        """
        behind = self._net.behind
        x, y = self._channels_first(neural)[None], self._channels_first(talkers)[..., : len(neural) - behind]
        a, b = eager(self._push, x, y)
        return a[0].T.numpy().astype(np.float64), b.transpose(1, 2).numpy().astype(np.float64)

    def _push(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        n = self._n_hop
        x, y = self._net.standardise(x), y * self._net.loudness
        if not self._warm:
            for tower, signal in ((self._neural, x), (self._talkers, y)):
                before = signal[..., : signal.shape[-1] - n]
                missing = -before.shape[-1] % n  # zero padding that does not affect the output
                for piece in torch.split(nn.functional.pad(before, (missing, 0)), n, dim=-1):
                    if piece.shape[-1]:
                        tower.push(piece)
            self._warm = True
        return self._neural.push(x[..., -n:]), self._talkers.push(y[..., -n:])

    @staticmethod
    def _channels_first(array: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(np.swapaxes(array, -1, -2), dtype=np.float32))

    def state(self) -> State:
        """Return everything that later projections depend on."""
        return {
            "warm": np.array(self._warm),
            "neural": self._neural.state(),
            "talkers": self._talkers.state(),
        }

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._warm = bool(state["warm"])
        self._neural.restore(state["neural"])
        self._talkers.restore(state["talkers"])
