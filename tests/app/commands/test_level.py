"""Levels of sound outputs: measured, stored, and used as a cap."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
import typer
from rig import ENV, ROOT

from earmark.app.commands.level import _ask_for_reading
from earmark.app.config.sound import SoundConfig, TalkerConfig
from earmark.devices.audio.levels import cap_dbfs, levels_file, read_levels, store_level
from earmark.devices.audio.scene import AudioError

JOE = TalkerConfig(name="joe", source="speech:joe")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_levels_are_stored_per_device():
    assert read_levels() == {}
    store_level("headphones", 104.5)
    store_level("speakers", 98.0)
    store_level("headphones", 105.0)
    assert read_levels() == {"headphones": 105.0, "speakers": 98.0}
    assert cap_dbfs("headphones", 85.0) == -20.0
    assert [path.name for path in levels_file().parent.iterdir()] == ["levels.json"]


def test_cap_in_spl_lowers_the_ceiling_and_never_raises_it(tmp_path):
    store_level("headphones", 105.0)

    def ceiling(**settings):
        return SoundConfig(device="headphones", talkers=[JOE], **settings).scene(tmp_path).ceiling_dbfs

    assert ceiling() == -6.0
    assert ceiling(max_spl=85.0) == -20.0
    assert ceiling(max_spl=104.0) == -6.0
    assert ceiling(max_spl=85.0, ceiling_dbfs=-30.0) == -30.0


def test_unmeasured_device_is_refused_with_the_fix(tmp_path):
    store_level("speakers", 98.0)
    with pytest.raises(AudioError, match="earmark level headphones"):
        SoundConfig(device="headphones", max_spl=85.0, talkers=[JOE]).scene(tmp_path)
    with pytest.raises(AudioError, match="device is 'null': name another, or remove max_spl"):
        SoundConfig(device="null", max_spl=85.0, talkers=[JOE]).scene(tmp_path)


@pytest.mark.parametrize("text", ["", "[1]", '{"a": "loud"}', '{"a": NaN}', '{"a": true}'])
def test_damaged_file_is_refused_and_not_overwritten(text):
    path = levels_file()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(AudioError, match="remove it"):
        read_levels()
    with pytest.raises(AudioError, match="remove it"):
        store_level("a", 1.0)
    assert path.read_text() == text


def level(*words, tmp_path):
    command = [sys.executable, "-m", "earmark.app.cli", "level", *words]
    env = {**ENV, "XDG_CONFIG_HOME": str(tmp_path)}
    return subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=600, input="70\n", check=False
    )


def test_command_asks_for_the_reading_and_refuses_an_implausible_one(tmp_path):
    done = level("null", tmp_path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    # From straight ahead, noise of -30 dBFS is played at about -33 dBFS on each side; the level played is what counts.
    full_scale = json.loads(levels_file().read_text())["null"]
    assert full_scale == pytest.approx(70 + 33, abs=1.0)
    implausible = level("null", "--reading", "400", tmp_path=tmp_path)
    assert implausible.returncode == 1
    assert "400 dB SPL is implausible" in implausible.stderr
    assert json.loads(levels_file().read_text())["null"] == full_scale


def test_without_an_answer_the_command_names_the_option(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(typer.Exit) as ended:
        _ask_for_reading()
    assert ended.value.exit_code == 1
    assert "because the input has ended: give it with --reading" in capsys.readouterr().err


def test_ctrl_c_at_the_question_ends_the_command_as_in_every_other(monkeypatch):
    class Interrupted(io.StringIO):
        def readline(self, *_):
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", Interrupted())
    with pytest.raises(typer.Exit) as ended:
        _ask_for_reading()
    assert ended.value.exit_code == 130


def test_noise_can_be_heard_without_measuring(monkeypatch):
    """The noise is played and nothing is stored."""
    from typer.testing import CliRunner

    from earmark.app.command_line import app
    from earmark.app.commands import level

    monkeypatch.setattr(level, "LISTEN_S", 0.2)
    done = CliRunner().invoke(app, ["level", "null", "--listen"])
    assert done.exit_code == 0, done.output
    assert "Pink noise on" in done.output
    assert "do not change it" not in done.output
    assert not levels_file().exists()
