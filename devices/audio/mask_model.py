"""Separators in ONNX files: what such a file must declare, and how it is run hop by hop."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.scene import AudioError
from earmark.devices.files.regular_file import open_regular
from earmark.kernels.extras import install
from earmark.pipeline.scene.separator import LEAST, MOST_DELAY_S
from earmark.pipeline.scene.transform import Analysis, Framing

#: Greatest size of a file, and of the state of a model, in bytes.
MAX_BYTES, MAX_STATE = 256 << 20, 16 << 20
#: What a model may hear, and what it may answer.
HEARD, DIRECTIONS, ANSWERS = ("audio", "spectra"), "directions", ("masks", "parts")
#: What ``metadata_props`` of a model must have, in samples but for ``sfreq``, in Hz.
METADATA = ("sfreq", "hop", "delay")
#: Before the name of a state among the inputs, this makes its name among the outputs.
NEW = "new_"
#: Least version of ONNX's operators.
OLDEST_OPSET = 13


@dataclass(frozen=True, slots=True)
class Model:
    """What an ONNX file declares.

    Attributes
    ----------
    path, sha256 : str
    heard : str
        ``audio``, the newest samples, shape (n_channels, hop), or ``spectra``, shape (n_channels, n_bins, 2).
    n_channels : int
        1 for the reference microphone, or all microphones.
    answer : str
        ``masks``, shape (n_places, n_bins), or ``parts``, the samples of talkers, shape (n_places, hop).
    delay : int
        Samples by which answers are later than what was heard.
    directed : bool
        Whether it is told the directions of talkers, and so answers in their order.
    states : tuple of (str, tuple of int, str)
        Name, shape and NumPy type of each state.
    """

    path: str
    sha256: str
    heard: str
    n_channels: int
    answer: str
    delay: int
    directed: bool
    states: tuple[tuple[str, tuple[int, ...], str], ...]


def read_model(path: Path, framing: Framing, n_mics: int, n_places: int) -> tuple[Model, bytes]:
    """Read an ONNX file, and check that it is a separator for these microphones.

    Parameters
    ----------
    path : Path
    framing : Framing
    n_mics, n_places : int
        Numbers of microphones and talkers.

    Returns
    -------
    model : Model
    data : bytes
        The file.

    Raises
    ------
    AudioError
        If ONNX is not installed, or the file cannot be used; names what does not fit, and the fix.
    """

    def error(problem: str) -> AudioError:
        return AudioError(f"array: separator {path} {problem}")

    try:
        import onnx
        import onnxruntime  # noqa: F401 - a session would miss it later
    except ImportError as missing:
        raise error(f"needs a library that is not installed ({missing.name}): {install('onnx')}") from missing
    try:
        with open_regular(path, MAX_BYTES) as file:
            data = file.read()
    except OSError as why:
        raise error(f"cannot be read: {why.strerror or why}") from why
    try:
        proto = onnx.load_model_from_string(data)
        _bounded(proto, error)
        onnx.checker.check_model(proto)
    except AudioError:
        raise
    except Exception as why:  # errors of protobuf and ONNX derive from Exception alone
        raise error(f"is no valid ONNX file: {_first_line(why)}; export it again") from why
    return _declared(proto, framing, n_mics, n_places, str(path), hashlib.sha256(data).hexdigest(), error), data


def _bounded(proto: Any, error: Any) -> None:
    """Refuse files of more than standard operators and their own weights."""
    import onnx

    domains = {one.domain: one.version for one in proto.opset_import}
    if other := sorted(set(domains) - {"", "ai.onnx"}):
        raise error(f"has operators of {', '.join(other)}, but only those of ONNX itself are run; export it without")
    version, newest = max(domains.values(), default=0), onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= version <= newest:
        raise error(f"has opset {version}, but must have {OLDEST_OPSET} to {newest}; export it with one of these")
    if proto.functions:
        raise error("has functions; inline them (onnx.inliner.inline_local_functions)")
    for tensor in _tensors(proto.graph):
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise error("keeps weights in another file; save it in one (onnx.save with save_as_external_data=False)")


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for one in node.attribute:
            yield from (one.t, *one.tensors)
            for inner in (one.g, *one.graphs):
                if inner.node or inner.initializer:
                    yield from _tensors(inner)


def _declared(proto: Any, framing: Framing, n_mics: int, n_places: int, path: str, sha256: str, error: Any) -> Model:
    found = {one.key: one.value for one in proto.metadata_props}
    numbers = {}
    for key in METADATA:
        try:
            numbers[key] = float(found[key])
        except (KeyError, ValueError):
            numbers[key] = math.nan
        if not math.isfinite(numbers[key]):
            raise error(f"has no number {key!r} in metadata_props, but must declare {', '.join(METADATA)}; add it")
    for key, wanted, fix in (
        ("sfreq", framing.sfreq, "set sfreq of [sound] to that of the model"),
        ("hop", framing.hop, f"set window_s of [array] to {2 * numbers['hop'] / framing.sfreq:g}"),
    ):
        if numbers[key] != wanted:
            raise error(f"has a {key} of {numbers[key]:g}, but the session has {wanted:g}; {fix}, or export another")
    delay = numbers["delay"]
    if delay < 0 or delay % framing.hop or delay > MOST_DELAY_S * framing.sfreq:
        raise error(f"has a delay of {delay:g} samples, but must have 0 or whole hops of {framing.hop}, 0.1 s at most")

    inside = {one.name for one in proto.graph.initializer}
    inputs = {one.name: _shape(one, error) for one in proto.graph.input if one.name not in inside}
    outputs = {one.name: _shape(one, error) for one in proto.graph.output}
    heard, answer = [name for name in HEARD if name in inputs], [name for name in ANSWERS if name in outputs]
    if len(heard) != 1 or len(answer) != 1:
        raise error(
            f"has inputs {', '.join(inputs)} and outputs {', '.join(outputs)}, but must have one input of "
            f"{' or '.join(HEARD)} and one output of {' or '.join(ANSWERS)}; rename them"
        )
    shape, kind = inputs.pop(heard[0])
    inner = (framing.hop,) if heard[0] == "audio" else (framing.n_bins, 2)
    if shape not in ((1, *inner), (n_mics, *inner)) or kind != "float32":
        raise error(f"hears {heard[0]} {shape} {kind}, but must hear {(1, *inner)} or {(n_mics, *inner)} float32")
    wanted_answer = (n_places, framing.n_bins if answer[0] == "masks" else framing.hop)
    if outputs.pop(answer[0]) != (wanted_answer, "float32"):
        raise error(f"must answer {answer[0]} {wanted_answer} float32: {n_places} talkers, as [[sound.talkers]] has")
    told = inputs.pop(DIRECTIONS, None)
    if told not in (None, ((n_places,), "float32")):
        raise error(f"must take {DIRECTIONS} as ({n_places},) float32, if at all")
    for name, one in inputs.items():
        if outputs.get(NEW + name) != one:
            raise error(f"has the state {name!r} {one[0]} {one[1]}, but no output {NEW + name!r} like it; add it")
    if extra := sorted(set(outputs) - {NEW + name for name in inputs}):
        raise error(f"has outputs that nobody reads: {', '.join(extra)}; leave them out")
    if sum(np.dtype(kind).itemsize * math.prod(shape) for shape, kind in inputs.values()) > MAX_STATE:
        raise error(f"has states of more than {MAX_STATE >> 20} MB; use a smaller model")
    states = tuple((name, shape, kind) for name, (shape, kind) in inputs.items())
    return Model(path, sha256, heard[0], shape[0], answer[0], int(delay), told is not None, states)


def _shape(value: Any, error: Any) -> tuple[tuple[int, ...], str]:
    """Return shape and NumPy type of an input or output."""
    import onnx

    tensor = value.type.tensor_type
    shape = tuple(int(one.dim_value) for one in tensor.shape.dim)
    if not all(n > 0 for n in shape):
        raise error(f"has {value.name!r} with dimensions that are not fixed; export it with fixed shapes")
    kind = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.INT64: "int64"}.get(tensor.elem_type)
    if kind is None:
        raise error(f"has {value.name!r} of another type than float32 or int64; convert it")
    return shape, kind


class Network:
    """Run a model hop by hop, and keep its state.

    Parameters
    ----------
    model : Model
    data : bytes
        Its file.
    framing : Framing
    flush : bool
        Whether numbers below 1e-38 become zero, because they are slow; this thread then has none of them, ever after.

    Raises
    ------
    AudioError
        If ONNX Runtime refuses it.
    """

    def __init__(self, model: Model, data: bytes, framing: Framing, flush: bool = False) -> None:
        import onnxruntime

        self._model, self._hop, self._taper = model, framing.hop, framing.taper[framing.hop :]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        options.add_session_config_entry("session.set_denormal_as_zero", str(int(flush)))
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors derive from Exception alone
            raise AudioError(f"array: separator {model.path}: ONNX Runtime refuses it: {_first_line(error)}") from error
        self._names = [model.answer, *[NEW + name for name, _, _ in model.states]]
        self._analysis: Analysis | None = None
        self._framing = framing
        self.reset()

    def warm_up(self, n_places: int) -> None:
        """Run it a few times, because the first takes long, and forget that."""
        for _ in range(3):
            self.run(
                np.zeros((self._model.n_channels, self._framing.n_bins), np.complex64), np.zeros(n_places, np.float32)
            )
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard: states are zeros."""
        self._states = {name: np.zeros(shape, kind) for name, shape, kind in self._model.states}
        self._analysis = None

    def run(self, spectra: NDArray[np.complex64], directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return masks for the next hop; after an answer that is not finite, states are zeros again.

        Parameters
        ----------
        spectra : array, shape (n_channels, n_bins)
        directions : array, shape (n_places,)
            Azimuths in degrees, NaN for unused places.

        Returns
        -------
        array, shape (n_places, n_bins)
            As the model says, or shares of the power of the parts that it says.
        """
        fed: dict[str, Any] = dict(self._states)
        if self._model.heard == "spectra":
            fed["spectra"] = np.stack([spectra.real, spectra.imag], axis=2)
        else:  # the newest hop, without its taper
            fed["audio"] = (np.fft.irfft(spectra)[:, self._hop :] / self._taper).astype(np.float32)
        if self._model.directed:
            fed[DIRECTIONS] = directions
        answer, *states = self._session.run(self._names, fed)
        self._states = dict(zip(self._states, states, strict=True))
        if not np.isfinite(answer).all():
            self.reset()
            return np.full((1, self._framing.n_bins), np.nan, np.float32)
        if self._model.answer == "masks":
            return np.asarray(answer, np.float32)
        if self._analysis is None:
            self._analysis = Analysis(self._framing, len(answer))
        found = self._analysis.push(answer)
        power = found.real**2 + found.imag**2 + LEAST
        return np.asarray(power / power.sum(axis=0), np.float32)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
