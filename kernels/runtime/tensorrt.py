"""TensorRT on NVIDIA GPUs: one engine for the whole network; a network that needs several is rejected."""

from __future__ import annotations

import copy
import importlib.metadata
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import torch

from earmark.kernels.extras import install
from earmark.kernels.runtime.backend import Backend, BackendError, Network, Policy, Tensors, exporting
from earmark.kernels.runtime.cuda import CapturedNetwork, cuda_versions, no_cuda
from earmark.kernels.runtime.precision import shaped


class TensorRt(Backend):
    """Compiles with Torch-TensorRT and runs with TensorRT."""

    name = "tensorrt"
    precisions = ("float32", "tf32", "float16")
    #: Distribution of the compiler, distribution of the runtime, and module of the runtime.
    compiler: ClassVar[str] = "torch-tensorrt"
    runtime: ClassVar[str] = "tensorrt"
    runtime_module: ClassVar[str] = "tensorrt"
    extra: ClassVar[str] = install("tensorrt")

    def absent(self) -> str:
        """Return which library is missing, or why no GPU can be used. Imports neither: they crash without a GPU."""
        missing = [self.compiler] if _version(self.compiler) is None else []
        missing += [self.runtime] if find_spec(self.runtime_module) is None else []
        reasons = [f"not installed: {', '.join(missing)}; {self.extra}"] if missing else []
        return "; ".join(reasons + ([gpu] if (gpu := no_cuda()) else []))

    def versions(self) -> dict[str, str]:
        """Return the versions of both libraries, torch, driver and GPU."""
        return cuda_versions() | {name: str(_version(name)) for name in (self.compiler, self.runtime)}

    def build(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> bytes:
        """Compile the network into one engine for this GPU."""
        x = tuple(one.to("cuda") for one in example)
        return engine(shaped(copy.deepcopy(module).to("cuda"), x, policy), x, policy, self.name)

    def load(self, artifact: bytes, module: torch.nn.Module, example: Tensors, policy: Policy) -> Network:
        """Load the engine and capture it."""
        step = _Engine(import_module(self.runtime_module), artifact, self.name)
        return CapturedNetwork(step, example, step, self.name, policy.precision, self.versions(), n_engines=1)


@dataclass(frozen=True, slots=True)
class Partition:
    """How TensorRT would divide a network.

    Attributes
    ----------
    n_engines : int
        Number of engines, between which PyTorch would run the remaining operators.
    n_operators : int
    fallback : tuple of str
        Operators that TensorRT does not support and PyTorch would run.
    """

    n_engines: int
    n_operators: int
    fallback: tuple[str, ...]


def partition(module: torch.nn.Module, example: Tensors) -> Partition:
    """Determine, without compiling, how TensorRT would divide a network."""
    from torch_tensorrt.dynamo import CompilationSettings, partitioning
    from torch_tensorrt.dynamo.conversion import DYNAMO_CONVERTERS
    from torch_tensorrt.dynamo.lowering import get_decompositions, post_lowering, pre_export_lowering

    settings = CompilationSettings(min_block_size=1)  # by default fewer than five operators silently stay in PyTorch
    DYNAMO_CONVERTERS.set_compilation_settings(settings)
    with exporting():
        exported = pre_export_lowering(torch.export.export(module, example), settings)
        lowered = post_lowering(exported.run_decompositions(get_decompositions(False)).module(), settings)
    n_operators = sum(node.op == "call_function" for node in lowered.graph.nodes)
    parts, support = partitioning.fast_partition(lowered, min_block_size=1)
    n_engines = sum("_run_on_acc" in name for name, _ in parts.named_children())
    return Partition(n_engines, n_operators, tuple(sorted(support.unsupported_operators)))


def engine(module: torch.nn.Module, example: Tensors, policy: Policy, name: str) -> bytes:
    """Compile into one engine.

    Raises
    ------
    BackendError
        If PyTorch would have to run an operator; the message names it.
    """
    from torch_tensorrt.dynamo import convert_exported_program_to_serialized_trt_engine

    found = partition(module, example)
    if found.n_engines != 1 or found.fallback:
        left = f", and PyTorch would run {', '.join(found.fallback)}" if found.fallback else ""
        raise BackendError(f"{name}: the network is not one engine: it would become {found.n_engines}{left}")
    try:
        with exporting():
            compiled = convert_exported_program_to_serialized_trt_engine(
                torch.export.export(module, example),
                arg_inputs=list(example),
                min_block_size=1,
                require_full_compilation=True,
                disable_tf32=policy.precision != "tf32",
            )
    except RuntimeError as error:  # the library raises it for every failure
        raise BackendError(f"{name}: the network cannot be compiled: {str(error).splitlines()[0]}") from error
    return bytes(compiled)


class _Engine:
    """Queues an engine on the current stream."""

    def __init__(self, trt: Any, artifact: bytes, name: str) -> None:
        self._log = trt.Logger(trt.Logger.ERROR)
        self._runtime = trt.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(artifact)
        if self._engine is None:
            raise BackendError(f"{name}: the engine is refused here; it was made for another GPU or version")
        self._context = self._engine.create_execution_context()
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        is_input = {one: self._engine.get_tensor_mode(one) == trt.TensorIOMode.INPUT for one in names}
        self._inputs = [one for one in names if is_input[one]]
        self._out = [
            torch.empty(tuple(self._engine.get_tensor_shape(one)), device="cuda") for one in names if not is_input[one]
        ]
        outputs = [one for one in names if not is_input[one]]
        for one, y in zip(outputs, self._out, strict=True):
            self._context.set_tensor_address(one, y.data_ptr())

    def __call__(self, x: Tensors) -> list[torch.Tensor]:
        for one, tensor in zip(self._inputs, x, strict=True):
            self._context.set_tensor_address(one, tensor.data_ptr())
        if not self._context.execute_async_v3(torch.cuda.current_stream().cuda_stream):
            raise RuntimeError("the engine could not be queued")
        return self._out


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
