"""``earmark calibrate``: trials with cues, and a decoder from them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from earmark.app.commands.options import HEADLESS_HELP, OUT_HELP
from earmark.app.terminal.exit_status import ExitStatus


def calibrate(
    session: Annotated[Path, typer.Argument(help="Session, TOML; 'earmark new' writes one.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help=OUT_HELP)] = None,
    headless: Annotated[bool, typer.Option("--headless", help=HEADLESS_HELP)] = False,
) -> None:
    """Run the trials of protocol.toml and train a decoder on them.

    Everything is checked first. The protocol lies beside the session's file. Cues are shown here and sent by LSL. The
    decoder goes into DIR/decoder with its cross-validated accuracy; on a terminal you are asked whether to keep it.
    Keys: r repeats a trial, m mutes and unmutes, Esc mutes, q quits. Exit status: 0 a decoder was made, 1 something is
    wrong, 130 ended early.
    """
    from earmark.app.config.toml_file import PROTOCOL
    from earmark.app.terminal.inputs import must_be_toml

    must_be_toml(session, session.parent / PROTOCOL)
    from earmark.app.config.protocol import read_protocol
    from earmark.app.config.session import load_config
    from earmark.app.terminal.console import console, fail, failures, say
    from earmark.app.terminal.keyboard import Keyboard
    from earmark.app.terminal.signals import heeded, stop_on_signals
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    folder, stop = out or session.parent, stop_on_signals()
    keyboard = Keyboard(stop)
    keyboard.there = keyboard.there and not headless
    with failures():  # before what takes seconds to import
        config = load_config(session)
        protocol = read_protocol(session)
        plan = protocol.calibration
    from earmark.app.session.states import SessionError
    from earmark.app.session.supervisor import Supervisor
    from earmark.app.session.terminal import Screen, in_window

    with failures(), Supervisor(config, folder, protocol, ask=keyboard.there) as supervisor, keyboard:
        rig, screen = supervisor.session, Screen(supervisor, keyboard)
        cues = plan.cues(rig.talkers)
        n = sum(bool(name) for _, name in cues)
        say(in_window(folder))
        say(f"{n} trials, {cues[-1][0]:.0f} s in all. Looking at everything first …")
        try:
            with heeded(stop, rig.stop):
                rig.calibrate(plan)
        except SessionError:
            if stop.is_set():  # whatever was wrong then
                fail("ended before anything was recorded", ExitStatus.INTERRUPTED)
            raise
        finally:
            screen.print_events()
        screen.follow(stop, line=not headless)
        if rig.failure:
            fail(rig.failure)
        if not rig.complete:
            fail(f"ended early; what was recorded is in {folder}", ExitStatus.INTERRUPTED)
        console.print("\nTraining a decoder on the calibration …", style="bold")
        rig.train()
        if keyboard.there and not screen.agree("Keep this decoder? [Y/n]", stop):
            rig.refuse()
            fail("the decoder was thrown away, its recording was kept; 'earmark calibrate' begins anew")
    where = f" --out {shlex.quote(str(folder))}" if out else ""
    console.print(f"Next: earmark run {shlex.quote(str(session))}{where}", markup=False, highlight=False)
    if config.decoder is not None and config.decoder.resolve() != rig.trained.resolve():
        say(
            f"But {session} names another decoder, {config.decoder}: remove 'decoder' from [attention] to use this one."
        )
