"""PyTorch on the CPU as it comes: always there, and what others are compared with."""

from __future__ import annotations

import torch

from earmark.kernels.runtime.backend import (
    Arrays,
    Backend,
    Info,
    Network,
    Policy,
    Tensors,
    as_tuple,
    outputs_of,
    shapes,
)


def cpu_versions() -> dict[str, str]:
    """What results on the CPU depend on."""
    return {"torch": torch.__version__, "instructions": torch.backends.cpu.get_cpu_capability()}


class EagerCpu(Backend):
    """Operator by operator; as many threads as torch was told to use."""

    name = "eager_cpu"
    compiles = False

    def absent(self) -> str:
        """Always there."""
        return ""

    def versions(self) -> dict[str, str]:
        """Torch and the instruction set."""
        return cpu_versions()

    def build(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> bytes:
        """Nothing is compiled."""
        return b""

    def load(self, artifact: bytes, module: torch.nn.Module, example: Tensors, policy: Policy) -> Network:
        """Take the module as it is."""
        info = Info(
            self.name,
            "CPU",
            policy.precision,
            self.versions(),
            graph=False,
            n_engines=0,
            inputs=shapes(example),
            outputs=shapes(outputs_of(module, example)),
        )
        return _Eager(module, example, info)


class _Eager(Network):
    def __init__(self, module: torch.nn.Module, example: Tensors, info: Info) -> None:
        self._module, self._info = module, info
        self._in = tuple(x.clone() for x in example)
        self._host = [x.numpy() for x in self._in]

    def run_into(self, x: Arrays, out: Arrays) -> None:
        """Intermediate values are torch's own, and given back at the end."""
        for mine, given in zip(self._host, x, strict=True):
            mine[...] = given
        with torch.inference_mode():
            for y, wanted in zip(as_tuple(self._module(*self._in)), out, strict=True):
                wanted[...] = y.numpy()

    def info(self) -> Info:
        """Tell what it is."""
        return self._info
