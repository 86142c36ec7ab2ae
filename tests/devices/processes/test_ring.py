import os

from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.devices.processes.ring import Ring, SpillingWriter


def drained(reader, limit=1 << 20):
    found = b""
    while piece := reader.peek(limit):
        reader.advance(len(piece))
        found += piece
    return found


@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 400)), max_size=40), st.integers(64, 500))
@settings(max_examples=100, deadline=None)
def test_every_byte_is_read_once_in_order(moves, capacity):
    ring = Ring(capacity=capacity)
    writer, reader = SpillingWriter(ring, limit=1 << 20), Ring(ring.name)
    sent, got = b"", b""
    for message, n_read in moves:
        writer.put(message)
        sent += message
        piece = reader.peek(n_read)
        reader.advance(len(piece))
        got += piece
        assert ring.waiting == len(sent) - len(got)
    while ring.waiting:
        writer.pump()
        got += drained(reader)
    assert got == sent
    assert ring.lost == 0
    reader.close()
    writer.close()
    ring.close()


def test_messages_beyond_ring_and_disk_are_lost_whole_and_counted():
    ring = Ring(capacity=100)
    writer, reader = SpillingWriter(ring, limit=100), Ring(ring.name)
    messages = [os.urandom(60) for _ in range(5)]
    for message in messages:
        writer.put(message)
    assert ring.lost == 2, "100 bytes of ring and 100 of disk hold three whole messages"
    got = drained(reader)
    writer.pump()
    assert got + drained(reader) == b"".join(messages[:3])
    writer.put(messages[4])
    assert drained(reader) == messages[4]
    reader.close()
    writer.close()
    ring.close()


def test_the_segment_is_gone_after_close():
    ring = Ring(capacity=100)
    name = ring.name
    ring.close()
    assert not os.path.exists(f"/dev/shm/{name}")
