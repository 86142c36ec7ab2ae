"""Numeric precision of networks: half precision for products with weights, and TF32 only on request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from earmark.kernels.runtime.backend import Policy, Precision, Tensors, exporting

#: Products with weights. Everything else, such as normalisation, softmax and correlation, stays in float32.
_WEIGHTED = (
    torch.ops.aten.conv1d.default,
    torch.ops.aten.conv1d.padding,
    torch.ops.aten.conv2d.default,
    torch.ops.aten.conv2d.padding,
    torch.ops.aten.linear.default,
)


def shaped(module: torch.nn.Module, example: Tensors, policy: Policy) -> torch.nn.Module:
    """Return the module in the precision of a policy; the given module is not modified."""
    return halved(module, example) if policy.precision == "float16" else module


def halved(module: torch.nn.Module, example: Tensors) -> torch.nn.Module:
    """Compute convolutions and linear layers in half precision, between casts from and to float32.

    The casts are part of the graph, so that every backend computes the same without settings of its own.

    Parameters
    ----------
    module : torch.nn.Module
        In eval mode.
    example : tuple of Tensor
        Inputs on the device of the module, where constants of the exported graph stay.
    """
    with exporting():
        half = torch.export.export(module, example).module(check_guards=False)
    graph = half.graph
    for node in list(graph.nodes):
        if node.op != "call_function" or node.target not in _WEIGHTED:
            continue
        with graph.inserting_before(node):
            node.args = tuple(
                graph.call_function(torch.ops.aten.to.dtype, (arg, torch.float16))
                if isinstance(arg, torch.fx.Node)
                else arg
                for arg in node.args
            )
        with graph.inserting_after(node):
            back = graph.call_function(torch.ops.aten.to.dtype, (node, torch.float32))
        node.replace_all_uses_with(back, delete_user_cb=lambda user, back=back: user is not back)
    graph.lint()
    half.recompile()
    return half


@contextmanager
def tensor_cores(precision: Precision) -> Iterator[None]:
    """Allow or forbid TF32 within the context; what is compiled or captured within it keeps the setting.

    This uses PyTorch's older switches, because torch.export fails with the newer ones (as of 2.13).
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
