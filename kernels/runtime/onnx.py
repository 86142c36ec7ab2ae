"""ONNX Runtime on the CPU with one thread: the fastest backend without a GPU, with the least timing variation."""

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
#: Newest operator set (opset) that the exporter writes without a conversion.
_OPSET = 18


class Onnx(Backend):
    """Runs the exported network without Python between operators."""

    name = "onnx"

    def absent(self) -> str:
        """Return which library is missing; empty if none."""
        missing = [name for name in _NEEDED if find_spec(name) is None]
        return f"not installed: {', '.join(missing)}; {install('onnx')}" if missing else ""

    def versions(self) -> dict[str, str]:
        """Return the versions of the ONNX libraries, torch and the instruction set."""
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
                    optimize=False,  # the optimiser replaces x + 1e-12 by x and so adds divisions by zero
                    verbose=False,
                )
            except torch.onnx.OnnxExporterError as error:
                raise BackendError(f"onnx: the network cannot be exported: {_first_line(error)}") from error
        if program is None:
            raise BackendError("onnx: the exporter returned nothing")
        exported: bytes = program.model_proto.SerializeToString()
        return exported

    def load(self, artifact: bytes, module: torch.nn.Module, example: Tensors, policy: Policy) -> Network:
        """Open a session and bind every buffer in advance."""
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
        """Copy the inputs, run the session, copy the outputs."""
        for mine, given in zip(self._in, x, strict=True):
            mine[...] = given
        self._session.run_with_iobinding(self._bound)
        for wanted, mine in zip(out, self._out, strict=True):
            wanted[...] = mine

    def info(self) -> Info:
        """Describe the network."""
        return self._info


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
