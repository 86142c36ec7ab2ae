"""Networks that match brain signals with speech, built from causal stages so that they can be computed incrementally.

A *stage* is a module with a ``reach``: it maps ``T`` samples to ``T - reach``, and its output at an instant depends on
that instant and the ``reach`` samples before it. Nothing is padded, so a run, a stream and a training segment give the
same values. TensorRT can convert all operators used here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from earmark.pipeline.decoders.spatial import SpatialAttention

T = TypeVar("T")

#: Neural samples beyond this many standard deviations are artefacts, and are clipped.
CLIP_SD = 5.0


class Filter(nn.Conv1d):
    """A bank of FIR filters over all channels: (n, n_in, T) → (n, n_out, T - reach)."""

    def __init__(
        self, n_in: int, n_out: int, n_taps: int = 1, dilation: int = 1, groups: int = 1, *, bias: bool = True
    ) -> None:
        super().__init__(n_in, n_out, n_taps, dilation=dilation, groups=groups, bias=bias)
        self.reach = (n_taps - 1) * dilation


class Shape(nn.Module):
    """One temporal filter for each channel, initially the identity.

    Parameters
    ----------
    n : int
        Number of channels.
    n_taps : int
    """

    def __init__(self, n: int, n_taps: int) -> None:
        super().__init__()
        self.reach = n_taps - 1
        self.taps = nn.Parameter(torch.zeros(n, 1, n_taps))
        with torch.no_grad():
            self.taps[:, :, -1] = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_channels, T) → (n, n_channels, T - reach)."""
        return nn.functional.conv1d(x, self.taps, groups=len(self.taps))


class Mean(nn.AvgPool1d):
    """Moving average over the latest samples, at the full rate."""

    def __init__(self, n_taps: int) -> None:
        super().__init__(n_taps, stride=1)
        self.reach = n_taps - 1


class Crop(nn.Module):
    """Drop the first ``reach`` samples, so that the signal stays aligned with the output of a stage."""

    def __init__(self, reach: int = 0) -> None:
        super().__init__()
        self.reach = reach

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, T) → (n, width, T - reach)."""
        return x[..., self.reach :]


class Block(nn.Module):
    """Dilated convolution with three taps, a nonlinearity, and a residual connection.

    Parameters
    ----------
    width : int
        Number of input and output channels.
    dilation : int
        Samples between taps.
    dropout : float
        Fraction of hidden values dropped in training.
    homogeneous : bool
        True to omit bias and normalisation, so that twice the input gives twice the output.
    """

    def __init__(self, width: int, dilation: int, dropout: float, *, homogeneous: bool = False) -> None:
        super().__init__()
        self.reach = 2 * dilation
        self.conv = nn.Conv1d(width, width, 3, dilation=dilation, bias=not homogeneous)
        self.norm = nn.Identity() if homogeneous else nn.BatchNorm1d(width)
        self.bend = nn.LeakyReLU(0.2) if homogeneous else nn.GELU()
        self.drop = nn.Dropout(dropout)
        self.mix = nn.Conv1d(width, width, 1, bias=not homogeneous)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, T) → (n, width, T - reach)."""
        y: Tensor = self.mix(self.drop(self.bend(self.norm(self.conv(x)))))
        return x[..., self.reach :] + y


class Standardise(nn.Module):
    """Scale neural channels by their training standard deviation, and clip artefacts."""

    reach = 0

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(n_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_channels, T) in any unit → (n, n_channels, T) in standard deviations."""
        return torch.clamp(x * self.scale, -CLIP_SD, CLIP_SD)


class Listener(nn.Module):
    """One channel matrix for each listener [1]_; their mean for an unknown listener.

    Parameters
    ----------
    width : int
        Number of input and output channels.
    n_listeners : int
        Number of listeners, one or more.

    Attributes
    ----------
    who : array of int or None
        Index of the listener, of each example in a batch or of all; None for an unknown listener.

    References
    ----------
    .. [1] Défossez et al., Decoding speech perception from non-invasive brain recordings, Nature Machine Intelligence 5
       (2023).
    """

    reach = 0

    def __init__(self, width: int, n_listeners: int) -> None:
        super().__init__()
        self.matrices = nn.Parameter(torch.eye(width).repeat(n_listeners, 1, 1))
        self.who: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, T) → (n, width, T)."""
        matrix = self.matrices.mean(dim=0) if self.who is None else self.matrices[self.who]
        return torch.matmul(matrix, x)


class Tower(nn.Module):
    """Parallel chains of stages, whose outputs are concatenated, aligned at the latest sample.

    Parameters
    ----------
    *branches : sequence of stages
        Stages of each chain in processing order.

    Attributes
    ----------
    reach : int
        Reach of the longest chain.
    """

    def __init__(self, *branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*stages) for stages in branches)
        self.reach = max(sum(reach_of(stage) for stage in stages) for stages in branches)

    def chains(self) -> list[list[nn.Module]]:
        """Return the stages of each branch."""
        found = []
        for branch in self.branches:
            assert isinstance(branch, nn.Sequential)
            found.append([branch[i] for i in range(len(branch))])  # a stage can occur more than once
        return found

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, T) → (n, n_components, T - reach)."""
        n = x.shape[-1] - self.reach
        outputs = [branch(x) for branch in self.branches]
        return torch.cat([y[..., y.shape[-1] - n :] for y in outputs], dim=1)


def reach_of(stage: nn.Module) -> int:
    """Return the reach of a stage in samples; 0 for pointwise modules of torch."""
    reach = getattr(stage, "reach", 0)
    return int(reach)


class MatchNetwork(nn.Module):
    """A tower for the brain signal and a tower for speech, whose components are correlated over a window.

    Parameters
    ----------
    standardise : Standardise
    neural, talkers : Tower
        Towers with the same number of components.
    n_features : int
        Number of features per talker.
    n_components : int
        Number of components of each tower.
    behind : int
        The neural sample at ``t + behind`` is the last one used for the stimulus sample at ``t``.
    n_linear : int
        Number of linear components, which are the first ones.

    Attributes
    ----------
    logits : array, shape (n_components - n_linear,)
        Logits of the weights of the nonlinear components.
    sharpness : array, shape (2,)
        Logarithm of the inverse temperature of scores in the loss: for linear components, and for the others.
    loudness : array, shape (1, n_features, 1)
        Factors of the talker features.
    weights : array, shape (n_components,)
        Weight of each component in the score; they sum to 1.
    ahead : int
        First stimulus sample of a segment for which there is an output.
    """

    def __init__(
        self,
        standardise: Standardise,
        neural: Tower,
        talkers: Tower,
        n_features: int,
        n_components: int,
        behind: int,
        n_linear: int = 0,
    ) -> None:
        super().__init__()
        self.standardise, self.neural, self.talkers = standardise, neural, talkers
        self.behind, self.n_linear = behind, n_linear
        self.logits = nn.Parameter(torch.zeros(n_components - n_linear))
        self.sharpness = nn.Parameter(torch.full((2,), 2.0))
        self.ahead = max(0, neural.reach - behind, talkers.reach)
        self.loudness: Tensor
        self.weights: Tensor
        self.register_buffer("loudness", torch.ones(1, n_features, 1))
        self.register_buffer("weights", torch.full((n_components,), 1 / n_components))

    def weigh(self, share: float) -> None:
        """Set the weights of the score: ``share`` for the nonlinear components, the rest for the linear ones."""
        with torch.no_grad():
            self.weights[: self.n_linear] = (1 - share) / max(self.n_linear, 1)
            self.weights[self.n_linear :] = share * torch.softmax(self.logits, dim=0)

    @property
    def reach(self) -> int:
        """Number of samples by which a signal is longer than the output."""
        return self.ahead + self.behind

    def embed_neural(self, x: Tensor) -> Tensor:
        """(n, n_channels, T) → (n, n_components, T - reach)."""
        y: Tensor = self.neural(self.standardise(x[..., self.reach - self.neural.reach :]))
        return y

    def embed_talkers(self, x: Tensor) -> Tensor:
        """(n, n_features, T) → (n, n_components, T - reach), at the same instants of the stimulus."""
        heard = x[..., self.ahead - self.talkers.reach : x.shape[-1] - self.behind]
        y: Tensor = self.talkers(heard * self.loudness)
        return y

    def forward(self, neural: Tensor, talkers: Tensor) -> Tensor:
        """Score one window: (1, n_channels, T), (n_talkers, n_features, T) → (n_talkers,)."""
        x, y = centred(self.embed_neural(neural)), centred(self.embed_talkers(talkers))
        xx, yy = (x * x).sum(dim=-1), (y * y).sum(dim=-1)
        # Two square roots, because the product of two small sums can underflow.
        r = (x * y).sum(dim=-1) / (torch.sqrt(xx + 1e-20) * torch.sqrt(yy + 1e-20))
        return (r * self.weights).sum(dim=-1)

    def example(self, n_window: int, n_talkers: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Return noise in the shape of one window of ``n_window`` stimulus samples."""
        rng, n = torch.Generator().manual_seed(seed), n_window + self.reach
        n_channels, n_features = len(self.standardise.scale), self.loudness.shape[1]
        return torch.randn(1, n_channels, n, generator=rng), torch.randn(n_talkers, n_features, n, generator=rng)


def eager(function: Callable[..., T], *inputs: Tensor) -> T:
    """Call on the CPU with one thread: the number of threads changes the last bit, and more threads add latency."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            return function(*inputs)
    finally:
        torch.set_num_threads(n)


def centred(x: Tensor) -> Tensor:
    """Subtract the mean over time."""
    return x - x.mean(dim=-1, keepdim=True)


def n_parameters(network: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(p.numel() for p in network.parameters())


def multiply_adds(network: MatchNetwork, n_window: int, n_talkers: int = 2) -> int:
    """Count the multiply-adds of convolutions and channel mixtures for one complete window."""
    count = 0

    def conv(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal count
        assert isinstance(module, nn.Conv1d | nn.Conv2d)
        # Each weight is used once per output position.
        count += module.weight.numel() * output.shape[0] * output[0, 0].numel()

    def mixture(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal count
        count += inputs[0].shape[1] * output.numel()

    def shape(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal count
        assert isinstance(module, Shape)
        count += module.taps.shape[-1] * output.numel()

    hooks = []
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            hooks.append(module.register_forward_hook(conv))
        elif isinstance(module, Shape):
            hooks.append(module.register_forward_hook(shape))
        elif isinstance(module, Listener | SpatialAttention):
            hooks.append(module.register_forward_hook(mixture))
    try:
        with torch.no_grad():
            network(*network.example(n_window, n_talkers))
    finally:
        for hook in hooks:
            hook.remove()
    return count
