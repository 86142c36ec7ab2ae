"""Child process of the tests: compiles each network with TensorRT on a machine without a GPU.

The library queries a GPU on import, so this module simulates one. An engine can be built without a GPU, but not
loaded. Prints one JSON object.
"""

import json
import os
import sys
import types

import torch

CAPABILITY = (9, 0)


def pretend() -> None:
    """Simulate the GPU properties that the library queries on import."""
    cuda = torch.cuda
    device = types.SimpleNamespace(
        name="none", major=CAPABILITY[0], minor=CAPABILITY[1], total_memory=8 << 30, multi_processor_count=100
    )
    cuda.get_device_capability = lambda *_: CAPABILITY
    cuda.current_device = lambda: 0
    cuda.device_count = lambda: 1
    cuda.get_device_name = lambda *_: device.name
    cuda.get_device_properties = lambda *_: device
    cuda.mem_get_info = lambda *_: (8 << 30, 8 << 30)
    for name in ("synchronize", "empty_cache", "set_device"):
        setattr(cuda, name, lambda *_, name=name: None)  # one function each: torch keeps a table by function
    if not hasattr(torch._C, "_CudaDeviceProperties"):
        torch._C._CudaDeviceProperties = object
    if torch.version.cuda is None:  # without CUDA the library's C++ part, which links to it, counts as not installed
        there = os.path.isfile
        os.path.isfile = lambda path: "libtorchtrt" not in str(path) and there(path)


def pretend_to_load() -> None:
    """Keep the bytes of an engine instead of loading it, and keep all tensors on the CPU."""
    import tensorrt

    class Kept:
        def __init__(self, content: bytes) -> None:
            self.serialize = lambda: bytes(content)

    class Runtime:
        def __init__(self, _: object) -> None:
            pass

        def deserialize_cuda_engine(self, content: bytes) -> Kept:
            return Kept(content)

    tensorrt.Runtime = Runtime
    for name, module in list(sys.modules.items()):
        if name.startswith("torch_tensorrt") and hasattr(module, "to_torch_device"):
            module.to_torch_device = lambda _: torch.device("cpu")


class NotConvertible(torch.nn.Module):
    """Computes a spectrum, for which TensorRT has no converter."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(x * 2 + 1).abs().mean(-1)


def decoders() -> dict[str, tuple[torch.nn.Module, tuple[torch.Tensor, ...]]]:
    """Return the networks of the decoders, with short windows."""
    from earmark.app.bench.decoder import networks

    return {name: make(16, 64.0, 1.0) for name, make in networks().items()}


def main() -> None:
    pretend()
    from dataclasses import asdict

    from small_networks import KINDS, made

    from earmark.kernels.runtime.backend import BackendError, Policy
    from earmark.kernels.runtime.precision import shaped
    from earmark.kernels.runtime.tensorrt import engine, partition

    networks = {kind: made(kind) for kind in KINDS} | decoders()
    found = {"refused": ""}
    for name, (module, example) in networks.items():
        for precision in ("float32", "float16"):
            policy = Policy(precision)
            found[f"{name} {precision}"] = asdict(partition(shaped(module, example, policy), example))
    found["not convertible"] = asdict(partition(NotConvertible().eval(), (torch.randn(1, 4, 32),)))
    pretend_to_load()
    for name in (*KINDS, "matcher"):
        module, example = networks[name]
        for precision in ("float32", "float16"):
            policy = Policy(precision)
            compiled = engine(shaped(module, example, policy), example, policy, "tensorrt_rtx")
            found[f"{name} {precision}"]["n_bytes"] = len(compiled)
    try:
        engine(NotConvertible().eval(), (torch.randn(1, 4, 32),), Policy(), "tensorrt_rtx")
    except BackendError as error:
        found["refused"] = str(error)
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
