"""The parity check rejects every faulty backend and accepts correct ones."""

from __future__ import annotations

import copy
from itertools import product

import numpy as np
import pytest
import torch
from faulty_backends import FAULTY, Saturating, SwappedTalkers, Wrapper
from small_networks import KINDS, made

from earmark.kernels.runtime.backend import Policy
from earmark.kernels.runtime.eager_cpu import EagerCpu
from earmark.kernels.runtime.parity import HUGE, N_DISTURBED, ParityError, check, windows

SMALL = {"n_channels": 8, "n_samples": 96}


def prepared(kind):
    module, example = made(kind, **SMALL)
    return EagerCpu().prepare(module, example, Policy()), module, [[x.numpy() for x in example]]


@pytest.mark.parametrize("kind", KINDS)
def test_correct_backend_passes(kind):
    network, module, real = prepared(kind)
    found = check(Wrapper(network), module, real)
    assert found.error < 1e-4
    assert found.worst <= 1
    assert found.n_windows == 1 + N_DISTURBED + 5
    assert found.n_decisions == 2 * (1 + N_DISTURBED)
    assert next(module.parameters()).dtype == torch.float32, "the module is not modified"


#: Combinations without effect: a reconstruction has no scores to swap, and attention normalises large inputs first.
HARMLESS = {(SwappedTalkers, "linear"), (Saturating, "attention")}


@pytest.mark.parametrize(("faulty", "kind"), [pair for pair in product(FAULTY, KINDS) if pair not in HARMLESS])
def test_faulty_backend_is_rejected(faulty, kind):
    network, module, real = prepared(kind)
    with pytest.raises(ParityError, match=r"eager_cpu \(float32\)"):
        check(faulty(network), module, real)


def test_error_within_tolerance_that_changes_the_decision_is_rejected():
    """The scores of two talkers are almost equal: swapping them is within a large tolerance, but the other one wins."""

    class Close(torch.nn.Module):
        def forward(self, x):
            score = x.mean(dim=(1, 2))
            return torch.stack([score + 10.0, score + 10.001], dim=-1)

    example = (torch.randn(1, 4, 32),)
    network = EagerCpu().prepare(Close().eval(), example, Policy())
    real = [[example[0].numpy()]]
    check(network, Close().eval(), real, tolerance=0.01)
    with pytest.raises(ParityError, match="decides 0 where the reference decides 1"):
        check(SwappedTalkers(network), Close().eval(), real, tolerance=0.01)


def test_output_dominated_by_rounding_must_still_be_finite():
    """What remains of a constant after subtracting its mean is a rounding error, whose direction is arbitrary."""

    class Direction(torch.nn.Module):
        def forward(self, x):
            x = x - x.mean(-1, keepdim=True)
            return (x[:, :1] * x[:, 1:]).sum(-1) / (torch.sqrt((x * x).sum(-1)).prod(-1, keepdim=True) + 1e-30)

    class Guessing(Wrapper):
        def run_into(self, x, out):
            super().run_into(x, out)
            if np.ptp(x[0]) == 0 and x[0].any():
                out[0][...] = self.guess

    example = (torch.randn(1, 2, 77),)
    network = EagerCpu().prepare(Direction().eval(), example, Policy())
    guessing = Guessing(network)
    guessing.guess = 0.9
    assert check(guessing, Direction().eval(), [[example[0].numpy()]]).n_undecided == 2
    guessing.guess = np.inf
    with pytest.raises(ParityError, match="constant window, output 0: 1 values are not finite"):
        check(guessing, Direction().eval(), [[example[0].numpy()]])


def test_network_with_output_that_is_not_finite_is_rejected():
    class Dividing(torch.nn.Module):
        def forward(self, x):
            return x / x.abs().amax(dim=(1, 2), keepdim=True)

    example = (torch.randn(1, 4, 32),)
    module = Dividing().eval()
    with pytest.raises(ParityError, match="zero window, output 0: the network itself"):
        check(EagerCpu().prepare(module, example, Policy()), module, [[example[0].numpy()]])


@pytest.mark.parametrize("bad", [np.zeros((1, 2, 8)), np.full((1, 2, 8), np.nan), np.full((1, 2, 8), 3.0)])
def test_constant_or_not_finite_real_window_is_rejected(bad):
    with pytest.raises(ValueError, match="real window 0 is constant or not finite"):
        list(windows([[bad.astype(np.float32)]]))
    with pytest.raises(ValueError, match="at least one real window"):
        list(windows([]))


def test_each_kind_of_window_has_its_properties():
    x = np.random.default_rng(0).normal(size=(1, 3, 50)).astype(np.float32)
    found = dict(reversed(list(windows([[x]]))))
    assert np.array_equal(found["real"][0], x)
    assert not found["zero"][0].any()
    assert np.abs(found["tiny"][0]).max() < 1e-5
    assert np.abs(found["huge"][0]).max() == pytest.approx(HUGE * np.abs(x).max())
    assert set(np.unique(np.abs(found["saturated"][0]))) == {np.float32(HUGE * np.abs(x).max())}
    assert np.ptp(found["constant"][0]) == 0
    assert all(one[0].dtype == np.float32 for one in found.values())


@pytest.mark.parametrize("seed", range(6))
def test_network_with_fused_layers_passes(seed):
    """Tiny windows almost vanish beside a bias: the rest is rounding error, which changes when layers are fused."""

    class Normed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.bend = torch.nn.Conv1d(8, 4, 9), torch.nn.BatchNorm1d(4), torch.nn.ELU()

        def forward(self, x):
            y = self.bend(self.norm(self.conv(x)))
            y = y - y.mean(dim=-1, keepdim=True)
            unit = y / torch.sqrt((y * y).sum(dim=-1, keepdim=True) + 1e-24)
            return (unit[:, :2] * unit[:, 2:]).sum(dim=-1)

    torch.manual_seed(seed)
    module = Normed().eval().requires_grad_(False)
    for values in (module.norm.running_mean, module.norm.weight, module.norm.bias):
        values.copy_(torch.randn(4))
    module.norm.running_var.copy_(torch.rand(4) + 0.1)
    fused = copy.deepcopy(module)
    fused.conv, fused.norm = torch.nn.utils.fusion.fuse_conv_bn_eval(module.conv, module.norm), torch.nn.Identity()
    example = (torch.randn(1, 8, 200),)
    found = check(EagerCpu().prepare(fused.eval(), example, Policy()), module, [[example[0].numpy()]])
    assert found.error < 1e-4
