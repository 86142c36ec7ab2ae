"""A stream is looked at in the window without a session: real LSL sender, real engine process, real window."""

import os
import subprocess
import sys
import threading
import time
import tomllib
import uuid
from pathlib import Path

import numpy as np
import pylsl
import pytest

pytest.importorskip("PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
from PySide6.QtCore import QSettings, Qt

from earmark.app.dashboard.data.faults import Light
from earmark.app.session.channel import Refused
from earmark.app.session.next_step import Do, Step
from earmark.app.session.view import StreamView
from earmark.devices.sources.lsl_description import make_info
from earmark.devices.sources.lsl_search import StreamSelector
from earmark.pipeline.stream import StreamSpec

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
PATIENCE_MS = 240_000
NAMES = ("Fp1", "Fp2", "C3", "C4", "O1", "O2", "Cz", "Pz")
SFREQ = 250.0


class Sender:
    """Sends EEG-like noise in which O2 is flat."""

    def __init__(self) -> None:
        self.name = f"amplifier {uuid.uuid4()}"
        spec = StreamSpec(self.name, SFREQ, NAMES, ("eeg",) * len(NAMES), ("uV",) * len(NAMES))
        self._outlet = pylsl.StreamOutlet(make_info(spec, "EEG", f"id {self.name}"))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        rng, begun, n = np.random.default_rng(0), pylsl.local_clock(), 0
        while not self._stop.wait(0.02):
            due = int((pylsl.local_clock() - begun) * SFREQ)
            common = 20 * np.sin(2 * np.pi * 1.3 * np.arange(n, due) / SFREQ)[:, None]
            data = (5 * rng.standard_normal((due - n, len(NAMES))) + common).astype(np.float32)
            data[:, NAMES.index("O2")] = 3.0
            if due > n:
                self._outlet.push_chunk(data, begun + due / SFREQ)
            n = due

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def sender():
    one = Sender()
    yield one
    one.close()


@pytest.fixture
def shown(qtbot, qapp, tmp_path, monkeypatch):
    from earmark.app.dashboard.frame import theme
    from earmark.app.dashboard.frame.window import Window

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    theme.apply(qapp, theme.LIGHT)
    one = Window(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    one.resize(1366, 768)
    one.show()
    qtbot.waitExposed(one)
    yield one
    one.close_now()


def test_stream_is_shown_at_once_and_becomes_a_session(qtbot, shown, sender, tmp_path, monkeypatch):
    def until(condition):
        qtbot.waitUntil(condition, timeout=PATIENCE_MS)

    shown.start.buttons["connect"].click()
    picker = shown.launcher._picker
    until(lambda: sender.name in [one["name"] for one in picker._streams])
    stream = next(one for one in picker._streams if one["name"] == sender.name)
    picker.hide()
    picker.stream_chosen.emit(stream)
    sweep, fitting = shown.live.traces.sweep, shown.setup.fitting
    until(lambda: sweep.ch_names == NAMES and not sweep.notice)
    assert sweep.badge.startswith("Not recorded")
    assert (shown.now.kind, shown.top.chip.words, shown.bottom.record.full_text) == ("view", "VIEW", "not recording")
    until(lambda: len(shown.recent.last(1.0)) == SFREQ)
    shown.live.docks["spectrum"].raise_()
    until(lambda: len(shown.live.spectrum._median.getData()[0]) > 10)
    shown.go("setup")
    until(lambda: fitting.sentence.text() == "1 of 8 electrodes needs work: O2 (flat)")
    until(lambda: bool(fitting.head.places))
    assert fitting.head.lights[NAMES.index("O2")] is Light.RED
    sent = StreamSpec(f"z {sender.name}", 1.0, NAMES, ("misc",) * len(NAMES), ("kOhm",) * len(NAMES))
    impedances = pylsl.StreamOutlet(make_info(sent, "Impedance", f"id {sender.name}_impedance"))
    until(impedances.have_consumers)
    impedances.push_sample([5.0, -1.0, *(7.0,) * 6])
    until(lambda: shown.now.impedance.kohm.get("Fp1") == 5.0)
    assert "Fp2" not in shown.now.impedance.kohm
    until(lambda: "●  Fp1  good, 5 kΩ" in [fitting.list.item(i).text() for i in range(fitting.list.count())])
    number = fitting.head.scalp.located.tolist().index(NAMES.index("C3"))
    qtbot.mouseClick(fitting.head, Qt.MouseButton.LeftButton, pos=fitting.head.places[number].toPoint())
    until(lambda: shown.now.marked == {"C3"})
    assert not any((tmp_path / "here").iterdir()), "nothing is written"
    assert shown.settings.value("session/last") is None
    assert not shown.setup.check.isEnabled()

    # Make a session of it
    started = []
    monkeypatch.setattr(shown.launcher, "session", started.append)
    shown.settings.setValue("session/study", str(tmp_path))
    until(lambda: shown.next.step == Step("make a session of this stream", Do.NEW))
    shown.next.click()
    form = shown.start.form
    until(form.isVisible)
    form.participant.setText("01")
    until(lambda: not form.problem)
    form.make.click()
    (file,) = started
    assert file.is_relative_to(tmp_path)
    eeg = tomllib.loads(file.read_text())["streams"]["eeg"]
    assert (eeg["source_id"], eeg["bads"]) == (f"id {sender.name}", ["C3"])

    # Another session takes its place, and the process ends
    pid = shown.viewed._view._monitor.process.pid
    shown.attach(file.parent)
    assert not Path(f"/proc/{pid}/cmdline").exists()
    assert shown.viewed.stream is None


def test_stream_that_is_not_there_yet_is_waited_for():
    view = StreamView(StreamSelector(name=f"none {uuid.uuid4()}"))
    try:
        time.sleep(0.5)
        assert not view.status().engine.alive
        with pytest.raises(Refused, match="there is no electrode 'Cz'"):
            view.send("bad", channel="Cz")
        with pytest.raises(Refused, match="there is no command 'run'"):
            view.send("run")
    finally:
        view.close()


def test_command_shows_a_stream(sender, tmp_path):
    program = (
        "import sys\n"
        "from PySide6.QtCore import QTimer\n"
        "from earmark.app.dashboard.frame import window\n"
        "view = window.Window.view\n"
        "def and_close(self, stream):\n"
        "    view(self, stream)\n"
        "    print('viewing', stream['name'], flush=True)\n"
        "    QTimer.singleShot(0, self.close_now)\n"
        "window.Window.view = and_close\n"
        "from earmark.app.command_line import app\n"
        "app(['dashboard', '--stream', sys.argv[1]])\n"
    )
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", program, sender.name], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"viewing {sender.name}\n"), done.stderr
