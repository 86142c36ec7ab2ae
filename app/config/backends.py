"""What runs networks, by name, for configuration and command line; :mod:`earmark.kernels.runtime` implements it."""

from __future__ import annotations

from enum import StrEnum


class BackendName(StrEnum):
    """Backends of ``earmark.kernels.runtime``, the quickest first."""

    TENSORRT = "tensorrt"
    TENSORRT_RTX = "tensorrt_rtx"
    INDUCTOR = "inductor"
    EAGER_CUDA = "eager_cuda"
    ONNX = "onnx"
    EAGER_CPU = "eager_cpu"


class PrecisionName(StrEnum):
    """How numbers are held; ``tf32`` and ``float16`` round products, on GPUs only."""

    FLOAT32 = "float32"
    TF32 = "tf32"
    FLOAT16 = "float16"
