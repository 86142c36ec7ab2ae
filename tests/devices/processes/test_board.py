"""Boards have one writer, and readers never see a partial text, also when a process is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import ENV

from earmark.devices.processes.board import Board
from earmark.devices.processes.shared_memory import SharedMemoryError

WRITER = """
import sys
from earmark.devices.processes.board import Board
board, k = Board(sys.argv[1]), 0
while True:
    k += 1
    board.write(b"%d " % k * (k % 500 + 1))
"""


@pytest.fixture
def board():
    made = Board(room=50_000)
    yield made
    made.close()


@given(st.binary(max_size=5000))
@settings(max_examples=100, deadline=None)
def test_reads_return_what_was_written(text):
    board = Board(room=50_000)
    reader = Board(board.name)
    board.write(text)
    assert reader.read() == text
    reader.close()
    board.close()


def test_new_board_is_empty_and_each_text_is_read_once(board):
    assert board.read() == b""
    board.write(b"a")
    assert board.read() is board.read()


def test_oversized_text_is_refused_and_the_old_one_stays(board):
    board.write(b"1")
    with pytest.raises(ValueError, match="do not fit"):
        board.write(b"x" * 60_000)
    assert board.read() == b"1"


def test_readers_see_complete_texts_in_order_when_writers_are_killed(board):
    seen = set()
    for round_ in range(1, 6):
        process = subprocess.Popen([sys.executable, "-c", WRITER, board.name], env=ENV)
        last, end = 0, time.monotonic() + 180
        while last < 200 or len(seen) <= 20 * round_:  # even if this process is rarely scheduled
            assert time.monotonic() < end
            if (numbers := board.read().split()) and int(numbers[0]) != last:
                last = int(numbers[0])
                assert numbers == [b"%d" % last] * (last % 500 + 1)
                seen.add((round_, last))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        board.write(b"0")
        assert board.read() == b"0"
    assert len(seen) > 100


def test_end_of_an_attached_process_keeps_the_board(board):
    code = """
import sys
from earmark.devices.processes.board import Board
b = Board(sys.argv[1])
print(b.read().decode())
b.close()
"""
    board.write(b"one")
    done = subprocess.run([sys.executable, "-c", code, board.name], env=ENV, capture_output=True, text=True, check=True)
    assert done.stdout == "one\n"
    assert done.stderr == ""
    again = Board(board.name)
    assert again.read() == b"one"
    again.close()


def test_missing_board_is_named():
    with pytest.raises(SharedMemoryError, match=r"there is no shared memory '.*': the process that made it has ended"):
        Board("earmark-no-such-board")
