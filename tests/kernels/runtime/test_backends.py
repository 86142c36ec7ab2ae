"""Backends on the CPU compute what the module computes; all backends describe themselves and report what is missing."""

from __future__ import annotations

import gc
import tracemalloc
from itertools import product

import numpy as np
import pytest
import torch
from small_networks import KINDS, made

from earmark.kernels.runtime import BACKENDS
from earmark.kernels.runtime.backend import BackendError, Policy
from earmark.kernels.runtime.parity import check
from earmark.kernels.runtime.precision import halved, tensor_cores

SMALL = {"n_channels": 8, "n_samples": 96}
ON_CPU = ("onnx", "eager_cpu")
ON_GPU = ("tensorrt", "tensorrt_rtx", "inductor", "eager_cuda")


def usable(name):
    if reason := BACKENDS[name].absent():
        pytest.skip(f"{name}: {reason}")
    return BACKENDS[name]


def test_order_of_fallback():
    assert tuple(BACKENDS) == (*ON_GPU, *ON_CPU)
    assert all(backend.name == name for name, backend in BACKENDS.items())


@pytest.mark.parametrize(("name", "kind"), list(product(BACKENDS, KINDS)))
def test_output_equals_that_of_the_module(name, kind):
    module, example = made(kind, **SMALL)
    network = usable(name).prepare(module, example, Policy())
    network.warmup(3)
    found = check(network, module, [[x.numpy() for x in example]])
    assert found.error < 1e-4
    info = network.info()
    assert (info.backend, info.precision) == (name, "float32")
    assert info.inputs == tuple(tuple(x.shape) for x in example)
    assert info.versions["torch"] == torch.__version__
    assert info.graph == (name in ON_GPU)


@pytest.mark.parametrize("name", ON_CPU)
def test_running_does_not_leak_memory(name):
    module, example = made("attention", **SMALL)
    network = usable(name).prepare(module, example, Policy())
    x = [one.numpy() for one in example]
    out = [np.empty(shape, np.float32) for shape in network.info().outputs]
    n, held = 300, []
    tracemalloc.start()
    try:
        for _ in range(6):
            for _ in range(n):
                network.run_into(x, out)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    # tracemalloc traces all threads: another thread may allocate once, but a leak recurs in every round.
    assert min(np.diff(held)) < 2 * n, "less than a pointer per run"


class Correlation(torch.nn.Module):
    """Correlation of two signals, with a tiny constant in the denominator that only prevents division by zero."""

    def forward(self, x, y):
        x, y = x - x.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
        power = torch.sqrt((x * x).sum(-1) + 1e-20) * torch.sqrt((y * y).sum(-1) + 1e-20)
        return (x * y).sum(-1) / power


@pytest.mark.parametrize("name", BACKENDS)
def test_tiny_constant_that_prevents_division_by_zero_is_kept(name):
    module, example = Correlation().eval(), (torch.randn(1, 100), torch.randn(2, 100))
    network = usable(name).prepare(module, example, Policy())
    assert check(network, module, [[x.numpy() for x in example]]).error < 1e-5, "also on windows of zeros"


@pytest.mark.parametrize("name", ON_CPU)
def test_several_inputs_and_outputs(name):
    class Two(torch.nn.Module):
        def forward(self, x, y):
            return x + y, (x * y).sum(-1)

    module, example = Two().eval(), (torch.randn(2, 3), torch.randn(2, 3))
    network = usable(name).prepare(module, example, Policy())
    out = [np.empty(shape, np.float32) for shape in network.info().outputs]
    rng = np.random.default_rng(0)
    for _ in range(3):
        x, y = rng.normal(size=(2, 2, 3)).astype(np.float32)
        network.run_into([x, y], out)
        np.testing.assert_allclose(out[0], x + y, rtol=1e-6)
        np.testing.assert_allclose(out[1], (x * y).sum(-1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", BACKENDS)
def test_unavailable_backend_gives_a_one_line_reason_and_is_rejected(name):
    backend = BACKENDS[name]
    reason = backend.absent()
    assert "\n" not in reason
    if name == "eager_cpu":
        assert not reason
    if not torch.cuda.is_available() and name in ON_GPU:
        assert reason
    if reason:
        module, example = made("linear", **SMALL)
        with pytest.raises(BackendError, match=f"{name} cannot be used here"):
            backend.prepare(module, example, Policy())


@pytest.mark.parametrize("name", ON_CPU)
def test_unsupported_precision_mode_and_types_are_rejected(name):
    module, example = made("linear", **SMALL)
    for precision in ("float16", "tf32"):
        with pytest.raises(BackendError, match=f"{name} computes in float32, not {precision}"):
            usable(name).prepare(module, example, Policy(precision))
    with pytest.raises(BackendError, match=r"call eval\(\)"):
        BACKENDS[name].prepare(made("linear", **SMALL)[0].train(), example, Policy())
    with pytest.raises(BackendError, match=r"input 0 is torch\.float64"):
        BACKENDS[name].prepare(module, (example[0].double(),), Policy())
    with pytest.raises(BackendError, match="must return one or more tensors"):
        BACKENDS[name].prepare(Tabular().eval(), example, Policy())


class Tabular(torch.nn.Module):
    def forward(self, x):
        return {"y": x}


def test_network_that_cannot_be_exported_is_an_error():
    class Deciding(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(BackendError, match="onnx: the network cannot be exported"):
        usable("onnx").prepare(Deciding().eval(), (torch.randn(1, 3),), Policy())


def test_damaged_artifact_is_rejected():
    module, example = made("linear", **SMALL)
    with pytest.raises(BackendError, match="onnx: ONNX Runtime refuses"):
        usable("onnx").load(b"no model", module, example, Policy())


def test_half_precision_applies_only_to_products_with_weights():
    module, example = made("attention", **SMALL)
    half = halved(module, example)
    with torch.no_grad():
        wanted, found = module(*example), half(*example)
    error = float((found - wanted).abs().max() / wanted.abs().max())
    assert 1e-7 < error < 1e-2, "precision is lower, but only slightly"
    assert found.dtype == torch.float32
    kinds = {
        str(node.target): {arg.meta["val"].dtype for arg in node.args if isinstance(arg, torch.fx.Node)}
        for node in torch.export.export(half, example).graph.nodes
        if node.op == "call_function"
    }
    for target in ("aten.conv1d.default", "aten.linear.default"):
        assert kinds[target] == {torch.float16}
    for target in ("aten.layer_norm.default", "aten.scaled_dot_product_attention.default", "aten.div.Tensor"):
        assert kinds[target] == {torch.float32}


@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_tf32_is_enabled_only_within_the_context(precision):
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [flag.allow_tf32 for flag in flags]
    with tensor_cores(precision):
        assert [flag.allow_tf32 for flag in flags] == [precision == "tf32"] * 2
        torch.export.export(*made("linear", **SMALL))
    assert [flag.allow_tf32 for flag in flags] == before
