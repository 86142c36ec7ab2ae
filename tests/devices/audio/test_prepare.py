import sys

import numpy as np
import pyloudnorm
import pytest
import soundfile
from audio_scenes import noise, tone

from earmark.devices.audio.prepare import kemar, prepare
from earmark.devices.audio.scene import AudioError, Scene, Talker
from earmark.devices.audio.space import speech_gain


def speech(seed, n, level):
    """Noise with modulated amplitude."""
    swell = np.repeat(10 ** np.random.default_rng(seed).uniform(-2, 0, n // 4000 + 1), 4000)[:n]
    return noise(seed, n, level) * swell


def written(path, x, sfreq=48_000, subtype="DOUBLE"):
    soundfile.write(path, x, sfreq, subtype=subtype)
    return str(path)


def scene_of(*sources, space="left_right", **keys):
    talker = {key: keys.pop(key) for key in ("loop", "start_s") if key in keys}
    return Scene(tuple(Talker(f"t{i}", source, **talker) for i, source in enumerate(sources)), space=space, **keys)


@pytest.mark.parametrize("level", [1.0, 0.1, 1e-6])
@pytest.mark.parametrize("sfreq", [16_000, 44_100, 48_000])
def test_loudness_is_normalised_to_the_target(tmp_path, level, sfreq):
    path = written(tmp_path / "a.wav", speech(0, 5 * sfreq, level), sfreq)
    (pcm,) = prepare(scene_of(path, loudness_lufs=-23.0)).pcm
    assert pcm.dtype == np.float32
    assert abs(len(pcm) - 5 * 48_000) <= 1
    assert pyloudnorm.Meter(48_000).integrated_loudness(pcm.astype(float)) == pytest.approx(-23, abs=0.1)


def test_loudness_of_a_tone_agrees_with_the_standard(tmp_path):
    """A full-scale sine of 997 Hz in one channel is at -3.01 LUFS (ITU-R BS.1770-4)."""
    path = written(tmp_path / "a.wav", 0.3 * tone(48_000 * 3, 997.0))
    (pcm,) = prepare(scene_of(path, loudness_lufs=-26.0)).pcm
    amplitude = np.sqrt(2 * np.mean(pcm[:96_000].astype(float) ** 2))
    assert 20 * np.log10(amplitude) == pytest.approx(-26 + 3.01, abs=0.1)


@pytest.mark.parametrize("sfreq", [16_000, 44_100, 96_000])
def test_resampling_keeps_a_tone(tmp_path, sfreq):
    path = written(tmp_path / "a.wav", 0.5 * tone(2 * sfreq, 1000.0, sfreq), sfreq)
    (pcm,) = prepare(scene_of(path, loudness_lufs=None)).pcm
    np.testing.assert_allclose(pcm[4800:-4800], 0.5 * tone(len(pcm), 1000.0)[4800:-4800], atol=1e-4)


def test_samples_are_unchanged_without_loudness_target_at_the_same_rate(tmp_path):
    x = noise(0, 1000)
    (looped,) = prepare(scene_of(written(tmp_path / "a.wav", x, subtype="FLOAT"), loudness_lufs=None, loop=True)).pcm
    np.testing.assert_array_equal(looped, x)


def test_files_that_do_not_loop_fade_out(tmp_path):
    path = written(tmp_path / "a.wav", np.ones(1000))
    (once,) = prepare(scene_of(path, loudness_lufs=None)).pcm
    assert np.all(once[:760] == 1)
    assert once[-1] == 0
    assert np.all(np.diff(once[760:]) < 0)
    assert np.abs(np.diff(once)).max() < 0.01


def test_one_channel_of_a_file_can_be_selected(tmp_path):
    x = np.stack([noise(0, 1000), noise(1, 1000)], axis=1)
    path = written(tmp_path / "a.wav", x, subtype="FLOAT")
    first, second = prepare(scene_of(f"{path}#1", f"{path}#2", loudness_lufs=None, loop=True)).pcm
    np.testing.assert_array_equal(first, x[:, 0])
    np.testing.assert_array_equal(second, x[:, 1])


def test_a_number_sign_in_a_file_name_is_part_of_the_name(tmp_path):
    x = noise(0, 1000)
    path = written(tmp_path / "take.wav", x, subtype="FLOAT")
    odd = tmp_path / "take.wav#3"
    odd.write_bytes((tmp_path / "take.wav").read_bytes())
    (pcm,) = prepare(scene_of(str(odd), loudness_lufs=None, loop=True)).pcm
    np.testing.assert_array_equal(pcm, x)
    with pytest.raises(AudioError, match="names channel 4, but the file has 1, counted from 1"):
        prepare(scene_of(f"{path}#4"))


def test_live_talkers_have_no_samples(tmp_path):
    path = written(tmp_path / "a.wav", noise(0, 48_000))
    first, second, third = prepare(scene_of("input:1", path, "lsl:voice")).pcm
    assert first is None
    assert third is None
    assert second is not None


def damaged(x, at, value):
    x = np.array(x, float)
    x[at] = value
    return x


@pytest.mark.parametrize(
    ("x", "keys", "message"),
    [
        (np.zeros(0), {}, "holds no samples; use another file"),
        (np.zeros(48_000), {}, "is silent, so there is no loudness to match"),
        (noise(0, 19_000), {}, "lasts 0.396 s, but loudness is defined from 0.4 s on; use a longer file, or set"),
        (np.zeros((48_000, 2)), {}, "has 2 channels; mix it to mono, or name one channel as .*a.wav#1"),
        (
            damaged(noise(0, 48_000), 4800, np.nan),
            {},
            "has a sample that is not finite, at 0.100 s; export it again",
        ),
        (
            damaged(noise(0, 48_000), 4800, -np.inf),
            {},
            "has a sample that is not finite, at 0.100 s; export it again",
        ),
        (noise(0, 48_000), {"start_s": 1.0}, "lasts 1.000 s, but start_s is 1 s; lower start_s"),
    ],
)
def test_unfit_files_are_refused_by_name_with_the_fix(tmp_path, x, keys, message):
    path = written(tmp_path / "a.wav", x)
    with pytest.raises(AudioError, match=f"talker 't0': {path} {message}"):
        prepare(scene_of(path, **keys))


def test_files_that_are_not_sound_are_refused(tmp_path):
    with pytest.raises(AudioError, match=r"talker 't0': .*nowhere.wav is not there; give the path of"):
        prepare(scene_of(str(tmp_path / "nowhere.wav")))
    (tmp_path / "text.wav").write_text("not sound")
    with pytest.raises(AudioError, match=r"talker 't0': .*text.wav cannot be read as sound \(.*; give the path of"):
        prepare(scene_of(str(tmp_path / "text.wav")))
    with pytest.raises(AudioError, match="cannot be read as sound"):
        prepare(scene_of(str(tmp_path)))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"talkers": ()}, "talkers is 0, but must be 1 to 8"),
        ({"sfreq": np.nan}, "sfreq is nan"),
        ({"block": 8}, "block is 8, but must be 16 to 8192"),
        ({"space": "quad"}, "space is quad, but must be one of hrtf, itd_ild, left_right"),
        ({"ceiling_dbfs": 0.0}, "ceiling_dbfs is 0.0, but must be -60 to -1 dBFS"),
        ({"ceiling_dbfs": -61.0}, "ceiling_dbfs is -61.0"),
        ({"ceiling_dbfs": np.nan}, "ceiling_dbfs is nan"),
        ({"min_gain_db": -121.0}, "min_gain_db is -121.0, but must be -120 or more"),
        ({"max_gain_db": 25.0}, "max_gain_db is 25.0"),
        ({"max_gain_db": -50.0}, "max_gain_db is -50.0"),
        ({"lookahead_s": 0.1}, "lookahead_s is 0.1"),
        ({"release_s": 0.0}, "release_s is 0.0"),
        ({"loudness_lufs": np.nan}, "loudness_lufs is nan"),
        ({"talkers": (Talker("a", "f", azimuth=np.nan),)}, "talker 'a': azimuth is nan"),
        ({"talkers": (Talker("a", "f", start_s=np.inf),)}, "talker 'a': start_s is inf"),
        ({"talkers": (Talker("a", "f", start_s=-1.0),)}, "talker 'a': start_s is -1.0"),
        ({"talkers": (Talker("a", "f"), Talker("a", "g"))}, "two talkers have the same name among a, a"),
    ],
)
def test_invalid_scenes_are_refused(keys, message):
    with pytest.raises(AudioError, match=message):
        Scene(**{"talkers": (Talker("a", "f"),), **keys})


@pytest.mark.parametrize("sfreq", [16_000.0, 44_100.0, 48_000.0])
def test_kemar_is_louder_on_the_side_of_the_source(sfreq):
    pytest.importorskip("slab")
    azimuths, responses = kemar(sfreq)
    np.testing.assert_array_equal(azimuths, np.arange(-90, 91, 5))
    assert speech_gain(responses[18], sfreq) == pytest.approx(1)
    power = (responses**2).sum(axis=2)
    peak = np.abs(responses).argmax(axis=2)
    for index in range(20, 37):  # from 10 degrees on
        assert power[index, 1] > 1.2 * power[index, 0]
        assert peak[index, 1] < peak[index, 0]
    lag = (peak[-1, 0] - peak[-1, 1]) / sfreq
    assert 0.0005 < lag < 0.0009
    np.testing.assert_allclose(responses, responses[::-1, ::-1], atol=1e-6)
    onset = (np.abs(responses) > 0.05 * np.abs(responses).max(axis=2, keepdims=True)).argmax(axis=2).min()
    assert onset / sfreq < 0.001, "no common delay"


def test_kemar_is_the_same_at_any_rate():
    pytest.importorskip("slab")
    frequency = np.linspace(300, 6000, 50)

    def gains(sfreq):
        _, responses = kemar(sfreq)
        turn = np.exp(-2j * np.pi * frequency[:, None] * np.arange(responses.shape[2]) / sfreq)
        return 20 * np.log10(np.abs(responses @ turn.T))

    np.testing.assert_allclose(gains(48_000.0), gains(44_100.0), atol=0.3)


def test_prepare_makes_the_responses_of_any_space(tmp_path):
    path = written(tmp_path / "a.wav", noise(0, 48_000))
    for kind in ("itd_ild", "left_right"):
        made = prepare(scene_of(path, space=kind))
        assert made.hrir.shape[:2] == (len(made.hrir_azimuths), 2) == (181, 2)
    pytest.importorskip("slab")
    placed = prepare(scene_of(path, space="hrtf"))
    assert placed.hrir.shape[:2] == (37, 2)


def test_without_slab_the_fix_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "slab", None)
    path = written(tmp_path / "a.wav", noise(0, 48_000))
    with pytest.raises(AudioError, match='pip install slab, or set space = "itd_ild"'):
        prepare(scene_of(path, space="hrtf"))
    assert prepare(scene_of(path, space="itd_ild")).pcm[0] is not None
