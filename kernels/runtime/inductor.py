"""TorchInductor on a GPU, compiled ahead of time: no tracing and no guards at run time."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch

from earmark.kernels.runtime.backend import Backend, BackendError, Network, Policy, Tensors, as_tuple, exporting
from earmark.kernels.runtime.cuda import CapturedNetwork, cuda_versions, no_cuda
from earmark.kernels.runtime.precision import shaped, tensor_cores


class Inductor(Backend):
    """Runs an AOTInductor package as a CUDA graph."""

    name = "inductor"
    precisions = ("float32", "tf32", "float16")

    def absent(self) -> str:
        """Return why no GPU can be used, or that its compiler is missing; empty if it can be used."""
        return no_cuda() or ("" if find_spec("triton") else "not installed: triton, which writes its GPU kernels")

    def versions(self) -> dict[str, str]:
        """Return the versions of torch, driver and GPU."""
        return cuda_versions()

    def build(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> bytes:
        """Compile for this GPU; needs a C++ compiler."""
        x = tuple(one.to("cuda") for one in example)
        with tensor_cores(policy.precision):
            return package(shaped(copy.deepcopy(module).to("cuda"), x, policy), x)

    def load(self, artifact: bytes, module: torch.nn.Module, example: Tensors, policy: Policy) -> Network:
        """Load the package and capture it."""
        program = unpack(artifact)
        return CapturedNetwork(
            lambda x: as_tuple(program(*x)), example, program, self.name, policy.precision, self.versions(), n_engines=1
        )


def package(module: torch.nn.Module, example: Tensors) -> bytes:
    """Compile for the device that module and example are on.

    Raises
    ------
    BackendError
        If the network cannot be compiled.
    """
    file = io.BytesIO()
    try:
        with exporting():
            exported = torch.export.export(module, example)
            torch._inductor.aoti_compile_and_package(exported, package_path=file)
    except RuntimeError as error:  # torch also raises it for a missing compiler
        raise BackendError(f"inductor: the network cannot be compiled: {str(error).splitlines()[0]}") from error
    return file.getvalue()


def unpack(artifact: bytes) -> Callable[..., Any]:
    """Load a package; torch unpacks it into its own temporary folder.

    Raises
    ------
    BackendError
        If torch rejects the package.
    """
    try:
        program: Callable[..., Any] = torch._inductor.aoti_load_package(
            io.BytesIO(artifact),
            run_single_threaded=True,  # the locking for several threads cannot be captured as a CUDA graph
        )
    except RuntimeError as error:
        raise BackendError(f"inductor: the compiled network is refused: {str(error).splitlines()[0]}") from error
    return program
