"""TensorRT for RTX: the same compiler and interface from other packages; machine code is made when it is loaded."""

from __future__ import annotations

from earmark.kernels.extras import install
from earmark.kernels.runtime.tensorrt import TensorRt


class TensorRtRtx(TensorRt):
    """Torch-TensorRT-RTX compiles, TensorRT-RTX runs."""

    name = "tensorrt_rtx"
    compiler = "torch-tensorrt-rtx"
    runtime = "tensorrt-rtx"
    runtime_module = "tensorrt_rtx"
    extra = install("tensorrt-rtx")
