import hashlib
import shutil

import numpy as np
import pytest

from earmark.devices.audio.mask_network import FOLDER, TEXT, WEIGHTS, mask_network, network_masks
from earmark.pipeline.scene.array import preset
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.network import SHAPES, NetworkMasks
from earmark.pipeline.scene.transform import Framing


@pytest.fixture
def folder(tmp_path):
    for name in (TEXT, WEIGHTS):
        shutil.copy(FOLDER / name, tmp_path / name)
    return tmp_path


def test_the_weights_are_those_of_the_network():
    weights = mask_network()
    assert {name: one.shape for name, one in weights.items()} == SHAPES
    assert all(one.dtype == np.float32 and np.isfinite(one).all() for one in weights.values())
    assert (FOLDER / WEIGHTS).stat().st_size < 1_100_000


def test_origin_and_licence_are_beside_them():
    text = (FOLDER / TEXT).read_text()
    for word in ("LibriSpeech", "CC BY 4.0", "benchmarks.train_mask"):
        assert word in text


@pytest.mark.parametrize("name", [TEXT, WEIGHTS])
def test_a_file_that_is_missing_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(SceneError, match=rf"{name} cannot be read: No such file.*install Earmark again"):
        mask_network(folder)


@pytest.mark.parametrize("at", [0, 20_000, -1])
def test_a_byte_that_is_wrong_is_found(folder, at):
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[at] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(SceneError, match=r"is damaged: it is not what mask\.toml describes"):
        mask_network(folder)


@pytest.mark.parametrize("text", ["", "sha256 = ", "other = 1"])
def test_a_text_that_is_none_is_an_error(folder, text):
    (folder / TEXT).write_text(text)
    with pytest.raises(SceneError, match=r"mask\.toml is damaged"):
        mask_network(folder)


def test_weights_that_are_none_are_an_error(folder):
    content = b"no weights"
    (folder / WEIGHTS).write_bytes(content)
    (folder / TEXT).write_text(f'sha256 = "{hashlib.sha256(content).hexdigest()}"\n')
    with pytest.raises(SceneError, match=r"mask\.safetensors is damaged"):
        mask_network(folder)


def test_the_separator_has_these_weights():
    array, framing = preset("ears2"), Framing(48000)
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((2, 193)) + 1j * rng.standard_normal((2, 193))).astype(np.complex64)
    one, other = network_masks(array, framing, 3), NetworkMasks(array, framing, mask_network(), 3)
    azimuths = np.array([-30.0, 0.0, 40.0])
    np.testing.assert_array_equal(one.process(x, azimuths), other.process(x, azimuths))
