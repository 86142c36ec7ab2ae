"""``earmark calibrate``: run trials with cues and train a decoder on them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from earmark.app.commands.options import HEADLESS_HELP, OUT_HELP
from earmark.app.terminal.exit_status import ExitStatus


def calibrate(
    session: Annotated[Path, typer.Argument(help="Session file (TOML); 'earmark new' writes one.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help=OUT_HELP)] = None,
    headless: Annotated[bool, typer.Option("--headless", help=HEADLESS_HELP)] = False,
) -> None:
    """Run the trials of protocol.toml and train a decoder.

    Everything is checked first. The protocol lies beside the session file. Cues are shown here and sent over LSL. The
    decoder is saved in DIR/decoder with its cross-validated accuracy; on a terminal you are asked whether to keep it.
    After each trial the accuracy so far is measured; key f finishes after the current trial. Other keys: r repeats a
    trial, m mutes and unmutes, Esc mutes, q quits. Exit status: 0 a decoder was trained, 1 failed, 130 ended early.
    """
    from earmark.app.config.toml_file import PROTOCOL
    from earmark.app.terminal.inputs import must_be_toml

    must_be_toml(session, session.parent / PROTOCOL)
    from earmark.app.config.protocol import read_protocol
    from earmark.app.config.session import load_config
    from earmark.app.terminal.console import console, fail, failures, print_event
    from earmark.app.terminal.keyboard import Keyboard
    from earmark.app.terminal.signals import call_when_set, stop_on_signals
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    folder, stop = out or session.parent, stop_on_signals()
    keyboard = Keyboard(stop)
    keyboard.available = keyboard.available and not headless
    with failures():  # before imports that take seconds
        config = load_config(session)
        protocol = read_protocol(session)
        plan = protocol.calibration
    from earmark.app.session.next_step import Do, next_step
    from earmark.app.session.states import SessionError
    from earmark.app.session.supervisor import Supervisor
    from earmark.app.session.terminal import Screen, in_window

    with failures(), Supervisor(config, folder, protocol, ask=keyboard.available) as supervisor, keyboard:
        rig, screen = supervisor.session, Screen(supervisor, keyboard)
        cues = plan.cues(rig.talkers)
        n = sum(bool(name) for _, name in cues)
        print_event(in_window(folder))
        print_event(f"{n} trials, {cues[-1][0]:.0f} s in total. Checking everything first …")
        try:
            with call_when_set(stop, rig.stop):
                rig.calibrate(plan)
        except SessionError:
            if stop.is_set():  # the check failed because it was ended
                fail("ended before anything was recorded", ExitStatus.INTERRUPTED)
            raise
        finally:
            screen.print_events()
        screen.follow(stop, line=not headless)
        if rig.failure:
            fail(rig.failure)
        if not rig.complete:
            fail(f"ended early; the recording is in {folder}", ExitStatus.INTERRUPTED)
        console.print("\nTraining a decoder on the calibration …", style="bold")
        rig.train()
        if keyboard.available and not screen.agree("Keep this decoder? [Y/n]", stop):
            rig.refuse()
            fail("the decoder was discarded, its recording was kept; 'earmark calibrate' starts a new calibration")
        step = next_step(supervisor.status())
    where = f" --out {shlex.quote(str(folder))}" if out else ""
    again = f"{step.sentence}: move {rig.trained} away, then calibrate. To run all the same"
    words = step.sentence if step.do is Do.RUN else again
    console.print(f"{words}: earmark run {shlex.quote(str(session))}{where}", markup=False, highlight=False)
    if config.decoder is not None and config.decoder.resolve() != rig.trained.resolve():
        print_event(
            f"But {session} names another decoder, {config.decoder}: remove 'decoder' from [attention] to use this one."
        )
