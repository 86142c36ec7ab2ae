"""Common code of the backends on NVIDIA GPUs: detection, versions, and a network captured as one CUDA graph."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from earmark.kernels.runtime.backend import Arrays, BackendError, Info, Network, Precision, Tensors, shapes
from earmark.kernels.runtime.precision import tensor_cores

#: Runs on the device before capture: libraries choose algorithms and allocate memory in the first runs.
_RUNS_BEFORE_CAPTURE = 5

Step = Callable[[Tensors], Sequence[torch.Tensor]]


def no_cuda() -> str:
    """Return in one line why no GPU can be used; empty if one can."""
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    if not torch.cuda.is_available():
        driver = driver_version()
        return f"no GPU that torch {torch.__version__} can use" + (f"; driver {driver}" if driver else "; no driver")
    return ""


def driver_version() -> str:
    """Return the version of the NVIDIA driver as the driver reports it; empty if there is none."""
    try:
        nvml = ctypes.CDLL("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
    except OSError:  # a missing driver is a valid result, not an error
        return ""
    text = ctypes.create_string_buffer(96)
    if nvml.nvmlInit_v2() != 0:
        return ""
    try:
        return text.value.decode() if nvml.nvmlSystemGetDriverVersion(text, len(text)) == 0 else ""
    finally:
        nvml.nvmlShutdown()


def cuda_versions() -> dict[str, str]:
    """Return the versions that compiled code for a GPU depends on."""
    major, minor = torch.cuda.get_device_capability()
    return {
        "torch": torch.__version__,
        "CUDA": str(torch.version.cuda),
        "cuDNN": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        "driver": driver_version(),
        "GPU": torch.cuda.get_device_name(),
        "compute capability": f"{major}.{minor}",
    }


class CapturedNetwork(Network):
    """Copy in, network and copy out, replayed as one CUDA graph on a stream of high priority.

    All memory is allocated, and the graph captured, by the constructor. Not thread-safe: use it from one thread.

    Parameters
    ----------
    step : callable
        Queues the network on the current stream; takes and returns tensors on the device.
    example : tuple of Tensor
        Inputs on the host.
    kept : object
        Kept alive as long as the graph.
    name, precision, versions, n_engines
        As in :class:`Info`.

    Raises
    ------
    BackendError
        If the network cannot be captured.
    """

    def __init__(
        self,
        step: Step,
        example: Tensors,
        kept: Any,
        name: str,
        precision: Precision,
        versions: dict[str, str],
        n_engines: int,
    ) -> None:
        self._kept = kept
        self._stream = torch.cuda.Stream(priority=-1)  # type: ignore[no-untyped-call]
        self._in = [torch.empty(x.shape, pin_memory=True).copy_(x) for x in example]
        device = tuple(torch.empty(x.shape, device="cuda").copy_(x) for x in example)
        torch.cuda.synchronize()
        with torch.no_grad(), tensor_cores(precision):
            try:
                with torch.cuda.stream(self._stream):
                    for _ in range(_RUNS_BEFORE_CAPTURE):
                        outputs = step(device)
                self._stream.synchronize()
                self._out = [torch.empty(y.shape, pin_memory=True) for y in outputs]
                self._graph = torch.cuda.CUDAGraph()
                # thread_local: other threads may use the GPU during the capture.
                with torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode="thread_local"):
                    for x, host in zip(device, self._in, strict=True):
                        x.copy_(host, non_blocking=True)
                    outputs = step(device)
                    for host, y in zip(self._out, outputs, strict=True):
                        host.copy_(y, non_blocking=True)
            except RuntimeError as error:  # torch raises it for every CUDA failure
                raise BackendError(
                    f"{name}: the network cannot be captured as a CUDA graph: {str(error).splitlines()[0]}"
                ) from error
        self._device = device, outputs
        self._done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._host_in, self._host_out = [x.numpy() for x in self._in], [y.numpy() for y in self._out]
        self._info = Info(
            name,
            versions["GPU"],
            precision,
            versions,
            graph=True,
            n_engines=n_engines,
            inputs=shapes(self._in),
            outputs=shapes(self._out),
        )

    def run_into(self, x: Arrays, out: Arrays) -> None:
        """Replay the graph and wait for it."""
        for mine, given in zip(self._host_in, x, strict=True):
            mine[...] = given
        with torch.cuda.stream(self._stream):
            self._graph.replay()
            self._done.record(self._stream)
        self._done.synchronize()
        for wanted, mine in zip(out, self._host_out, strict=True):
            wanted[...] = mine

    def info(self) -> Info:
        """Describe the network."""
        return self._info
