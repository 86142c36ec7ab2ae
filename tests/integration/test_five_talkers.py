"""A session with five talkers: the commands calibrate, run, report and replay."""

import dataclasses
import subprocess
import sys
import uuid

import numpy as np
from rig import ENV, replayed

from earmark.devices.simulate.listener import PRESETS
from earmark.devices.simulate.live import ListenerProcess, LiveConfig
from earmark.pipeline.attention.gain_control import Situation
from earmark.pipeline.stream import Decision

NAMES = ("Joe", "Ada", "Kim", "Lee", "Max")
CLEAR = dataclasses.replace(PRESETS["easy"], response_uv=12.0, ignored=0.1, wandering=0.0)
SESSION = """
[streams.eeg]
source_id = "{name}-eeg"
[streams.speech]
name = "{name}-envelopes"
ch_type = "misc"
[streams.cues]
name = "{name}-cues"
type = "Markers"
[attention]
[engine]
resolve_s = 20
[sound]
device = "null"
publish = "{name}"
"""
PROTOCOL = """
[calibration]
n_trials = 5
trial_s = 8.8
pause_s = 0.0
[run]
seconds = 20.0
[[run.cues]]
at_s = 0.0
attend = "Max"
"""


def earmark(*arguments):
    command = [sys.executable, "-m", "earmark.app.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENV, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_five_talkers(tmp_path):
    name = f"test-{uuid.uuid4().hex[:12]}"
    talkers = "".join(
        f'[[sound.talkers]]\nname = "{who}"\nsource = "speech:{("joe", "ada")[k % 2]}"\nstart_s = {3.0 * k}\n'
        f"azimuth = {30 * k - 60}\nloop = true\n"
        for k, who in enumerate(NAMES)
    )
    (tmp_path / "session.toml").write_text(SESSION.format(name=name) + talkers)
    (tmp_path / "protocol.toml").write_text(PROTOCOL)
    person = ListenerProcess(
        LiveConfig(NAMES, f"{name}-envelopes", f"{name}-cues", source_id=f"{name}-eeg", listener=CLEAR, delivery_s=0.12)
    )
    try:
        earmark("calibrate", tmp_path / "session.toml")
        earmark("run", tmp_path / "session.toml")
    finally:
        person.stop()
    made = [path for path in tmp_path.rglob("*") if path.name not in ("session.toml", "protocol.toml")]
    assert {path.name for path in made} >= {"calibration-1.xdf", "decoder", "run-1", "loop.xdf", "report.html"}
    modes = {path: path.stat().st_mode & 0o777 for path in made}
    open_to_others = [path for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)]
    assert not open_to_others, "recordings of a participant are readable by the user only"
    path = tmp_path / "run-1" / "loop.xdf"
    assert "Max" in (tmp_path / "run-1" / "report.html").read_text()
    steered = [
        one
        for one in replayed(path)["attend"]
        if isinstance(one, Decision) and one.situation == Situation.STEERED and one.talker >= 0
    ]
    assert steered, "there are decisions for a talker"
    assert np.mean([one.talker == NAMES.index("Max") for one in steered]) > 0.5
