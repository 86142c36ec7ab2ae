"""ONNX files of separators, and what they compute in NumPy."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install '.[onnx]'")
from onnx import TensorProto, helper  # noqa: E402

FLOAT = TensorProto.FLOAT
OPSET = 17


def save(
    path, nodes, inputs, outputs, metadata=None, sfreq=48_000, hop=192, delay=0, opsets=(("", OPSET),), weights=()
):
    """Write an ONNX file; inputs and outputs are name: shape, of float32."""
    constants = {"half": np.float32(0.5), "one": np.float32(1), "axis": np.array([2])}
    values = [
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in one.items()] for one in (inputs, outputs)
    ]
    graph = helper.make_graph(
        nodes, "g", *values, [*(onnx.numpy_helper.from_array(np.array(v), k) for k, v in constants.items()), *weights]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(*one) for one in opsets], ir_version=8)
    found = {"sfreq": sfreq, "hop": hop, "delay": delay} if metadata is None else metadata
    helper.set_model_props(model, {key: str(value) for key, value in found.items()})
    path.write_bytes(model.SerializeToString())
    return path


def leaky(n_bins=193, n_channels=1):
    """Nodes, inputs and outputs of a model with a memory: the mean power of each frequency over some hops."""
    nodes = [
        helper.make_node("Mul", ["spectra", "spectra"], ["squares"]),
        helper.make_node("ReduceSum", ["squares", "axis"], ["power"], keepdims=0),
        helper.make_node("Mul", ["memory", "half"], ["kept"]),
        helper.make_node("Add", ["kept", "power"], ["new_memory"]),
        helper.make_node("Add", ["new_memory", "one"], ["more"]),
        helper.make_node("Div", ["new_memory", "more"], ["first"]),
        helper.make_node("Sub", ["one", "first"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["masks"], axis=0),
    ]
    memory = (n_channels, n_bins)
    inputs = {"spectra": (n_channels, n_bins, 2), "memory": memory}
    return nodes, inputs, {"masks": (2 * n_channels, n_bins), "new_memory": memory}


def leaky_masks(spectra):
    """The same in NumPy, in float64: spectra of one microphone, shape (n_hops, n_bins); masks (n_hops, 2, n_bins)."""
    memory, found = 0.0, []
    for one in spectra:
        memory = 0.5 * memory + np.abs(one.astype(complex)) ** 2
        found.append(np.stack([memory / (memory + 1), 1 - memory / (memory + 1)]))
    return np.array(found)


def slow(n_bins=193, size=1500):
    """A model that multiplies large matrices, which takes many times as long as a hop."""
    nodes, inputs, outputs = leaky(n_bins)
    nodes += [
        helper.make_node("ReduceMax", ["new_memory"], ["level"], keepdims=0),
        helper.make_node("Expand", ["level", "shape"], ["matrix"]),
        helper.make_node("MatMul", ["matrix", "matrix"], ["product"]),
        helper.make_node("ReduceMin", ["product"], ["least"], keepdims=0),
        helper.make_node("Min", ["least", "one"], ["bounded"]),
        helper.make_node("Mul", ["bounded", "zero"], ["nothing"]),
        helper.make_node("Add", ["new_memory", "nothing"], ["new_late"]),
    ]
    inputs["late"] = outputs["new_late"] = (1, n_bins)
    weights = [
        onnx.numpy_helper.from_array(np.array([size, size]), "shape"),
        onnx.numpy_helper.from_array(np.float32(0), "zero"),
    ]
    return nodes, inputs, outputs, weights
