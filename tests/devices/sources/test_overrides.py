"""User corrections supply missing metadata of a stream, and replace stated values only explicitly."""

import json

import numpy as np
import pylsl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.devices.files.journal import About
from earmark.devices.files.recording import Recording, Segment
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.session_file import Consumed, SessionFile
from earmark.devices.files.session_writer import SessionWriter
from earmark.devices.sources.lsl_description import StreamError, describe_xml
from earmark.devices.sources.overrides import OverrideError, Overrides
from earmark.devices.sources.source import Arrival
from earmark.pipeline.nodes.reblock import Reblock, ReblockConfig
from earmark.pipeline.stream import Block, StreamSpec

NAMES = ("Fp1", "Fp2", "T7", "T8", "EKG", "DC1", "DC2", "Trig")


def spec(units="", kinds=("eeg",) * 7 + ("misc",), sfreq=250.0):
    units = (units,) * 8 if isinstance(units, str) else units
    return StreamSpec("amp", sfreq, NAMES, kinds, units)


def described(kind="EEG", channels=(), n=3, sfreq=250.0, fmt="float32"):
    """Description by a sender, with channels as (label, type, unit); None for fields that are not declared."""
    info = pylsl.StreamInfo("amp", kind, n, sfreq, fmt, "x")
    node = info.desc().append_child("channels") if channels else None
    for fields in channels:
        channel = node.append_child("channel")
        for key, value in zip(("label", "type", "unit"), fields, strict=True):
            if value is not None:
                channel.append_child_value(key, value)
    return describe_xml(info.as_xml())


# -- unit ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["", "none", "unknown", "n/a", "0", "counts", "LSB"])
@pytest.mark.parametrize(("unit", "microvolts"), [("V", 1e6), ("uV", 1.0), ("0.0488 uV", 0.0488)])
def test_user_supplies_an_unknown_unit(said, unit, microvolts):
    channels = [(f"E{i}", "EEG", said) for i in range(2)] + [("Trig", "Stim", said)]
    found = described(channels=channels).overridden(Overrides(unit=unit)).spec
    assert found.units[:2] == (unit, unit)
    assert found.units[2] != unit, "only electrodes are in volts"
    node = Reblock(ReblockConfig(0.02, limit_uv=1e8))
    node.open(found)
    (block,) = node.process(Block(0, np.full((5, 3), 7, np.int16)))
    np.testing.assert_allclose(block.data[:, :2], 7 * microvolts)
    np.testing.assert_array_equal(block.data[:, 2], 7)


def test_known_unit_is_replaced_only_by_a_unit_with_a_number():
    assert Overrides(unit="microvolts").apply(spec("uV")).said == (), "another spelling is not a contradiction"
    with pytest.raises(OverrideError, match=r"unit is 'uV', but 'mV' of 'Fp1', .* and 2 more is stated: .* '1 uV'"):
        Overrides(unit="uV").apply(spec("mV"))
    applied = Overrides(unit="1 uV").apply(spec("mV"))
    assert applied.spec.units[:7] == ("1 uV",) * 7
    assert applied.spec.units[7] == "mV", "not an electrode"
    assert "is used instead of 'mV' of 'Fp1'" in applied.said[0]


def test_mne_lsl_unit_zero_is_volts_only_from_mne_lsl():
    info = pylsl.StreamInfo("player", "", 2, 250.0, "float32", "x")
    channels = info.desc().append_child("channels")
    for label, kind, coil in (("E0", "eeg", "1"), ("STI", "stim", "0")):
        channel = channels.append_child("channel")
        for key, value in (("label", label), ("type", kind), ("unit", "0"), ("coil_type", coil)):
            channel.append_child_value(key, value)
    assert describe_xml(info.as_xml()).spec.units == ("V", "")
    assert described(channels=[("E0", "EEG", "0")], n=1).spec.units == ("",)
    assert described(channels=[("E0", "EEG", "-6")], n=1).spec.units == ("-6",)


# -- type ------------------------------------------------------------------------------------------------------


def test_user_supplies_unknown_types_and_replaces_eeg():
    said = [("a", "ExG", "uV"), ("b", "EEG", "uV"), ("c", "ECG", "uV"), ("d", None, "uV"), ("e", "ORN", "deg")]
    assert described("ExG", said, 5).spec.ch_types == ("misc", "eeg", "misc", "misc", "misc")
    found = described("ExG", said, 5).overridden(Overrides(ch_type="seeg")).spec
    assert found.ch_types == ("seeg", "seeg", "misc", "seeg", "misc")
    bare = described("Biosignal").overridden(Overrides(ch_type="eeg")).spec
    assert bare.ch_types == ("eeg",) * 3
    assert Overrides(ch_type="ecog").apply(spec(kinds=("eeg", "eog") * 4)).spec.ch_types == ("ecog", "eog") * 4
    assert Overrides(ch_type="misc").apply(spec()).spec.ch_types == ("misc",) * 8


def test_undescribed_channels_are_not_electrodes(caplog):
    found = described(channels=[("a", "EEG", "uV"), ("b", "EEG", "uV")], n=5)
    assert found.spec.ch_names == ("a", "b", "EEG3", "EEG4", "EEG5")
    assert found.spec.ch_types == ("eeg", "eeg", "misc", "misc", "misc")
    assert found.overridden(Overrides(ch_type="seeg")).spec.ch_types == ("seeg", "seeg", "misc", "misc", "misc")
    assert "describes 2 channels but has 5" in caplog.text
    more = described(channels=[(c, "EEG", "uV") for c in "abcd"], n=3)
    assert more.spec.ch_names == ("a", "b", "c")
    assert "describes 4 channels but has 3" in caplog.text


def test_labels_of_other_senders_are_found():
    info = pylsl.StreamInfo("Explore", "ExG", 1, 250.0, "float32", "x")
    info.desc().append_child("channels").append_child("channel").append_child_value("name", "ch1")
    assert describe_xml(info.as_xml()).spec.ch_names == ("ch1",)


# -- channels --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "kept"),
    [
        ((), NAMES),
        (("T8", "Fp1"), ("Fp1", "T8")),
        (("Fp*", "T[78]"), ("Fp1", "Fp2", "T7", "T8")),
        (("!EKG", "!DC*", "!Trig"), ("Fp1", "Fp2", "T7", "T8")),
        (("T*", "!Trig"), ("T7", "T8")),
    ],
)
def test_channels_are_chosen_by_name_or_pattern_in_the_order_of_the_stream(channels, kept):
    applied = Overrides(channels=channels).apply(spec())
    assert applied.spec.ch_names == kept
    data = np.arange(24).reshape(3, 8)
    np.testing.assert_array_equal(applied.take(data), data[:, [NAMES.index(name) for name in kept]])


@pytest.mark.parametrize("key", ["channels", "bads"])
def test_unknown_names_are_refused_with_a_suggestion(key):
    with pytest.raises(OverrideError, match=f"{key} names 'FP1', which no channel is called: did you mean 'Fp1'"):
        Overrides(**{key: ("FP1",)}).apply(spec())
    with pytest.raises(OverrideError, match=f"{key} names 'X\\*'.*there are Fp1, Fp2, "):
        Overrides(**{key: ("X*",)}).apply(spec())
    with pytest.raises(OverrideError, match="leaves none of Fp1"):
        Overrides(channels=("!*",)).apply(spec())


# -- bads ------------------------------------------------------------------------------------------------------


@given(st.sampled_from(["i1", "i2", "i4", "f4", "f8"]), st.integers(-100, 100))
def test_bad_channels_are_nan_and_others_bit_identical(dtype, value):
    applied = Overrides(bads=("T?", "EKG"), channels=("!Trig",)).apply(spec("uV"))
    data = np.full((4, 8), value, dtype)
    taken = applied.take(data)
    assert np.isnan(taken[:, [2, 3, 4]]).all()
    np.testing.assert_array_equal(taken[:, [0, 1, 5, 6]], data[:, [0, 1, 5, 6]])
    assert taken.shape == (4, 7)
    assert (data == value).all(), "samples are recorded as received"
    node = Reblock(ReblockConfig(0.016))
    node.open(applied.spec)
    (block,) = node.process(Block(0, taken))
    assert block.bad.tolist() == [name in ("T7", "T8", "EKG") for name in applied.spec.ch_names]


# -- rate ------------------------------------------------------------------------------------------------------


def test_rate_is_supplied_corrected_or_refused():
    assert Overrides(sfreq=250.0).apply(spec(sfreq=0.0)).spec.sfreq == 250.0
    corrected = Overrides(sfreq=249.5).apply(spec())
    assert (corrected.spec.sfreq, corrected.said) == (249.5, ("sfreq 249.5 Hz is used instead of 250 Hz",))
    assert Overrides(sfreq=250.0).apply(spec()).said == ()
    with pytest.raises(OverrideError, match="sfreq is 500, but the stated rate is 250 Hz"):
        Overrides(sfreq=500.0).apply(spec())
    with pytest.raises(StreamError, match="text has no rate"):
        described("Markers", n=1, sfreq=0.0, fmt="string").overridden(Overrides(sfreq=250.0))


def test_text_with_a_rate_is_a_marker_stream():
    assert described("Markers", n=1, sfreq=1000.0, fmt="string").spec.sfreq == 0.0


def test_files_without_stamps_use_the_rate_of_the_user():
    data = np.zeros((500, 8), np.float32)
    pieces = [Segment(0, 200, 0.0), Segment(200, 500, 2.0)]
    recording = Recording(spec("uV"), 500, pieces, [(1.0, "go"), (2.5, "on")], lambda a, b: data[a:b])
    slow = recording.overridden(Overrides(sfreq=240.0))
    assert slow.spec.sfreq == 240
    assert slow.duration == pytest.approx(recording.duration * 250 / 240)
    assert slow.annotations == [(t * (250 / 240), words) for t, words in recording.annotations]
    np.testing.assert_allclose(slow.times(200, 500), recording.times(200, 500) * 250 / 240)


# -- all of it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"unit": "furlong"}, "unit is 'furlong', but must be V, mV, uV or nV"),
        ({"unit": "0 uV"}, "unit is '0 uV'"),
        ({"ch_type": "eegs"}, "ch_type is 'eegs', but must be one of eeg, seeg"),
        ({"sfreq": 0.0}, "sfreq is 0"),
        ({"sfreq": float("nan")}, "sfreq is nan"),
    ],
)
def test_invalid_corrections_are_refused(wrong, words):
    with pytest.raises(OverrideError, match=words):
        Overrides(**wrong)


@given(
    st.builds(
        Overrides,
        unit=st.sampled_from(["", "uV", "0.5 mV"]),
        ch_type=st.sampled_from(["", "seeg"]),
        channels=st.lists(st.text(max_size=4)).map(tuple),
        bads=st.lists(st.text(max_size=4)).map(tuple),
        sfreq=st.none() | st.floats(0.1, 1e5),
    )
)
def test_recording_stores_all_corrections(overrides):
    assert Overrides.from_json(json.loads(json.dumps(overrides.to_json()))) == overrides


def test_empty_corrections_change_nothing():
    applied = Overrides().apply(spec("uV"))
    assert applied.as_sent
    assert applied.spec == spec("uV")
    data = np.zeros((2, 8), np.int8)
    assert applied.take(data) is data


def test_columns_of_mne_lsl_annotations_are_named():
    found = described(
        "annotations", [("go", "annotations", "none"), ("stop", "annotations", "none")], 2, 0.0, "double64"
    )
    assert found.marker(np.array([0.0, -1.0])) == "stop"
    assert described("Markers", n=2, sfreq=0.0, fmt="int32").marker(np.array([1234567, 8])) == "1234567 8"


# -- recordings of a session -----------------------------------------------------------------------------------


def test_session_recording_applies_its_stored_corrections(tmp_path):
    sent = described("ExG", [(f"E{i}", "ExG", None) for i in range(4)], 4, 0.0, "int16")
    words = Overrides(unit="0.5 uV", ch_type="eeg", channels=("!E3",), bads=("E1",), sfreq=250.0)
    stream = sent.overridden(words)
    writer = SessionWriter({"eeg": stream}, {}, About("", overrides={"eeg": words}))
    data = np.random.default_rng(0).integers(-1000, 1000, (1000, 4), np.int16)
    path = tmp_path / "session.xdf"
    with path.open("wb") as file:
        file.write(writer.headers)
        writer.begin(file.write)
        for at in range(0, 1000, 50):
            raw, stamps = data[at : at + 50], 100 + np.arange(at, at + 50) / 250
            writer.arrival(Arrival("eeg", Block(at, stream.take(raw)), stamps[-1], stamps, raw))
        writer.end()
    blocks = [event.item for event in SessionFile(path) if isinstance(event, Consumed)]
    consumed = np.concatenate([block.data for block in blocks])
    np.testing.assert_array_equal(consumed, stream.take(data), "what the graph was fed")
    recording = open_recording(path)
    assert recording.spec.evolve(name="amp") == stream.spec.evolve(units=("uV",) * 3)
    np.testing.assert_allclose(recording.read(0, 1000), consumed * 0.5)
    # Corrections given now take precedence; the rest is taken from the recording.
    other = open_recording(path, overrides=Overrides(unit="2 uV", bads=("E0",)))
    assert other.spec.ch_names == ("E0", "E1", "E2")
    assert np.isnan(other.read(0, 10)[:, 0]).all()
    np.testing.assert_allclose(other.read(0, 1000)[:, 1], data[:, 1] * 2.0)
