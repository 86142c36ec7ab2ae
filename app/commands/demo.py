"""``earmark demo``: a simulated listener steers real sound over real LSL streams, from calibration to report."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from earmark.app.session.simulated import (
    BY_ITSELF,
    CALIBRATION,
    N_TRIALS,
    SWITCH_S,
    TALKERS,
    ListenerName,
    simulated_session,
)
from earmark.app.terminal.exit_status import ExitStatus


def demo(
    seconds: Annotated[float, typer.Option(help="Length of calibration and closed loop together, s.", min=100)] = 120.0,
    listener: Annotated[ListenerName, typer.Option(help="How clearly the EEG shows attention.")] = ListenerName.EASY,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the recordings and the report.")] = None,
    device: Annotated[str, typer.Option(help="Sound output: a device, or null for none.")] = "",
    free: Annotated[
        bool, typer.Option("--free", help="The closed loop goes on until you end it, and only your clicks are cues.")
    ] = False,
    scene: Annotated[
        bool, typer.Option("--scene", help="A café: the voices walk in a room, and six microphones hear them mixed.")
    ] = False,
    headless: Annotated[bool, typer.Option("--headless", help="No window, no status line, no keys.")] = False,
) -> None:
    """Try Earmark: a simulated listener steers two voices.

    Opens the window where there is a screen. Calibrates, trains, closes the loop, writes the report and verifies the
    recording (not with --free). Sound goes to the default device if there is one, else to a file in the folder. The EEG
    and both voices are synthetic. With --scene, the voices are told apart by direction. Exit status: 0 done, 1 failed,
    130 ended early; otherwise as for replay.
    """
    from earmark.app.terminal.console import console, fail, failures
    from earmark.app.terminal.display import why_no_window

    folder = out or Path(tempfile.mkdtemp(prefix="earmark-demo-"))
    if any(folder.glob("calibration-*.xdf")) or (folder / "decoder").exists():
        fail(f"{folder} contains a demo already: choose another folder with --out")
    if not headless:
        if why := why_no_window():
            console.print(f"No window: {why}. The demo runs in this terminal.", markup=False, highlight=False)
        else:
            from earmark.app.dashboard.launch.process import show

            console.print(f"The window shows the demo. Everything goes to {folder}.", markup=False, highlight=False)
            options = [f"--seconds={seconds}", f"--listener={listener.value}", f"--device={device}"]
            options += ["--free"] * free + ["--scene"] * scene
            with failures():
                status = show(None, "", lambda window: window.launcher.demo(folder, options))
            raise typer.Exit(status)
    _in_terminal(folder, seconds, listener, device, free, scene, headless)


def _in_terminal(
    folder: Path, seconds: float, listener: ListenerName, device: str, free: bool, scene: bool, headless: bool
) -> None:
    from earmark.app.commands.replay import replay
    from earmark.app.commands.report import report
    from earmark.app.commands.whole_session import go_through
    from earmark.app.config.protocol import Calibration, CueConfig, Protocol, RunPlan
    from earmark.app.engine.events_file import parts
    from earmark.app.replay.verdict import CUT_SHORT
    from earmark.app.session.terminal import KEYS, Screen, in_window
    from earmark.app.terminal.console import console, fail, failures
    from earmark.app.terminal.keyboard import Keyboard
    from earmark.app.terminal.signals import stop_on_signals
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    stop = stop_on_signals()
    keyboard = Keyboard(stop)
    keyboard.available = keyboard.available and not headless
    trial = CALIBRATION * seconds / N_TRIALS
    length = math.inf if free else (1 - CALIBRATION) * seconds
    if free:
        plan = RunPlan(cues=[CueConfig(at_s=0.0, attend=TALKERS[0])])
    else:
        plan = RunPlan(seconds=length, switch_every_s=SWITCH_S)
    protocol = Protocol(calibration=Calibration(n_trials=N_TRIALS, trial_s=trial, pause_s=0.0), run=plan)
    with failures():
        folder.mkdir(parents=True, exist_ok=True)
        console.print(f"Everything goes to {folder}. The listener is simulated ({listener.value}).", markup=False)
        if scene:
            console.print("The room is simulated, which takes some seconds …")
        with simulated_session(folder, device, protocol, listener.value, scene) as supervisor, keyboard:
            supervisor.withheld = BY_ITSELF
            rig, screen = supervisor.session, Screen(supervisor, keyboard)
            console.print(in_window(folder), markup=False, highlight=False)
            if keyboard.available:
                console.print(f"Keys: {KEYS}", markup=False, highlight=False)
            place = go_through(supervisor, protocol, screen, stop, line=not headless, seconds=length)
        if place is None:
            fail(
                rig.failure or f"ended before the loop was closed; the recording is in {folder}",
                ExitStatus.INTERRUPTED,
            )
        report(place)
        if not free:
            console.print("\nReplaying the recording, to verify that it gives the same decisions …", style="bold")
            for file in (files := parts(place / "loop.xdf")):
                try:
                    replay(file, verify=True, out=None)
                except typer.Exit as ended:
                    if ended.exit_code != CUT_SHORT or file is files[-1]:  # an engine that died cuts its part short
                        raise
        if rig.failure:
            fail(rig.failure)
        if not rig.complete and not free:
            fail(f"ended early; the recording is in {folder}", ExitStatus.INTERRUPTED)
