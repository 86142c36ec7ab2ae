"""ONNX Runtime on the CPU, one thread: the quickest and steadiest without a GPU."""

from __future__ import annotations

import importlib.metadata
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from earmark.kernels.extras import install
from earmark.kernels.runtime.backend import (
    Arrays,
    Backend,
    BackendError,
    Info,
    Network,
    Policy,
    Tensors,
    exporting,
    outputs_of,
    shapes,
)
from earmark.kernels.runtime.eager_cpu import cpu_versions

_NEEDED = ("onnx", "onnxscript", "onnxruntime")
#: Newest set of operators that the exporter writes without converting.
_OPSET = 18


class Onnx(Backend):
    """Exported once, then run without Python in between."""

    name = "onnx"

    def absent(self) -> str:
        """Say which library is missing."""
        missing = [name for name in _NEEDED if find_spec(name) is None]
        return f"not installed: {', '.join(missing)}; {install('onnx')}" if missing else ""

    def versions(self) -> dict[str, str]:
        """ONNX's libraries, torch and the instruction set."""
        return {name: importlib.metadata.version(name) for name in _NEEDED} | cpu_versions()

    def build(self, module: torch.nn.Module, example: Tensors, policy: Policy) -> bytes:
        """Export to ONNX."""
        with exporting():
            try:
                program = torch.onnx.export(
                    module,
                    example,
                    input_names=[f"x{i}" for i in range(len(example))],
                    output_names=[f"y{i}" for i in range(len(outputs_of(module, example)))],
                    opset_version=_OPSET,
                    dynamo=True,
                    external_data=False,
                    optimize=False,  # it takes x + 1e-12 for x, and divides by zero where the network does not
                    verbose=False,
                )
            except torch.onnx.OnnxExporterError as error:
                raise BackendError(f"onnx: the network cannot be exported: {_first_line(error)}") from error
        if program is None:
            raise BackendError("onnx: the exporter returned nothing")
        exported: bytes = program.model_proto.SerializeToString()
        return exported

    def load(self, artifact: bytes, module: torch.nn.Module, example: Tensors, policy: Policy) -> Network:
        """Open a session with every buffer bound in advance."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(artifact, options, providers=["CPUExecutionProvider"])
        except (onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf, RuntimeError) as error:
            raise BackendError(f"onnx: ONNX Runtime refuses the exported network: {_first_line(error)}") from error
        info = Info(
            self.name,
            "CPU",
            policy.precision,
            self.versions(),
            graph=False,
            n_engines=1,
            inputs=shapes(example),
            outputs=shapes(outputs_of(module, example)),
        )
        return _Session(session, info)


class _Session(Network):
    def __init__(self, session: Any, info: Info) -> None:
        self._session, self._info = session, info
        self._in = [np.zeros(shape, np.float32) for shape in info.inputs]
        self._out = [np.zeros(shape, np.float32) for shape in info.outputs]
        self._bound = session.io_binding()
        for given, array in zip(session.get_inputs(), self._in, strict=True):
            self._bound.bind_input(given.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for wanted, array in zip(session.get_outputs(), self._out, strict=True):
            self._bound.bind_output(wanted.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def run_into(self, x: Arrays, out: Arrays) -> None:
        """Copy in, run, copy out."""
        for mine, given in zip(self._in, x, strict=True):
            mine[...] = given
        self._session.run_with_iobinding(self._bound)
        for wanted, mine in zip(out, self._out, strict=True):
            wanted[...] = mine

    def info(self) -> Info:
        """Tell what it is."""
        return self._info


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
