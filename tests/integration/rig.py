"""Test rig: sender processes, an engine with its recorder, and a check that the replay is identical."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from earmark.app.config.session import parse_config
from earmark.app.engine.engine import Engine
from earmark.app.engine.environment import environment
from earmark.app.engine.events_file import copied_decoders
from earmark.app.replay.verify import Replay
from earmark.devices.files.journal import About
from earmark.devices.files.session_file import Consumed, SessionFile
from earmark.devices.processes.recorder import Recorder
from earmark.pipeline.stream import Block, Gap, Marker

ROOT = Path(__file__).parents[2]
ENV = {**os.environ, "PYTHONPATH": str(ROOT / ".links"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

CHAIN = """
[streams.eeg]
source_id = "{source_id}"
[[nodes]]
type = "reblock"
input = "eeg"
[[nodes]]
type = "quality"
[[nodes]]
type = "notch"
[[nodes]]
type = "bandpass"
[[nodes]]
type = "reference"
[[nodes]]
type = "resample"
"""


@contextlib.contextmanager
def sender(scenario, source_id):
    """Run a sender process; kill it at the end."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("senders.py")), scenario, source_id], env=ENV
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


@contextlib.contextmanager
def small_disk(path, size):
    """Mount a small file system; skip the test where that is not possible."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=False)


class Rig:
    """An engine with a recorder."""

    def __init__(self, text, folder, resolve_s=20):
        self.events, self.alarms = [], []
        config = parse_config(text + f"\n[engine]\nresolve_s = {resolve_s}\n", "test", folder)
        self.engine = Engine(config, on_event=self.events.append)
        self.engine.connect()
        self.path = folder / "session.xdf"
        decoders = copied_decoders(config.decoders, self.path)
        self.writer = self.engine.writer(About(config.text, environment=environment(), decoders=decoders))
        self.recorder = Recorder(self.path, self.writer.headers)
        self.writer.begin(self.recorder.put)
        self.engine.start(self.writer)

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.05)
            self.alarms += self.recorder.watch()

    def wait_for(self, condition, seconds=180.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"timed out; events: {self.events}"
            assert self.engine.failure is None
            self.run(0.1)

    def finish(self):
        self.engine.stop()
        self.recorder.close()
        assert self.engine.failure is None


@contextlib.contextmanager
def recording(text, folder):
    """Run an engine with a recorder; stop both at the end."""
    rig = Rig(text, folder)
    try:
        yield rig
    finally:
        rig.finish()


def consumed(path, stream="eeg"):
    """Return the items of a stream that the graph consumed, in order."""
    return [event.item for event in SessionFile(path) if isinstance(event, Consumed) and event.stream == stream]


def replayed(path):
    """Replay a recording, assert that it is identical, and return its outputs."""
    run, kept = Replay(SessionFile(path)), {}
    run.run(lambda name, item: kept.setdefault(name, []).append(item))
    assert run.outputs
    for name, found in run.outputs.items():
        assert found.identical, (name, found)
    return kept


def check_tiling(items):
    """Assert that blocks and gaps are contiguous and do not overlap; return the blocks and the gaps."""
    blocks, gaps = [i for i in items if isinstance(i, Block)], [i for i in items if isinstance(i, Gap)]
    at = None
    for item in items:
        if isinstance(item, Block | Gap):
            assert at is None or item.start == at
            at = item.stop
    return blocks, gaps


def markers(items):
    return [item for item in items if isinstance(item, Marker)]


def rows(items):
    return np.concatenate([item.data for item in items if isinstance(item, Block)])


def position(found, sent):
    """Return the index in ``sent`` at which ``found`` begins; several rows are compared, since single ones repeat."""
    start = found[:20]
    for k in np.flatnonzero((sent == start[0]).all(axis=1)):
        if np.array_equal(sent[k : k + len(start)], start):
            return int(k)
    raise AssertionError(f"{start[0]} and what follows was not sent")
