"""Spatial attention: maps the electrodes of any cap to virtual channels that are common to all caps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

#: Number of spatial Fourier components per axis, and size of their box, slightly larger than the head.
N_WAVES, BOX = 4, 2.5
#: Maximum distance, in head radii, from a random point within which electrodes are dropped in training.
DROP_RADIUS = 0.4


def head_coordinates(positions: Sequence[tuple[float, float, float]]) -> NDArray[np.float64]:
    """Scale positions to a common size, so that they do not depend on the unit.

    Parameters
    ----------
    positions : sequence of (float, float, float)
        Positions of electrodes relative to the centre of the head, in any unit.

    Returns
    -------
    array, shape (n_channels, 3)
        The mean distance from the origin is 1.
    """
    xyz = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    if not np.isfinite(xyz).all():
        raise ValueError("positions of electrodes must be finite")
    radius = np.linalg.norm(xyz, axis=1).mean()
    return xyz / radius if radius > 0 else xyz


class SpatialAttention(nn.Module):
    """Each output is a weighted mean of electrodes, with weights that are a function of their positions [1]_.

    No parameter belongs to an electrode, so the layer can be used with another cap, or with some of its channels.

    Parameters
    ----------
    places : array, shape (n_channels, 3)
        Result of :func:`head_coordinates`.
    n_out : int
        Number of output channels.

    References
    ----------
    .. [1] Défossez et al., Decoding speech perception from non-invasive brain recordings, Nature Machine Intelligence 5
       (2023); in the paper, positions are two-dimensional.
    """

    reach = 0

    def __init__(self, places: NDArray[np.float64], n_out: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(n_out, 2 * N_WAVES**3) / math.sqrt(2 * N_WAVES**3) * 4)
        self.places: Tensor
        self.waves: Tensor
        self.register_buffer("places", torch.tensor(places, dtype=torch.float32))
        axes = torch.meshgrid(*[torch.arange(N_WAVES)] * 3, indexing="ij")
        waves = 2 * math.pi / BOX * torch.stack([axis.flatten() for axis in axes])
        self.register_buffer("waves", waves.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_channels, T) → (n, n_out, T)."""
        phase = self.places @ self.waves
        affinity = self.queries @ torch.cat([torch.cos(phase), torch.sin(phase)], dim=1).T
        if self.training:
            centre = self.places[torch.randint(len(self.places), (), device=x.device)]
            near = (self.places - centre).norm(dim=1) < DROP_RADIUS * torch.rand((), device=x.device)
            affinity = affinity.masked_fill(near & ~near.all(), -torch.inf)
        return torch.matmul(torch.softmax(affinity, dim=1), x)
