"""What torch's exporters say of themselves."""

import logging


def quiet_exporter() -> None:
    """Keep to itself what torch's exporters say about libraries that nobody asked for."""
    for name in ("torch.onnx._internal.exporter._registration", "torch_tensorrt"):
        logging.getLogger(name).setLevel(logging.ERROR)
