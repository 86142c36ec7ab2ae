"""Networks that match brain and speech, built from causal stages so that they can go on from hop to hop.

A *stage* is a module with a ``reach``: it turns ``T`` samples into ``T - reach``, and its output at an instant depends
on that instant and the ``reach`` samples before it. Nothing is padded, so a run, a stream and a segment of training
give the same values. Every operator is one that TensorRT converts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from earmark.pipeline.decoders.spatial import SpatialAttention

T = TypeVar("T")

#: Neural samples beyond this many standard deviations are artefacts, and are cut.
CLIP_SD = 5.0


class Filter(nn.Conv1d):
    """A bank of FIR filters over all channels: (n, n_in, T) → (n, n_out, T - reach)."""

    def __init__(
        self, n_in: int, n_out: int, n_taps: int = 1, dilation: int = 1, groups: int = 1, *, bias: bool = True
    ) -> None:
        super().__init__(n_in, n_out, n_taps, dilation=dilation, groups=groups, bias=bias)
        self.reach = (n_taps - 1) * dilation


class Shape(nn.Module):
    """One temporal filter for each channel; at first it changes nothing.

    Parameters
    ----------
    n : int
        Channels.
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
    """Running mean over the newest samples, at the full rate."""

    def __init__(self, n_taps: int) -> None:
        super().__init__(n_taps, stride=1)
        self.reach = n_taps - 1


class Crop(nn.Module):
    """The delay of a stage, for what passes it by."""

    def __init__(self, reach: int = 0) -> None:
        super().__init__()
        self.reach = reach

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, T) → (n, width, T - reach)."""
        return x[..., self.reach :]


class Block(nn.Module):
    """Three dilated taps, a nonlinearity, and a residual past them.

    Parameters
    ----------
    width : int
        Channels in and out.
    dilation : int
        Samples from one tap to the next.
    dropout : float
        Share of hidden values dropped in training.
    homogeneous : bool
        Without bias and normalisation, so that twice the input gives twice the output.
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
    """Bring neural channels to a common scale, learned from their spread, and cut what no brain sends."""

    reach = 0

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(n_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_channels, T) in any unit → the same in standard deviations."""
        return torch.clamp(x * self.scale, -CLIP_SD, CLIP_SD)


class Listener(nn.Module):
    """One matrix for each listener [1]_; for anybody else, their mean.

    Parameters
    ----------
    width : int
        Channels in and out.
    n_listeners : int
        One or more.

    Attributes
    ----------
    who : array of int or None
        Listener of each example of a batch, or of all; None for somebody unknown.

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
    """Chains of stages side by side: their outputs are stacked, aligned at the newest sample.

    Parameters
    ----------
    *branches : sequence of stages
        Stages in the order of the signal.

    Attributes
    ----------
    reach : int
        Of the longest chain.
    """

    def __init__(self, *branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*stages) for stages in branches)
        self.reach = max(sum(reach_of(stage) for stage in stages) for stages in branches)

    def chains(self) -> list[list[nn.Module]]:
        """Stages of each branch."""
        found = []
        for branch in self.branches:
            assert isinstance(branch, nn.Sequential)
            found.append([branch[i] for i in range(len(branch))])  # a stage may come more than once
        return found

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, T) → (n, n_components, T - reach)."""
        n = x.shape[-1] - self.reach
        outputs = [branch(x) for branch in self.branches]
        return torch.cat([y[..., y.shape[-1] - n :] for y in outputs], dim=1)


def reach_of(stage: nn.Module) -> int:
    """Samples that a stage takes off; pointwise modules of torch take none."""
    reach = getattr(stage, "reach", 0)
    return int(reach)


class MatchNetwork(nn.Module):
    """A tower for the brain, a tower for speech, and how well their components correlate over a window.

    Parameters
    ----------
    standardise : Standardise
    neural, talkers : Tower
        Of as many components.
    n_features : int
        Per talker.
    n_components : int
        Of either tower.
    behind : int
        Neural samples at ``t + behind`` speak of the stimulus at ``t``.
    n_linear : int
        So many of the components, the first, are linear.

    Attributes
    ----------
    logits : array, shape (n_components - n_linear,)
        Of the share of each of the others.
    sharpness : array, shape (2,)
        Logarithm of what scores are multiplied by in the loss: those of linear components, and of the others.
    loudness : array, shape (1, n_features, 1)
        What talker features are multiplied by.
    weights : array, shape (n_components,)
        Share of each component in the score; they sum to 1.
    ahead : int
        First stimulus sample of a stretch that anything can be said about.
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
        """Fix the weights of the score: so much for components that are not linear, the rest for those that are."""
        with torch.no_grad():
            self.weights[: self.n_linear] = (1 - share) / max(self.n_linear, 1)
            self.weights[self.n_linear :] = share * torch.softmax(self.logits, dim=0)

    @property
    def reach(self) -> int:
        """Samples that a stretch of signal is longer than the stimulus it can speak of."""
        return self.ahead + self.behind

    def embed_neural(self, x: Tensor) -> Tensor:
        """(n, n_channels, T) → (n, n_components, T - reach)."""
        y: Tensor = self.neural(self.standardise(x[..., self.reach - self.neural.reach :]))
        return y

    def embed_talkers(self, x: Tensor) -> Tensor:
        """(n, n_features, T) → (n, n_components, T - reach), of the same instants of the stimulus."""
        heard = x[..., self.ahead - self.talkers.reach : x.shape[-1] - self.behind]
        y: Tensor = self.talkers(heard * self.loudness)
        return y

    def forward(self, neural: Tensor, talkers: Tensor) -> Tensor:
        """Score one window: (1, n_channels, T), (n_talkers, n_features, T) → (n_talkers,)."""
        x, y = centred(self.embed_neural(neural)), centred(self.embed_talkers(talkers))
        xx, yy = (x * x).sum(dim=-1), (y * y).sum(dim=-1)
        # The roots are taken apart: the product of two small sums may be too small for a float.
        r = (x * y).sum(dim=-1) / (torch.sqrt(xx + 1e-20) * torch.sqrt(yy + 1e-20))
        return (r * self.weights).sum(dim=-1)

    def example(self, n_window: int, n_talkers: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Noise in the shape of one window of ``n_window`` samples of stimulus."""
        rng, n = torch.Generator().manual_seed(seed), n_window + self.reach
        n_channels, n_features = len(self.standardise.scale), self.loudness.shape[1]
        return torch.randn(1, n_channels, n, generator=rng), torch.randn(n_talkers, n_features, n, generator=rng)


def eager(function: Callable[..., T], *inputs: Tensor) -> T:
    """Call on the CPU with one thread: how many there are changes the last bit, and more of them cost latency."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            return function(*inputs)
    finally:
        torch.set_num_threads(n)


def centred(x: Tensor) -> Tensor:
    """Take the mean over time off."""
    return x - x.mean(dim=-1, keepdim=True)


def n_parameters(network: nn.Module) -> int:
    """Values that it consists of."""
    return sum(p.numel() for p in network.parameters())


def multiply_adds(network: MatchNetwork, n_window: int, n_talkers: int = 2) -> int:
    """Multiplications of convolutions and channel mixtures for one window scored from nothing."""
    count = 0

    def conv(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal count
        assert isinstance(module, nn.Conv1d | nn.Conv2d)
        # Weights are used once per place of the output, channels apart.
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
