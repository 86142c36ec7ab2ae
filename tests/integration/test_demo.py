"""``earmark demo`` from calibration to replay, including its sound."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from rerender import rerender
from rig import ENV, ROOT
from without_torch import without_torch

from earmark.app.commands.train import train
from earmark.app.config.session import parse_config
from earmark.app.replay.verify import Replay
from earmark.app.report.read_session import session_figures
from earmark.app.session.channel import ChannelError, Client, is_served
from earmark.app.training.runs import PresetName
from earmark.devices.audio.prepare import prepare
from earmark.devices.audio.scene import Applied, Control
from earmark.devices.files.decoder_folder import load_decoder
from earmark.devices.files.journal import DecisionLine, HeardLine
from earmark.devices.files.session_file import Consumed, Noted, SessionFile
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.stream import Decision, Marker

#: Length of the demonstration, s; the default of the command.
SECONDS = 120


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    """Run a demonstration; return its folder and output. Sound goes to a file, with the same samples as on a device."""
    folder = tmp_path_factory.mktemp("demo")
    words = ("demo", "--headless", "--seconds", str(SECONDS), "--device", "file:sound.wav", "--out", str(folder))
    environment = without_torch(folder.with_name(f"{folder.name}-hidden"), ENV)  # as without any extra
    command, output = [sys.executable, "-m", "earmark.app.cli", *words], folder / "said.txt"
    with output.open("w") as out:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    try:
        send_commands(folder, process)
        assert process.wait(600) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()
    return folder, output.read_text()


def send_commands(folder, process):
    """Trim a talker before the loop, and mute one for a while in the loop."""
    while not is_served(folder):
        assert process.poll() is None
        time.sleep(0.2)
    client = Client(folder)
    client.send("trim", talker="Ada", db=-4.0)
    refusals, disturbed = [], False
    while (state := client.send("state"))["state"] != "running":
        if state["state"] == "calibrating" and (state["task"] or {}).get("block", 0) > 1 and not disturbed:
            disturb(client)
            disturbed = True
        if state["state"] == "calibrating":  # must be refused; the calibration may have ended since
            with pytest.raises(ChannelError, match=r"obey the cues|no run is under way") as refused:
                client.send("attend", talker="Ada" if (state["task"] or {}).get("attend") == "Joe" else "Joe")
            refusals.append(str(refused.value))
        time.sleep(0.2)
    assert any("obey the cues" in words for words in refusals)
    assert disturbed
    while not client.send("state")["task"]["recording_now"]:
        time.sleep(0.2)
    time.sleep(3)
    client.send("note", text="a <b>cough</b>")
    client.send("trim", talker="Joe", mute=True)
    time.sleep(3)
    client.send("trim", talker="Joe", mute=False)
    client.close()


def disturb(client):
    """Do in the calibration what a person may click; none of it may change the calibration."""
    for command in ("check", "calibrate", "redo", "finish", "accept", "refuse", "run"):
        with pytest.raises(ChannelError, match="calibrates, trains and runs by itself"):
            client.send(command)
    with pytest.raises(EarmarkError, match="nothing is steered now"):
        client.send("override", talker="Ada")
    with pytest.raises(EarmarkError, match="cannot be paused"):
        client.send("pause")
    client.send("trim", talker="Ada", mute=True)
    client.send("mute")
    time.sleep(4)  # longer than a real listener's trial would survive
    client.send("mute", on=False)
    client.send("trim", talker="Ada", mute=False)


@pytest.fixture(scope="module")
def recording(demonstration):
    """Return the recording of the closed loop."""
    (path,) = demonstration[0].rglob("loop.xdf")
    return path


@pytest.fixture(scope="module")
def found(recording):
    """Return the figures of the report."""
    return session_figures(recording)


@pytest.fixture(scope="module")
def journal(recording):
    """Return all journal lines."""
    return [event.line for event in SessionFile(recording) if isinstance(event, Noted)]


def test_replay_is_identical_and_report_is_complete(demonstration, recording):
    _, output = demonstration
    assert "identical: the replay gave the live output, bit for bit" in output
    assert "Traceback" not in output
    page = (recording.parent / "report.html").read_text()
    assert page.count("<svg") >= 2
    assert "trims are not included" in page
    assert "trim: Ada -4 dB, already active" in page
    assert re.search(r"<h2>Notes and answers</h2>\s*<ul><li>[\d.]+ s: note: a &lt;b&gt;cough&lt;/b&gt;</li></ul>", page)
    result = re.compile(
        r"\d+ % of \d+ decision windows were correct; chance limit \d+ % \(p = 0.05\): better than guessing"
    )
    assert result.search(page)
    assert result.search(output)
    assert "The decoder is better than guessing" in output
    assert "chance level 50 %, chance limit" in output
    assert not re.search(r'src=|href="\w+:|<script', page)
    assert '<a href="decisions.csv">' in page
    assert re.search(r"<dt>sound output</dt><dd>(?!not known)[^<,]+</dd>", page), "the device itself, not its setting"
    assert "<dt>amplifier</dt><dd>simulated listener" in page


def test_clicks_in_the_calibration_change_nothing(demonstration):
    events = [item.item for item in SessionFile(demonstration[0] / "calibration-1.xdf") if isinstance(item, Consumed)]
    cues = [item.value for item in events if isinstance(item, Marker)]
    assert sorted(cues) == ["attend:", *["attend:Ada"] * 3, *["attend:Joe"] * 3]


def test_attention_is_decoded_and_gains_follow_the_cues(found):
    assert found.n_windows >= 15
    assert found.n_right / found.n_windows >= found.chance_limit
    ends = [*(time for time, _ in found.cues[1:]), math.inf]
    followed = []
    for (start, name), end in zip(found.cues, ends, strict=True):
        if not name:
            continue
        last = found.gains[(found.times > start) & (found.times <= end)][-1]
        followed.append(int(np.argmax(last)) == found.talkers.index(name) and np.ptp(last) > 3)
    assert len(followed) == 3
    assert sum(followed) >= 2


def test_every_decision_is_in_the_journal(found, recording, journal):
    lines, decisions = [line for line in journal if isinstance(line, DecisionLine)], []
    Replay(SessionFile(recording)).run(lambda _, item: decisions.append(item) if isinstance(item, Decision) else None)
    assert [line.decision for line in lines] == list(range(1, len(found.times) + 1))
    for line, decision in zip(lines, decisions, strict=True):
        assert line.newest == (decision.newest_time if line.scored else decision.time)
        assert line.newest <= line.arrival + 0.3
        assert line.arrival <= line.decided
        assert line.set_at is None or line.decided <= line.set_at
    changed = np.count_nonzero(np.any(np.diff(found.gains, axis=0) != 0, axis=1))
    heard = {line.decision for line in journal if isinstance(line, HeardLine) and line.heard == "control"}
    assert len(heard & {line.decision for line in lines}) >= 0.9 * changed > 0


def test_played_sound_equals_the_sound_rendered_from_the_recording(demonstration, recording, journal):
    folder, _ = demonstration
    applied = [
        Applied(
            line.frame,
            Control(
                line.gains_db,
                line.ramp_s,
                line.master_db,
                line.mute,
                line.azimuths,
                line.seek_id,
                tuple(math.nan if second is None else second for second in line.seek_s),
                line.trims_db,
                line.mutes,
            ),
            line.heard,
            line.positions,
        )
        for line in journal
        if isinstance(line, HeardLine)
    ]
    assert len(applied) > 3
    trims = [(one.control.trims_db, one.control.mutes) for one in applied]
    for wanted in (((0.0, 0.0), (False, False)), ((0.0, -4.0), (False, False)), ((0.0, -4.0), (True, False))):
        assert wanted in trims
    played, _ = soundfile.read(folder / "sound.wav")
    config = parse_config(SessionFile(recording).about.config, "test", folder)
    n = applied[-1].frame
    assert n > 60 * 48_000
    wanted = rerender(prepare(config.sound.scene(folder)), applied, n)
    for one in applied:
        if one.kind == "lost":  # the audio process was replaced within a buffer
            played[one.frame - 256 : one.frame + 512] = wanted[one.frame - 256 : one.frame + 512]
    np.testing.assert_allclose(played[:n], wanted, rtol=0, atol=1e-6)


def test_training_on_the_calibration_gives_the_same_decoder(demonstration, tmp_path):
    """Training on the recorded calibration gives the decoder of the session."""
    folder, _ = demonstration
    train([folder / "calibration-1.xdf"], tmp_path / "again", PresetName.EEG)
    (again, facts), (first, then) = load_decoder(tmp_path / "again"), load_decoder(folder / "decoder")
    assert facts.fingerprints == then.fingerprints, "the same runs, to the last bit"
    assert (facts.accuracy, facts.n_decisions, facts.seconds) == (then.accuracy, then.n_decisions, then.seconds)
    # This process may use more threads, which add in another order, in single precision.
    for name, array in first.arrays().items():
        size = np.abs(array).max()
        np.testing.assert_allclose(again.arrays()[name], array, rtol=1e-3, atol=1e-3 * size, err_msg=name)
