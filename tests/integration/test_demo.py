"""The closed loop from end to end, as a new user meets it: calibration, steering, report, replay, and what was heard."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
import soundfile
from test_live_equals_replay import earmark_for

from app.session_figures import session_figures
from devices.audio.prepare import prepare
from devices.audio.rerender import rerender
from devices.audio.scene import Applied, Control, Scene, Talker
from devices.decoder_folder import load_decoder
from devices.session_file import Noted, SessionFile
from pipeline.metrics import binomial_threshold

SECONDS = 100


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    """One demonstration, and what it printed. Sound goes into a file: there the same samples arrive as at a device."""
    folder = tmp_path_factory.mktemp("demo")
    done = earmark_for(400, "demo", "--headless", "--seconds", SECONDS, "--device", f"file:{folder / 'sound.wav'}", "--out", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture(scope="module")
def journal(demonstration):
    """Every line about decisions and sound."""
    return [event.entry for event in SessionFile(demonstration[0] / "loop.xdf") if isinstance(event, Noted)]


def test_the_replay_is_identical_and_everything_is_there(demonstration):
    folder, said = demonstration
    assert "identical: the replay gave the live output, bit for bit" in said
    assert "Traceback" not in said
    assert {"calibration.xdf", "decoder", "loop.xdf", "loop.decoder", "report.html", "sound.wav"} <= {
        path.name for path in folder.iterdir()
    }
    page = (folder / "report.html").read_text()
    assert "<svg" in page
    assert not re.search(r'(src|href)="|<script', page)


def test_attention_is_decoded_and_gains_follow_the_cues(demonstration):
    folder, _ = demonstration
    decoder, facts = load_decoder(folder / "decoder")
    found = session_figures(folder / "loop.xdf", decoder.spec.window, decoder.preset.hop)
    # Held-out windows of calibration and loop together: enough for the threshold to mean something.
    right, n = found.n_right + round(facts.accuracy * facts.n_decisions), found.n_windows + facts.n_decisions
    assert n >= 25
    assert right / n >= binomial_threshold(n)
    ends = [*(time for time, _ in found.cues[1:]), math.inf]
    followed = []
    for (start, name), end in zip(found.cues, ends, strict=True):
        last = found.gains[(found.times > start) & (found.times <= end)][-1]
        followed.append(int(np.argmax(last)) == found.talkers.index(name) and np.ptp(last) > 3)
    assert sum(followed) > len(followed) / 2


def test_every_decision_is_in_the_ledger(demonstration, journal):
    folder, _ = demonstration
    decoder, _ = load_decoder(folder / "decoder")
    found = session_figures(folder / "loop.xdf", decoder.spec.window, decoder.preset.hop)
    lines = [entry for entry in journal if "newest" in entry]
    assert [entry["decision"] for entry in lines] == list(range(1, len(found.times) + 1))
    for entry in lines:
        assert entry["newest"] <= entry["arrival"] + 0.3
        assert entry["arrival"] <= entry["decided"]
        assert entry["set"] is None or entry["decided"] <= entry["set"]
    changed = np.count_nonzero(np.any(np.diff(found.gains, axis=0) != 0, axis=1))
    heard = {entry["decision"] for entry in journal if entry.get("heard") == "control"}
    assert len(heard & {entry["decision"] for entry in lines}) >= 0.9 * changed > 0


def test_what_was_played_is_what_the_recording_says(demonstration, journal):
    folder, _ = demonstration
    applied = [
        Applied(
            entry["frame"],
            Control(
                tuple(entry["gains_db"]),
                entry["ramp_s"],
                entry["master_db"],
                entry["mute"],
                tuple(entry["azimuths"]),
                entry["seek_id"],
                tuple(math.nan if second is None else second for second in entry["seek_s"]),
            ),
            entry["heard"],
            tuple(entry["positions"]),
        )
        for entry in journal
        if "heard" in entry
    ]
    assert len(applied) > 3
    speech = [str(path) for path in sorted((folder.parents[0] / "x").glob("*"))]
    assert not speech
    played, sfreq = soundfile.read(folder / "sound.wav")
    n = applied[-1].frame
    scene = Scene(tuple(Talker(**talker) for talker in json.loads((folder / "scene.json").read_text())), sfreq)
    np.testing.assert_allclose(played[:n], rerender(prepare(scene), applied, n), atol=1e-6)
