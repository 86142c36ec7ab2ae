"""Small networks with the architectures that decoders use, and inputs for them."""

from __future__ import annotations

import torch
from torch import nn


class Linear(nn.Module):
    """Lagged stimulus reconstruction as a convolution: (1, n_channels, n_samples) to (1, 1, n_samples - lags + 1)."""

    def __init__(self, n_channels: int = 64, lags: int = 16) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_channels, 1, lags)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class Convolutions(nn.Module):
    """Temporal, spatial and separable convolutions, pooling, and one score per talker."""

    def __init__(self, n_channels: int = 64, n_samples: int = 320, n_talkers: int = 2) -> None:
        super().__init__()
        self.temporal = nn.Sequential(nn.Conv2d(1, 8, (1, 33), padding=(0, 16), bias=False), nn.BatchNorm2d(8))
        self.spatial = nn.Sequential(
            nn.Conv2d(8, 16, (n_channels, 1), groups=8, bias=False), nn.BatchNorm2d(16), nn.ELU(), nn.AvgPool2d((1, 4))
        )
        self.separable = nn.Sequential(
            nn.Conv2d(16, 16, (1, 15), padding=(0, 7), groups=16, bias=False),
            nn.Conv2d(16, 16, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ELU(),
            nn.AvgPool2d((1, 8)),
        )
        self.head = nn.Linear(16 * (n_samples // 32), n_talkers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.separable(self.spatial(self.temporal(x[:, None]))).flatten(1))


class Attention(nn.Module):
    """Two branches joined by a correlation: convolutions and self-attention for EEG, and one for the talkers."""

    def __init__(self, n_channels: int = 64, n_talkers: int = 2, width: int = 32, n_blocks: int = 1) -> None:
        super().__init__()
        self.front = nn.Conv1d(n_channels, width, 9, padding=4)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True) for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.back = nn.Linear(width, 4)
        self.talker = nn.Conv1d(1, 4, 9, padding=4)

    def forward(self, brain: torch.Tensor, talkers: torch.Tensor) -> torch.Tensor:
        z = self.front(brain).transpose(1, 2)
        for block in self.blocks:
            z = block(z)
        z = self.back(self.norm(z)).transpose(1, 2)  # (1, 4, n_samples)
        speech = self.talker(talkers)  # (n_talkers, 4, n_samples)
        z, speech = z - z.mean(-1, keepdim=True), speech - speech.mean(-1, keepdim=True)
        power = (z * z).sum(-1) * (speech * speech).sum(-1)
        return ((z * speech).sum(-1) / torch.sqrt(power + 1e-6)).mean(-1)[None]


def made(
    kind: str, n_channels: int = 64, n_samples: int = 320, seed: int = 0
) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """Return a network in eval mode with normalisation statistics set, and one window."""
    torch.manual_seed(seed)
    x = torch.randn(1, n_channels, n_samples).cumsum(-1)
    x = (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)
    if kind == "linear":
        return Linear(n_channels).eval(), (x,)
    if kind == "convolutions":
        network = Convolutions(n_channels, n_samples)
        with torch.no_grad():
            for _ in range(3):
                network(torch.randn(8, n_channels, n_samples))
        return network.eval(), (x,)
    return Attention(n_channels).eval(), (x, torch.rand(2, 1, n_samples))


KINDS = ("linear", "convolutions", "attention")
