"""``earmark demo``: a simulated listener steers real sound through real LSL, from calibration to report."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from earmark.app.config.protocol import Protocol
    from earmark.app.session.supervisor import Supervisor

#: Everything happens on this machine. Names of streams begin with a word that no other demonstration uses.
SESSION = """\
[streams.eeg]
source_id = "{prefix}-eeg"

[streams.speech]
name = "{prefix}-envelopes"
ch_type = "misc"

[streams.cues]
name = "{prefix}-cues"
type = "Markers"

[attention]

[engine]
resolve_s = 60.0

[sound]
device = "{device}"
publish = "{prefix}"

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
    """Presets of ``earmark.devices.simulate.listener``."""

    EASY = "easy"
    TYPICAL = "typical"
    HARD = "hard"


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
    from earmark.app.session.terminal import KEYS, Screen, in_window, refusals
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
    with failures(), refusals():
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
            fail(rig.failure or f"ended before the loop was closed; what was recorded is in {folder}", 130)
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
            fail(f"ended early; what was recorded is in {folder}", 130)


@contextlib.contextmanager
def simulated_session(folder: Path, device: str, protocol: Protocol, listener: str) -> Iterator[Supervisor]:
    """A session, playing, with somebody simulated who hears the envelopes and obeys the cues.

    Parameters
    ----------
    folder : Path
        For all that is made.
    device : str
        Where sound goes. If it is empty: to the default device if there is one, else into a file at the pace of one.
    protocol : Protocol
    listener : str
        Preset of :mod:`earmark.devices.simulate.listener`.
    """
    import os

    from earmark.app.config.session import parse_config
    from earmark.app.session.supervisor import Supervisor
    from earmark.app.terminal.console import say
    from earmark.devices.audio.scene import AudioError
    from earmark.devices.simulate.listener import PRESETS
    from earmark.devices.simulate.live import ListenerProcess, LiveConfig

    prefix = f"earmark-demo-{os.getpid()}"
    streams = LiveConfig(
        ("Joe", "Ada"),
        f"{prefix}-envelopes",
        f"{prefix}-cues",
        source_id=f"{prefix}-eeg",
        listener=PRESETS[listener],
        delivery_s=0.12,
    )

    def supervise(place: str) -> Supervisor:
        config = parse_config(SESSION.format(prefix=prefix, device=place), "the demonstration", folder)
        return Supervisor(config, folder, protocol, "demo")

    with contextlib.ExitStack() as stack:
        supervisor = stack.enter_context(supervise(device or "default"))
        try:
            supervisor.session.play()
        except AudioError as error:
            if device:
                raise
            say(f"{error}. So what would be heard is written to {folder / 'sound.wav'}.")
            stack.close()
            supervisor = stack.enter_context(supervise("file:sound.wav"))
            supervisor.session.play()
        person = ListenerProcess(streams)
        stack.callback(person.stop)
        supervisor.attend = person.attend
        yield supervisor
