"""Two published networks under the same contract, written from their papers and made causal, to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from earmark.pipeline.decoders.network_decoder import NetworkDecoder
from earmark.pipeline.decoders.networks import Crop, Filter, MatchNetwork, Mean, Standardise, Tower
from earmark.pipeline.decoders.training import contrastive, correlation


class Beside(nn.Module):
    """Let a stage have the first channels, and bring the others past it, as late.

    Parameters
    ----------
    stage : module with a ``reach``
    n : int
        Channels that pass by: the last.
    """

    def __init__(self, stage: nn.Module, n: int) -> None:
        super().__init__()
        self.stage, self.n = stage, n
        self.reach = int(getattr(stage, "reach", 0))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width + n_past, T) → (n, new width + n_past, T - reach)."""
        split = x.shape[1] - self.n
        return torch.cat([self.stage(x[:, :split]), x[:, split:, self.reach :]], dim=1)


class Twice(nn.Module):
    """Begin with the signal itself, and the signal again to be carried past."""

    reach = 0

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, T) → (n, 2 * width, T)."""
        return torch.cat([x, x], dim=1)


class Add(nn.Module):
    """Add what was carried past, and carry it on."""

    reach = 0

    def forward(self, x: Tensor) -> Tensor:
        """(n, 2 * width, T) → (n, 2 * width, T)."""
        made, past = x.chunk(2, dim=1)
        return torch.cat([made + past, past], dim=1)


class Normalised(nn.Module):
    """Filter, layer normalisation over channels, leaky ReLU."""

    def __init__(self, n_in: int, n_out: int, n_taps: int) -> None:
        super().__init__()
        self.reach = n_taps - 1
        self.conv = nn.Conv1d(n_in, n_out, n_taps)
        self.norm = nn.LayerNorm(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, T) → (n, n_out, T - reach)."""
        y = self.norm(self.conv(x).transpose(1, 2)).transpose(1, 2)
        return nn.functional.leaky_relu(y)


def vlaai(n_channels: int, n_features: int, behind: int, *, n_blocks: int = 4) -> MatchNetwork:
    """Rebuild the envelope by blocks that refine it, after VLAAI [1]_; causal, ``behind`` samples late.

    Each block holds five convolutions, a mixture of channels and a long convolution that looks back on the output; the
    EEG is added before the next, which has the same weights. Half as wide as in the paper, and kernels look back where
    those of the paper look ahead.

    References
    ----------
    .. [1] Accou, Vanthornhout, Van hamme & Francart, Decoding of the speech envelope from EEG using the VLAAI deep
       neural network, Scientific Reports 13 (2023).
    """
    widths = (n_channels, 128, 128, 128, 64, 64)
    stages: list[nn.Module] = [Normalised(a, b, 8) for a, b in pairwise(widths)]
    stages += [Filter(widths[-1], n_channels), Normalised(n_channels, n_channels, 32)]
    block = [Beside(stage, n_channels) for stage in stages]
    chain: list[nn.Module] = [Twice(), *block]
    for _ in range(n_blocks - 1):
        chain += [Add(), *block]
    chain += [Beside(Filter(n_channels, n_features), n_channels), First(n_features)]
    return MatchNetwork(Standardise(n_channels), Tower(chain), Tower([Crop()]), n_features, n_features, behind)


class First(nn.Module):
    """Only the first channels."""

    reach = 0

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, T) → (n, self.n, T)."""
        return x[:, : self.n]


class Temporal(nn.Module):
    """EEGNet's first layer: a bank of temporal filters, the same for every electrode, then topographies for each.

    Parameters
    ----------
    n_channels, n_filters, n_topographies, n_taps : int
    """

    def __init__(self, n_channels: int, n_filters: int, n_topographies: int, n_taps: int) -> None:
        super().__init__()
        self.reach = n_taps - 1
        self.time = nn.Conv2d(1, n_filters, (1, n_taps), bias=False)
        self.norm = nn.BatchNorm2d(n_filters)
        self.space = nn.Conv2d(n_filters, n_filters * n_topographies, (n_channels, 1), groups=n_filters, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_channels, T) → (n, n_filters * n_topographies, T - reach)."""
        y: Tensor = self.space(self.norm(self.time(x[:, None])))
        return y[:, :, 0]


def eegnet(n_channels: int, n_features: int, behind: int, sfreq: float) -> MatchNetwork:
    """Match EEGNet's [1]_ features with those of a filter bank on speech, by correlation over time.

    EEGNet-8,2 with its filters of half a second. What pools there, and thins out, is a running mean here, so that there
    is a value for every sample; a classifier's last layer is replaced by correlations with the speech tower.

    References
    ----------
    .. [1] Lawhern et al., EEGNet: a compact convolutional neural network for EEG-based brain-computer interfaces,
       Journal of Neural Engineering 15 (2018).
    """
    f1, d, f2 = 8, 2, 16
    half, quarter = round(sfreq / 2), round(sfreq / 4)
    brain = [
        Temporal(n_channels, f1, d, half), nn.BatchNorm1d(f1 * d), nn.ELU(), Mean(4), nn.Dropout(0.5),
        Filter(f1 * d, f1 * d, quarter, groups=f1 * d, bias=False), Filter(f1 * d, f2, bias=False),
        nn.BatchNorm1d(f2), nn.ELU(), Mean(8), nn.Dropout(0.5), Filter(f2, f2),
    ]  # fmt: skip
    speech = [Filter(n_features, f2, half, bias=False), Mean(8)]
    return MatchNetwork(Standardise(n_channels), Tower(brain), Tower(speech), n_features, f2, behind)


class VlaaiDecoder(NetworkDecoder):
    """See :func:`vlaai`; trained, as there, on the correlation with the attended talker."""

    kind = "vlaai"
    criterion = staticmethod(correlation)

    def build(self, ch_names: Sequence[str], n_features: int, behind: int, listeners: Sequence[str]) -> MatchNetwork:
        """Make a network for these channels."""
        return vlaai(len(ch_names), n_features, behind)


class EegNetDecoder(NetworkDecoder):
    """See :func:`eegnet`; trained with the contrastive loss."""

    kind = "eegnet"
    criterion = staticmethod(contrastive)

    def build(self, ch_names: Sequence[str], n_features: int, behind: int, listeners: Sequence[str]) -> MatchNetwork:
        """Make a network for these channels."""
        return eegnet(len(ch_names), n_features, behind, self.preset.sfreq)
