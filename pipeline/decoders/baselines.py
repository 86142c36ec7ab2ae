"""Baselines: two published networks, implemented from their papers and made causal, with the interface of a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from earmark.pipeline.decoders.network_decoder import NetworkDecoder
from earmark.pipeline.decoders.networks import Crop, Filter, MatchNetwork, Mean, Standardise, Tower
from earmark.pipeline.decoders.training import contrastive, correlation


class Beside(nn.Module):
    """Apply a stage to the first channels, and pass the others on with the same delay.

    Parameters
    ----------
    stage : module with a ``reach``
    n : int
        Number of channels to pass on, the last ones.
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
    """Duplicate the channels: one copy for the stages, one to pass on."""

    reach = 0

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, T) → (n, 2 * width, T)."""
        return torch.cat([x, x], dim=1)


class Add(nn.Module):
    """Add the passed-on channels to the others, and pass them on again."""

    reach = 0

    def forward(self, x: Tensor) -> Tensor:
        """(n, 2 * width, T) → (n, 2 * width, T)."""
        made, past = x.chunk(2, dim=1)
        return torch.cat([made + past, past], dim=1)


class Normalised(nn.Module):
    """Filter, layer normalisation over channels, and leaky ReLU."""

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
    """Build a network after VLAAI [1]_ that reconstructs the envelope iteratively; causal, ``behind`` samples late.

    Each block has five convolutions, a mixture of channels, and a long convolution over past output. The EEG is added
    before the next block, which has the same weights. The layers are half as wide as in the paper, and the kernels
    cover past samples where those of the paper cover future ones.

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
    """Select the first channels."""

    reach = 0

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, T) → (n, self.n, T)."""
        return x[:, : self.n]


class Temporal(nn.Module):
    """First layers of EEGNet: a bank of temporal filters common to all electrodes, then spatial filters for each.

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
    """Build a network that correlates EEGNet [1]_ features with those of a filter bank on speech.

    It is EEGNet-8,2 with temporal filters of half a second. Running means replace the pooling layers, so that there
    is an output for every sample, and correlations with the speech tower replace the classification layer.

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
    """Decoder with the network :func:`vlaai`; trained, as in the paper, on the correlation with the attended talker."""

    kind = "vlaai"
    criterion = staticmethod(correlation)

    def build(self, ch_names: Sequence[str], n_features: int, behind: int, listeners: Sequence[str]) -> MatchNetwork:
        """Make a network for these channels."""
        return vlaai(len(ch_names), n_features, behind)


class EegNetDecoder(NetworkDecoder):
    """Decoder with the network :func:`eegnet`; trained with the contrastive loss."""

    kind = "eegnet"
    criterion = staticmethod(contrastive)

    def build(self, ch_names: Sequence[str], n_features: int, behind: int, listeners: Sequence[str]) -> MatchNetwork:
        """Make a network for these channels."""
        return eegnet(len(ch_names), n_features, behind, self.preset.sfreq)
