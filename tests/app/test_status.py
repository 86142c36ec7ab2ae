"""The status records: they are read as written, and anything else is refused with a message."""

import ast
import hashlib
import json
import math
import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_status import engine_status, session_status

from earmark.app import status
from earmark.app.config.modes import Mode
from earmark.app.status import (
    VERSION,
    Check,
    DecisionStatus,
    DecoderSummary,
    EngineStatus,
    Event,
    InletStatus,
    LearningStatus,
    RecordingStatus,
    SessionStatus,
    SoundStatus,
    State,
    StatusBoard,
    StatusError,
    TaskStatus,
    Trim,
    from_text,
    to_json,
    to_text,
)
from earmark.devices.processes.board import Board

FULL = session_status(
    override="equal",
    trims=(Trim(-6.5, True), Trim()),
    decoder_summary=DecoderSummary(0.7, 0.5, math.nan, 80, 300.0, "all 60 %"),
    learning=(LearningStatus(5, 150.0, 70, 0.7, 0.6, math.nan, math.nan, False),),
    checks=(Check("disk", False, "full", due=True),),
    commands=("mute", "stop"),
    events=(Event(1, 3.25, "Cue: attend to Joe."), Event(2, 4.5, "ALARM: the recorder died – ∞ \u2028")),
    recording=RecordingStatus("loop.xdf", 12, 3456, 7, 1, "cannot write", 1e6, math.nan),
    sound=SoundStatus("a", "b", "Built-in", "", 2),
    faults=("cable",),
)
DECISION = DecisionStatus(3, 9.6, (0.2, math.nan), (math.nan, 0.1), -1, (-math.inf, 3.0), "held")
RECORDS = [FULL, session_status(engine=None, task=None), engine_status(decision=DECISION), engine_status(decision=None)]


def same(one, other):
    """Whether two records are equal bit for bit, where NaN equals NaN."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("record", RECORDS)
def test_published_status_is_read_by_an_attached_board(record):
    board = StatusBoard(type(record))
    reader = StatusBoard(type(record), board.name)
    assert reader.read() is None, "before the first"
    board.publish(record)
    found = reader.read()
    assert same(found, record)
    assert type(found) is type(record)
    assert reader.read() is found, "read once"
    reader.close()
    board.close()


TEXTS = st.text(max_size=8)
FLOATS = st.floats()
COUNTS = st.integers(-(2**40), 2**40)


@st.composite
def sessions(draw):
    task = draw(
        st.none()
        | st.builds(
            TaskStatus, FLOATS, FLOATS, TEXTS, FLOATS, COUNTS, COUNTS, TEXTS, TEXTS, st.lists(TEXTS).map(tuple), COUNTS,
            st.booleans(), TEXTS, st.booleans(), st.booleans(),
        )
    )  # fmt: skip
    return session_status(
        time=draw(FLOATS),
        state=draw(st.sampled_from(State)),
        mode=draw(st.sampled_from(Mode)),
        talkers=tuple(draw(st.lists(TEXTS, max_size=3))),
        override=draw(st.none() | st.just("equal") | st.integers(0, 7)),
        trims=tuple(draw(st.lists(st.builds(Trim, FLOATS, st.booleans()), max_size=3))),
        events=tuple(draw(st.lists(st.builds(Event, COUNTS, FLOATS, TEXTS), max_size=3))),
        task=task,
        decoder_summary=draw(st.none() | st.builds(DecoderSummary, FLOATS, FLOATS, FLOATS, COUNTS, FLOATS, TEXTS)),
        learning=tuple(draw(st.lists(st.builds(LearningStatus, COUNTS, FLOATS, COUNTS, *[FLOATS] * 4, st.booleans())))),
    )


@st.composite
def engines(draw):
    numbers = st.lists(FLOATS, max_size=3).map(tuple)
    decision = st.builds(DecisionStatus, COUNTS, FLOATS, numbers, numbers, COUNTS, numbers, TEXTS)
    inlet = st.builds(
        InletStatus, TEXTS, TEXTS, TEXTS, TEXTS, FLOATS, FLOATS, COUNTS, FLOATS, COUNTS, COUNTS, COUNTS, COUNTS
    )
    return engine_status(
        time=draw(FLOATS),
        positions=tuple(draw(st.lists(st.none() | st.tuples(FLOATS, FLOATS, FLOATS), max_size=3))),
        streams=tuple(draw(st.lists(inlet, max_size=2))),
        bad=draw(st.dictionaries(TEXTS, TEXTS, max_size=3)),
        decision=draw(st.none() | decision),
        thresholds=draw(st.none() | st.tuples(FLOATS, FLOATS)),
    )


@given(sessions() | engines())
@settings(deadline=None)
def test_any_values_round_trip_bit_for_bit(record):
    assert same(from_text(type(record), to_text(record)), record)


@given(sessions() | engines())
@settings(deadline=None)
def test_to_json_is_strict_json(record):
    found = to_json(record)
    assert found["version"] == VERSION
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_numbers_that_are_not_finite_are_null_in_json():
    found = to_json(engine_status(decision=DECISION))
    assert found["decision"]["probability"] == [0.2, None]
    assert found["decision"]["gains"] == [None, 3.0]


def test_numpy_floats_can_be_published():
    import numpy as np

    record = engine_status(time=np.float64(1.5), decision=replace(DECISION, probability=(np.float64(math.nan),)))
    assert same(from_text(EngineStatus, to_text(record)).time, 1.5)


def paths(value, path=()):
    """Every path in an object of JSON."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(inner, (*path, key))


def text_of(value):
    return b"%d\n" % VERSION + json.dumps(value).encode()


#: Records of which every field is damaged.
TRIED = [replace(FULL, texts={}), engine_status(decision=DECISION, bad={})]
OPTIONAL = {"db", "mute", "due", "bytes_per_s", "free_bytes", "budget"}


@pytest.mark.parametrize("record", TRIED)
def test_missing_unknown_or_mistyped_field_is_named(record):
    whole = json.loads(to_text(record).partition(b"\n")[2])
    tried = 0
    for path in paths(whole):
        if not path or isinstance(path[-1], int):
            continue
        for spoil in ("missing", "misspelt", "another type")[path[-1] in OPTIONAL :]:
            value = json.loads(json.dumps(whole))
            inner = value
            for key in path[:-1]:
                inner = inner[key]
            was = inner.pop(path[-1])
            if spoil == "misspelt":
                inner[f"{path[-1]}_"] = was
            elif spoil == "another type":
                inner[path[-1]] = [[{"an": "object"}]]
            with pytest.raises(StatusError, match="cannot be read") as refused:
                from_text(type(record), text_of(value))
            assert str(path[-1]) in str(refused.value)
            tried += 1
    assert tried > 100


@pytest.mark.parametrize(("was", "text"), [("beat", '"1"'), ("muted", '"false"'), ("time", '"9.9"'), ("muted", "0")])
def test_number_in_quotes_is_refused(was, text):
    value = to_text(FULL).decode()
    spoilt = re.sub(rf'"{was}":[^,]+', f'"{was}":{text}', value, count=1)
    assert spoilt != value
    with pytest.raises(StatusError, match=rf"cannot be read \({was}"):
        from_text(SessionStatus, spoilt.encode())


@pytest.mark.parametrize(
    "text",
    [
        b'{"time": 1.0, "state": "running", "beat": 3}',  # before there was a version
        to_text(FULL).replace(b"%d\n" % VERSION, b"%d\n" % (VERSION + 1), 1),
        to_text(FULL).partition(b"\n")[2],
        b"\xff\xfe",
        b"-1\n{}",
        b"\n{}",
    ],
)
def test_another_version_is_refused_at_every_read(text):
    raw = Board()
    reader = StatusBoard(SessionStatus, raw.name)
    raw.write(text)
    for _ in range(2):
        with pytest.raises(StatusError, match=f"another version of Earmark .* reads version {VERSION}.*: open it"):
            reader.read()
    raw.write(to_text(FULL))
    assert same(reader.read(), FULL)
    reader.close()
    raw.close()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'"' + b"x" * 50, b"\xff"])
def test_damaged_text_is_refused(text):
    with pytest.raises(StatusError, match="cannot be read"):
        from_text(SessionStatus, b"%d\n" % VERSION + text)


def test_session_status_is_refused_as_engine_status():
    with pytest.raises(StatusError, match="cannot be read"):
        from_text(EngineStatus, to_text(FULL))


RECORD_TYPES = [one for one in vars(status).values() if is_dataclass(one) and one.__module__ == status.__name__]


def test_changed_record_needs_a_new_version():
    """If this fails: increment ``VERSION`` in ``app/status.py``, and put the new digest here."""
    records = {kind.__name__: [(one.name, one.type) for one in fields(kind)] for kind in RECORD_TYPES}
    words = json.dumps([records, [*State], [*Mode]], sort_keys=True)
    assert (VERSION, hashlib.sha256(words.encode()).hexdigest()[:16]) == (9, "b636a8c313bd8728")


@pytest.mark.parametrize("kind", RECORD_TYPES)
def test_every_field_is_documented(kind):
    described = [line.strip() for line in kind.__doc__.splitlines() if line.startswith("    ") and " : " in line]
    names = [name.strip() for line in described for name in line.partition(" : ")[0].split(",")]
    bare = [line.strip() for line in kind.__doc__.splitlines() if line.strip().isidentifier()]
    assert {one.name for one in fields(kind)} <= {*names, *bare}


def test_only_status_module_writes_boards():
    """No other module of app/ uses boards directly."""
    root = Path(__file__).parents[2]
    for path in (root / "app").rglob("*.py"):
        names = [
            one.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module == "earmark.devices.processes.board"
            for one in node.names
        ]
        assert not names or path == root / "app" / "status.py", path
