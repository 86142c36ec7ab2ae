import multiprocessing as mp
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.devices.processes.signal_ring import SignalReader, SignalRing

SPAWN = mp.get_context("spawn")


def numbered(first, n, n_channels=3):
    """Samples that encode their index, exactly in float32."""
    return ((np.arange(first, first + n) % 2**18)[:, None] * 4 + np.arange(n_channels)).astype(np.float32)


moves = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 150)),
        st.tuples(st.just("skip"), st.integers(0, 150)),
        st.tuples(st.just("read"), st.just(0)),
    ),
    max_size=40,
)


@given(moves, st.integers(1, 70))
@settings(max_examples=200, deadline=None)
def test_every_sample_is_read_once_or_counted_as_lost_up_to_the_newest(moves, room):
    ring = SignalRing(n_channels=3, n_samples=room, sfreq=100.0)
    reader = SignalReader(ring.name)
    said, seen = [], 0  # everything written; index up to which the reader has read
    for move, n in moves:
        if move == "write":
            ring.write(numbered(len(said), n))
            said += [(k % 2**18) * 4.0 for k in range(len(said), len(said) + n)]
        elif move == "skip":
            ring.skip(n)
            said += [np.nan] * n
        else:
            found = reader.read()
            assert found.start == seen + found.lost
            assert found.lost == max(0, len(said) - seen - room), "no available sample is skipped"
            np.testing.assert_array_equal(found.data[:, 0], np.array(said[found.start :], np.float32))
            assert found.start + len(found.data) == len(said) == ring.written
            seen = len(said)
    reader.close()
    ring.close()


def test_header_states_rate_and_channels_and_late_reader_sees_recent_past():
    ring = SignalRing(n_channels=3, n_samples=100, sfreq=50.0)
    ring.write(numbered(0, 130))
    fresh, late, greedy = SignalReader(ring.name), SignalReader(ring.name, past_s=1.0), SignalReader(ring.name, 60.0)
    assert (late.ring.sfreq, late.ring.n_channels, late.ring.n_samples) == (50.0, 3, 100)
    assert [len(reader.read().data) for reader in (fresh, late, greedy)] == [0, 50, 100]
    assert [reader.lost for reader in (fresh, late, greedy)] == [0, 0, 0]
    for end in (fresh, late, greedy, ring):
        end.close()


def write_for_ever(name, n):
    ring = SignalRing(name)
    while True:
        ring.write(numbered(ring.written, n))


@pytest.fixture
def writer():
    """Write to a ring as fast as possible, as a process."""
    processes = []

    def start(ring, n):
        process = SPAWN.Process(target=write_for_ever, args=(ring.name, n), daemon=True)
        process.start()
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.join()


def test_partly_overwritten_samples_are_never_read(writer):
    ring = SignalRing(n_channels=3, n_samples=4096, sfreq=500.0)
    reader = SignalReader(ring.name)
    writer(ring, 64)
    n_read, n_looks, after, end = 0, 0, 0, time.monotonic() + 180
    while (n_looks < 300 or not reader.lost) and time.monotonic() < end:
        found = reader.read()
        assert found.start - found.lost == after
        np.testing.assert_array_equal(found.data, numbered(found.start, len(found.data)))
        n_read, after = n_read + len(found.data), found.start + len(found.data)
        n_looks += len(found.data) > 0
    assert n_looks >= 300
    assert reader.lost, "a writer this fast overtakes its readers"
    assert n_read + reader.lost == after
    reader.close()
    ring.close()


def test_stopped_reader_resumes_with_the_newest_samples(writer):
    ring = SignalRing(n_channels=3, n_samples=2000, sfreq=500.0)
    reader = SignalReader(ring.name)
    process = writer(ring, 10)
    while ring.written < 10_000:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        time.sleep(0.05)
        found = reader.read()
        assert found.start + len(found.data) == ring.written
        assert len(found.data) <= 2000
        assert reader.lost == ring.written - len(found.data)
        assert len(reader.read().data) == 0
    finally:
        os.kill(process.pid, signal.SIGCONT)
    reader.close()
    ring.close()


READ_AND_DIE = """
import os, sys
from earmark.devices.processes.signal_ring import SignalReader
reader = SignalReader(sys.argv[1], past_s=1.0)
print(len(reader.read().data), flush=True)
if sys.argv[2] == "kill":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("end", ["leave", "kill"])
def test_end_of_another_process_keeps_the_ring(end):
    ring = SignalRing(n_channels=3, n_samples=100, sfreq=50.0)
    ring.write(numbered(0, 80))
    for _ in range(2):  # the second finds what the first has left
        command = [sys.executable, "-c", READ_AND_DIE, ring.name, end]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.stdout == "50\n", done.stderr
        assert "resource_tracker" not in done.stderr
    time.sleep(0.3)  # a resource tracker would clean up by now
    SignalReader(ring.name).close()
    ring.close()
