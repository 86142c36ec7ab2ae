"""``earmark run``: the loop closed for a listener, recorded and reported."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from earmark.app.commands.options import HEADLESS_HELP, OUT_HELP
from earmark.app.config.modes import Mode
from earmark.app.terminal.exit_status import ExitStatus


def run(
    session: Annotated[Path, typer.Argument(help="Session, TOML; 'earmark new' writes one.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help=OUT_HELP)] = None,
    mode: Annotated[Mode, typer.Option(help="closed: decisions set gains; open: none are set; sham: the other's.")] = (
        Mode.CLOSED
    ),
    seconds: Annotated[float, typer.Option(help="End after so many seconds; 0 is as protocol.toml says.", min=0)] = 0.0,
    headless: Annotated[bool, typer.Option("--headless", help=HEADLESS_HELP)] = False,
) -> None:
    """Run the closed loop and record it.

    Decodes who is attended to, turns that talker up, records it all into DIR/run-N, and writes the report there.

    Keys: 1-8 favour a talker, 0 all alike, d decodes again, p pauses and goes on, m mutes and unmutes, Esc mutes, q
    quits. Ctrl-C, SIGTERM and a closed terminal end the run in good order too. Exit status: 0 recorded, 1 something
    is wrong.
    """
    from earmark.app.config.toml_file import PROTOCOL
    from earmark.app.terminal.inputs import must_be_toml

    must_be_toml(session, session.parent / PROTOCOL)
    from earmark.app.config.protocol import read_protocol
    from earmark.app.config.session import load_config
    from earmark.app.terminal.console import fail, failures, say
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
        plan = protocol.run
    from earmark.app.commands.report import report
    from earmark.app.session.supervisor import Supervisor
    from earmark.app.session.terminal import KEYS, Screen, in_window
    from earmark.app.status import State

    with failures():
        with Supervisor(config, folder, protocol, ask=keyboard.there) as supervisor, keyboard:
            rig, screen = supervisor.session, Screen(supervisor, keyboard)
            if not rig.decoder.is_dir():
                where = f" --out {shlex.quote(str(out))}" if out else ""
                make = f"earmark calibrate {shlex.quote(str(session))}{where}"
                fail(f"there is no decoder in {rig.decoder}. Make one: {make}")
            say(in_window(folder))
            say("Looking at everything first …")
            try:
                with heeded(stop, rig.stop):
                    rig.check(seconds or plan.seconds)
            finally:
                screen.print_events()
            if stop.is_set():
                fail("ended before anything was recorded", ExitStatus.INTERRUPTED)
            if rig.state is not State.READY:
                fail("fix what is marked WRONG above first")
            place = rig.run(mode, plan, seconds or None)
            say(f"{mode.value} loop, for {seconds or plan.seconds:g} s, into {place}.")
            if keyboard.there:
                say(KEYS)
            screen.follow(stop, line=not headless)
            engine = rig.task.loop.engine_status if rig.task else None
            n_decisions = 0 if engine is None else engine.decisions.n
        if rig.failure:
            fail(f"{rig.failure}. What was recorded until then is in {place}")
        if not n_decisions:
            fail(f"nothing was decided, so there is nothing to report; what was recorded is in {place}")
        report(place)
