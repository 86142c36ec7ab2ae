"""What describe, replay, train and control write as JSON is what they show."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import earmark.app.session.channel
from benchmarks.sessions import write_session
from earmark.app.command_line import app
from earmark.app.status import Check
from earmark.app.terminal.console import console
from earmark.devices.files.decoder_folder import load_decoder

SESSION = """
[streams.eeg]
type = "EEG"
sfreq = 500
n_channels = 6
[streams.speech]
name = "s"
ch_type = "misc"
sfreq = 64
n_channels = 2
[attention]
"""


@pytest.fixture(autouse=True)
def text_on_standard_output():
    """Undo what ``--json -`` does to the console of this process."""
    yield
    console.stderr = False


def invoke(*arguments, status=0):
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == status, done.output
    return done


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """Train a decoder; return its folder and what the command wrote."""
    folder = tmp_path_factory.mktemp("trained")
    write_session(folder / "calibration-1.xdf", (("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0)))
    invoke("train", folder / "calibration-1.xdf", "-o", folder / "decoder", "--json", folder / "train.json")
    return folder / "decoder", json.loads((folder / "train.json").read_text())


def test_train_writes_the_facts_of_the_decoder(decoder):
    folder, found = decoder
    _, facts = load_decoder(folder)
    assert (found["folder"], found["runs"], found["left_out"]) == (str(folder), 3, [])
    assert found["n_decisions"] == facts.n_decisions > 0
    for name in ("accuracy", "chance_level", "chance_limit", "seconds"):
        value = getattr(facts, name)
        assert found[name] == (None if np.isnan(value) else value)


def test_replay_writes_outputs_and_verdict(decoder, tmp_path):
    run = write_session(tmp_path / "run-1" / "loop.xdf", decoder=decoder[0])
    done = invoke("replay", run.parent, "--verify", "--json", "-")
    found = json.loads(done.stdout)
    assert found["verdict"]["status"] == 0
    assert found["verdict"]["words"] in done.stderr
    attend = found["outputs"]["attend"]
    assert attend["compared"] == attend["samples"] > 10
    assert (attend["largest_difference"], attend["digests_matched"]) == (0.0, attend["digests"])
    assert found["whole"]
    run.write_bytes(run.read_bytes()[:-5000])
    assert json.loads(invoke("replay", run, "--json", "-").stdout)["whole"] is False
    cut = invoke("replay", run, "--verify", "--json", tmp_path / "cut.json", status=4)
    found = json.loads((tmp_path / "cut.json").read_text())["verdict"]
    assert found["status"] == 4
    assert found["words"] in " ".join(cut.output.split())


def test_watched_replay_writes_no_json(tmp_path):
    invoke("replay", tmp_path, "--watch", "--json", tmp_path / "x.json", status=2)


def test_describe_writes_streams_and_nodes(tmp_path):
    (tmp_path / "session.toml").write_text(SESSION)
    done = invoke("describe", tmp_path / "session.toml", "--json", "-")
    found = json.loads(done.stdout)
    assert (found["streams"]["eeg"]["sfreq"], len(found["streams"]["eeg"]["ch_names"])) == (500.0, 6)
    nodes = {one["name"]: one for one in found["nodes"]}
    assert all(name in done.stderr for name in nodes)
    assert {given for one in nodes.values() for given in one["inputs"]} <= {*nodes, *found["streams"]}
    assert all(line in done.stderr for line in found["settings"])
    assert found["deadline_s"] > 0


@pytest.mark.parametrize("ok", [True, False])
def test_control_writes_the_results_of_checks(tmp_path, monkeypatch, ok):
    checks = [Check("streams", True, "all"), Check("decoder", ok, "train one", due=True)]

    class Served:
        def __init__(self, folder):
            pass

        def send_typed(self, command, given):
            words = [(one.what, one.ok, one.words, one.due) for one in checks]
            return words if command == "check" else {"state": "ready"}

        def close(self):
            pass

    monkeypatch.setattr(earmark.app.session.channel, "Client", Served)
    done = invoke("control", tmp_path, "check", "--json", "-", status=0 if ok else 1)
    assert [Check(**one) for one in json.loads(done.stdout)] == checks
    assert "streams: all" in done.stderr
    assert json.loads(invoke("control", tmp_path, "state", "--json", "-").stdout) == {"state": "ready"}
