"""'earmark new' writes files that work unchanged."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from earmark.app.command_line import app
from earmark.app.config.protocol import load_protocol
from earmark.app.config.session import load_config
from earmark.app.config.toml_file import ConfigError
from earmark.app.session.session import Session
from earmark.app.session.templates import PROTOCOL, SESSION, write_session

RUN = CliRunner()


def test_new_files_are_valid_unchanged(tmp_path):
    done = RUN.invoke(app, ["new", str(tmp_path / "first-try")])
    assert done.exit_code == 0, done.output
    config = load_config(tmp_path / "first-try" / "session.toml")
    assert config.streams["speech"].name == "first-try-envelopes" == f"{config.sound.publish}-envelopes"
    assert config.decoder is None
    session = Session(config, tmp_path / "first-try")
    assert session.talkers == ["Joe", "Ada"]
    protocol = load_protocol(tmp_path / "first-try" / "protocol.toml")
    assert len(protocol.calibration.cues(session.talkers)) == 24
    assert len(protocol.run.cues(session.talkers)) == 7
    for command in ("earmark streams", "earmark play", "earmark calibrate", "earmark run"):
        assert command in done.output
    assert "Next: switch the amplifier on and start the session first-try" in done.output


def test_commented_settings_are_the_defaults(tmp_path):
    """Uncommenting a default changes nothing."""
    RUN.invoke(app, ["new", str(tmp_path / "a")])
    path = tmp_path / "a" / "session.toml"
    before = load_config(path)
    text = path.read_text()
    part = text.index("[attention]")
    path.write_text(text[:part] + re.sub(r"(?m)^# (\w+ = [-\d.]+ )", r"\1", text[part:]))
    after = load_config(path)
    assert path.read_text() != text
    assert after.attention == before.attention
    assert after.sound == before.sound


def test_each_session_has_its_own_order_of_trials(tmp_path):
    for i in range(5):
        RUN.invoke(app, ["new", str(tmp_path / f"p{i}")])
    seeds = {load_protocol(tmp_path / f"p{i}" / "protocol.toml").calibration.seed for i in range(5)}
    assert len(seeds) > 1


def test_nothing_is_overwritten_and_unusable_names_are_refused(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes.txt").write_text("mine")
    done = RUN.invoke(app, ["new", str(tmp_path / "there")])
    assert done.exit_code == 1
    assert "already exists" in done.output
    assert [p.name for p in (tmp_path / "there").iterdir()] == ["notes.txt"]
    for name in ("\x1b[2J", "-x", "."):
        done = RUN.invoke(app, ["new", "--", str(tmp_path / name)])
        assert done.exit_code == 1, name
    assert [p.name for p in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize(
    ("folder", "prefix"),
    [
        ("sub-01/ses-02", "sub-01-ses-02"),
        ("alice/run", "run"),
        ("my subject", "my-subject"),
        ("Jürgen Groß", "Jurgen-Gro"),
        ('quo"te', "quo-te"),
        ("日本", r"session-[0-9a-f]{4}"),
    ],
)
def test_folder_may_have_any_name_and_streams_get_a_safe_one(tmp_path, folder, prefix):
    done = RUN.invoke(app, ["new", str(tmp_path / folder)])
    assert done.exit_code == 0, done.output
    config = load_config(tmp_path / folder / "session.toml")
    assert re.fullmatch(prefix, config.sound.publish)
    assert config.streams["speech"].name == f"{config.sound.publish}-envelopes"
    advised = re.search(r"earmark play (.*?)    is the sound", done.output)[1]
    assert shlex.split(advised) == [str(tmp_path / folder / "session.toml")], "quoted for a shell"


@pytest.mark.parametrize("command", ["calibrate", "run"])
def test_session_without_sound_is_refused(tmp_path, command):
    RUN.invoke(app, ["new", str(tmp_path / "a")])
    path = tmp_path / "a" / "session.toml"
    path.write_text(path.read_text().split("# What the listener hears")[0])
    done = RUN.invoke(app, [command, str(path)])
    assert done.exit_code == 1
    assert "[sound]" in done.output


def test_describe_needs_no_published_sound(tmp_path):
    """Only the amplifier is missing; a recording or the file can describe it."""
    RUN.invoke(app, ["new", str(tmp_path / "a")])
    path = tmp_path / "a" / "session.toml"
    path.write_text(path.read_text().replace('type = "EEG"', 'type = "EEG"\nsfreq = 500\nn_channels = 32', 1))
    done = RUN.invoke(app, ["describe", str(path)], env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    assert "stream speech: name 'a-envelopes'; 2 channels, 64 Hz" in done.output
    assert "deadline of a chunk" in done.output


def test_changed_settings_stand_where_they_are_explained(tmp_path):
    talkers = [{"name": "A", "source": "speech:ada", "azimuth": 20.0}, {"name": "B", "source": "input:1"}]
    settings = {
        "streams": {"eeg": {"type": None, "source_id": 'a"b\\c'}},
        "sound": {"device": "Speakers, ALSA", "ceiling_dbfs": -20.0, "talkers": talkers},
    }
    plan = {"calibration": {"n_trials": 8, "trial_s": 20.0}, "run": {"seconds": 60.0, "switch_every_s": None}}
    path = write_session(tmp_path / "sub-01" / "ses-02", settings, plan)
    config, protocol = load_config(path), load_protocol(path.with_name("protocol.toml"))
    eeg = config.streams["eeg"]
    assert (eeg.type, eeg.source_id) == ("", 'a"b\\c')
    assert (config.sound.device, config.sound.ceiling_dbfs) == ("Speakers, ALSA", -20.0)
    assert [(t.name, t.source, t.azimuth) for t in config.sound.talkers] == [
        ("A", "speech:ada", 20.0),
        ("B", "input:1", 0.0),
    ]
    assert config.sound.publish == "sub-01-ses-02"
    assert (protocol.calibration.n_trials, protocol.calibration.trial_s, protocol.calibration.pause_s) == (8, 20.0, 5.0)
    assert (protocol.run.seconds, protocol.run.switch_every_s) == (60.0, None)
    for file, template in ((path, SESSION), (path.with_name("protocol.toml"), PROTOCOL)):
        said = [line for line in template.splitlines() if line.startswith("# ") and not set("={") & set(line)]
        assert not set(said) - set(file.read_text().splitlines())
    lines = path.read_text().splitlines()
    assert lines[lines.index("[streams.eeg]") + 2].startswith("source_id = "), "where the comment of the key was"


@pytest.mark.parametrize(
    ("settings", "plan", "words"),
    [
        ({"sound": {"ceiling_dbfs": 3.0}}, {}, "sound.ceiling_dbfs"),
        ({}, {"calibration": {"n_trials": 13}}, "must be a multiple of 2"),
        ({"sound": {"talkers": [{"name": "A", "source": "speech:bob"}]}}, {}, "speech:joe"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_and_nothing_is_written(tmp_path, settings, plan, words):
    with pytest.raises(ConfigError, match=words):
        write_session(tmp_path / "alice", settings, plan)
    assert not (tmp_path / "alice").exists()
