"""Children that are kept alive: real ones that are killed, hang, fail at once, end in order, or lose their parent."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig import ENV
from short_lived import beat, deaf, fail

from earmark.devices.processes.kept_alive import Child, KeptAlive, Limits
from earmark.devices.processes.ring import Ring

#: Long enough for a child that is held up by whatever else this machine does.
PATIENCE_S = 60.0


def wait_until(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def ring():
    ring = Ring(capacity=4096)
    yield ring
    ring.close()


@pytest.fixture
def keep(ring):
    """Makes what keeps beating children alive by a look now and then; returns it and the look."""
    made = []

    def keep(limits, beats=-1):
        kept = KeptAlive(limits, lambda: ring.heartbeat)
        made.append(kept)
        pids = []

        def look():
            if kept.ended or kept.hangs:
                kept.lose()
            if kept.due:
                kept.started(Child(beat, (ring.name, beats), "test child"))
                pids.append(kept.child.pid)
            if kept.child is not None and ring.heartbeat and not kept.working:
                kept.works()
            return pids

        return kept, look

    yield keep
    for kept in made:
        kept.drop()


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_killed_child_is_replaced_every_time(keep, ring):
    kept, look = keep(Limits(silent_s=PATIENCE_S))
    for n in range(1, 5):
        before = ring.heartbeat
        wait_until(lambda before=before: look() and ring.heartbeat > before)
        assert len(look()) == n
        os.kill(kept.child.pid, signal.SIGKILL)
        wait_until(lambda: kept.ended)
    pids = look()
    assert len(set(pids)) == 5
    assert all(gone(pid) for pid in pids[:-1])


def test_a_child_that_hangs_is_killed_and_replaced(keep, ring):
    kept, look = keep(Limits(silent_s=0.5), beats=5)
    wait_until(lambda: len(look()) == 2)
    first, second = look()
    assert gone(first)
    assert kept.child.pid == second
    assert kept.child.alive


def test_child_with_a_heartbeat_is_not_replaced(keep):
    kept, look = keep(Limits(silent_s=2.0))
    wait_until(lambda: look() and kept.working)
    end = time.monotonic() + 3.0
    longest = 0.0
    while time.monotonic() < end:
        longest = max(longest, kept.silence_s)
        if longest < 1.5:  # the machine itself did not stop for so long
            assert len(look()) == 1
        time.sleep(0.01)


def test_children_that_fail_at_once_are_retried_after_a_rest():
    kept = KeptAlive(Limits(silent_s=PATIENCE_S, most=3, within_s=600.0, rest_s=1.0), lambda: 0)
    for round_ in range(2):
        for n in range(4):
            assert kept.due
            kept.started(Child(fail, (), "test child"))
            child = kept.child
            wait_until(lambda: kept.ended)
            assert kept.lose() is (n < 3), (round_, n)
            assert child.exit_code == 3
        assert kept.resting
        assert not kept.due
        wait_until(lambda: kept.due)
        assert not kept.resting


def test_child_ends_when_asked_or_is_killed(keep, ring):
    kept, look = keep(Limits(silent_s=PATIENCE_S))
    wait_until(lambda: look() and ring.heartbeat)
    child = kept.child
    ring.finish()
    kept.end(PATIENCE_S)
    assert child.exit_code == 0
    assert kept.child is None
    kept.started(Child(deaf, (), "test child"))
    child = kept.child
    kept.end(0.2)
    assert child.exit_code == -signal.SIGKILL
    kept.end(0.2)
    kept.drop()


def test_signals_to_all_processes_do_not_end_a_child(keep, ring):
    kept, look = keep(Limits(silent_s=PATIENCE_S))
    wait_until(lambda: look() and ring.heartbeat)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(kept.child.pid, number)
    before = ring.heartbeat
    wait_until(lambda: ring.heartbeat > before + 10)
    assert kept.child.alive


PARENT = """
import sys, time
sys.path[:0] = [{tests!r}]
import short_lived
from earmark.devices.processes.kept_alive import Child, KeptAlive, Limits
from earmark.devices.processes.ring import Ring

ring = Ring(capacity=4096)
kept = KeptAlive(Limits(silent_s=60.0), lambda: ring.heartbeat)
kept.started(Child(short_lived.beat, (ring.name, -1), "test child"))
while not ring.heartbeat:
    time.sleep(0.01)
print(kept.child.pid, flush=True)
time.sleep(600)
"""


def test_a_child_whose_parent_is_killed_ends():
    code = PARENT.format(tests=str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=ENV) as parent:
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
        parent.wait()
        wait_until(lambda: gone(pid))


# The policy, by a clock of its own


class Fake:
    """A child that ends when a test says so."""

    def __init__(self):
        self.alive = True

    def end(self, patience_s=0.0):
        self.alive = False

    kill = end


@given(
    most=st.integers(1, 4),
    apart=st.sampled_from([0.0, 0.5]),
    steps=st.lists(st.tuples(st.sampled_from([0.1, 1.0, 7.0]), st.booleans()), min_size=5, max_size=60),
)
def test_starts_keep_their_distance_and_there_are_never_more_losses_in_a_row_than_the_limit(most, apart, steps):
    now, within, rest = 0.0, 10.0, 5.0
    kept = KeptAlive(Limits(1.0, apart, most, within, rest), lambda: 0, lambda: now)
    starts, losses, rests = [], [], []
    for seconds, dies in steps:
        now += seconds
        if kept.child is not None and dies:
            kept.child.alive = False
        if kept.ended:
            losses.append(now)
            if not kept.lose():
                rests.append(now)
                losses.clear()
            assert len([one for one in losses if now - one < within]) <= most, "a rest comes first"
        if kept.due:
            starts.append(now)
            kept.started(Fake())
        else:
            assert kept.child is not None or kept.resting or now - starts[-1] < apart, "replaced as soon as it may be"
    assert all(later - one >= apart for one, later in itertools.pairwise(starts))
    assert not any(one <= start < one + rest for one in rests for start in starts)


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.booleans()), max_size=40))
def test_silence_is_counted_from_the_last_beat_of_a_child_that_works(steps):
    now, beats, last = 0.0, 0, 0.0
    kept = KeptAlive(Limits(silent_s=2.0), lambda: beats, lambda: now)
    kept.started(Fake())
    now += 100.0
    assert not kept.hangs, "it may take its time to begin"
    kept.works()
    last = now
    for seconds, beats_now in steps:
        now += seconds
        if beats_now:
            beats, last = beats + 1, now
        assert kept.silence_s == pytest.approx(now - last)
        assert kept.hangs is (kept.silence_s > 2.0)
    kept.lose()
    now += 50.0
    assert not kept.hangs
    assert kept.silence_s == pytest.approx(now - last), "that of the last one, while there is none"
    kept.started(Fake())
    assert kept.silence_s == pytest.approx(now - last), "one that begins does not beat yet"


def test_without_a_limit_there_is_never_a_rest():
    kept = KeptAlive(Limits(silent_s=1.0), lambda: 0, lambda: 0.0)
    for _ in range(1000):
        kept.started(Fake())
        assert kept.lose()
        assert kept.due
