"""Header and journal of a recording are checked in one place: what no live session writes is refused."""

import json
import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import resealed
from benchmarks.sessions import write_session
from earmark.devices.files import xdf
from earmark.devices.files.journal import (
    FORMAT,
    MAX_SECONDS,
    About,
    AnswerLine,
    Clock,
    ClockLine,
    ControlLine,
    DecisionLine,
    DecoderCopy,
    DigestLine,
    EventLine,
    GapLine,
    HeardLine,
    Line,
    MaskedLine,
    NetworkBackend,
    OffsetLine,
    PlacesLine,
    Scores,
    SkipLine,
    SoundCounters,
    SoundLine,
    Span,
    Timed,
    about_text,
    line_text,
    read_about,
    read_line,
)
from earmark.devices.files.session_file import SessionFile
from earmark.devices.sources.overrides import Overrides
from earmark.pipeline.control import (
    Demote,
    Late,
    Mute,
    Override,
    Session,
    SessionChanged,
    StreamChanged,
    Tick,
)

ABOUT = {"config": "", "streams": ["eeg"], "outputs": ["attend"], "talkers": ["a", "b"]}
HEARD = {
    "heard": "start",
    "frame": 0,
    "dac": None,
    "decision": -1,
    "gains_db": [0.0, float("-inf")],
    "ramp_s": 0.5,
    "master_db": 0.0,
    "mute": False,
    "azimuths": [-30.0, 30.0],
    "seek_id": 0,
    "seek_s": [None, 1.5],
    "trims_db": [0.0, -6.0],
    "mutes": [False, True],
    "positions": [0, 0],
}
SOUND = {"went to": "null", "xruns": 0, "late": 1, "missed": 2, "lost": 3, "refused": 4, "repaired": 5, "replaced": 6}
HEARD_SO = ((0.0, -math.inf), 0.5, 0.0, False, (-30.0, 30.0), 0, (None, 1.5), (0, 0))
#: As recordings of format version 0 and 1 have them, and what they mean.
WRITTEN = [
    ({"control": [1.0, "override 2"]}, ControlLine(Timed(1.0, Override(1)))),
    ({"control": [1, "session no decoder"]}, ControlLine(Timed(1.0, SessionChanged(Session.NO_DECODER)))),
    ({"stream": "eeg", "gap": [0, 5]}, GapLine("eeg", Span(0, 5))),
    ({"stream": "eeg", "gap": [3, 5], "short": True}, GapLine("eeg", Span(3, 5), short=True)),
    ({"stream": "eeg", "skip": [3, 5]}, SkipLine("eeg", Span(3, 5))),
    ({"stream": "eeg", "clock": [0.0, 1.0, 0.002]}, ClockLine("eeg", Clock(0.0, 1.0, 0.002))),
    ({"stream": "cues", "offset": -1e-3}, OffsetLine("cues", -1e-3)),
    ({"output": "attend", "items": 3, "digest": "ab"}, DigestLine("attend", 3, "ab")),
    (
        {"decision": 1, "newest": 1.0, "arrival": 1.1, "decided": 1.2, "set": None, "scored": False},
        DecisionLine(1, 1.0, 1.1, 1.2, None, scored=False),
    ),
    (
        {"decision": 2, "newest": 1.0, "arrival": 1.1, "decided": 1.2, "set": 1.3, "scored": True},
        DecisionLine(2, 1.0, 1.1, 1.2, 1.3, scored=True),
    ),
    ({"answer": ["onnx", [0.1, float("nan")]]}, AnswerLine(Scores("onnx", (0.1, math.nan)))),
    ({"answer": ["onnx", None]}, AnswerLine(Scores("onnx", None))),
    (HEARD, HeardLine("start", 0, None, -1, *HEARD_SO, (0.0, -6.0), (False, True))),
    ({k: v for k, v in HEARD.items() if k not in ("trims_db", "mutes")}, HeardLine("start", 0, None, -1, *HEARD_SO)),
    ({**HEARD, "heard": "lost"}, HeardLine("lost", 0, None, -1, *HEARD_SO, (0.0, -6.0), (False, True))),
    ({"sound": SOUND}, SoundLine(SoundCounters("null", 0, 1, 2, 3, 4, 5, 6))),
    ({"places": [-30.5, None], "delivered_db": [None, 2.0], "at": 1.5}, PlacesLine((-30.5, None), (None, 2.0), 1.5)),
    ({"event": "it hums"}, EventLine("it hums")),
    ({"masked": ["E1"], "by": "quality"}, MaskedLine(("E1",), "quality")),
]
BAD = [
    {"control": [1.0, "override 3"]},
    {"control": [1.0, "session over"]},
    {"control": [1.0, "override x"]},
    {"control": [float("nan"), "tick"]},
    {"control": "tick"},
    {"stream": "eeg", "gap": [5, 0]},
    {"stream": "eeg", "gap": [0, 2**60]},
    {"stream": "eeg", "gap": [0.5, 1]},
    {"stream": 5, "gap": [0, 1]},
    {"stream": "eeg", "clock": [0.0, 1.0, 0.0]},
    {"stream": "eeg", "clock": [0.0, 1.0]},
    {"stream": "cues", "offset": "x"},
    {"output": [], "items": 3, "digest": "ab"},
    {"decision": 1, "newest": 1.0, "arrival": "x", "decided": 1.0, "set": None, "scored": False},
    {"newest": 1.0},
    {"answer": ["onnx", [0.1]]},
    {"answer": [None, None]},
    {**HEARD, "positions": "x"},
    {"event": 5},
    {"places": [1.0], "delivered_db": ["x"], "at": 1.0},
    {"places": [0.0] * 9, "delivered_db": [], "at": 1.0},
    {"places": [float("nan")], "delivered_db": [None], "at": 1.0},
    {"masked": "x"},
    {"sound": []},
    {"sound": {**SOUND, "xrun": 3}},
    {"sound": {k: v for k, v in SOUND.items() if k != "late"}},
    {**HEARD, "heard": "begin"},
    {**HEARD, "trim_db": [0.0, 0.0]},
    {"event": "x", "evnt": "y"},
    {"of a later version": [1, 2]},
    {},
]


#: What lines hold: numbers as they are believed, and any text that UTF-8 knows.
numbers = st.floats(-MAX_SECONDS, MAX_SECONDS, allow_nan=False)
anything = st.floats()
words = st.text(st.characters(exclude_categories=["Cs"]))
spans = st.tuples(st.integers(0, 2**52), st.integers(0, 2**52)).map(lambda pair: Span(*sorted(pair)))
tuples = {kind: st.lists(kind, max_size=8).map(tuple) for kind in (anything, st.booleans(), st.integers(0, 2**40))}
floats, flags, frames = tuples.values()
counts = st.integers(0, 2**40)
places = st.lists(st.none() | numbers, max_size=8).map(tuple)
controls = st.one_of(
    *[st.sampled_from([Tick(), Late(), Demote(), Mute(True), Mute(False), Override(None), Override("equal")])],
    st.builds(Override, st.integers(0, 7)),
    st.builds(SessionChanged, st.sampled_from(Session)),
    st.builds(StreamChanged, st.booleans()),
)
LINES = {
    GapLine: st.builds(GapLine, words, spans, st.booleans()),
    SkipLine: st.builds(SkipLine, words, spans),
    ClockLine: st.builds(ClockLine, words, st.builds(Clock, numbers, numbers, st.floats(1e-9, 1e6))),
    OffsetLine: st.builds(OffsetLine, words, numbers),
    ControlLine: st.builds(ControlLine, st.builds(Timed, numbers, controls)),
    DigestLine: st.builds(DigestLine, words, st.integers(0, 2**52), words),
    AnswerLine: st.builds(AnswerLine, st.builds(Scores, words, st.one_of(st.none(), floats))),
    DecisionLine: st.builds(
        DecisionLine, counts, numbers, numbers, numbers, st.one_of(st.none(), numbers), st.booleans()
    ),
    HeardLine: st.builds(
        HeardLine,
        st.sampled_from(["start", "control", "stop", "lost"]),
        counts,
        st.one_of(st.none(), numbers),
        st.integers(-1, 2**40),
        floats,
        anything,
        anything,
        st.booleans(),
        floats,
        counts,
        st.lists(st.one_of(st.none(), anything), max_size=8).map(tuple),
        frames,
        floats,
        flags,
    ),
    SoundLine: st.builds(SoundLine, st.builds(SoundCounters, words, *[counts] * 7)),
    PlacesLine: st.builds(PlacesLine, places, places, numbers),
    EventLine: st.builds(EventLine, words),
    MaskedLine: st.builds(MaskedLine, st.lists(words, max_size=5).map(tuple), words),
}


def test_every_kind_of_line_is_tested():
    assert set(LINES) == set(get_args(Line)) == {type(line) for _, line in WRITTEN}


@settings(deadline=None)
@given(st.one_of(*LINES.values()))
def test_every_line_round_trips(line):
    said = line_text(line)
    assert repr(read_line(said)) == repr(line), "repr, since a NaN is not equal to itself"
    assert "\n" not in said
    assert len(said) <= len(json.dumps(json.loads(said), ensure_ascii=False)), "as compact as JSON can be"


@pytest.mark.parametrize(("said", "line"), WRITTEN)
def test_meaning_of_lines_has_not_changed(said, line):
    assert repr(read_line(json.dumps(said), 2)) == repr(line)


@pytest.mark.parametrize(("said", "line"), WRITTEN)
def test_lines_are_written_under_the_keys_that_older_versions_read(said, line):
    written = json.loads(line_text(line))
    assert {key: str(value) for key, value in written.items()} == {
        key: str([float(value[0]), value[1]]) if key == "control" else str(value) for key, value in said.items()
    }


@pytest.mark.parametrize("entry", BAD)
def test_lines_that_are_never_written_are_refused(entry):
    with pytest.raises(xdf.XdfError, match="of the journal"):
        read_line(json.dumps(entry), 2)


@pytest.mark.parametrize("text", ["", "[]", "5", "null", '{"a"', "[" * 100_000, '{"event": "\\ud800"}'])
def test_invalid_lines_are_refused(text):
    with pytest.raises(xdf.XdfError):
        read_line(text, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"config": 5},
        {"streams": "eeg"},
        {"streams": ["eeg", "eeg"]},
        {"outputs": ["eeg"]},
        {"outputs": None},
        {"units": {"eeg": 5}},
        {"talkers": [1]},
        {"decoders": [{"folder": "../../etc", "sha256": ""}]},
        {"decoders": [{"folder": "..", "sha256": ""}]},
        {"decoders": {}},
        {"network": [{"backend": "onnx"}]},
        {"overrides": {"eeg": {"unit": 5}}},
        {"overrides": {"eeg": {"units": "mV"}}},
        {"overrides": {"eeg": {"unit": "furlong"}}},
        {"subject": 7},
        {"streams": [f"s{k}" for k in range(2000)]},
        {"format": "1"},
        {"format": -1},
        {"written_by": 5},
    ],
)
def test_invalid_headers_are_refused(change):
    assert read_about(json.dumps(ABOUT)).talkers == ("a", "b")
    with pytest.raises(xdf.XdfError, match="its description is damaged"):
        read_about(json.dumps({**ABOUT, **change}))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"clock":[256.0,1002.0,0.0078125]', b'"clock":[256.0,1002.0,1.0e-300]', "is not its rate"),
        (b'"stream":"eeg","clock":[256.0', b'"stream":"xyz","clock":[256.0', "not a stream of samples"),
        (b'"clock":[256.0,1002.0,0.0078125]', b'"gap":[257,258]', "missing from 257 on, but 256"),
        (
            b'"clock":[256.0,1002.0,0.0078125]',
            b'"gap":[256,999999999999]' + b" " * 10,
            "more than can be believed",
        ),
        (b'[1002.0,"tick"]', b'[1002.0,"tock"]', "control"),
    ],
)
def test_altered_and_resealed_recording_is_refused(tmp_path, old, new, words):
    path = write_session(tmp_path / "x.xdf")
    assert old in path.read_bytes()

    def change(chunk):
        if old not in chunk.content:
            return chunk.raw
        stamp, (line,) = xdf.parse_text(chunk.content, 1)
        return xdf.text_sample(chunk.stream_id, stamp, [line.replace(old.decode(), new.decode())])

    resealed(path, change, tmp_path / "y.xdf")
    with pytest.raises(xdf.XdfError, match=words):
        list(SessionFile(tmp_path / "y.xdf"))


def test_header_round_trips():
    about = About(
        "a = 1\n",
        ("eeg", "cues"),
        ("attend",),
        {"eeg": "uV"},
        {"numpy": "2"},
        "sub-01",
        "closed",
        {"seed": 3, "run": {"seconds": 1.5}},
        True,
        2,
        ("Joe", "Ada"),
        (DecoderCopy("loop.decoder", "ab"),),
        (NetworkBackend("onnx", "CPU", "float32", {"onnx": "1"}, "key", 1e-7),),
        {"eeg": Overrides(unit="mV", channels=("E*",), sfreq=500.0), "cues": Overrides()},
        FORMAT,
        "earmark 1",
    )
    assert read_about(about_text(about)) == about
    assert read_about(about_text(About(""))) == About("")


def test_keys_in_the_error_of_a_damaged_line_are_printable():
    with pytest.raises(xdf.XdfError) as error:
        read_line(json.dumps({"event": "x", "a\nALARM: \x1b[31mb": 1}), 2)
    assert "ALARM" in str(error.value)
    assert str(error.value).isprintable()
