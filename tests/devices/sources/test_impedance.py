"""Impedances from metadata and from streams of their own, with real LSL streams."""

import math
import time
import uuid
from dataclasses import replace

import pylsl
import pytest

from earmark.devices.sources.impedance import Impedances, kohm_per, order_of, plausible, stated_impedances
from earmark.devices.sources.lsl_description import StreamError, describe_xml, make_info
from earmark.pipeline.stream import StreamSpec

NAMES = ("Fp1", "Cz", "O2", "trigger")
KINDS = ("eeg", "eeg", "eeg", "misc")
SPEC = StreamSpec("amplifier", 250.0, NAMES, KINDS, ("uV", "uV", "uV", ""))


def description(source_id="amplifier-7", impedances=()):
    """Description of a stream of electrodes on this computer, with these texts as impedances in its metadata."""
    info = make_info(SPEC, "EEG", source_id)
    channel = info.desc().child("channels").child("channel")
    for text in impedances:
        channel.append_child_value("impedance", text)
        channel = channel.next_sibling("channel")
    with_host = pylsl.StreamOutlet(info).get_info()  # an outlet knows its computer
    return describe_xml(with_host.as_xml())


def outlet(values=3, labels=None, unit="kohms", source_id="", sfreq=1.0):
    """A stream of impedances, as the connector of EGI amplifiers makes it."""
    source_id = source_id or f"id {uuid.uuid4()}"
    info = pylsl.StreamInfo(f"impedances {source_id}", "Impedance", values, sfreq, "float32", source_id)
    channels = info.desc().append_child("channels")
    for i in range(values):
        channel = channels.append_child("channel")
        channel.append_child_value("label", labels[i] if labels else f"E{i + 1}")
        channel.append_child_value("type", "Impedance")
        channel.append_child_value("unit", unit)
    return pylsl.StreamOutlet(info)


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def watch():
    watched = []

    def start(*arguments):
        watched.append(Impedances(*arguments))
        return watched[-1]

    yield start
    for one in watched:
        one.close()


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        *(("kOhm", 1.0), ("kohms", 1.0), ("kΩ", 1.0), ("k\u2126", 1.0), ("Ohm", 1e-3), ("Ω", 1e-3)),
        *(("MOhm", None), ("mOhm", None), ("", None), ("uV", None)),
    ],
)
def test_only_known_units_count(unit, factor):
    assert kohm_per(unit) == factor


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, -math.inf, 2147483647.0])
def test_values_that_are_no_measurement_are_dropped(value):
    assert math.isnan(plausible(value))


def test_metadata_are_read_as_kohm():
    found = stated_impedances(description(impedances=("4.5", "-1", "12e0")))
    assert found == {"Fp1": 4.5, "O2": 12.0}
    assert stated_impedances(description()) == {}
    assert stated_impedances(description(impedances=("", "nan", "twelve"))) == {}


def test_values_are_matched_by_names_or_by_number():
    def of(*labels, same_sender=True):
        n = len(labels)
        return order_of(StreamSpec("z", 1.0, labels, ("misc",) * n, ("kohms",) * n), NAMES[:3], same_sender)

    assert of("o2", "GND", "FP1") == of("o2", "GND", "FP1", same_sender=False) == ["O2", "", "Fp1"]
    assert of("E1", "E2", "E3") == list(NAMES[:3])
    with pytest.raises(StreamError, match="source_id does not begin like theirs, so they may be those of another cap"):
        of("E1", "E2", "E3", same_sender=False)
    with pytest.raises(StreamError, match="2 impedances with other names for 3 electrodes: not used"):
        of("E1", "E2")


def test_stream_of_impedances_is_received_and_values_age(watch):
    one = watch(description(impedances=("5", "6", "7")))
    assert one.kohm == {"Fp1": 5.0, "Cz": 6.0, "O2": 7.0}
    assert math.isnan(one.newest)
    sender = outlet(source_id="amplifier-7 impedance")
    assert sender.wait_for_consumers(60)
    before = pylsl.local_clock()
    sender.push_sample([8.0, math.nan, 1e9])
    until(lambda: one.kohm == {"Fp1": 8.0})
    assert before <= one.newest <= pylsl.local_clock()
    kept = one.newest
    time.sleep(0.5)
    assert (one.kohm, one.newest) == ({"Fp1": 8.0}, kept), "nothing is made up between values"
    del sender


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"unit": "", "labels": NAMES[:3]}, "does not state its unit"),
        ({"values": 2}, "2 impedances with other names"),
        ({}, "may be those of another cap"),
    ],
)
def test_stream_that_does_not_fit_is_refused_with_the_reason(watch, wrong, words):
    sender = outlet(**wrong)
    one = watch(description())
    until(lambda: words in one.problem)
    assert one.kohm == {}
    del sender


def test_any_failure_of_the_library_is_the_reason(watch, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("could not create stream inlet.")

    sender = outlet()
    monkeypatch.setattr(pylsl, "StreamInlet", broken)
    one = watch(description())
    until(lambda: one.problem == "could not create stream inlet.")
    assert one._thread.is_alive(), "it tries again"
    del sender


def test_of_several_streams_that_of_the_same_source_is_taken(watch):
    mine = f"amplifier-{uuid.uuid4()}"
    others = [outlet(), outlet()]
    one = watch(replace(description(), source_id=mine))
    until(lambda: "several streams of impedances" in one.problem)
    sender = outlet(source_id=f"{mine}_impedance")
    assert sender.wait_for_consumers(60)
    sender.push_sample([1.0, 2.0, 3.0])
    until(lambda: one.kohm == {"Fp1": 1.0, "Cz": 2.0, "O2": 3.0})
    assert one.problem == ""
    assert not any(other.have_consumers() for other in others)
