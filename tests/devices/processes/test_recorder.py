import errno
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid

import mne
import numpy as np
import pytest
import pyxdf
from rig import small_disk

from earmark.devices.files import xdf
from earmark.devices.processes.recorder import Recorder, RecordingFailed
from earmark.devices.sources.lsl_description import make_info
from earmark.pipeline.stream import StreamSpec

SFREQ, N_CHANNELS, CHUNK = 1000.0, 16, 10
SPEC = StreamSpec("eeg", SFREQ, tuple(f"E{i}" for i in range(N_CHANNELS)), ("eeg",) * N_CHANNELS, ("uV",) * N_CHANNELS)


def headers():
    return xdf.file_header() + xdf.stream_header(1, make_info(SPEC, "EEG", "test").as_xml())


def chunk(k):
    index = np.arange(k * CHUNK, (k + 1) * CHUNK)
    return xdf.samples(1, index / SFREQ, np.tile(index[:, None], N_CHANNELS).astype(np.float32))


def load(path):
    (stream,), _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    data = np.asarray(stream["time_series"], dtype=float).reshape(-1, N_CHANNELS)
    mne.io.RawArray(
        data.T if len(data) else np.zeros((N_CHANNELS, 1)), mne.create_info(N_CHANNELS, SFREQ), verbose="ERROR"
    )
    return stream["time_stamps"], data


def wait_until(condition, seconds=180.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


def test_file_always_opens_and_is_complete_after_50_kills(tmp_path):
    rng = np.random.default_rng(0)
    recorder = Recorder(tmp_path / "x.xdf", headers())
    sent = killed = 0

    def send_until(instant):
        nonlocal sent
        while time.monotonic() < instant:
            recorder.put(chunk(sent))
            sent += 1
            time.sleep(0.003)

    while killed < 50:
        beat = recorder.bytes_written
        while recorder.bytes_written == beat:  # the new recorder is at work
            recorder.watch()
            send_until(time.monotonic() + 0.01)
        send_until(time.monotonic() + rng.uniform(0, 0.05))
        os.kill(recorder.pid, signal.SIGKILL)
        killed += 1
        shutil.copy(tmp_path / "x.xdf", tmp_path / "copy.xdf")
        stamps, data = load(tmp_path / "copy.xdf")
        assert len(stamps) / SFREQ > sent * CHUNK / SFREQ - 1.0
        np.testing.assert_array_equal(data[:, 0], np.arange(len(data)))
    wait_until(recorder.watch)  # the last one has died, too
    recorder.close()
    assert recorder.restarts >= 50
    stamps, data = load(tmp_path / "x.xdf")
    np.testing.assert_array_equal(data[:, 0], np.arange(sent * CHUNK))
    np.testing.assert_array_equal(stamps, np.arange(sent * CHUNK) / SFREQ)


def test_file_opens_before_anything_is_recorded(tmp_path):
    recorder = Recorder(tmp_path / "x.xdf", headers())
    os.kill(recorder.pid, signal.SIGKILL)
    stamps, _ = load(tmp_path / "x.xdf")
    assert len(stamps) == 0
    recorder.close()


WRITER = """
import sys, time
from pathlib import Path
sys.path += {folders!r}
import test_recorder as t
from earmark.devices.processes.recorder import Recorder
if __name__ == "__main__":
    recorder = Recorder(Path({path!r}), t.headers())
    k = 0
    while True:
        recorder.put(t.chunk(k))
        k += 1
        print(k, recorder.pid, recorder._ring.name, flush=True)
        time.sleep(0.005)
"""


def test_recorder_writes_everything_and_ends_when_its_parent_is_killed(tmp_path):
    path = tmp_path / "x.xdf"
    script = tmp_path / "writer.py"
    script.write_text(WRITER.format(folders=sys.path, path=str(path)))
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        for _ in range(300):
            line = process.stdout.readline().split()
        process.kill()
        rest = [r.split() for r in process.stdout.read().split("\n")]  # ends with the recorder, which inherits it
    line = next((r for r in reversed(rest) if len(r) == 3), line)
    sent, ring = int(line[0]), line[2]
    stamps, data = load(path)
    assert len(stamps) >= sent * CHUNK, "all that reached the ring is in the file"
    np.testing.assert_array_equal(data[:, 0], np.arange(len(data)))
    wait_until(lambda: not os.path.exists(f"/dev/shm/{ring}"))


def test_full_disk_raises_an_alarm_and_loses_nothing(tmp_path):
    with small_disk(tmp_path / "disk", "256k") as disk:
        (disk / "ballast").write_bytes(bytes(100_000))
        recorder = Recorder(disk / "x.xdf", headers())
        sent, alarms = 0, []
        while len(chunk(0)) * sent < 180_000:  # too much beside the ballast, but not without it
            recorder.put(chunk(sent))
            sent += 1
        wait_until(lambda: alarms.extend(recorder.watch()) or alarms)
        assert os.strerror(errno.ENOSPC) in alarms[0]
        assert str(disk / "x.xdf") in alarms[0]
        stamps, _ = load(disk / "x.xdf")
        assert 0 < len(stamps) < sent * CHUNK
        (disk / "ballast").unlink()
        for _ in range(20):
            recorder.put(chunk(sent))
            sent += 1
        recorder.close()
        _, data = load(disk / "x.xdf")
        np.testing.assert_array_equal(data[:, 0], np.arange(sent * CHUNK))
        assert recorder.lost == 0


def test_disk_that_stays_full_is_reported_at_the_end(tmp_path):
    with small_disk(tmp_path / "disk", "64k") as disk:
        recorder = Recorder(disk / "x.xdf", headers())
        for k in range(300):
            recorder.put(chunk(k))
        with pytest.raises(RecordingFailed, match=r"lacks its last .* bytes: No space left"):
            recorder.close(timeout=3.0)
        load(disk / "x.xdf")


def _deleted(path):
    path.unlink()


def _renamed(path):
    path.rename(path.with_suffix(".old"))


def _replaced(path):
    path.unlink()
    path.write_text("precious")


def _without_its_folder(path):
    shutil.rmtree(path.parent)


@pytest.mark.skipif(sys.platform == "win32", reason="no file that is open can be removed there")
@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("lose", [_deleted, _renamed, _replaced, _without_its_folder])
def test_removed_file_is_reported_and_copied_to_a_new_one(tmp_path, lose, killed):
    (tmp_path / "run").mkdir()
    path, alarms, sent = tmp_path / "run" / "x.xdf", [], 0
    recorder = Recorder(path, headers())

    def send(n):
        nonlocal sent
        for _ in range(n):
            recorder.put(chunk(sent))
            sent += 1

    for n in (300, 1, 1):
        send(n)
        wait_until(lambda: not recorder.unwritten)
        if killed:
            os.kill(recorder.pid, signal.SIGKILL)
            wait_until(lambda: recorder._kept.ended)
        lose(recorder.path)
        alarms.append(recorder.watch())
        send(100)
        wait_until(lambda: recorder.watch() or recorder._source is None)  # the next one is lost, too
    recorder.close()
    assert all(any("deleted, renamed or replaced" in alarm for alarm in found) for found in alarms), alarms
    assert recorder.restarts <= 3
    assert recorder.path.parent == path.parent
    assert (recorder.path == path) == (lose is not _replaced)
    _, data = load(recorder.path)
    np.testing.assert_array_equal(data[:, 0], np.arange(sent * CHUNK))
    assert lose is not _replaced or path.read_text() == "precious"


def test_file_deleted_just_before_the_end_is_restored(tmp_path):
    path = tmp_path / "x.xdf"
    recorder = Recorder(path, headers())
    for k in range(100):
        recorder.put(chunk(k))
    path.unlink()
    recorder.close()
    _, data = load(path)
    np.testing.assert_array_equal(data[:, 0], np.arange(100 * CHUNK))


def test_half_full_ring_raises_an_alarm_and_spills_to_disk(tmp_path):
    recorder = Recorder(tmp_path / "x.xdf", headers(), ring_bytes=200_000)
    wait_until(lambda: recorder._ring.heartbeat > 0)
    os.kill(recorder.pid, signal.SIGSTOP)
    alarms, sent = [], 0
    while recorder._out.spilled < 100_000:
        recorder.put(chunk(sent))
        sent += 1
        if sent == 400:
            alarms += recorder.watch()
    assert any("is behind" in a for a in alarms)
    os.kill(recorder.pid, signal.SIGCONT)
    recorder.close()
    _, data = load(tmp_path / "x.xdf")
    np.testing.assert_array_equal(data[:, 0], np.arange(sent * CHUNK))


def test_recordings_are_never_overwritten(tmp_path):
    path = tmp_path / "x.xdf"
    path.write_text(uuid.uuid4().hex)
    with pytest.raises(RecordingFailed, match="exists already"):
        Recorder(path, headers())
    with pytest.raises(RecordingFailed, match="cannot write"):
        Recorder(tmp_path / "nowhere" / "x.xdf", headers())
