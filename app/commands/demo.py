"""``earmark demo``: a simulated listener steers real sound through real LSL, from calibration to report."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from earmark.app.session.simulated import CALIBRATION, N_TRIALS, SWITCH_S, ListenerName, simulated_session
from earmark.app.terminal.exit_status import ExitStatus


def demo(
    seconds: Annotated[float, typer.Option(help="Length of calibration and loop together.", min=100)] = 120.0,
    listener: Annotated[ListenerName, typer.Option(help="How well attention shows.")] = ListenerName.EASY,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the recordings and the report.")] = None,
    device: Annotated[str, typer.Option(help="Where sound goes: a device, or null for none.")] = "",
    headless: Annotated[bool, typer.Option("--headless", help="No status line, no keys.")] = False,
) -> None:
    """Try it: a simulated listener steers two voices.

    Calibrates, trains, closes the loop, writes the report and verifies the recording. Sound goes to the default device,
    else to a file in the folder. Nobody was recorded for this: EEG and both voices are made up. Exit status: 0 all went
    well, 1 something did not, 130 ended early; else as for replay.
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
    from earmark.app.terminal.signals import heeded, stop_on_signals
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    folder = out or Path(tempfile.mkdtemp(prefix="earmark-demo-"))
    stop = stop_on_signals()
    keyboard = Keyboard(stop)
    keyboard.there = keyboard.there and not headless
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
            fail(f"{folder} holds a demonstration already: choose another folder by --out")
        console.print(f"Everything goes to {folder}. The listener is simulated ({listener.value}).", markup=False)
        with simulated_session(folder, device, protocol, listener.value) as supervisor, keyboard:
            rig, screen = supervisor.session, Screen(supervisor, keyboard)
            console.print(in_window(folder), markup=False, highlight=False)
            if keyboard.there:
                console.print(f"Keys: {KEYS}", markup=False, highlight=False)
            console.print(f"\nCalibration: {N_TRIALS} trials of {trial:.0f} s, told whom to attend to.", style="bold")
            with heeded(stop, rig.stop):
                rig.calibrate(protocol.calibration)
            screen.follow(stop, line=not headless)
            if rig.complete:
                console.print("\nTraining a decoder on the calibration …", style="bold")
                rig.train()
                console.print("\nClosed loop: the talker attended to is turned up, the other down.", style="bold")
                place = rig.run(Mode.CLOSED, protocol.run)
                screen.follow(stop, line=not headless)
        if place is None:
            fail(
                rig.failure or f"ended before the loop was closed; what was recorded is in {folder}",
                ExitStatus.INTERRUPTED,
            )
        report(place)
        console.print("\nReplaying the recording, to see whether it gives the same decisions …", style="bold")
        for file in (files := parts(place / "loop.xdf")):
            try:
                replay(file, verify=True, out=None)
            except typer.Exit as ended:
                if ended.exit_code != CUT_SHORT or file is files[-1]:  # an engine that died left the others so
                    raise
        if rig.failure:
            fail(rig.failure)
        if not rig.complete:
            fail(f"ended early; what was recorded is in {folder}", ExitStatus.INTERRUPTED)
