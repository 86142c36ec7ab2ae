"""``earmark run``: run the closed loop with a listener, record it and write the report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from earmark.app.commands.options import HEADLESS_HELP, OUT_HELP
from earmark.app.config.modes import Mode
from earmark.app.terminal.exit_status import ExitStatus


def run(
    session: Annotated[Path, typer.Argument(help="Session file (TOML); 'earmark new' writes one.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help=OUT_HELP)] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            help="closed: decisions set the gains; open: gains stay as they are; sham: gains favour the other talker."
        ),
    ] = Mode.CLOSED,
    seconds: Annotated[float, typer.Option(help="Length of the run in seconds; 0 uses protocol.toml.", min=0)] = 0.0,
    headless: Annotated[bool, typer.Option("--headless", help=HEADLESS_HELP)] = False,
) -> None:
    """Run the closed loop and record it.

    Decodes the attended talker, turns that talker up, records everything in DIR/run-N and writes the report there.

    Keys: 1-8 favour a talker, 0 sets equal gains, d returns to decoding, p pauses and resumes, m mutes and unmutes, Esc
    mutes, q quits. Ctrl-C, SIGTERM and closing the terminal also end the run cleanly. Exit status: 0 recorded, 1
    failed, or nothing was decided.
    """
    from earmark.app.config.toml_file import PROTOCOL
    from earmark.app.terminal.inputs import must_be_toml

    must_be_toml(session, session.parent / PROTOCOL)
    from earmark.app.config.protocol import read_protocol
    from earmark.app.config.session import load_config
    from earmark.app.terminal.console import fail, failures, print_event
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
        plan = protocol.run
    from earmark.app.commands.report import report
    from earmark.app.report.page import PAGE
    from earmark.app.session.next_step import next_step
    from earmark.app.session.supervisor import Supervisor
    from earmark.app.session.terminal import KEYS, Screen, in_window
    from earmark.app.status import State

    with failures():
        with Supervisor(config, folder, protocol, ask=keyboard.available) as supervisor, keyboard:
            rig, screen = supervisor.session, Screen(supervisor, keyboard)
            if not rig.decoder.is_dir():
                where = f" --out {shlex.quote(str(out))}" if out else ""
                make = f"earmark calibrate {shlex.quote(str(session))}{where}"
                fail(f"there is no decoder in {rig.decoder}. Train one: {make}")
            print_event(in_window(folder))
            print_event("Checking everything first …")
            try:
                with call_when_set(stop, rig.stop):
                    rig.check(seconds or plan.seconds)
            finally:
                screen.print_events()
            if stop.is_set():
                fail("ended before anything was recorded", ExitStatus.INTERRUPTED)
            if rig.state is not State.READY:
                fail("fix the items marked FAILED above first")
            place = rig.run(mode, plan, seconds or None)
            print_event(f"Running the {mode.value} loop for {seconds or plan.seconds:g} s, recorded in {place}.")
            if keyboard.available:
                print_event(KEYS)
            screen.follow(stop, line=not headless)
            engine = rig.task.loop.engine_status if rig.task else None
            n_decisions = 0 if engine is None else engine.decisions.n
            step = next_step(supervisor.status())
        if rig.failure:
            fail(f"{rig.failure}. The recording up to that point is in {place}")
        if not n_decisions:
            fail(f"no decision was made, so there is nothing to report; the recording is in {place}")
        report(place)
        print_event(f"{step.sentence}: {place / PAGE}")
