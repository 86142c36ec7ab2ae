"""Take a session with a simulated listener from calibration to the end of its run, on a terminal."""

from __future__ import annotations

import threading
from pathlib import Path

from earmark.app.config.modes import Mode
from earmark.app.config.protocol import Protocol
from earmark.app.session.states import SessionError
from earmark.app.session.supervisor import Supervisor
from earmark.app.session.terminal import Screen
from earmark.app.terminal.console import console
from earmark.app.terminal.signals import call_when_set


def go_through(
    supervisor: Supervisor,
    protocol: Protocol,
    screen: Screen,
    stop: threading.Event,
    *,
    line: bool,
    seconds: float | None = None,
) -> Path | None:
    """Calibrate, train and run; return the folder of the run, or None if it ended before.

    Parameters
    ----------
    supervisor : Supervisor
    protocol : Protocol
    screen : Screen
    stop : threading.Event
        Ends the part that is under way.
    line : bool
        Whether to show a status line.
    seconds : float or None
        Length of the run in s, may be infinite; None takes that of the protocol.
    """
    session = supervisor.session
    cues = protocol.calibration.cues(session.talkers)
    n = sum(bool(name) for _, name in cues)
    console.print(f"\nCalibration: {n} trials in {cues[-1][0]:.0f} s, each with a cue.", style="bold")
    try:
        with call_when_set(stop, session.stop):
            session.calibrate(protocol.calibration)
    except SessionError:
        if stop.is_set():  # a check failed because it was ended
            return None
        raise
    finally:
        screen.print_events()
    screen.follow(stop, line=line)
    if not session.complete:
        return None
    console.print("\nTraining a decoder on the calibration …", style="bold")
    session.train()
    if stop.is_set():
        return None
    console.print("\nClosed loop: the attended talker is turned up, the other down.", style="bold")
    place = session.run(Mode.CLOSED, protocol.run, seconds)
    screen.follow(stop, line=line)
    return place
