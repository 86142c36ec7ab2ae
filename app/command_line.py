"""Every ``earmark`` command, by its name."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from earmark.app.bench import bench
from earmark.app.commands.calibrate import calibrate
from earmark.app.commands.compile import compile_decoder
from earmark.app.commands.dashboard import dashboard
from earmark.app.commands.demo import demo
from earmark.app.commands.describe import describe
from earmark.app.commands.evaluate import evaluate
from earmark.app.commands.import_run import import_run
from earmark.app.commands.level import level
from earmark.app.commands.new import new
from earmark.app.commands.play import play
from earmark.app.commands.record import record
from earmark.app.commands.replay import replay
from earmark.app.commands.report import report
from earmark.app.commands.run import run
from earmark.app.commands.serve import control, serve
from earmark.app.commands.sound_devices import devices
from earmark.app.commands.stream import stream
from earmark.app.commands.streams import streams
from earmark.app.commands.train import train
from earmark.app.doctor import doctor
from earmark.app.terminal.console import fail, speak_any_encoding, warn
from earmark.app.terminal.exit_status import ExitStatus
from earmark.app.terminal.log import SAID, ask_for_log
from earmark.app.terminal.warned import tell_warnings
from earmark.devices.processes.limits import raise_open_files


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Do what a command does; Ctrl-C where it does not mind that itself ends it with a word."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            fail("ended by Ctrl-C", ExitStatus.INTERRUPTED)


app = typer.Typer(
    name="earmark",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # brackets, colons and asterisks in help mean themselves
)
COMMANDS = (
    new,
    calibrate,
    run,
    serve,
    control,
    report,
    demo,
    dashboard,
    streams,
    stream,
    devices,
    level,
    describe,
    play,
    record,
    replay,
    train,
    evaluate,
    doctor,
)
for command in COMMANDS:
    app.command()(command)
app.command("import")(import_run)
app.command("compile")(compile_decoder)
app.add_typer(bench, name="bench")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"earmark {_number()}")
        raise typer.Exit


def _number() -> str:
    from importlib.metadata import version

    return version("earmark")


@app.callback()
def _earmark(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what the program logs, on stderr.")] = False,
    log_file: Annotated[
        Path | None,
        typer.Option("--log-file", metavar="FILE", help="Append what it logs and says to a file, with time and place."),
    ] = None,
) -> None:
    """Real-time brain-steered listening. Research use only."""
    try:
        ask_for_log(verbose, log_file)
    except OSError as error:
        fail(f"{log_file} cannot be written: {error.strerror}")
    if verbose or log_file:
        system = f"Python {platform.python_version()}, {platform.platform()}"
        SAID.info("earmark %s, %s: %s", _number(), system, shlex.join(sys.argv[1:]))


def start() -> None:
    """Do what the command line says; what it writes is read by its user alone."""
    os.umask(0o077)
    raise_open_files()
    speak_any_encoding()
    tell_warnings(warn)
    app(prog_name="earmark")
