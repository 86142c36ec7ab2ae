"""Plain PyTorch on the CPU: always available, and the reference for the other backends."""

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
    """Return the versions that results on the CPU depend on."""
    return {"torch": torch.__version__, "instructions": torch.backends.cpu.get_cpu_capability()}


class EagerCpu(Backend):
    """Runs operator by operator, with the number of threads that torch is set to."""

    name = "eager_cpu"
    compiles = False

    def absent(self) -> str:
        """Return an empty string: always available."""
        return ""

    def versions(self) -> dict[str, str]:
        """Return the version of torch and the instruction set."""
        return cpu_versions()

    def build(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> bytes:
        """Return empty bytes: nothing is compiled."""
        return b""

    def load(self, artifact: bytes, module: torch.nn.Module, example: Tensors, policy: Policy) -> Network:
        """Use the module unchanged."""
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
        """Run the module; torch allocates intermediate values and frees them before the call returns."""
        for mine, given in zip(self._host, x, strict=True):
            mine[...] = given
        with torch.inference_mode():
            for y, wanted in zip(as_tuple(self._module(*self._in)), out, strict=True):
                wanted[...] = y.numpy()

    def info(self) -> Info:
        """Describe the network."""
        return self._info
