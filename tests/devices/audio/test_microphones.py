import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from audio_scenes import GLASSES
from audio_scenes import mixture_scene as scene

from earmark.devices.audio.microphones import array_of, ears_of_kemar, hear, read_responses
from earmark.devices.audio.prepare import prepare
from earmark.devices.audio.scene import KEMAR, AudioError, Microphones
from earmark.devices.audio.shared import SharedPrepared
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.scene.array import preset
from earmark.pipeline.scene.errors import SceneError

RNG = np.random.default_rng(0)


def written(path, n_channels=6, sfreq=48_000, n=24_000):
    x = 0.1 * RNG.standard_normal((n, n_channels))
    soundfile.write(path, x, sfreq, subtype="FLOAT")
    return x.astype(np.float32)


def of(source, **fields):
    return scene(source=str(source), **fields).scene


def test_file_is_heard_as_it_is(tmp_path):
    x = written(tmp_path / "m.wav")
    prepared = prepare(of(tmp_path / "m.wav"))
    np.testing.assert_array_equal(prepared.mics, x.T)
    assert prepared.pcm == (None, None)
    np.testing.assert_array_equal(prepared.array.positions, GLASSES.positions)


def test_channels_of_a_file_can_be_named_and_are_resampled(tmp_path):
    x = written(tmp_path / "m.wav", 8)
    _, mics = hear(of(f"{tmp_path / 'm.wav'}#2-7"))
    np.testing.assert_array_equal(mics, x[:, 1:7].T)
    written(tmp_path / "slow.wav", sfreq=16_000)
    assert hear(of(tmp_path / "slow.wav"))[1].shape == (6, 72_000)


@pytest.mark.parametrize(
    ("suffix", "n_channels", "message"),
    [
        ("", 4, "has 4 channels, but the array has 6 microphones; choose the preset"),
        ("", 8, r"has 8 channels, but the array has 6 microphones; .*m\.wav#1-6"),
        ("#1-9", 8, "names channels 1 to 9, but the file has 8"),
        ("#2-5", 8, "has 4 channels, but the array has 6"),
    ],
)
def test_files_with_other_channels_are_refused(tmp_path, suffix, n_channels, message):
    written(tmp_path / "m.wav", n_channels)
    with pytest.raises(AudioError, match=rf"array: microphones .*m\.wav{suffix} {message}"):
        hear(of(f"{tmp_path / 'm.wav'}{suffix}"))


def test_input_must_have_as_many_channels_as_the_array():
    assert hear(of("input:3-8"))[1] is None
    with pytest.raises(AudioError, match="'input:1-4' are 4 channels, but the array has 6 microphones"):
        hear(of("input:1-4"))


def test_prepared_microphones_are_shared(tmp_path):
    x = written(tmp_path / "m.wav")
    shared = SharedPrepared(prepare(of(tmp_path / "m.wav")))
    other = SharedPrepared(shared.at)
    np.testing.assert_array_equal(other.prepared.mics, x.T)
    assert other.prepared.array.n_mics == 6
    other.close()
    shared.close()


def with_responses(path):
    found = scene(None, preset("ears2"), source="input:1-2").scene
    return replace(found, microphones=replace(found.microphones, responses=str(path)))


def saved(path, **change):
    found = {"azimuths": np.arange(-90.0, 91, 30), "taps": RNG.standard_normal((7, 2, 64)), "sfreq": 48_000.0}
    np.savez(path, **{key: value for key, value in {**found, **change}.items() if value is not None})
    return path


def test_measured_responses_are_read(tmp_path):
    path = saved(tmp_path / "r.npz")
    found = read_responses(path)
    assert (found.taps.shape, found.sfreq) == ((7, 2, 64), 48_000.0)
    array, _ = hear(with_responses(path))
    assert array.responses is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"taps": None}, r"r\.npz has no taps, but azimuths, sfreq; write it with numpy\.savez"),
        ({"sfreq": np.ones(3)}, "has 3 values of sfreq"),
        ({"taps": np.array([{}], dtype=object)}, r"cannot be read \(.*allow_pickle"),
        ({"taps": np.array(["x"])}, "cannot be read"),
        ({"taps": np.zeros(9 << 20)}, "bytes unpacked, but must have"),
    ],
)
def test_wrong_responses_are_refused(tmp_path, change, message):
    path = tmp_path / "r.npz"
    saved(path, **change)
    if "bytes" in message:
        np.savez_compressed(path, taps=change["taps"])
    with pytest.raises(AudioError, match=message):
        read_responses(path)


def test_ears_of_kemar_hear_what_they_measured():
    pytest.importorskip("slab")
    ears = preset("ears2")
    mics = Microphones("lsl:x", tuple(map(tuple, ears.positions.tolist())), ears.ears, 0, ears.span, KEMAR)
    array = array_of(mics)
    assert array.responses.azimuths[[0, -1]].tolist() == [-90, 90]
    heard = np.abs(array.steering(np.array([-60.0, 60.0]), np.array([4000.0])))[0]
    assert heard[0, 0] > 1.5 * heard[1, 0], "the left ear is louder for sound from the left"
    np.testing.assert_allclose(heard[:, 0], heard[::-1, 1], rtol=0.2)
    with pytest.raises(SceneError, match=r"must be azimuths \(n,\) and taps \(n, 3, n_taps\)"):
        array_of(replace(mics, positions=(*mics.positions, (0.0, 0.1, 0.0))))


def test_missing_slab_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "slab", None)
    with pytest.raises(AudioError, match="pip install slab, or remove 'responses'"):
        ears_of_kemar()


def test_other_files_are_no_responses(tmp_path):
    with pytest.raises(AudioError, match="cannot be read"):
        read_responses(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(AudioError, match="cannot be read"):
        read_responses(tmp_path / "text.npz")
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    with pytest.raises(AudioError, match="has no azimuths and no taps and no sfreq, but nothing"):
        read_responses(tmp_path / "empty.npz")
    path = saved(tmp_path / "r.npz", taps=RNG.standard_normal((7, 3, 64)))
    with pytest.raises(EarmarkError, match=r"taps \(n, 2, n_taps\)"):
        hear(with_responses(path))
