"""What every backend of the runtime keeps to."""

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

#: How numbers are held: ``float32`` in full; ``tf32`` rounds factors of products to 10 bits on tensor cores;
#: ``float16`` does so for products with weights and keeps everything else in float32.
Precision = Literal["float32", "tf32", "float16"]

#: Error allowed against a float64 reference, as a part of the largest value of the answer.
TOLERANCE: Mapping[Precision, float] = {"float32": 1e-4, "tf32": 1e-3, "float16": 1e-2}

Arrays = Sequence[NDArray[np.float32]]
Tensors = tuple[torch.Tensor, ...]


class BackendError(EarmarkError):
    """Raised when a backend cannot be used for this network or on this machine."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a backend may do to numbers."""

    precision: Precision = "float32"


@dataclass(frozen=True, slots=True)
class Info:
    """What answers, truthfully.

    Attributes
    ----------
    backend, device : str
        Name of the backend; name of the processor or GPU.
    precision : str
    versions : mapping
        Everything that an artifact depends on, by name.
    graph : bool
        Copy in, network and copy out are replayed as one CUDA graph.
    n_engines : int
        Compiled programs that the network became; 0 where nothing is compiled.
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
    """A network that is ready to answer: fixed shapes, all memory taken."""

    @abstractmethod
    def run_into(self, x: Arrays, out: Arrays) -> None:
        """Answer one window, from host memory to host memory.

        Parameters
        ----------
        x : sequence of array, float32
            One per input, of the shapes prepared for.
        out : sequence of array, float32
            Overwritten, one per output. Nothing is allocated that outlives the call.
        """

    @abstractmethod
    def info(self) -> Info:
        """Tell what it is."""

    def warmup(self, n: int = 50) -> None:
        """Answer ``n`` windows of zeros: the first answers take longer than any later one."""
        info = self.info()
        x = [np.zeros(shape, np.float32) for shape in info.inputs]
        out = [np.empty(shape, np.float32) for shape in info.outputs]
        for _ in range(n):
            self.run_into(x, out)


class Backend(ABC):
    """One way to run networks. Building may take minutes and its result be kept; loading is quick."""

    name: ClassVar[str]
    precisions: ClassVar[tuple[Precision, ...]] = ("float32",)
    #: Whether building makes something that is worth keeping.
    compiles: ClassVar[bool] = True

    @abstractmethod
    def absent(self) -> str:
        """Say in one line why it cannot be used here; empty if it can. Never raises."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Tell what an artifact depends on beside the network: libraries, driver, GPU, instruction set."""

    @abstractmethod
    def build(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> bytes:
        """Compile, and return what :meth:`load` needs to have it back; empty where nothing is compiled.

        Raises
        ------
        BackendError
            If the network cannot be compiled as a whole.
        """

    @abstractmethod
    def load(self, artifact: bytes, module: torch.nn.Module, example: Tensors, policy: Policy) -> Network:
        """Make what :meth:`build` returned ready to answer. Artifacts hold machine code: load only your own.

        Raises
        ------
        BackendError
            If it is refused here.
        """

    def prepare(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> Network:
        """Build and load.

        Parameters
        ----------
        module : torch.nn.Module
            In eval mode, on the CPU, float32.
        example : tuple of Tensor
            One window; its shapes are the only ones that will be answered.
        policy : Policy

        Raises
        ------
        BackendError
            If it cannot be used here or does not take this network; the message says why.
        """
        self.check(module, example, policy)
        return self.load(self.build(module, example, policy), module, example, policy)

    def check(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> None:
        """Refuse what cannot work, before anything takes time."""
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
    """What every export runs in: no gradients, and no warning of torch about torch."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\)", category=FutureWarning)
        yield


def outputs_of(module: torch.nn.Module, x: Tensors) -> Tensors:
    """Run a module once; whether it returns one tensor or several, give a tuple.

    Raises
    ------
    BackendError
        If it returns something else.
    """
    with torch.no_grad():
        return as_tuple(module(*x))


def as_tuple(y: object) -> Tensors:
    """Outputs of a network as a tuple of tensors."""
    outputs = y if isinstance(y, tuple | list) else (y,)
    if not outputs or not all(isinstance(one, torch.Tensor) for one in outputs):
        raise BackendError(f"a network must return a tensor or several, not {type(y).__name__}")
    return tuple(outputs)


def shapes(tensors: Sequence[torch.Tensor]) -> tuple[tuple[int, ...], ...]:
    """Shapes as plain tuples."""
    return tuple(tuple(one.shape) for one in tensors)
