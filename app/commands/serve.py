"""``earmark serve`` and ``earmark control``: a session in the background, and commands to a running session."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import threading
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.app.commands.options import OUT_HELP
from earmark.app.terminal.console import JsonFile
from earmark.app.terminal.exit_status import ExitStatus

if TYPE_CHECKING:
    from earmark.app.session.supervisor import Supervisor


def serve(
    session: Annotated[Path, typer.Argument(help="Session file (TOML); 'earmark new' writes one.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help=OUT_HELP)] = None,
) -> None:
    """Run a session in the background.

    The commands 'control' and 'dashboard' reach it. It runs until Ctrl-C or the command 'shutdown'; then it writes
    the reports of its runs that have none yet. Sound plays from the first check on. Exit status: 0 ended cleanly, 1
    failed.
    """
    from earmark.app.config.toml_file import PROTOCOL
    from earmark.app.terminal.inputs import must_be_toml

    must_be_toml(session, session.parent / PROTOCOL)
    from earmark.app.config.protocol import read_protocol
    from earmark.app.config.session import load_config
    from earmark.app.session.supervisor import Supervisor
    from earmark.app.terminal.console import failures
    from earmark.app.terminal.signals import stop_on_signals
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    folder, stop = out or session.parent, stop_on_signals()
    earlier = set(folder.glob("*/loop.xdf"))
    with failures():
        config, protocol = load_config(session), read_protocol(session)
        with Supervisor(config, folder, protocol, ask=True, watch=True) as supervisor:
            wait_for_commands(supervisor, folder, stop)
    write_reports(folder, earlier)


def wait_for_commands(supervisor: Supervisor, folder: Path, stop: threading.Event) -> None:
    """Print the events of a session until it is shut down, or ``stop`` is set."""
    from earmark.app.session.terminal import in_window
    from earmark.app.terminal.console import print_event

    print_event(f"Ready. In another terminal: earmark control {shlex.quote(str(folder))} check")
    print_event(in_window(folder))
    while not stop.wait(0.1) and not supervisor.ended.is_set():
        for text in supervisor.events.poll():
            print_event(text)
    supervisor.session.stop()
    for text in supervisor.events.poll():
        print_event(text)


def write_reports(folder: Path, earlier: Collection[Path] = ()) -> None:
    """Write the reports of the runs in a folder that have none, except earlier ones; Ctrl-C ends that."""
    from earmark.app.commands.report import report
    from earmark.app.report.page import PAGE
    from earmark.app.terminal.console import print_event

    signal.signal(signal.SIGINT, signal.default_int_handler)  # nothing is lost from here on
    for recording in sorted(set(folder.glob("*/loop.xdf")) - set(earlier)):
        if not (recording.parent / PAGE).exists():
            print_event(f"Writing the report of {recording.parent.name} …")
            with contextlib.suppress(typer.Exit):  # it was printed why; others can be written all the same
                report(recording.parent)


def control(
    folder: Annotated[Path, typer.Argument(help="Folder of a running session.")],
    command: Annotated[str, typer.Argument(help="Command to send; an unknown one lists all commands.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE", help="Arguments, such as talker=0, mode=sham, on=false, text=..."),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Send a command to a running session.

    Commands include mute, pause, resume, override, trim, redo, finish, note, stop and state; an unknown one lists
    all. A session of 'serve' also takes check, calibrate, accept, refuse, run, answer and shutdown; a demo and a
    rehearsal also take attend, and a rehearsal fault.

    Works from any terminal of the same user while 'run', 'calibrate', 'serve', 'rehearse' or 'demo' runs in FOLDER.
    Give talkers by name or by number, from 0. Exit status: 0 done, 1 refused, or no session is running there.
    """
    from earmark.app.session.channel import Client
    from earmark.app.terminal.console import console, fail, failures, write_json
    from earmark.app.terminal.outputs import must_be_writable

    must_be_writable(json_file)
    given = {}
    for argument in arguments or []:
        name, equals, value = argument.partition("=")
        if not equals:
            fail(f"{argument!r} must be NAME=VALUE, such as talker=0")
        given[name] = value
    with failures():
        client = Client(folder)
        answer = client.send_typed(command, given)
    client.close()
    if command == "check":
        from earmark.app.status import Check

        checks = [Check(*one) for one in answer]
        for check in checks:
            console.print(str(check), markup=False, highlight=False)
        write_json(json_file, [asdict(check) for check in checks])
        if not all(check.ok for check in checks):
            raise typer.Exit(ExitStatus.FAILED)
        return
    write_json(json_file, answer)
    if answer is not None and json_file != Path("-"):
        console.print_json(json.dumps(answer))
