"""``earmark demo``: a simulated listener steers real sound over real LSL streams, from calibration to report."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from earmark.app.session.simulated import CALIBRATION, N_TRIALS, SWITCH_S, ListenerName, simulated_session
from earmark.app.terminal.exit_status import ExitStatus


def demo(
    seconds: Annotated[float, typer.Option(help="Length of calibration and closed loop together, s.", min=100)] = 120.0,
    listener: Annotated[ListenerName, typer.Option(help="How clearly the EEG shows attention.")] = ListenerName.EASY,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the recordings and the report.")] = None,
    device: Annotated[str, typer.Option(help="Sound output: a device, or null for none.")] = "",
    headless: Annotated[bool, typer.Option("--headless", help="No status line, no keys.")] = False,
) -> None:
    """Try Earmark: a simulated listener steers two voices.

    Calibrates, trains, closes the loop, writes the report and verifies the recording. Sound goes to the default device
    if there is one, else to a file in the folder. The EEG and both voices are synthetic. Exit status: 0 done, 1 failed,
    130 ended early; otherwise as for replay.
    """
    from earmark.app.commands.replay import replay
    from earmark.app.commands.report import report
    from earmark.app.config.modes import Mode
    from earmark.app.config.protocol import Calibration, Protocol, RunPlan
    from earmark.app.engine.events_file import parts
    from earmark.app.replay.verdict import CUT_SHORT
    from earmark.app.session.terminal import KEYS, Screen, in_window
    from earmark.app.terminal.console import console, fail, failures
    from earmark.app.terminal.keyboard import Keyboard
    from earmark.app.terminal.signals import call_when_set, stop_on_signals
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    folder = out or Path(tempfile.mkdtemp(prefix="earmark-demo-"))
    stop = stop_on_signals()
    keyboard = Keyboard(stop)
    keyboard.available = keyboard.available and not headless
    trial = CALIBRATION * seconds / N_TRIALS
    length = (1 - CALIBRATION) * seconds
    protocol = Protocol(
        calibration=Calibration(n_trials=N_TRIALS, trial_s=trial, pause_s=0.0),
        run=RunPlan(seconds=length, switch_every_s=SWITCH_S),
    )
    place: Path | None = None
    with failures():
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.glob("calibration-*.xdf")) or (folder / "decoder").exists():
            fail(f"{folder} contains a demo already: choose another folder with --out")
        console.print(f"Everything goes to {folder}. The listener is simulated ({listener.value}).", markup=False)
        with simulated_session(folder, device, protocol, listener.value) as supervisor, keyboard:
            rig, screen = supervisor.session, Screen(supervisor, keyboard)
            console.print(in_window(folder), markup=False, highlight=False)
            if keyboard.available:
                console.print(f"Keys: {KEYS}", markup=False, highlight=False)
            console.print(f"\nCalibration: {N_TRIALS} trials of {trial:.0f} s, each with a cue.", style="bold")
            with call_when_set(stop, rig.stop):
                rig.calibrate(protocol.calibration)
            screen.follow(stop, line=not headless)
            if rig.complete:
                console.print("\nTraining a decoder on the calibration …", style="bold")
                rig.train()
                console.print("\nClosed loop: the attended talker is turned up, the other down.", style="bold")
                place = rig.run(Mode.CLOSED, protocol.run)
                screen.follow(stop, line=not headless)
        if place is None:
            fail(
                rig.failure or f"ended before the loop was closed; the recording is in {folder}",
                ExitStatus.INTERRUPTED,
            )
        report(place)
        console.print("\nReplaying the recording, to verify that it gives the same decisions …", style="bold")
        for file in (files := parts(place / "loop.xdf")):
            try:
                replay(file, verify=True, out=None)
            except typer.Exit as ended:
                if ended.exit_code != CUT_SHORT or file is files[-1]:  # an engine that died cuts its part short
                    raise
        if rig.failure:
            fail(rig.failure)
        if not rig.complete:
            fail(f"ended early; the recording is in {folder}", ExitStatus.INTERRUPTED)
