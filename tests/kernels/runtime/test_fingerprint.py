"""Two networks have the same fingerprint only if one compiled artifact serves both."""

from __future__ import annotations

import copy

import pytest
import torch
from small_networks import KINDS, made
from torch import nn

from earmark.kernels.runtime.backend import Policy
from earmark.kernels.runtime.fingerprint import fingerprint

VERSIONS = {"torch": "2.13.0", "GPU": "H100", "compute capability": "9.0", "driver": "580.1"}


def key(module, example, policy=None, backend="onnx", versions=VERSIONS):
    return fingerprint(module.eval(), example, policy or Policy(), backend, versions)


class Net(nn.Module):
    def __init__(self, slope=0.1, swap=False, weight=None, **kwargs):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(4, 4, 3, **kwargs)
        self.register_buffer("scale", torch.tensor([1.0]) if weight is None else weight)
        self.slope, self.swap = slope, swap

    def forward(self, x):
        a, b = self.conv(x), nn.functional.leaky_relu(self.conv(x), self.slope)
        return (b - a if self.swap else a - b) * self.scale


X = (torch.randn(1, 4, 32),)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_networks_have_equal_fingerprints(kind):
    module, example = made(kind, n_channels=8, n_samples=96)
    assert key(module, example) == key(copy.deepcopy(module), tuple(torch.randn_like(x) for x in example))
    assert key(module, example) != key(made(kind, n_channels=8, n_samples=96, seed=1)[0], example), "other weights"


def test_contents_of_branches_change_the_fingerprint():
    class Branching(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return torch.cond(x.sum() > 0, lambda y: y * self.factor, lambda y: y.sin(), (x,))

    assert key(Branching(2), X) == key(Branching(2), X) != key(Branching(3), X)


def test_every_change_of_network_policy_or_version_changes_the_fingerprint():
    other_weight = Net()
    with torch.no_grad():
        other_weight.conv.weight[0, 0, 0] = torch.nextafter(other_weight.conv.weight[0, 0, 0], torch.tensor(9.0))
    keys = [
        key(Net(), X),
        key(other_weight, X),
        key(Net(weight=torch.tensor([2.0])), X),
        key(Net(slope=0.2), X),
        key(Net(swap=True), X),
        key(Net(stride=2), X),
        key(Net(padding=1), X),
        key(Net(dilation=2), X),
        key(Net(groups=2), X),
        key(Net(), (torch.randn(1, 4, 33),)),
        key(Net(), (torch.randn(2, 4, 32),)),
        key(Net(), X, Policy("tf32")),
        key(Net(), X, Policy("float16")),
        key(Net(), X, backend="eager_cpu"),
        *(key(Net(), X, versions={**VERSIONS, name: "other"}) for name in VERSIONS),
        key(Net(), X, versions={**VERSIONS, "more": "1"}),
    ]
    assert len(set(keys)) == len(keys)
