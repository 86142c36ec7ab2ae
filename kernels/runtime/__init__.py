"""Network inference in bounded time: fixed shapes, and several backends, selected by name and checked before use."""

from earmark.kernels.runtime.backend import Backend
from earmark.kernels.runtime.eager_cpu import EagerCpu
from earmark.kernels.runtime.eager_cuda import EagerCuda
from earmark.kernels.runtime.inductor import Inductor
from earmark.kernels.runtime.onnx import Onnx
from earmark.kernels.runtime.tensorrt import TensorRt
from earmark.kernels.runtime.tensorrt_rtx import TensorRtRtx

#: Backends by name, fastest first. This is also the order of fallback.
BACKENDS: dict[str, Backend] = {
    backend.name: backend for backend in (TensorRt(), TensorRtRtx(), Inductor(), EagerCuda(), Onnx(), EagerCpu())
}
