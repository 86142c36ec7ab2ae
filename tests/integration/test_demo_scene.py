"""``earmark demo --scene``: talkers who walk in a room, told apart, decoded and steered, from calibration to replay."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from rig import ENV, ROOT

from earmark.app.config.session import parse_config
from earmark.app.report.read_session import session_figures
from earmark.devices.files.session_file import SessionFile

SECONDS = 120


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    pytest.importorskip("pyroomacoustics")
    folder = tmp_path_factory.mktemp("cafe")
    words = ("demo", "--scene", "--headless", "--seconds", str(SECONDS), "--device", "null", "--out", str(folder))
    done = subprocess.run(
        [sys.executable, "-m", "earmark.app.cli", *words],
        check=False,
        env=ENV,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_attention_to_places_is_decoded_and_the_replay_is_identical(demonstration):
    folder, output = demonstration
    assert "identical: the replay gave the live output, bit for bit" in output
    assert "Traceback" not in output
    (recording,) = folder.rglob("loop.xdf")
    assert (recording.parent / "report.html").exists()
    found = session_figures(recording)
    assert found.talkers == ("Joe", "Ada") or list(found.talkers) == ["Joe", "Ada"]
    assert found.n_windows >= 15
    assert found.n_right / found.n_windows >= found.chance_limit
    assert np.ptp(found.gains, axis=1).max() > 3, "places were steered"


def test_recording_holds_the_array(demonstration):
    folder, _ = demonstration
    (recording,) = folder.rglob("loop.xdf")
    config = parse_config(SessionFile(recording).about.config, "test", folder)
    assert config.sound.array.preset == "glasses6"
    assert [talker.name for talker in config.sound.room.talkers] == ["Joe", "Ada"]
