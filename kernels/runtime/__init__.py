"""Networks that answer within a bound: fixed shapes, several backends, each chosen by name and checked before use."""

from kernels.runtime.backend import Backend
from kernels.runtime.eager_cpu import EagerCpu
from kernels.runtime.eager_cuda import EagerCuda
from kernels.runtime.inductor import Inductor
from kernels.runtime.onnx import Onnx
from kernels.runtime.tensorrt import TensorRt
from kernels.runtime.tensorrt_rtx import TensorRtRtx

#: By name, the quickest first: also the order in which one steps in for another.
BACKENDS: dict[str, Backend] = {
    backend.name: backend for backend in (TensorRt(), TensorRtRtx(), Inductor(), EagerCuda(), Onnx(), EagerCpu())
}
