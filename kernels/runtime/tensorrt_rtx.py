"""TensorRT for RTX: same compiler and interface from other packages; it generates machine code at load time."""

from __future__ import annotations

from earmark.kernels.extras import install
from earmark.kernels.runtime.tensorrt import TensorRt


class TensorRtRtx(TensorRt):
    """Compiles with Torch-TensorRT-RTX and runs with TensorRT-RTX."""

    name = "tensorrt_rtx"
    compiler = "torch-tensorrt-rtx"
    runtime = "tensorrt-rtx"
    runtime_module = "tensorrt_rtx"
    extra = install("tensorrt-rtx")
