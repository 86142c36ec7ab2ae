"""Names of backends for networks, for configuration and command line; :mod:`earmark.kernels.runtime` has the code."""

from __future__ import annotations

from enum import StrEnum


class BackendName(StrEnum):
    """Backends of ``earmark.kernels.runtime``, the fastest first."""

    TENSORRT = "tensorrt"
    TENSORRT_RTX = "tensorrt_rtx"
    INDUCTOR = "inductor"
    EAGER_CUDA = "eager_cuda"
    ONNX = "onnx"
    EAGER_CPU = "eager_cpu"


class PrecisionName(StrEnum):
    """Numeric precision; ``tf32`` and ``float16`` round products, on GPUs only."""

    FLOAT32 = "float32"
    TF32 = "tf32"
    FLOAT16 = "float16"
