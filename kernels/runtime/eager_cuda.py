"""PyTorch's own kernels on a GPU, captured once as a CUDA graph: no launch overhead, nothing compiled."""

from __future__ import annotations

import copy

import torch

from earmark.kernels.runtime.backend import Backend, Network, Policy, Tensors, as_tuple
from earmark.kernels.runtime.cuda import CapturedNetwork, cuda_versions, no_cuda
from earmark.kernels.runtime.precision import shaped


class EagerCuda(Backend):
    """Runs operator by operator, launched together as one CUDA graph."""

    name = "eager_cuda"
    precisions = ("float32", "tf32", "float16")
    compiles = False

    def absent(self) -> str:
        """Return why no GPU can be used; empty if one can."""
        return no_cuda()

    def versions(self) -> dict[str, str]:
        """Return the versions of torch, driver and GPU."""
        return cuda_versions()

    def build(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> bytes:
        """Return empty bytes: nothing is compiled."""
        return b""

    def load(self, artifact: bytes, module: torch.nn.Module, example: Tensors, policy: Policy) -> Network:
        """Move a copy to the GPU and capture it."""
        there = shaped(copy.deepcopy(module).to("cuda"), tuple(x.to("cuda") for x in example), policy)
        return CapturedNetwork(
            lambda x: as_tuple(there(*x)), example, there, self.name, policy.precision, self.versions(), n_engines=0
        )
