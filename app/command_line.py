"""The ``earmark`` command line: registers every command and sets up terminal and log."""

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
from earmark.app.commands.corpus import corpus
from earmark.app.commands.dashboard import dashboard
from earmark.app.commands.demo import demo
from earmark.app.commands.describe import describe
from earmark.app.commands.evaluate import evaluate
from earmark.app.commands.evaluate_scene import evaluate_scene
from earmark.app.commands.export import export
from earmark.app.commands.import_run import import_run
from earmark.app.commands.level import level
from earmark.app.commands.new import new
from earmark.app.commands.play import play
from earmark.app.commands.record import record
from earmark.app.commands.rehearse import rehearse
from earmark.app.commands.replay import replay
from earmark.app.commands.report import report
from earmark.app.commands.run import run
from earmark.app.commands.serve import control, serve
from earmark.app.commands.sound_devices import devices
from earmark.app.commands.stream import stream
from earmark.app.commands.streams import streams
from earmark.app.commands.study import study
from earmark.app.commands.train import train
from earmark.app.doctor import doctor
from earmark.app.terminal.console import fail, replace_unencodable, warn
from earmark.app.terminal.exit_status import ExitStatus
from earmark.app.terminal.log import MESSAGES, enable_log
from earmark.app.terminal.warned import forward_warnings
from earmark.devices.processes.limits import raise_open_files


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run a command; if it does not handle Ctrl-C itself, end it with a message."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            fail("ended by Ctrl-C", ExitStatus.INTERRUPTED)


app = typer.Typer(
    name="earmark",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help is plain text: brackets, colons and asterisks are literal
)
COMMANDS = (
    new,
    calibrate,
    run,
    serve,
    control,
    rehearse,
    report,
    study,
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
app.command("evaluate-scene")(evaluate_scene)
app.command()(corpus)
app.command("compile")(compile_decoder)
app.add_typer(bench, name="bench")
app.add_typer(export, name="export")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"earmark {_installed_version()}")
        raise typer.Exit


def _installed_version() -> str:
    from importlib.metadata import version

    return version("earmark")


@app.callback()
def _earmark(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show log messages on stderr.")] = False,
    log_file: Annotated[
        Path | None,
        typer.Option(
            "--log-file", metavar="FILE", help="Append log messages and events to this file, with time and module."
        ),
    ] = None,
) -> None:
    """Real-time brain-steered listening. Research use only."""
    try:
        enable_log(verbose, log_file)
    except OSError as error:
        fail(f"{log_file} cannot be written: {error.strerror}")
    if verbose or log_file:
        system = f"Python {platform.python_version()}, {platform.platform()}"
        MESSAGES.info("earmark %s, %s: %s", _installed_version(), system, shlex.join(sys.argv[1:]))


def start() -> None:
    """Run the command line; only the user can read the files that it creates."""
    os.umask(0o077)
    raise_open_files()
    replace_unencodable()
    forward_warnings(warn)
    app(prog_name="earmark")
