"""A damaged run is evaluated without its damaged parts, and every reader of it reports the damage."""

import pytest
import typer

from benchmarks.fuzz import resealed
from benchmarks.sessions import write_session
from earmark.app.commands.replay import replay
from earmark.app.commands.report import report
from earmark.app.commands.train import train
from earmark.app.replay.paced_recording import survey
from earmark.devices.files import xdf
from earmark.devices.files.session_file import SessionFile
from earmark.devices.files.session_run import CUES


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session")
    write_session(folder / "calibration-1.xdf", (("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0)))
    train([folder / "calibration-1.xdf"], folder / "decoder")
    path = write_session(
        folder / "run-1" / "loop.xdf", (("Joe", 14.0), ("Ada", 6.0)), seed=3, decoder=folder / "decoder"
    )
    return path.parent


@pytest.fixture
def flipped(run):
    """Return the run with one flipped bit in a sample."""
    path = run / "loop.xdf"
    whole = path.read_bytes()
    chunks = [c for c in xdf.read_chunks(path) if c.tag == xdf.SAMPLES and c.stream_id == 1]
    raw = bytearray(whole)
    raw[chunks[len(chunks) // 2].stop - 3] ^= 16
    path.write_bytes(raw)
    yield run
    path.write_bytes(whole)


def test_undamaged_run_replays_identically(run, capsys):
    replay(run, verify=True)
    assert "identical: the replay gave the live output, bit for bit" in capsys.readouterr().out


def test_replay_names_the_damage_and_its_position(flipped, capsys):
    with pytest.raises(typer.Exit) as ended:
        replay(flipped, verify=True)
    assert ended.value.exit_code == 3
    said = capsys.readouterr()
    assert "DAMAGED: bytes " in said.out
    assert "(LSL time): bytes differ from those written; left out" in said.out
    assert "the recording is damaged" in said.err


def test_report_is_written_and_names_the_damage(flipped, capsys):
    report(flipped)
    assert "DAMAGED: loop.xdf: bytes " in capsys.readouterr().out
    page = (flipped / "report.html").read_text(encoding="utf-8")
    assert "Damaged, and left out: loop.xdf: bytes " in page
    assert "eeg: 1 gap" in page


def test_paced_replay_knows_the_damage(flipped):
    found = survey(SessionFile(flipped / "loop.xdf"), CUES)
    assert len(found.damage) == 1
    assert found.whole


def test_run_without_cues_has_a_report(run, tmp_path, capsys):
    path = run / "loop.xdf"
    whole = path.read_bytes()
    resealed(path, lambda c: b"" if b"attend:" in c.content else c.raw, tmp_path / "loop.xdf")
    path.write_bytes((tmp_path / "loop.xdf").read_bytes())
    try:
        report(run)
    finally:
        path.write_bytes(whole)
    assert "cannot be scored" in capsys.readouterr().out
    assert "has no cue that names the attended talker" in (run / "report.html").read_text(encoding="utf-8")


def test_cue_with_unknown_talker_is_an_error(run, tmp_path, capsys):
    path = run / "loop.xdf"
    whole = path.read_bytes()
    resealed(path, lambda c: c.raw.replace(b"attend:Ada", b"attend:Eve"), tmp_path / "loop.xdf")
    path.write_bytes((tmp_path / "loop.xdf").read_bytes())
    try:
        with pytest.raises(typer.Exit):
            report(run)
    finally:
        path.write_bytes(whole)
    assert "a cue names 'Eve', but the talkers are Joe, Ada" in capsys.readouterr().err
