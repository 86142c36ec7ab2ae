"""Shared memory when there is too little of it, and after all processes were killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from earmark.devices.audio.control_block import Gains, Seqlock
from earmark.devices.processes.board import Board
from earmark.devices.processes.recorder import Recorder, RecordingFailed
from earmark.devices.processes.ring import Ring
from earmark.devices.processes.shared_memory import PLACE, Segment, SharedMemoryError, remove_orphans

ROOT = Path(__file__).parents[3]
ENV = {**os.environ, "PYTHONPATH": str(ROOT / ".links")}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared memory is a folder on Linux alone")


def there(names):
    return {name for name in names if (PLACE / name).exists()}


def in_a_room_of_its_own(options, code):
    """Run Python with another /dev/shm; skip the test where that is impossible."""
    script = f"mount -t tmpfs -o {options} tmpfs /dev/shm && exec {sys.executable} -c '{code}'"
    words = {"capture_output": True, "text": True, "env": ENV, "timeout": 120, "cwd": ROOT}
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], check=False, **words).returncode:
        pytest.skip("only root can have another /dev/shm")
    return subprocess.run(["unshare", "-m", "sh", "-c", script], check=False, **words)


WRITES = """
from earmark.devices.processes.ring import Ring
from earmark.devices.processes.shared_memory import SharedMemoryError
try:
    ring = Ring(capacity=32 << 20)
except SharedMemoryError as error:
    print(error)
else:
    while ring.room:
        ring.put(bytes(min(ring.room, 1 << 20)))
    ring.close()
    print("written")
"""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("size=64m", "written"),
        ("size=16m", "bytes of shared memory are needed, but"),
        ("size=16m,ro", "shared memory cannot be made: Read-only file system; let /dev/shm be written by you"),
    ],
)
def test_ring_is_complete_from_the_start_or_refused(options, words):
    ended = in_a_room_of_its_own(options, WRITES)
    assert words in ended.stdout, ended.stderr
    assert ended.returncode == 0


def test_no_file_is_left_without_memory_for_recording(tmp_path, monkeypatch):
    def refuse(*_):
        raise SharedMemoryError("5 bytes of shared memory are needed, but 4 are free")

    monkeypatch.setattr("earmark.devices.processes.ring.Segment", refuse)
    with pytest.raises(RecordingFailed, match=r"x\.xdf: 5 bytes of shared memory"):
        Recorder(tmp_path / "x.xdf", b"XDF:")
    assert not list(tmp_path.iterdir())


def test_last_content_can_be_read_after_the_end():
    ring, board = Ring(capacity=100), Board()
    ring.put(b"abc")
    board.write(b"1")
    reader = Board(board.name)
    for one in (ring, board, reader):
        one.close()
    assert (ring.written, ring.waiting) == (3, 3)
    assert reader.read() == board.read() == b"1"


@pytest.mark.parametrize("make", [Board, lambda name=None: Seqlock(Gains, name)])
def test_read_during_close_returns_the_last_content(make):
    for _ in range(50):
        writer, wrong, done = make(), [], threading.Event()
        reader = make(writer.name)

        def look(reader=reader, wrong=wrong, done=done):
            try:
                while not done.is_set():
                    reader.read()
            except Exception as error:  # noqa: BLE001 - whatever it is
                wrong.append(error)

        thread = threading.Thread(target=look)
        thread.start()
        for number in range(20):
            writer.write(b"%d" % number if isinstance(writer, Board) else Gains([float(number)] * 8))
        reader.close()
        done.set()
        thread.join()
        writer.close()
        assert not wrong


def test_reading_thread_does_not_block_the_end():
    segment = Segment(None, 100)
    held = [segment.array(100, "u1")]
    timer = threading.Timer(0.1, held.clear)
    timer.start()
    segment.close()
    timer.join()


FAMILY = """
import json, time
from pathlib import Path
import sys
from earmark.devices.processes.board import Board
from earmark.devices.processes.recorder import Recorder
if __name__ == "__main__":
    board = Board()
    recorder = Recorder(Path(sys.argv[1]), b"XDF:")
    print(json.dumps([board.name, recorder.ring_name]), flush=True)
    time.sleep(600)
"""


def family(path, script):
    script.write_text(FAMILY)
    process = subprocess.Popen(
        [sys.executable, str(script), str(path)], stdout=subprocess.PIPE, text=True, env=ENV, start_new_session=True
    )
    names = json.loads(process.stdout.readline())
    process.stdout.close()
    return process, [*names, names[0].rsplit("-", 1)[0] + ".lock"]


def test_segments_of_a_killed_group_are_removed_and_others_kept(tmp_path):
    dead, left = family(tmp_path / "a.xdf", tmp_path / "a.py")
    alive, used = family(tmp_path / "b.xdf", tmp_path / "b.py")
    own = Board()
    os.killpg(dead.pid, signal.SIGKILL)
    dead.wait()
    assert there(left) == set(left), "no process was left to remove it"
    assert remove_orphans() >= 2
    assert not there(left)
    assert there([*used, own.name]) == {*used, own.name}
    alive.kill()  # only this one: living members of its family remove the rest
    alive.wait()
    end = time.monotonic() + 180
    while there(used):
        assert time.monotonic() < end
        time.sleep(0.01)
    own.close()


def test_process_with_views_of_memory_ends_without_output():
    """The order of destruction at exit is undefined: a long run ended in a traceback of the library."""
    segment = Segment(None, 4096)
    script = (
        "import sys; from earmark.devices.processes.shared_memory import Segment\n"
        "segment = Segment(sys.argv[1]); sys.modules['kept'] = view = segment.array(8, 'f8')"
    )
    done = subprocess.run([sys.executable, "-c", script, segment.name], capture_output=True, text=True, check=False)
    segment.close()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("ended", ["", "raise KeyboardInterrupt", "sys.exit(3)"])
def test_forgotten_segments_are_removed_at_exit(ended):
    made = "import sys\nfrom earmark.devices.processes.shared_memory import Segment\nsegment = Segment(None, 4096)"
    made += "; print(segment.name)"
    script = f"{made}\n{ended}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "leaked" not in done.stderr
    assert not (PLACE / done.stdout.strip()).exists()
    assert done.stdout.strip()
