"""Recordings of earlier versions are read as those versions did; recordings of later versions are refused."""

import numpy as np
import pylsl
import pytest
from journal_lines import as_newer, as_version_0, rewritten
from typer.testing import CliRunner

from benchmarks.sessions import write_session
from earmark.app.command_line import app
from earmark.app.commands.train import train
from earmark.app.report.worker import figures_of
from earmark.app.training.study import read_study
from earmark.devices.files.journal import FORMAT, About, NewerFormatError
from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.recording import RecordingError
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.session_file import Consumed, SessionFile, is_session
from earmark.devices.files.session_writer import SessionWriter
from earmark.devices.sources.lsl_description import describe_xml
from earmark.devices.sources.overrides import Overrides
from earmark.devices.sources.source import Arrival
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.stream import Block, Marker

NEWER = r"recorded by earmark 9\.0\.1 in format 7, but earmark [0-9.]+\S* reads formats up to 3: install a newer"


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
    writer = SessionWriter(streams, {}, about)
    with path.open("wb") as file:
        file.write(writer.headers)
        writer.begin(file.write)
        writer.arrival(Arrival("eeg", Block(0, np.ones((10, 3), np.float32)), 1.0, np.arange(10) / 100))
        writer.arrival(Arrival("codes", Marker(0.5, ""), 1.0, np.array([0.5]), np.array([[1234567]], np.int32)))
        writer.end()
    return path


def marker(file):
    return next(e.item.value for e in file if isinstance(e, Consumed) and isinstance(e.item, Marker))


def test_old_recordings_are_read_as_older_versions_did(tmp_path):
    new = recorded(tmp_path / "new.xdf", About("", units={"eeg": "mV"}))
    old = SessionFile(as_version_0(new, tmp_path / "old.xdf"))
    spec = old.streams["eeg"].spec
    assert (old.about.format, old.about.written_by, old.about.overrides) == (0, "", None)
    assert spec.ch_names == ("EEG1", "EEG2", "EEG3"), "all of a description, or nothing"
    assert (spec.ch_types, spec.units) == (("eeg",) * 3, ("mV",) * 3)
    assert marker(old) == "1.23457e+06"


def test_new_recordings_are_read_as_declared(tmp_path):
    new = SessionFile(recorded(tmp_path / "new.xdf", About("", overrides={"eeg": Overrides(unit="mV")})))
    spec = new.streams["eeg"].spec
    assert new.about.format == FORMAT
    assert new.about.written_by.startswith("earmark ")
    assert spec.ch_names == ("Cz", "EEG2", "EEG3")
    assert (spec.ch_types, spec.units) == (("eeg", "misc", "misc"), ("mV", "", ""))
    assert marker(new) == "1234567"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with its decoder beside it."""
    folder = tmp_path_factory.mktemp("study")
    write_session(folder / "calibration-1.xdf", (("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0)))
    train([folder / "calibration-1.xdf"], folder / "decoder")
    return write_session(folder / "run-1" / "loop.xdf", seed=3, decoder=folder / "decoder")


def test_a_run_of_version_0_is_read_the_same_event_by_event(tmp_path, run):
    old, new = SessionFile(as_version_0(run, tmp_path / "old.xdf")), SessionFile(run)
    assert [str(event) for event in old] == [str(event) for event in new]
    assert old.whole
    assert not old.damage


@pytest.mark.parametrize("version", [0, 1, FORMAT])
def test_a_run_keeps_the_evidence_of_the_version_that_made_it(tmp_path, run, version):
    """Before format 2, a configuration without a word on evidence meant a switch rate of 0.02, without memory."""
    said = "switch_rate = 0.02\n"
    decoder = run.parent.parent / "decoder"
    made = write_session(tmp_path / "loop.xdf", seed=3, decoder=decoder, attention=said)
    assert said in SessionFile(made).about.config

    def older(about):
        return {**about, "config": about["config"].replace(said, ""), "format": version}

    old = rewritten(made, tmp_path / "old.xdf", older)
    if not version:
        old = as_version_0(old, tmp_path / "oldest.xdf")
    assert SessionFile(old).about.format == version
    assert "switch_rate" not in SessionFile(old).about.config
    replays = {path: CliRunner().invoke(app, ["replay", str(path), "--verify"]) for path in (made, old)}
    assert replays[made].exit_code == 0, replays[made].output
    assert (replays[old].exit_code == 0) == (version < FORMAT), replays[old].output


@pytest.fixture(scope="module")
def newer(run, tmp_path_factory):
    place = tmp_path_factory.mktemp("newer") / "run-1"
    place.mkdir()
    (place / "loop.decoder").symlink_to(run.with_suffix(".decoder"))
    return as_newer(run, place / "loop.xdf")


def test_recording_of_a_later_version_is_refused(newer):
    with pytest.raises(NewerFormatError, match=NEWER):
        SessionFile(newer)
    assert is_session(newer), "it is one, so nobody takes it for something else"
    with pytest.raises(RecordingError, match=NEWER):
        open_recording(newer, "eeg")
    with pytest.raises(RunError, match=NEWER):
        read_study([newer], EEG)
    with pytest.raises(NewerFormatError, match=NEWER):
        figures_of(newer.parent)  # what the window shows of a run


@pytest.mark.parametrize(
    "command",
    [
        ["replay", "{run}/loop.xdf", "--verify"],
        ["replay", "{run}", "--watch"],
        ["report", "{run}"],
        ["train", "{run}/loop.xdf", "--out", "{out}"],
        ["evaluate", "{run}/loop.xdf"],
        ["stream", "{run}/loop.xdf"],
    ],
)
def test_every_command_that_reads_recordings_refuses_it(newer, tmp_path, command):
    done = CliRunner().invoke(app, [one.format(run=newer.parent, out=tmp_path / "out") for one in command])
    assert done.exit_code == 1
    assert "in format 7" in done.output
    assert "install a newer Earmark" in " ".join(done.output.split())
    assert "Traceback" not in done.output


def test_later_version_without_a_program_name_is_refused_too(run, tmp_path):
    path = rewritten(run, tmp_path / "x.xdf", lambda about: {**about, "format": FORMAT + 1, "written_by": 5})
    with pytest.raises(NewerFormatError, match=f"recorded by a newer Earmark in format {FORMAT + 1}"):
        SessionFile(path)
