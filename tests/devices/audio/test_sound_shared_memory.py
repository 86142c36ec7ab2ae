import multiprocessing as mp
import os
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.devices.audio.control_block import LAYOUTS, Gains, Operator, Seqlock, Status, padded
from earmark.devices.audio.rings import AppliedLog, LiveRing, PcmReader, PcmRing
from earmark.devices.audio.scene import Applied, Control, Prepared, Scene, Talker
from earmark.devices.audio.shared import SharedPrepared
from earmark.devices.processes.shared_memory import Segment, SharedMemoryError
from earmark.pipeline.stream import Block, Gap

SPAWN = mp.get_context("spawn")


@pytest.fixture
def in_process():
    """Run a function in a process of its own until the end of the test."""
    processes = []

    def start(function, *args):
        process = SPAWN.Process(target=function, args=args, daemon=True)
        process.start()
        processes.append(process)

    yield start
    for process in processes:
        process.kill()
        process.join()


def numbered(k):
    return Gains([float(k)] * 8, ramp_s=float(k), decision=k, stamp=float(k))


def write_for_ever(name):
    lock = Seqlock(Gains, name)
    k = 0
    while True:
        k += 1
        lock.write(numbered(k))


# Records


def test_records_are_read_whole_and_in_order_while_another_process_writes_them(in_process):
    lock = Seqlock(Gains)
    reader = Seqlock(Gains, lock.name)
    in_process(write_for_ever, lock.name)
    last, n_seen, end = 0, 0, time.monotonic() + 180
    while (n_seen < 200 or not reader.torn) and time.monotonic() < end:
        gains = reader.read()
        assert set(gains.gains_db) | {gains.ramp_s, gains.stamp} == {float(gains.decision)} or gains.decision == 0
        assert gains.decision >= last
        n_seen += gains.decision > last
        last = gains.decision
    assert n_seen >= 200
    assert reader.torn, "some reads met a write, and kept the previous record"
    reader.close()
    lock.close()


def test_read_during_a_write_returns_the_previous_record_and_is_counted():
    lock = Seqlock(Gains)
    reader = Seqlock(Gains, lock.name)
    assert reader.read() == reader.value
    assert list(reader.read().gains_db) == [0.0] * 8
    assert reader.torn == 0
    lock.write(numbered(1))
    assert reader.read().decision == 1
    lock._begin()
    lock._bytes[:40] = 255
    assert reader.read().decision == 1
    assert reader.torn == 1
    lock._head[0] += 1  # as on a processor that reorders writes
    assert reader.read().decision == 1
    assert reader.torn == 2
    lock.write(numbered(2))
    assert reader.read().decision == 2
    reader.close()
    lock.close()


def test_new_writer_takes_over_after_a_death_during_a_write():
    lock = Seqlock(Gains)
    heir, reader = Seqlock(Gains, lock.name), Seqlock(Gains, lock.name)
    lock.write(numbered(1))
    lock._begin()
    heir.write(numbered(2))
    assert reader.read().decision == 2
    for end in (heir, reader, lock):
        end.close()


@pytest.mark.parametrize("kind", LAYOUTS)
def test_records_round_trip(kind):
    rng = np.random.default_rng(0)
    record = np.zeros((), LAYOUTS[kind])
    for key in record.dtype.names:
        field = record[key]
        field[...] = b"name" if field.dtype.kind == "S" else rng.integers(0, 2, field.shape)
    lock = Seqlock(kind)
    lock.write(record)
    back = lock.read()
    assert isinstance(back, kind)
    assert kind._fields == record.dtype.names
    lock.write(back)
    again = lock.read()
    assert again is not back
    for key, value in zip(kind._fields, again, strict=True):
        np.testing.assert_array_equal(value, record[key])
    lock.close()


def test_unavailable_memory_is_reported():
    with pytest.raises(SharedMemoryError, match=r"9,\d\d\d,.* bytes of shared memory are needed, but [\d,]+ are free"):
        Segment(None, 9_500_000_000_000)
    with pytest.raises(SharedMemoryError, match=r"there is no shared memory '.*': the process that made it has ended"):
        Segment("no-such-segment")
    segment = Segment(None, 100)
    assert os.path.exists(f"/dev/shm/{segment.name}")
    other = Segment(segment.name)
    other.close()
    assert os.path.exists(f"/dev/shm/{segment.name}"), "an attached process does not remove it"
    segment.close()
    assert not os.path.exists(f"/dev/shm/{segment.name}")


def test_existing_view_keeps_the_memory():
    segment = Segment(None, 800)
    view = segment.array(100, np.float64)
    with pytest.raises(BufferError):
        segment.close()
    view[:] = 1.0  # would crash the process if the memory were freed
    del view
    segment.close()


def test_prepared_scene_is_identical_in_the_other_process():
    rng = np.random.default_rng(0)
    scene = Scene((Talker("a", "a.wav"), Talker("b", "input:1"), Talker("c", "c.wav")), block=128)
    pcm = (rng.standard_normal(1001).astype(np.float32), None, rng.standard_normal(77).astype(np.float32))
    shared = SharedPrepared(Prepared(scene, pcm, rng.standard_normal(3), rng.standard_normal((3, 2, 5))))
    other = SharedPrepared(shared.at)
    assert other.prepared.scene == scene
    assert other.prepared.pcm[1] is None
    for k in (0, 2):
        np.testing.assert_array_equal(other.prepared.pcm[k], pcm[k])
    np.testing.assert_array_equal(other.prepared.hrir, shared.prepared.hrir)
    np.testing.assert_array_equal(other.prepared.hrir_azimuths, shared.prepared.hrir_azimuths)
    assert abs(other.prepared.hrir).sum() > 0
    other.close()
    shared.close()


# Talkers' samples


def spoken(first, n, n_talkers=2):
    """Samples that encode their frame and talker."""
    return ((np.arange(first, first + n) % 2**18) * 4 + np.arange(n_talkers)[:, None]).astype(np.float32)


@given(
    st.lists(st.one_of(st.integers(1, 90).map(lambda n: ("write", n)), st.integers(1, 5).map(lambda n: ("read", n)))),
    st.integers(1, 20),
    st.integers(0, 1000),
)
@settings(max_examples=200, deadline=None)
def test_reads_return_what_was_written_and_gaps_mark_missing_frames(moves, hop, start):
    ring = PcmRing(2, 100)
    ring.begin(start)
    reader = PcmReader(ring.name, hop)
    assert reader.cursor == start
    after = start
    for move, n in moves:
        if move == "write":
            ring.write(spoken(ring.written, n))
            continue
        for _ in range(n):
            behind = ring.written - after
            item = reader.read()
            if item is None:
                assert behind < hop
                break
            assert item.start == after
            assert item.stop <= ring.written
            after = item.stop
            if isinstance(item, Block):
                assert len(item.data) == hop
                assert behind <= 100
                np.testing.assert_array_equal(item.data.T, spoken(item.start, hop))
            else:
                assert behind > 100, "no available frame is skipped"
    reader.close()
    ring.close()


def test_restart_appears_as_a_gap():
    ring = PcmRing(2, 100)
    ring.begin(0)
    reader, late = PcmReader(ring.name, 10), PcmReader(ring.name, 10)
    ring.write(spoken(0, 35))
    assert [reader.read().stop for _ in range(3)] == [10, 20, 30]
    ring.begin(70)
    assert reader.read() == Gap(30, 70)
    assert reader.read() is None
    ring.write(spoken(70, 10))
    assert late.read() == Gap(0, 70)
    np.testing.assert_array_equal(reader.read().data.T, spoken(70, 10))
    np.testing.assert_array_equal(late.read().data.T, spoken(70, 10))
    for end in (late, reader, ring):
        end.close()


def speak_for_ever(name):
    ring = PcmRing(name=name)
    ring.begin(0)
    while True:
        ring.write(spoken(ring.written, 64))


def test_partly_overwritten_samples_are_never_read(in_process):
    ring = PcmRing(2, 1024)
    reader = PcmReader(ring.name, 256)
    in_process(speak_for_ever, ring.name)
    n_blocks, n_gaps, after, end = 0, 0, 0, time.monotonic() + 180
    while (n_blocks < 100 or n_gaps < 20) and time.monotonic() < end:
        item = reader.read()
        if item is None:
            continue
        assert item.start == after
        after = item.stop
        if isinstance(item, Block):
            np.testing.assert_array_equal(item.data.T, spoken(item.start, 256))
            n_blocks += 1
        else:
            n_gaps += 1
    assert n_blocks >= 100
    assert n_gaps >= 20, "a writer this fast overtakes its readers"
    reader.close()
    ring.close()


# The log


finite = st.floats(allow_nan=False)


@st.composite
def entries(draw):
    def values():
        return tuple(draw(st.lists(finite, min_size=3, max_size=3)))

    control = Control(
        values(), draw(finite), draw(finite), draw(st.booleans()), values(), draw(st.integers(0, 9)), values(),
        values(), draw(st.tuples(*[st.booleans()] * 3)),
    )  # fmt: skip
    kind = draw(st.sampled_from(["start", "control", "stop"]))
    positions = (1, 2, 3) if kind == "start" else ()
    return Applied(draw(st.integers(0, 2**40)), control, kind, positions), draw(st.integers(-1, 9))


@given(st.lists(st.lists(entries(), max_size=8), max_size=6))
@settings(max_examples=50, deadline=None)
def test_log_returns_every_entry_once_and_counts_lost_ones(bursts):
    log = AppliedLog(3, room=5)
    reader = AppliedLog(3, log.name)
    lost = 0
    for burst in bursts:
        for applied, decision in burst:
            log.put(applied, decision)
        found = reader.take()
        assert [tuple(entry) for entry in found] == burst[:5]
        lost += max(0, len(burst) - 5)
        assert reader.lost == log.lost == lost
    reader.close()
    log.close()


# Live talkers


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 60)), max_size=40))
@settings(max_examples=100, deadline=None)
def test_live_talker_is_in_order_and_refills_to_its_target_after_an_underrun(moves):
    ring = LiveRing(100, 30)
    reader = LiveRing(name=ring.name)
    sent, got, flowing, lost = [], [], False, 0
    counter = 0
    for n_write, n_read in moves:
        samples = np.arange(counter, counter + n_write, dtype=np.float32)
        counter += n_write
        n = ring.write(samples)
        assert n == min(n_write, 100 - (len(sent) - len(got)))
        sent += samples[:n].tolist()
        lost += n_write - n
        waiting = len(sent) - len(got)
        assert ring.waiting == waiting
        flowing = flowing or waiting >= 30
        pulled = reader.pull(n_read)
        assert len(pulled) == (min(n_read, waiting) if flowing else 0)
        flowing = flowing and len(pulled) == n_read
        got += pulled.tolist()
    assert got == sent[: len(got)]
    reader.skip_to_newest()
    assert ring.waiting == min(30, len(sent) - len(got))
    reader.close()
    ring.close()


def test_operator_and_gains_hold_eight_talkers():
    assert len(padded([1.0])) == 8
    for kind in (Gains, Operator, Status):
        assert LAYOUTS[kind].names == kind._fields
