"""Networks that answer within a bound: fixed shapes, several backends, each chosen by name and checked before use."""

from earmark.kernels.runtime.backend import Backend
from earmark.kernels.runtime.eager_cpu import EagerCpu
from earmark.kernels.runtime.eager_cuda import EagerCuda
from earmark.kernels.runtime.inductor import Inductor
from earmark.kernels.runtime.onnx import Onnx
from earmark.kernels.runtime.tensorrt import TensorRt
from earmark.kernels.runtime.tensorrt_rtx import TensorRtRtx

#: By name, the quickest first: also the order in which one steps in for another.
BACKENDS: dict[str, Backend] = {
    backend.name: backend for backend in (TensorRt(), TensorRtRtx(), Inductor(), EagerCuda(), Onnx(), EagerCpu())
}
