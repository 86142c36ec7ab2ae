"""What an ONNX file must declare to separate talkers, and what it computes."""

import sys

import numpy as np
import pytest
from mask_models import helper, leaky, leaky_masks, onnx, save

from earmark.devices.audio import mask_model
from earmark.devices.audio.mask_model import Network, read_model
from earmark.devices.audio.scene import AudioError
from earmark.pipeline.scene.transform import Analysis, Framing

FRAMING = Framing(48_000)


def spectra(n=20, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((channels, n * FRAMING.hop)).astype(np.float32)
    analysis = Analysis(FRAMING, channels)
    found = [analysis.push(x[:, k * FRAMING.hop : (k + 1) * FRAMING.hop]).copy() for k in range(n)]
    return x, np.array(found)


def network(path, n_mics=6):
    model, data = read_model(path, FRAMING, n_mics, 2)
    return model, Network(model, data, FRAMING)


def test_a_model_with_state_computes_what_numpy_does(tmp_path):
    model, net = network(save(tmp_path / "m.onnx", *leaky()))
    assert (model.heard, model.n_channels, model.answer, model.delay, model.directed) == (
        "spectra",
        1,
        "masks",
        0,
        False,
    )
    assert model.states == (("memory", (1, 193), "float32"),)
    _, given = spectra()
    wanted = leaky_masks(given[:, 0])
    net.warm_up(2)
    for _ in range(2):
        found = [net.run(one, np.zeros(2, np.float32)).copy() for one in given]
        np.testing.assert_allclose(found, wanted, atol=2e-6)
        net.reset()


def test_audio_of_all_microphones_in_and_parts_out(tmp_path):
    """The first two microphones are the parts: masks are shares of their power, with what was heard bit by bit."""
    nodes = [
        helper.make_node("Slice", ["audio", "zero", "two"], ["parts"]),
        helper.make_node("Add", ["past", "audio"], ["new_past"]),
    ]
    weights = [onnx.numpy_helper.from_array(np.array([k]), name) for name, k in (("zero", 0), ("two", 2))]
    shape = (3, FRAMING.hop)
    path = save(
        tmp_path / "m.onnx",
        nodes,
        {"audio": shape, "past": shape},
        {"parts": (2, FRAMING.hop), "new_past": shape},
        weights=weights,
        delay=192,
    )
    model, net = network(path, 3)
    assert (model.heard, model.n_channels, model.answer, model.delay) == ("audio", 3, "parts", 192)
    x, given = spectra(channels=3)
    found = np.array([net.run(one, np.zeros(2, np.float32)) for one in given])
    power = np.abs(given[:, :2].astype(complex)) ** 2
    np.testing.assert_allclose(found, power / power.sum(axis=1, keepdims=True), atol=1e-3)
    summed = x.reshape(3, 20, FRAMING.hop).sum(axis=1)
    np.testing.assert_allclose(net._states["past"], summed, atol=2e-4 * np.abs(summed).max())


def test_directions_are_told_to_a_model_that_asks(tmp_path):
    nodes, inputs, outputs = leaky()
    nodes.append(helper.make_node("Identity", ["directions"], ["new_seen"]))
    inputs |= {"directions": (2,), "seen": (2,)}
    outputs["new_seen"] = (2,)
    model, net = network(save(tmp_path / "m.onnx", nodes, inputs, outputs))
    assert model.directed
    net.run(spectra(1)[1][0], np.array([-30, np.nan], np.float32))
    np.testing.assert_array_equal(net._states["seen"], np.float32([-30, np.nan]))


def test_states_start_anew_after_an_answer_that_is_not_finite(tmp_path):
    _, net = network(save(tmp_path / "m.onnx", *leaky()))
    _, given = spectra(5)
    assert np.isnan(net.run(np.full((1, 193), np.complex64(1e30)), np.zeros(2, np.float32))).all()
    found = [net.run(one, np.zeros(2, np.float32)).copy() for one in given]
    np.testing.assert_allclose(found, leaky_masks(given[:, 0]), atol=2e-6)


def changed(**changes):
    nodes, inputs, outputs = leaky()
    inputs, outputs = inputs | changes.pop("inputs", {}), outputs | changes.pop("outputs", {})
    for name in changes.pop("without", ()):
        inputs.pop(name, None)
        outputs.pop(name, None)
    return {"nodes": nodes + changes.pop("nodes", []), "inputs": inputs, "outputs": outputs, **changes}


EXTERNAL = onnx.numpy_helper.from_array(np.zeros(100, np.float32), "big")
EXTERNAL.ClearField("raw_data")
EXTERNAL.data_location = onnx.TensorProto.EXTERNAL
EXTERNAL.external_data.add(key="location", value="passwd")
HIDDEN = onnx.numpy_helper.from_array(np.zeros(4, np.float32), "t")
HIDDEN.ClearField("raw_data")
HIDDEN.data_location = onnx.TensorProto.EXTERNAL
HIDDEN.external_data.add(key="location", value="passwd")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metadata": {}}, "has no number 'sfreq' in metadata_props, but must declare sfreq, hop, delay; add it"),
        ({"metadata": {"sfreq": 48000, "hop": "many", "delay": 0}}, "has no number 'hop'"),
        ({"metadata": {"sfreq": 48000, "hop": 192, "delay": "nan"}}, "has no number 'delay'"),
        ({"sfreq": 8000}, "has a sfreq of 8000, but the session has 48000; set sfreq of .sound."),
        ({"hop": 384}, r"has a hop of 384, but the session has 192; set window_s of .array. to 0\.016"),
        ({"delay": 100}, "has a delay of 100 samples, but must have 0 or whole hops of 192"),
        ({"delay": -192}, "has a delay of -192 samples"),
        ({"delay": 192 * 26}, r"has a delay of 4992 samples.* 0\.1 s at most"),
        (
            {"inputs": {"audio": (1, 192)}},
            "has inputs .* but must have one input of audio or spectra and one output of masks or parts; rename",
        ),
        ({"without": ["new_memory"]}, "has the state 'memory' .*, but no output 'new_memory' like it; add it"),
        ({"inputs": {"other": (2, 2)}}, "has the state 'other'"),
        (
            {"nodes": [helper.make_node("Identity", ["half"], ["debug"])], "outputs": {"debug": ()}},
            "has outputs that nobody reads: debug; leave them out",
        ),
        ({"inputs": {"directions": (3,)}}, r"must take directions as \(2,\) float32, if at all"),
        ({"opsets": (("", 9),)}, "has opset 9, but must have 13 to"),
        ({"opsets": (("", 17), ("com.microsoft", 1))}, "has operators of com.microsoft, but only those of ONNX itself"),
        ({"weights": [EXTERNAL]}, "keeps weights in another file; save it in one"),
        (
            {
                "nodes": [
                    helper.make_node("Constant", [], ["c"], value=HIDDEN),
                ]
            },
            "keeps weights in another file; save it in one",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(tmp_path, changes, words):
    path = save(tmp_path / "m.onnx", **changed(**changes))
    with pytest.raises(AudioError, match=r"array: separator .*m\.onnx (" + words + ")"):
        read_model(path, FRAMING, 6, 2)


def test_shapes_of_other_microphones_talkers_or_sizes_are_refused(tmp_path):
    path = save(tmp_path / "m.onnx", *leaky())
    with pytest.raises(AudioError, match=r"must answer masks \(3, 193\) float32: 3 talkers, as .*sound.talkers.* has"):
        read_model(path, FRAMING, 6, 3)
    path = save(tmp_path / "m.onnx", *leaky(n_channels=4))
    with pytest.raises(AudioError, match=r"hears spectra \(4, 193, 2\) float32, but must hear .* or \(6, 193, 2\)"):
        read_model(path, FRAMING, 6, 2)
    nodes, inputs, outputs = leaky()
    path = save(tmp_path / "m.onnx", nodes, inputs | {"spectra": ("n", 193, 2)}, outputs)
    with pytest.raises(AudioError, match="has 'spectra' with dimensions that are not fixed"):
        read_model(path, FRAMING, 6, 2)
    big = {"m": (1, 5_000_000)}
    nodes.append(helper.make_node("Identity", ["m"], ["new_m"]))
    path = save(tmp_path / "m.onnx", nodes, inputs | big, outputs | {"new_m": (1, 5_000_000)})
    with pytest.raises(AudioError, match="has states of more than 16 MB"):
        read_model(path, FRAMING, 6, 2)


def test_a_type_that_nobody_feeds_is_refused(tmp_path):
    path = save(tmp_path / "m.onnx", *leaky())
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    path.write_bytes(model.SerializeToString())
    with pytest.raises(AudioError, match="of another type than float32 or int64; convert it"):
        read_model(path, FRAMING, 6, 2)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08" * 1000, bytes(range(256)) * 40])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(AudioError, match=r"is no valid ONNX file: .*; export it again|has opset 0"):
        read_model(tmp_path / "m.onnx", FRAMING, 6, 2)


def test_a_missing_or_huge_file_is_refused(tmp_path, monkeypatch):
    with pytest.raises(AudioError, match="cannot be read: No such file"):
        read_model(tmp_path / "m.onnx", FRAMING, 6, 2)
    path = save(tmp_path / "m.onnx", *leaky())
    monkeypatch.setattr(mask_model, "MAX_BYTES", 100)
    with pytest.raises(AudioError, match=r"cannot be read: it has .* bytes, more than the 100"):
        read_model(path, FRAMING, 6, 2)


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_libraries_the_extra_is_named(tmp_path, monkeypatch, missing):
    path = save(tmp_path / "m.onnx", *leaky())
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(AudioError, match=r"needs a library that is not installed.*pip install '\.\[onnx\]'"):
        read_model(path, FRAMING, 6, 2)


def test_what_onnx_runtime_refuses_is_refused_with_its_words(tmp_path):
    nodes, inputs, outputs = leaky()
    nodes[0] = helper.make_node("Mul", ["spectra", "wide"], ["squares"])
    wide = onnx.numpy_helper.from_array(np.zeros(7, np.float32), "wide")
    model, data = read_model(save(tmp_path / "m.onnx", nodes, inputs, outputs, weights=[wide]), FRAMING, 6, 2)
    with pytest.raises(AudioError, match="ONNX Runtime refuses it: "):
        Network(model, data, FRAMING)
