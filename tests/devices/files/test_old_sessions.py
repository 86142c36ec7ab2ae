"""Recordings made before the user's word was kept with them are replayed as they were understood then."""

import numpy as np
import pylsl

from earmark.devices.files.journal import OVERRIDES
from earmark.devices.files.session_file import Consumed, SessionFile
from earmark.devices.files.session_writer import SessionWriter
from earmark.devices.sources.lsl import Arrival
from earmark.devices.sources.lsl_description import describe_xml
from earmark.devices.sources.overrides import Overrides
from earmark.pipeline.stream import Block, Marker


def partial():
    """Of three channels one is described, as other senders do, and says no unit."""
    info = pylsl.StreamInfo("amp", "EEG", 3, 100.0, "float32", "x")
    channel = info.desc().append_child("channels").append_child("channel")
    channel.append_child_value("name", "Cz")
    channel.append_child_value("type", "EEG")
    return info.as_xml()


def codes():
    return pylsl.StreamInfo("codes", "Markers", 1, 0.0, "int32", "m").as_xml()


def recorded(path, about):
    streams = {"eeg": describe_xml(partial()), "codes": describe_xml(codes())}
    writer = SessionWriter(streams, {}, {"config": "", **about})
    with path.open("wb") as file:
        file.write(writer.headers)
        writer.begin(file.write)
        writer.arrival(Arrival("eeg", Block(0, np.ones((10, 3), np.float32)), 1.0, np.arange(10) / 100))
        writer.arrival(Arrival("codes", Marker(0.5, ""), 1.0, np.array([0.5]), np.array([[1234567]], np.int32)))
        writer.end()
    return SessionFile(path)


def marker(file):
    return next(e.item.value for e in file if isinstance(e, Consumed) and isinstance(e.item, Marker))


def test_old_recordings_are_read_as_they_were(tmp_path):
    old = recorded(tmp_path / "old.xdf", {"units": {"eeg": "mV"}})
    spec = old.streams["eeg"].spec
    assert spec.ch_names == ("EEG1", "EEG2", "EEG3"), "all of a description, or nothing"
    assert (spec.ch_types, spec.units) == (("eeg",) * 3, ("mV",) * 3)
    assert marker(old) == "1.23457e+06"


def test_new_ones_are_read_as_they_are(tmp_path):
    new = recorded(tmp_path / "new.xdf", {OVERRIDES: {"eeg": Overrides(unit="mV").to_json()}})
    spec = new.streams["eeg"].spec
    assert spec.ch_names == ("Cz", "EEG2", "EEG3")
    assert (spec.ch_types, spec.units) == (("eeg", "misc", "misc"), ("mV", "", ""))
    assert marker(new) == "1234567"
