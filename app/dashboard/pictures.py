"""Screenshots of the live page for the documentation: ``python -m earmark.app.dashboard.pictures``.

They show a real session with a simulated listener: a calibration, then a run. Takes some minutes.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.window import Window
from earmark.app.dashboard.launch.process import make_application
from earmark.app.dashboard.launch.sessions import board_of
from earmark.app.session.channel import Client
from earmark.pipeline.attention.gain_control import STALE_S, Situation

#: Output folder, size in pixels, seconds of the run before the screenshots, and the longest wait, s.
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
SIZE, AFTER_S, TIMEOUT_S = (1280, 720), 45.0, 300.0


def _session(folder: Path) -> None:
    from earmark.app.config.protocol import Calibration, Protocol, RunPlan
    from earmark.app.session.simulated import simulated_session

    calibration = Calibration(n_trials=6, trial_s=12.0, pause_s=0.0)
    protocol = Protocol(calibration=calibration, run=RunPlan(seconds=300.0, switch_every_s=20.0))
    with simulated_session(folder, "null", protocol, "easy") as supervisor:
        supervisor.ended.wait()


def main() -> None:
    """Save a screenshot per theme."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = make_application()
    with tempfile.TemporaryDirectory(prefix="earmark-pictures-") as temporary:
        folder = Path(temporary) / "demo"
        folder.mkdir()
        session = mp.get_context("spawn").Process(target=_session, args=(folder,))
        session.start()
        _wait_until(app, lambda: bool(board_of(folder)))
        window = Window(QSettings(f"{temporary}/window.ini", QSettings.Format.IniFormat), folder)
        window.resize(*SIZE)
        window.show()
        client = Client(folder)
        try:
            client.send("calibrate")
            _wait_until(app, lambda: window.now.state == "calibrating" and window.now.complete)
            client.send("accept")
            client.send("run")
            for name, colours in theme.THEMES.items():
                theme.apply(app, colours)
                _wait_until(app, _after(2.0))
                _wait_until(app, lambda: _run_is_steady(window.now))
                path = FOLDER / f"live-{name}.png"
                if not window.grab().toImage().save(str(path), quality=0):  # smallest
                    raise OSError(f"{path} cannot be written: run this in a checkout")
        finally:
            window.close_now()
            client.send("stop")
            client.send("shutdown")
            client.close()
            session.join()


def _run_is_steady(now: Snapshot) -> bool:
    """Whether the run is in a steady state. When it starts, boards may still describe the calibration before it."""
    recording, one = now.recording, now.decision
    if now.state != "running" or not now.recording_now or recording is None or one is None:
        return False
    in_run = recording.path.endswith("loop.xdf") and now.elapsed > AFTER_S
    steered = one.situation == Situation.STEERED and now.time - one.time < STALE_S
    right = one.talker >= 0 and now.talkers[one.talker] == now.attend
    return in_run and steered and right and now.engine_live and bool(now.stages)


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def _wait_until(app: QApplication, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(
                f"the demonstration was not ready for a screenshot within {TIMEOUT_S:g} s: close other programs and "
                "try again"
            )
        app.processEvents()
        time.sleep(0.005)


if __name__ == "__main__":
    main()
    sys.exit()
