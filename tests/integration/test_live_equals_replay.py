"""The commands stream, record and replay: the replay equals the live output."""

import contextlib
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import mne
import numpy as np
import pytest
import pyxdf
from rig import ENV, ROOT, consumed, rows, sender

from benchmarks.fuzz import resealed
from earmark.app.config.session import ConfigError
from earmark.app.replay.verify import Replay
from earmark.devices.files import xdf
from earmark.devices.files.session_file import SessionFile
from earmark.devices.files.xdf import MAGIC
from earmark.devices.simulate.recording import generate_recording

COCKTAIL = ROOT.parent / "shared" / "data" / "cocktail" / "sub-01_task-cocktail_run-01_raw.fif"

SESSION = """
[streams.eeg]
source_id = "{source_id}"
{markers}
[[nodes]]
type = "pick"
input = "eeg"
types = ["eeg"]
[[nodes]]
type = "reblock"
hop_s = 0.05
[[nodes]]
type = "quality"
[[nodes]]
type = "bandpass"
[[nodes]]
type = "reference"
[[nodes]]
type = "resample"
sfreq = 64
[[outputs]]
node = "resample"
publish = "clean {source_id}"
"""


def earmark(*words, **options):
    command = [sys.executable, "-m", "earmark.app.cli", *map(str, words)]
    return subprocess.run(
        command, env=ENV, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False, **options
    )


def start(*words):
    command = [sys.executable, "-m", "earmark.app.cli", *map(str, words)]
    return subprocess.Popen(command, env=ENV, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def segments(pid):
    """Return the shared memory segments of a process; assert that there are some."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    found = {Path(line.split()[-1]) for line in maps.splitlines() if "/dev/shm/earmark-" in line}
    assert found
    return found


def test_live_recording_of_real_eeg_is_replayed_bit_for_bit(source_id, tmp_path):
    if not COCKTAIL.exists():
        pytest.skip(f"the recording {COCKTAIL.name} is not here")
    (tmp_path / "session.toml").write_text(SESSION.format(source_id=source_id, markers=""))
    with start("stream", COCKTAIL, "--source-id", source_id, "--wait") as player:
        done = earmark("record", tmp_path / "session.toml", "--out", tmp_path, "--seconds", 15)
        player.send_signal(signal.SIGINT)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("session-*.xdf")
    verified = earmark("replay", path, "--verify", "--out", tmp_path / "out.npz")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "identical" in verified.stdout

    # The recording contains the exact samples of the file.
    raw = rows(consumed(path))
    truth = mne.io.read_raw_fif(COCKTAIL, verbose="ERROR").get_data().T * 1e6
    matches = np.flatnonzero(np.abs(truth[:, 0] - raw[0, 0]) < 1e-3)
    first = next(k for k in matches if np.allclose(truth[k : k + 5, :128], raw[:5, :128], atol=1e-3))
    np.testing.assert_allclose(raw[:, :128], truth[first : first + len(raw), :128], rtol=1e-6, atol=1e-3)
    assert len(raw) > 12 * 128
    out = np.load(tmp_path / "out.npz")["resample"]
    assert np.isfinite(out).all()
    assert 1 < np.std(out) < 100

    # pyxdf can read the recording.
    streams, _ = pyxdf.load_xdf(path)
    names = {s["info"]["name"][0] for s in streams}
    assert {"earmark-journal", "earmark-resample"} <= names
    assert all(int(s["footer"]["info"]["sample_count"][0]) == len(s["time_stamps"]) for s in streams)


EPOCHS = """
[[nodes]]
type = "epochs"
inputs = ["resample", "markers"]
[[outputs]]
node = "epochs"
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Record a short session of simulated EEG by commands; return the recording."""
    folder, source_id = tmp_path_factory.mktemp("recorded"), f"test-{uuid.uuid4().hex[:12]}"
    generate_recording(folder / "simulated_raw.fif", seconds=25, seed=1)
    markers = f'[streams.markers]\ntype = "Markers"\nsource_id = "{source_id}-markers"'
    (folder / "session.toml").write_text(SESSION.format(source_id=source_id, markers=markers) + EPOCHS)
    sender = start("stream", folder / "simulated_raw.fif", "--source-id", source_id, "--wait")
    try:
        done = earmark("record", folder / "session.toml", "--out", folder, "--seconds", 6)
    finally:
        sender.send_signal(signal.SIGINT)
        sender.communicate(timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("session-*.xdf")
    return path


def test_changed_recording_is_detected(recorded, tmp_path):
    whole = bytearray(recorded.read_bytes())
    session = SessionFile(recorded)
    assert list(session.streams) == ["eeg", "markers"]
    # Flip one bit of a raw sample in the middle of the file.
    raw = rows(consumed(recorded))
    needle = raw[len(raw) // 2].tobytes()
    at = whole.find(needle)
    assert at > 0
    whole[at + 1] ^= 0x40
    changed = tmp_path / "changed.xdf"
    changed.write_bytes(whole)
    found = earmark("replay", changed, "--verify")
    assert found.returncode == 3
    assert "DAMAGED: bytes " in found.stdout
    assert "the recording is damaged" in found.stderr


def test_replay_writes_outputs_with_times(recorded, tmp_path):
    found = earmark("replay", recorded, "--out", tmp_path / "out.npz")
    assert found.returncode == 0, found.stdout + found.stderr
    with np.load(tmp_path / "out.npz") as out:
        clean, times = out["resample"], out["resample_times"]
        epochs, events = out["epochs"], out["epochs_events"]
    assert clean.shape == (len(times), 32)
    np.testing.assert_allclose(np.diff(times), 1 / 64, rtol=0.2)
    assert epochs.shape[1:] == (65, 32)
    assert len(epochs) == len(events) >= 1
    assert set(events) <= {"tone/left", "tone/right"}


def test_truncated_recording_is_identical_as_far_as_it_goes(recorded, tmp_path):
    whole = recorded.read_bytes()
    for share in (0.35, 0.6, 0.95):
        cut = tmp_path / f"cut{share}.xdf"
        cut.write_bytes(whole[: int(share * len(whole))])
        found = earmark("replay", cut, "--verify")
        assert found.returncode == 4, found.stdout + found.stderr
        assert "identical, bit for bit, up to the point where" in found.stdout


def test_other_library_versions_are_compared_with_a_tolerance(recorded, tmp_path):
    version = f'"numpy":"{np.__version__}"'.encode()
    fake = version.replace(np.__version__.encode(), b"9" * len(np.__version__))

    def elsewhere(chunk):
        # Another NumPy version and digests that do not match, so that replay can compare samples only.
        assert chunk.tag != xdf.STREAM_HEADER or b"<earmark>" not in chunk.content or version in chunk.raw
        raw = chunk.raw.replace(version, fake)
        return re.sub(rb'("digest":")([0-9a-f]{31})[0-9a-f]"', lambda m: m[1] + m[2] + b'x"', raw)

    resealed(recorded, elsewhere, tmp_path / "other.xdf")
    found = earmark("replay", tmp_path / "other.xdf", "--verify")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "equal within 1e-09" in found.stdout
    assert "numpy: 9" in found.stdout


def test_any_flipped_bit_is_detected(recorded, tmp_path):
    raw = recorded.read_bytes()
    rng = np.random.default_rng(0)
    run_ends = raw.rindex(b'{"file": "')
    for at in rng.integers(4, run_ends, 60):
        changed = bytearray(raw)
        changed[at] ^= 1 << int(rng.integers(8))
        path = tmp_path / "changed.xdf"
        path.write_bytes(changed)
        with contextlib.suppress(xdf.XdfError, ConfigError):  # a reported error is a detection
            session = SessionFile(path)
            Replay(session).run()
            assert session.damage or not session.whole, f"a bit at byte {at} of {len(raw)}"


def test_files_that_are_not_sessions_are_errors(tmp_path):
    (tmp_path / "x.xdf").write_bytes(b"hello")
    (tmp_path / "y.xdf").write_bytes(MAGIC)
    for name, words in (
        ("x.xdf", "not an XDF file"),
        ("y.xdf", "has no journal"),
        ("z.xdf", "no such file"),
        (".", "loop.xdf: no such file"),  # a folder means the loop.xdf in it
    ):
        found = earmark("replay", tmp_path / name)
        assert found.returncode == 1
        assert words in found.stderr
        assert "Traceback" not in found.stderr + found.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_sigint_and_sigterm_end_a_recording_normally(source_id, tmp_path, number):
    (tmp_path / "session.toml").write_text(SESSION.format(source_id=source_id, markers=""))
    with sender("plain", source_id), start("record", tmp_path / "session.toml", "-o", tmp_path) as process:
        while "Recording to" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(2.5)
        rings = segments(process.pid)
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait() == 0, rest
    (path,) = tmp_path.glob("session-*.xdf")
    assert "Recorded" in rest
    streams, _ = pyxdf.load_xdf(path)
    assert all("footer" in s for s in streams), "the file is complete"
    assert earmark("replay", path, "--verify").returncode == 0
    assert not any(ring.exists() for ring in rings)


def test_killed_recording_can_be_replayed_and_leaves_no_shared_memory(source_id, tmp_path):
    (tmp_path / "session.toml").write_text(SESSION.format(source_id=source_id, markers=""))
    with sender("plain", source_id), start("record", tmp_path / "session.toml", "-o", tmp_path) as process:
        while "Recording to" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(3)
        rings = segments(process.pid)
        process.kill()
        process.stdout.read()  # ends when the recorder has written its queue
    (path,) = tmp_path.glob("session-*.xdf")
    found = earmark("replay", path, "--verify")
    assert found.returncode == 4, found.stdout + found.stderr
    assert "cut short" in found.stdout
    end = time.monotonic() + 180
    while any(ring.exists() for ring in rings) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(ring.exists() for ring in rings)


def test_closed_pipe_does_not_end_a_recording(source_id, tmp_path):
    (tmp_path / "session.toml").write_text(SESSION.format(source_id=source_id, markers=""))
    with (
        sender("plain", source_id),
        start("record", tmp_path / "session.toml", "-o", tmp_path, "--seconds", 4) as process,
    ):
        while "Recording to" not in process.stdout.readline():
            assert process.poll() is None
        process.stdout.close()
        assert process.wait(timeout=600) == 0
    (path,) = tmp_path.glob("session-*.xdf")
    assert earmark("replay", path, "--verify").returncode == 0


def test_configuration_mistake_ends_with_status_1_and_one_message(tmp_path):
    (tmp_path / "bad.toml").write_text(SESSION.format(source_id="x", markers="").replace("sfreq = 64", "sfrq = 64"))
    for words in (("describe",), ("record", "--out", tmp_path)):
        found = earmark(words[0], tmp_path / "bad.toml", *words[1:])
        assert found.returncode == 1
        assert "unknown key 'sfrq': did you mean 'sfreq'?" in found.stderr
        assert "Traceback" not in found.stderr


def test_describe_shows_every_default_and_the_latency(tmp_path):
    text = SESSION.format(source_id="x", markers="").replace(
        'source_id = "x"', 'source_id = "x"\nsfreq = 500\nn_channels = 64'
    )
    (tmp_path / "session.toml").write_text(text)
    found = earmark("describe", tmp_path / "session.toml")
    assert found.returncode == 0, found.stderr
    for words in ("limit_uv = 1000000.0", "flat_uv = ", "passband_hz = auto", "deadline of a chunk", "ms behind"):
        assert words in found.stdout
