"""Speech is read from sound files and stored envelopes; other files are refused."""

import io
import os
import zipfile

import numpy as np
import pytest
import soundfile

from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.speech_file import STORED_HZ, common_rate, read_speech
from earmark.devices.files.stored_envelope import read_heard

RNG = np.random.default_rng(0)


def modulated(rate, seconds=20, hz=3.0):
    """Noise with modulated amplitude."""
    t = np.arange(round(rate * seconds)) / rate
    return 0.2 * RNG.normal(size=len(t)) * (1 + np.cos(2 * np.pi * hz * t))


def test_envelopes_of_sounds_use_the_rate_of_stored_ones(tmp_path, caplog):
    soundfile.write(tmp_path / "her.wav", modulated(16000), 16000)
    np.savez(tmp_path / "b.npz", envelope=np.ones(1280), sfreq=64.0)
    np.savez(tmp_path / "c.npz", other=np.ones(1280))
    files = [(tmp_path / "her.wav", None), (tmp_path / "b.npz", None), (tmp_path / "c.npz", 64.0)]
    hz = common_rate(files)
    assert hz == 64
    assert "her.wav are computed, the others are stored" in caplog.text
    slow, rate = read_speech(tmp_path / "her.wav", hz=hz)
    assert (rate, len(slow)) == (64, pytest.approx(1280, abs=1))
    quick, rate = read_speech(tmp_path / "her.wav")
    assert rate == STORED_HZ
    at = np.arange(100, 1100)
    r = [np.corrcoef(slow[at, 0], quick[2 * at + lag, 0])[0, 1] for lag in (-4, -2, 0, 2, 4)]
    assert r[2] == max(r) > 0.9, "the two are aligned"
    assert common_rate(files[:1]) == STORED_HZ


def test_stored_envelopes_of_two_rates_are_refused_by_name(tmp_path):
    for name, hz in (("a", 64.0), ("b", 100.0)):
        np.savez(tmp_path / f"{name}.npz", envelope=np.ones(99), sfreq=hz)
    with pytest.raises(RunError, match=r"but they differ: .*a\.npz 64 Hz, .*b\.npz 100 Hz"):
        common_rate([(tmp_path / "a.npz", None), (tmp_path / "b.npz", None)])
    assert common_rate([(tmp_path / "a.npz", None), (tmp_path / "b.npz", 64.0)]) == 64


@pytest.mark.parametrize("name", ["x.wav", "x.npz", "x.flac"])
def test_missing_files_are_reported(tmp_path, name):
    with pytest.raises(RunError, match=rf"{name}: no such file"):
        read_speech(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(RunError, match="is not a file"):
        read_speech(tmp_path / name)
    (tmp_path / name).rmdir()
    os.mkfifo(tmp_path / name)
    with pytest.raises(RunError, match="is not a file"):
        read_speech(tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).write_bytes(b"nonsense" * 99)
    with pytest.raises(RunError, match=r"cannot be read as sound|is not a usable \.npz file"):
        read_speech(tmp_path / name)


def wav(rate, n_frames, data=b""):
    """A WAV header with arbitrary fields."""
    n_bytes = min(n_frames * 2, 0xFFFFFFFF - 36)
    head = b"RIFF" + (36 + n_bytes).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += (1).to_bytes(2, "little") * 2 + rate.to_bytes(4, "little") + (rate * 2 % 2**32).to_bytes(4, "little")
    return (
        head + (2).to_bytes(2, "little") + (16).to_bytes(2, "little") + b"data" + n_bytes.to_bytes(4, "little") + data
    )


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (wav(7, 16000, bytes(32000)), "says 7 Hz, but sound has 1000 to"),
        (wav(2_000_000_000, 16000, bytes(32000)), "says 2000000000 Hz"),
        (wav(16000, 0), "says that it has 0 frames"),
        (b"", "cannot be read as sound"),
    ],
)
def test_invalid_sound_files_are_refused_before_reading(tmp_path, raw, said):
    (tmp_path / "x.wav").write_bytes(raw)
    with pytest.raises(RunError, match=said):
        read_speech(tmp_path / "x.wav")


ENVELOPE = np.arange(100.0)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"sfreq": 64.0}, "has no 'envelope'; it has sfreq"),
        ({"envelope": ENVELOPE}, "has no 'sfreq'; it has envelope"),
        ({"envelope": ENVELOPE, "sfreq": 0.0}, "at 0 Hz is not an envelope"),
        ({"envelope": ENVELOPE, "sfreq": np.nan}, "at nan Hz is not an envelope"),
        ({"envelope": ENVELOPE, "sfreq": np.inf}, "at inf Hz is not an envelope"),
        ({"envelope": ENVELOPE, "sfreq": 1e22}, r"at 1e\+22 Hz is not an envelope"),
        ({"envelope": ENVELOPE, "sfreq": -64.0}, "at -64 Hz is not an envelope"),
        ({"envelope": ENVELOPE, "sfreq": [64.0, 64.0]}, "is not a usable"),
        ({"envelope": ENVELOPE, "sfreq": "fast"}, "is not a usable"),
        ({"envelope": ENVELOPE, "sfreq": 64j}, "is not a usable"),
        ({"envelope": ENVELOPE, "sfreq": 1e-9}, "longer or wider than any envelope"),
        ({"envelope": ENVELOPE.astype(complex), "sfreq": 64.0}, r"\(complex128\) at 64 Hz is not an envelope"),
        ({"envelope": np.array(["a", "b"]), "sfreq": 64.0}, "is not an envelope"),
        ({"envelope": np.array([object()], dtype=object), "sfreq": 64.0}, "is not a usable"),
        ({"envelope": np.zeros(3, dtype=[("a", "f8")]), "sfreq": 64.0}, "is not an envelope"),
        ({"envelope": 3.0, "sfreq": 64.0}, "is one number, but must be"),
        ({"envelope": np.zeros(0), "sfreq": 64.0}, "is 0, but must be"),
        ({"envelope": np.zeros((4, 0)), "sfreq": 64.0}, "is 4 x 0, but must be"),
        ({"envelope": ENVELOPE[None], "sfreq": 64.0}, r"is 1 x 100, but must be \(n_samples,\)"),
        ({"envelope": np.zeros((2, 2, 2)), "sfreq": 64.0}, "is 2 x 2 x 2, but must be"),
        ({"envelope": np.zeros((2, 5000)), "sfreq": 64.0}, "longer or wider"),
        ({"envelope": np.where(ENVELOPE == 64, np.nan, ENVELOPE), "sfreq": 64.0}, "is not finite from 1 s on"),
    ],
)
def test_arrays_that_are_not_envelopes_are_refused(tmp_path, arrays, said):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(RunError, match=said):
        read_speech(tmp_path / "x.npz")


def npy(header: str) -> bytes:
    raw = header.encode()
    return b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw


@pytest.mark.parametrize(
    "member",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }\n"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10,), }\n"),
        npy("{'descr': 'zz', 'fortran_order': False, 'shape': (10,), }\n"),
        npy("(((((((((("),
        npy("__import__('os').system('true')\n"),
        b"\x93NUMPY\x09\x00",
        b"",
    ],
)
def test_members_with_a_false_size_are_refused(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("envelope.npy", member)
        good = io.BytesIO()
        np.save(good, np.array(64.0))
        archive.writestr("sfreq.npy", good.getvalue())
    with pytest.raises(RunError, match=r"x\.npz"):
        read_speech(tmp_path / "x.npz")


def test_npy_file_named_npz_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", ENVELOPE)
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    with pytest.raises(RunError, match=r"x\.npz is not a usable"):
        read_speech(tmp_path / "x.npz")


@pytest.mark.parametrize("n_damaged", [1, 5, 50])
def test_damaged_files_are_refused_or_read(tmp_path, n_damaged):
    np.savez_compressed(tmp_path / "x.npz", envelope=RNG.normal(size=(500, 2)), sfreq=64.0)
    soundfile.write(tmp_path / "x.wav", RNG.normal(size=8000) * 0.1, 8000)
    for path in (tmp_path / "x.npz", tmp_path / "x.wav"):
        whole = path.read_bytes()
        for _ in range(40):
            raw = bytearray(whole)
            for at in RNG.integers(0, len(raw), n_damaged):
                raw[at] = RNG.integers(256)
            path.write_bytes(raw[: RNG.integers(1, len(raw) + 1)] if RNG.random() < 0.3 else raw)
            try:
                envelope, rate = read_speech(path)
            except RunError as error:
                assert path.name in str(error)  # noqa: PT017
            else:
                assert np.isfinite(envelope).all()
                assert rate > 0


def test_two_arrays_of_one_file_cause_no_warning(tmp_path, caplog):
    np.savez(tmp_path / "both.npz", a=np.ones(10), b=np.ones(10), sfreq=64.0)
    assert common_rate([(tmp_path / "both.npz", 64.0), (tmp_path / "both.npz", 64.0)]) == 64
    assert not caplog.text


def test_times_of_a_stored_envelope_are_checked(tmp_path):
    times = np.arange(99) / 64.0
    np.savez(tmp_path / "x.npz", envelope=np.ones(99), sfreq=64.0, heard_s=times)
    np.testing.assert_array_equal(read_heard(tmp_path / "x.npz", 60, 64.0), times[:60])
    np.savez(tmp_path / "x.npz", envelope=np.ones(99), sfreq=64.0)
    assert read_heard(tmp_path / "x.npz", 99, 64.0) is None
    wrong = (times[:98], times[::-1], times + np.nan, times * 1e9, times + 1e9, times.astype(str), times[:, None])
    for heard in wrong:
        np.savez(tmp_path / "x.npz", envelope=np.ones(99), sfreq=64.0, heard_s=heard)
        with pytest.raises(RunError, match=r"x\.npz: 'heard_s' must be"):
            read_heard(tmp_path / "x.npz", 99, 64.0)
    (tmp_path / "x.npz").write_bytes((tmp_path / "x.npz").read_bytes()[:200])
    with pytest.raises(RunError, match=r"x\.npz is not a usable \.npz file"):
        read_heard(tmp_path / "x.npz", 99, 64.0)
