"""``earmark demo``: a simulated listener steers real sound through real LSL, from calibration to report."""

from __future__ import annotations

import math
import tempfile
from collections import deque
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import threading

    from app.session import Session
    from app.session_screen import Screen

#: What names of streams begin with.
PREFIX = "earmark-demo"
#: Everything happens on this machine.
SESSION = f"""\
[streams.eeg]
source_id = "{PREFIX}-eeg"

[streams.speech]
name = "{PREFIX}-envelopes"
ch_type = "misc"

[streams.cues]
name = "{PREFIX}-cues"
type = "Markers"

[attention]

[sound]
device = "DEVICE"
publish = "{PREFIX}"

[[sound.talkers]]
name = "Joe"
source = "speech:joe"
azimuth = -30.0
loop = true

[[sound.talkers]]
name = "Ada"
source = "speech:ada"
azimuth = 30.0
loop = true
"""
#: Share of the time that calibration takes, and its number of trials.
CALIBRATION, N_TRIALS = 0.5, 6
#: Seconds between switches of attention while the loop is closed.
SWITCH_S = 20.0


class ListenerName(StrEnum):
    """Presets of ``devices.simulate``."""

    EASY = "easy"
    TYPICAL = "typical"
    HARD = "hard"


def demo(
    seconds: Annotated[float, typer.Option(help="How long it takes, about.", min=100)] = 120.0,
    listener: Annotated[ListenerName, typer.Option(help="How well attention shows.")] = ListenerName.EASY,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the recordings and the report.")] = None,
    device: Annotated[str, typer.Option(help="Where sound goes: a device, or null for none.")] = "",
    headless: Annotated[bool, typer.Option("--headless", help="No status line, no keys.")] = False,
) -> None:
    """Let a simulated listener steer two voices: calibrate, train, close the loop, verify the recording, report.

    Sound goes to the default device, else to a file in the folder. Nobody was recorded for this: EEG and both voices
    are made up. Exit status: 0 all went well, 1 something did not.
    """
    from app.console import console, fail, failures, say
    from app.keyboard import Keyboard
    from app.modes import Mode
    from app.record import stop_on_signals
    from app.replay import replay
    from app.report import report
    from app.session import Session
    from app.session_screen import Screen, refusals
    from devices.lsl_log import quiet_liblsl
    from devices.simulate import PRESETS
    from devices.simulate_live import ListenerProcess, LiveConfig

    quiet_liblsl()
    folder = out or Path(tempfile.mkdtemp(prefix="earmark-demo-"))
    stop = stop_on_signals()
    keyboard = Keyboard(stop)
    keyboard.there = keyboard.there and not headless
    events: deque[str] = deque(maxlen=1000)
    with failures(), refusals():
        folder.mkdir(parents=True, exist_ok=True)
        console.print(f"Everything goes to {folder}. The listener is simulated ({listener.value}).", markup=False)
        config = _config(device, folder)
        person = ListenerProcess(
            LiveConfig(
                ("Joe", "Ada"),
                f"{PREFIX}-envelopes",
                f"{PREFIX}-cues",
                source_id=f"{PREFIX}-eeg",
                listener=PRESETS[listener.value],
                delivery_s=0.12,
            )
        )
        try:
            with Session(config, folder, events.append) as rig, keyboard:
                screen = Screen(rig, events, keyboard)
                if _calibrate(rig, screen, CALIBRATION * seconds, stop, line=not headless):
                    place = _close_the_loop(rig, screen, (1 - CALIBRATION) * seconds)
                    screen.follow(stop, line=not headless)
                    ...
        finally:
            person.stop()
