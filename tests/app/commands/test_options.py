"""The keys of [streams] as options of commands that read raw recordings, and in the template of a session."""

import os
import re
import subprocess
import sys
import time
import uuid

import edfio
import numpy as np
import pylsl
import pytest
from typer.testing import CliRunner

from earmark.app.command_line import app
from earmark.app.config.session import load_config
from earmark.devices.files.decoder_folder import load_decoder
from earmark.devices.sources.lsl_description import describe_xml

RUNNER = CliRunner()
SFREQ, SECONDS, NAMES = 200, 24, ("Fp1", "Fp2", "Cz", "DC9")


def write(path, seed, unit="", scale=1.0):
    """Write four signals of similar size, one of them not EEG, in a unit that the file may not state."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 20, SFREQ * SECONDS)
    signals = [
        edfio.EdfSignal(
            (common + rng.normal(0, 5, len(common))) * scale,
            SFREQ,
            label=f"EEG {name}",
            physical_dimension=unit,
            physical_range=(-500 * scale, 500 * scale),
        )
        for name in NAMES
    ]
    edfio.Edf(signals).write(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set whose recordings do not say their unit: millivolts."""
    root = tmp_path_factory.mktemp("data")
    (root / "stimuli").mkdir()
    (root / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    for k, name in enumerate("ab"):
        envelope = np.abs(np.random.default_rng(k).normal(size=64 * SECONDS))
        np.savez(root / "stimuli" / f"{name}.npz", envelope=envelope, sfreq=64.0)
    for run in (1, 2, 3):
        write(root / "sub-1" / "eeg" / f"sub-1_task-x_run-{run}_eeg.edf", run, scale=1e-3)
        rows = ("onset\tduration\tstim_file\ttalker\tattended", "0\tn/a\ta.npz\ta\ta", "0\tn/a\tb.npz\tb\tn/a")
        (root / "sub-1" / "eeg" / f"sub-1_task-x_run-{run}_events.tsv").write_text("\n".join(rows) + "\n")
    return root


def test_options_apply_to_recordings_of_a_data_set(data, tmp_path):
    refused = RUNNER.invoke(app, ["train", str(data), "-o", str(tmp_path / "d")])
    assert refused.exit_code == 1
    assert "give 'unit'" in refused.stderr
    # With the option of the message, and the other options.
    words = ("--unit", "mV", "--channels", "!DC*", "--ch-type", "eeg", "--sfreq", "199.5")
    done = RUNNER.invoke(app, ["train", str(data), "-o", str(tmp_path / "d"), *words])
    assert done.exit_code == 0, done.output
    assert load_decoder(tmp_path / "d")[0].spec.ch_names == ("Fp1", "Fp2", "Cz")
    found = RUNNER.invoke(app, ["evaluate", str(data), "--window", "2", *words, "--bads", "Cz"])
    assert found.exit_code == 0, found.output
    masked = float(re.search(r"Bad channels count as zero: ([\d.]+) %", found.output)[1])
    assert masked == pytest.approx(100 / 3, abs=5), "one of three"


def test_options_that_match_no_recording_are_refused_by_name(data, tmp_path):
    for command in (("train", "-o", str(tmp_path / "d")), ("evaluate",)):
        wrong = RUNNER.invoke(app, [command[0], str(data), *command[1:], "--unit", "mV", "--bads", "cz"])
        assert wrong.exit_code == 1
        assert "did you mean 'Cz'" in wrong.stderr
        wrong = RUNNER.invoke(app, [command[0], str(data), *command[1:], "--unit", "furlong"])
        assert wrong.exit_code == 1
        assert "unit is 'furlong', but must be V, mV, uV or nV" in wrong.stderr


def test_options_are_refused_for_imported_runs(data, tmp_path):
    eeg = data / "sub-1" / "eeg" / "sub-1_task-x_run-1_eeg.edf"
    heard = [word for name in "ab" for word in ("--talker", f"{name}={data / 'stimuli' / name}.npz")]
    run = tmp_path / "r.xdf"
    made = RUNNER.invoke(app, ["import", str(eeg), *heard, "--attended", "a", "-o", str(run), "--unit", "mV"])
    assert made.exit_code == 0, made.output
    again = RUNNER.invoke(app, ["train", str(run), "-o", str(tmp_path / "d"), "--unit", "mV"])
    assert again.exit_code == 1
    assert "--unit applies to raw recordings only, but these are all runs. Give it to 'earmark import'" in again.stderr


def test_options_apply_to_a_recording_that_is_streamed(data):
    name = f"words-{uuid.uuid4().hex[:8]}"
    words = ("--unit", "mV", "--channels", "!DC9", "--bads", "Fp2", "--ch-type", "seeg", "--sfreq", "201")
    eeg = data / "sub-1" / "eeg" / "sub-1_task-x_run-1_eeg.edf"
    player = subprocess.Popen(
        [sys.executable, "-m", "earmark.app.cli", "stream", str(eeg), "--name", name, "--wait", "--speed", "4", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
    )
    try:
        (info,) = pylsl.resolve_byprop("name", name, timeout=600)
        inlet = pylsl.StreamInlet(info)
        spec = describe_xml(inlet.info(10).as_xml()).spec
        assert (spec.ch_names, spec.ch_types, spec.units) == (("Fp1", "Fp2", "Cz"), ("seeg",) * 3, ("uV",) * 3)
        assert spec.sfreq == 201
        got, end = [], time.monotonic() + 180
        while len(got) < 400:
            assert time.monotonic() < end
            got += inlet.pull_chunk(timeout=1.0)[0]
    finally:
        player.kill()
        player.wait()
    data = np.array(got)
    assert np.isnan(data[:, 1]).all()
    assert 15 < data[:, [0, 2]].std() < 30, "microvolts"


def test_session_template_has_every_key(tmp_path):
    RUNNER.invoke(app, ["new", str(tmp_path / "a")])
    path = tmp_path / "a" / "session.toml"
    text = path.read_text()
    part = text.index("[streams.speech]")
    said = re.sub(r"(?m)^# (unit|ch_type|sfreq|channels|bads)( = )", r"\1\2", text[:part])
    path.write_text(said + text[part:])
    words = load_config(path).streams["eeg"].overrides
    assert all(words.to_json().get(key) for key in ("unit", "ch_type", "sfreq", "channels", "bads"))
