"""Fingerprint of a compiled network: a hash of everything that can change its output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch

from earmark.kernels.runtime.backend import Policy, Tensors, exporting

#: Increment this when artifacts of the same network change for a reason that the hash does not cover.
SCHEMA = 1


def fingerprint(
    module: torch.nn.Module, example: Tensors, policy: Policy, backend: str, versions: Mapping[str, str]
) -> str:
    """Return the SHA-256 of a network and of everything it is compiled for.

    Parameters
    ----------
    module : torch.nn.Module
    example : tuple of Tensor
        Only shapes and types count, not values.
    policy : Policy
    backend : str
    versions : mapping
        Returned by :meth:`Backend.versions`.

    Returns
    -------
    str
        Hexadecimal. It covers every operator of the exported program with its arguments (stride, padding, wiring),
        every weight and constant, shapes, types, policy, backend and versions.
    """
    with exporting():
        exported = torch.export.export(module, example)
    index = {node: i for i, node in enumerate(exported.graph.nodes)}
    program = []
    for node in exported.graph.nodes:
        # Inputs are identified by position and operators by name, so that names of nodes do not matter.
        target = str(node.target) if node.op == "call_function" else ""
        program.append([node.op, target, _plain(node.args, index), _plain(dict(node.kwargs), index)])
    nested = [[name, str(part.code)] for name, part in exported.graph_module.named_modules()
              if name and isinstance(part, torch.fx.GraphModule)]  # fmt: skip
    roles = [[spec.kind.name, spec.target or ""] for spec in exported.graph_signature.input_specs]
    outputs = [spec.kind.name for spec in exported.graph_signature.output_specs]
    tensors = {**exported.state_dict, **{k: v for k, v in exported.constants.items() if isinstance(v, torch.Tensor)}}
    digest = hashlib.sha256(
        json.dumps(
            [
                SCHEMA,
                program,
                nested,
                roles,
                outputs,
                [[str(x.dtype), list(x.shape)] for x in example],
                [[name, str(x.dtype), list(x.shape), list(x.stride())] for name, x in sorted(tensors.items())],
                asdict(policy),
                backend,
                sorted(versions.items()),
            ]
        ).encode()
    )
    for _, tensor in sorted(tensors.items()):
        # As bytes, because NumPy has no bfloat16.
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _plain(value: Any, index: Mapping[torch.fx.Node, int]) -> Any:
    if isinstance(value, torch.fx.Node):
        return {"node": index[value]}
    if isinstance(value, list | tuple):
        return [_plain(one, index) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one, index) for key, one in value.items()}
    if isinstance(value, bool | int | str) or value is None:
        return value
    return [type(value).__name__, repr(value)]  # repr is exact for floats, and identifies types and devices
