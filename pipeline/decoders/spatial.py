"""From the electrodes of any cap to channels of a common head."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

#: Waves per axis that places are described by, over a box a little larger than the head.
N_WAVES, BOX = 4, 2.5
#: Electrodes within this distance of a point drawn at random are left out in training, in radii of the head.
DROP_RADIUS = 0.4


def head_coordinates(positions: Sequence[tuple[float, float, float]]) -> NDArray[np.float64]:
    """Centre positions and bring them to a common size: what is left depends on neither unit nor origin.

    Parameters
    ----------
    positions : sequence of (float, float, float)
        Of electrodes, in any unit.

    Returns
    -------
    array, shape (n_channels, 3)
        On average one away from the origin.
    """
    xyz = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    if not np.isfinite(xyz).all():
        raise ValueError("positions of electrodes must be finite")
    radius = np.linalg.norm(xyz, axis=1).mean()
    return xyz / radius if radius > 0 else xyz


class SpatialAttention(nn.Module):
    """Each output is a weighted mean of electrodes, with weights that are a function of where they are [1]_.

    Nothing is learned per electrode, so what is learned on one cap is used with another, or with some of its channels.

    Parameters
    ----------
    places : array, shape (n_channels, 3)
        From :func:`head_coordinates`.
    n_out : int
        Channels out.

    References
    ----------
    .. [1] Défossez et al., Decoding speech perception from non-invasive brain recordings, Nature Machine Intelligence 5
       (2023): two-dimensional there.
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
