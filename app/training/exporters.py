"""Log level of torch's exporters."""

import logging


def quiet_exporter() -> None:
    """Hide warnings of torch's exporters about optional libraries that Earmark does not use."""
    for name in ("torch.onnx._internal.exporter._registration", "torch_tensorrt"):
        logging.getLogger(name).setLevel(logging.ERROR)
