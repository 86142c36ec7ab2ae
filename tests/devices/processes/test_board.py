"""Boards: one writer, readers who never see half an object, whoever dies when."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
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
    board.write({"k": k, "rows": [k] * (k % 500)})
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@pytest.fixture
def board():
    made = Board(room=50_000)
    yield made
    made.close()


@given(st.dictionaries(st.text(), JSON, max_size=5))
@settings(max_examples=100, deadline=None)
def test_what_is_read_is_what_was_written(value):
    board = Board(room=50_000)
    reader = Board(board.name)
    board.write(value)
    assert reader.read() == value
    reader.close()
    board.close()


def test_a_new_board_is_empty_and_what_is_not_finite_is_null(board):
    assert board.read() == {}
    board.write({"a": np.array([1.0, math.nan]), "b": (np.float64(math.inf), 2), 3: np.int64(4)})
    assert board.read() == {"a": [1.0, None], "b": [None, 2], "3": 4}


def test_what_is_too_large_is_refused_and_the_old_object_stays(board):
    board.write({"k": 1})
    with pytest.raises(ValueError, match="do not fit"):
        board.write({"text": "x" * 60_000})
    assert board.read() == {"k": 1}


def test_readers_see_whole_objects_that_rise_even_when_writers_are_killed(board):
    seen = set()
    for round_ in range(1, 6):
        process = subprocess.Popen([sys.executable, "-c", WRITER, board.name], env=ENV)
        last, end = 0, time.monotonic() + 20
        while last < 200 or len(seen) <= 20 * round_:  # however seldom this process is given its turn
            assert time.monotonic() < end
            value = board.read()
            if value and value["k"] != last:
                assert value["rows"] == [value["k"]] * (value["k"] % 500)
                seen.add((round_, value["k"]))
                last = value["k"]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        board.write({"k": 0, "rows": []})
        assert board.read()["k"] == 0
    assert len(seen) > 100


def test_a_process_that_attached_and_ended_leaves_the_board_there(board):
    code = """
import sys
from earmark.devices.processes.board import Board
b = Board(sys.argv[1])
print(b.read())
b.close()
"""
    board.write({"k": 1})
    done = subprocess.run([sys.executable, "-c", code, board.name], env=ENV, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == {"k": 1}
    assert done.stderr == ""
    again = Board(board.name)
    assert again.read() == {"k": 1}
    again.close()


def test_one_that_is_gone_is_named():
    with pytest.raises(SharedMemoryError, match=r"there is no shared memory '.*': the process that made it has ended"):
        Board("earmark-no-such-board")
