"""Interfaces of the inference runtime: a backend, a network that is ready to run, and their descriptions."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError

#: Numeric precision: ``float32`` throughout; ``tf32`` rounds the factors of products to 10 bits on tensor cores;
#: ``float16`` is used for products with weights only, everything else stays in float32.
Precision = Literal["float32", "tf32", "float16"]

#: Maximum error against a float64 reference, relative to the largest value of the output.
TOLERANCE: Mapping[Precision, float] = {"float32": 1e-4, "tf32": 1e-3, "float16": 1e-2}

Arrays = Sequence[NDArray[np.float32]]
Tensors = tuple[torch.Tensor, ...]


class BackendError(EarmarkError):
    """Raised when a backend cannot be used for this network or on this machine."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Numeric choices that a backend must follow."""

    precision: Precision = "float32"


@dataclass(frozen=True, slots=True)
class Info:
    """Description of what actually computes the output.

    Attributes
    ----------
    backend, device : str
        Name of the backend; name of the processor or GPU.
    precision : str
    versions : mapping
        Version of everything that a compiled artifact depends on, by name.
    graph : bool
        True if copy in, network and copy out are replayed as one CUDA graph.
    n_engines : int
        Number of compiled programs that make up the network; 0 if nothing is compiled.
    inputs, outputs : tuple of shapes
    """

    backend: str
    device: str
    precision: Precision
    versions: Mapping[str, str]
    graph: bool
    n_engines: int
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]


class Network(ABC):
    """A network that is ready to run: fixed shapes, all memory allocated."""

    @abstractmethod
    def run_into(self, x: Arrays, out: Arrays) -> None:
        """Run the network on one window, from host memory to host memory. No memory allocated here outlives the call.

        Parameters
        ----------
        x : sequence of array, float32
            One per input, of the prepared shapes.
        out : sequence of array, float32
            One per output; overwritten.
        """

    @abstractmethod
    def info(self) -> Info:
        """Describe the network."""

    def warmup(self, n: int = 50) -> None:
        """Run ``n`` windows of zeros, because the first runs take longer than later ones."""
        info = self.info()
        x = [np.zeros(shape, np.float32) for shape in info.inputs]
        out = [np.empty(shape, np.float32) for shape in info.outputs]
        for _ in range(n):
            self.run_into(x, out)


class Backend(ABC):
    """One way to run networks. Building can take minutes, and its result can be cached; loading is fast."""

    name: ClassVar[str]
    precisions: ClassVar[tuple[Precision, ...]] = ("float32",)
    #: True if building produces an artifact that is worth caching.
    compiles: ClassVar[bool] = True

    @abstractmethod
    def absent(self) -> str:
        """Return in one line why the backend cannot be used on this machine; empty if it can. Never raises."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return what an artifact depends on besides the network: libraries, driver, GPU, instruction set."""

    @abstractmethod
    def build(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> bytes:
        """Compile the network and return the artifact that :meth:`load` needs; empty if nothing is compiled.

        Raises
        ------
        BackendError
            If the network cannot be compiled as a whole.
        """

    @abstractmethod
    def load(self, artifact: bytes, module: torch.nn.Module, example: Tensors, policy: Policy) -> Network:
        """Load an artifact of :meth:`build`. Artifacts contain machine code: load only your own.

        Raises
        ------
        BackendError
            If the artifact is rejected on this machine.
        """

    def prepare(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> Network:
        """Build and load.

        Parameters
        ----------
        module : torch.nn.Module
            In eval mode, on the CPU, float32.
        example : tuple of Tensor
            One window. The network accepts only windows of these shapes.
        policy : Policy

        Raises
        ------
        BackendError
            If the backend cannot be used on this machine or does not support this network; the message says why.
        """
        self.check(module, example, policy)
        return self.load(self.build(module, example, policy), module, example, policy)

    def check(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> None:
        """Check everything that can be checked quickly, before the build, and raise BackendError if it cannot work."""
        if reason := self.absent():
            raise BackendError(f"{self.name} cannot be used here: {reason}")
        if policy.precision not in self.precisions:
            raise BackendError(
                f"{self.name} computes in {' or '.join(self.precisions)}, not {policy.precision}: choose another "
                "backend or precision"
            )
        if any(part.training for part in module.modules()):
            raise BackendError(f"{self.name}: the network is in training mode; call eval() on it first")
        for i, x in enumerate(example):
            if x.dtype != torch.float32 or x.device.type != "cpu":
                raise BackendError(f"{self.name}: input {i} is {x.dtype} on {x.device}, but must be float32 on the CPU")
        outputs = outputs_of(module, example)
        if any(y.dtype != torch.float32 for y in outputs):
            raise BackendError(f"{self.name}: the network must return float32, not {[str(y.dtype) for y in outputs]}")


@contextmanager
def exporting() -> Iterator[None]:
    """Context for every export: disables gradients and hides a warning that torch raises about its own code."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\)", category=FutureWarning)
        yield


def outputs_of(module: torch.nn.Module, x: Tensors) -> Tensors:
    """Run a module once and return its outputs as a tuple, also if there is only one.

    Raises
    ------
    BackendError
        If the module returns anything other than tensors.
    """
    with torch.no_grad():
        return as_tuple(module(*x))


def as_tuple(y: object) -> Tensors:
    """Return the outputs of a network as a tuple of tensors."""
    outputs = y if isinstance(y, tuple | list) else (y,)
    if not outputs or not all(isinstance(one, torch.Tensor) for one in outputs):
        raise BackendError(f"a network must return one or more tensors, not {type(y).__name__}")
    return tuple(outputs)


def shapes(tensors: Sequence[torch.Tensor]) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of tensors as plain tuples."""
    return tuple(tuple(one.shape) for one in tensors)
