"""Warnings of readers reach the user, once, as 'warning: ...', from every command and process."""

import logging
import os
import subprocess
import sys
import time
import uuid

import edfio
import numpy as np
import pylsl
import pytest

from earmark.app.engine.child import EngineJob
from earmark.app.engine.process import EngineProcess
from earmark.app.status import EngineStatus, StatusBoard
from earmark.app.terminal import console
from earmark.app.terminal.warned import WARNING, forward_warnings

SFREQ, SECONDS = 200, 24


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Recordings with three signals of one rate and one of another, as runs and as a data set."""
    root = tmp_path_factory.mktemp("study")
    (root / "stimuli").mkdir()
    (root / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    for k, name in enumerate("ab"):
        envelope = np.abs(np.random.default_rng(k).normal(size=64 * SECONDS))
        np.savez(root / "stimuli" / f"{name}.npz", envelope=envelope, sfreq=64.0)
    for run in (1, 2, 3):
        write(root / "sub-1" / "eeg" / f"sub-1_task-x_run-{run}_eeg.edf", seed=run)
        rows = ("onset\tduration\tstim_file\ttalker\tattended", "0\tn/a\ta.npz\ta\ta", "0\tn/a\tb.npz\tb\tn/a")
        path = root / "sub-1" / "eeg" / f"sub-1_task-x_run-{run}_events.tsv"
        path.write_text("\n".join(rows) + "\n")
    (root / "session.toml").write_text(
        '[streams.eeg]\nname = "x"\n[[nodes]]\ntype = "pick"\ninput = "eeg"\n[[nodes]]\ntype = "reblock"\n'
    )
    return root


def write(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 20, SFREQ * SECONDS)
    signals = [
        edfio.EdfSignal(
            common + rng.normal(0, 5, len(common)),
            SFREQ,
            label=f"EEG {name}",
            physical_dimension="uV",
            physical_range=(-500, 500),
        )
        for name in ("Fp1", "Fp2", "Cz")
    ]
    breath = edfio.EdfSignal(
        rng.normal(0, 1, 25 * SECONDS), 25, label="Resp", physical_dimension="uV", physical_range=(-50, 50)
    )
    edfio.Edf([*signals, breath]).write(path)


def earmark(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "earmark.app.cli", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"},
    )


ONE = "sub-1/eeg/sub-1_task-x_run-1_eeg.edf"
HEARD = ("--talker", "a=stimuli/a.npz", "--talker", "b=stimuli/b.npz", "--attended", "a")


@pytest.mark.parametrize(
    ("command", "n"),
    [
        (("stream", ONE, "--speed", 1000), 1),
        (("import", ONE, *HEARD, "-o", "{out}/r.xdf"), 1),
        (("describe", "session.toml", "--recording", ONE), 1),
        (("train", "sub-1", "-o", "{out}/d"), 3),
        (("evaluate", "sub-1", "--window", "2"), 3),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_every_command_warns_of_what_a_reader_left_out(study, tmp_path, command, n):
    done = earmark(*(str(word).replace("{out}", str(tmp_path)) for word in command), cwd=study)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "left out, as their sampling rate" in line]
    assert len(said) == len(set(said)) == n, "once for each file"
    assert all(line.startswith("warning: ") for line in said)


def test_only_our_warnings_are_forwarded_and_errors_name_their_module(capsys):
    warnings = []
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        forward_warnings(warnings.append)
        logging.getLogger("earmark.devices.files.recordings_edf").warning("%s is odd", "x.edf")
        logging.getLogger("pyxdf.pyxdf").warning("truncated")
        logging.getLogger("matplotlib").warning("fonts")
        logging.getLogger("earmark.devices.sources.lsl").info("nothing much")
        logging.getLogger("earmark.devices.sources.lsl").error("broken")
    finally:
        logging.getLogger().handlers[:] = before[0]
        logging.getLogger().setLevel(before[1])
    assert warnings == ["x.edf is odd", "truncated"]
    assert capsys.readouterr().err.splitlines() == ["ERROR earmark.devices.sources.lsl: broken"]


def test_same_warning_of_two_processes_is_printed_once(capsys, monkeypatch):
    monkeypatch.setattr(console, "_warned", set())
    console.warn("stream 'x' is odd")
    console.print_event(WARNING + "stream 'x' is odd")
    console.print_event(WARNING + "stream 'y' is odd")
    assert capsys.readouterr().err.splitlines() == ["warning: stream 'x' is odd", "warning: stream 'y' is odd"]


def test_warnings_of_an_engine_are_events_of_its_session(tmp_path):
    source_id = f"test-{uuid.uuid4().hex[:12]}"
    info = pylsl.StreamInfo("odd", "EEG", 3, 100.0, "float32", source_id)
    channel = info.desc().append_child("channels").append_child("channel")
    channel.append_child_value("label", "only one")
    channel.append_child_value("unit", "uV")
    outlet = pylsl.StreamOutlet(info)
    text = f'[streams.eeg]\nsource_id = "{source_id}"\n[[nodes]]\ntype = "reblock"\ninput = "eeg"\n'
    board = StatusBoard(EngineStatus)
    engine = EngineProcess()
    engine.work(EngineJob(text, str(tmp_path), "{}", "", board.name, {}))
    try:
        received, end = [], time.monotonic() + 180
        while not any(message[0] in ("connected", "refused", "ended") for message in received):
            assert time.monotonic() < end, received
            received += [message] if (message := engine.receive(0.2)) else []
    finally:
        engine.kill()
        board.close()
        del outlet
    words = [message[1] for message in received if message[0] == "event" and message[1].startswith(WARNING)]
    assert words == [f"{WARNING}stream 'odd' describes 1 channels but has 3: those left are not taken for electrodes"]
