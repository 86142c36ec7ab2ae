"""What a recording says of itself is checked at one place: what no live session writes is refused in words."""

import json

import pytest

from benchmarks.fuzz import resealed
from benchmarks.sessions import write_session
from earmark.devices.files import xdf
from earmark.devices.files.journal import ANSWER, read_about, read_line
from earmark.devices.files.session_file import SessionFile

ABOUT = {"config": "", "streams": ["eeg"], "outputs": ["attend"], "talkers": ["a", "b"]}
HEARD = {
    "heard": "start",
    "frame": 0,
    "dac": None,
    "decision": -1,
    "positions": [0, 0],
    "gains_db": [0.0, float("-inf")],
}
GOOD = [
    {"control": [1.0, "override 2"]},
    {"control": [1, "session no decoder"]},
    {"stream": "eeg", "gap": [0, 5]},
    {"stream": "eeg", "clock": [0.0, 1.0, 0.002]},
    {"stream": "cues", "offset": -1e-3},
    {"output": "attend", "items": 3, "digest": "ab"},
    {"decision": 1, "newest": 1.0, "arrival": 1.0, "decided": 1.0, "set": None, "scored": False},
    {ANSWER: ["onnx", [0.1, float("nan")]]},
    {ANSWER: ["onnx", None]},
    HEARD,
    {"of a later version": [1, 2]},
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
    {ANSWER: ["onnx", [0.1]]},
    {ANSWER: [None, None]},
    {**HEARD, "positions": "x"},
    {"event": 5},
    {"masked": "x"},
    {"sound": []},
]


@pytest.mark.parametrize("entry", GOOD)
def test_what_is_written_live_is_read(entry):
    assert str(read_line(json.dumps(entry), 2)) == str(entry)


@pytest.mark.parametrize("entry", BAD)
def test_what_is_never_written_is_refused(entry):
    with pytest.raises(xdf.XdfError, match="of the journal"):
        read_line(json.dumps(entry), 2)


@pytest.mark.parametrize("text", ["", "[]", "5", "null", '{"a"', "[" * 100_000, '{"event": "\\ud800"}'])
def test_what_is_no_line_is_refused(text):
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
        {"subject": 7},
        {"streams": [f"s{k}" for k in range(2000)]},
    ],
)
def test_what_no_session_says_of_itself_is_refused(change):
    assert read_about(json.dumps(ABOUT))["talkers"] == ["a", "b"]
    with pytest.raises(xdf.XdfError, match="its description is damaged"):
        read_about(json.dumps({**ABOUT, **change}))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"clock": [256.0, 1002.0, 0.0078125]', b'"clock": [256.0, 1002.0, 1.0e-300]', "is not its rate"),
        (b'"stream": "eeg", "clock": [256.0', b'"stream": "xyz", "clock": [256.0', "no stream of samples"),
        (b'"clock": [256.0, 1002.0, 0.0078125]', b'"gap": [257, 258]', "missing from 257 on, but 256"),
        (
            b'"clock": [256.0, 1002.0, 0.0078125]',
            b'"gap": [256, 999999999999]' + b" " * 10,
            "more than can be believed",
        ),
        (b'[1002.0, "tick"]', b'[1002.0, "tock"]', "control"),
    ],
)
def test_an_altered_recording_that_is_sealed_anew_is_refused_in_words(tmp_path, old, new, words):
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
