"""The ``earmark`` command."""

from __future__ import annotations

import logging

import typer

from app.bench import bench
from app.calibrate import calibrate
from app.compile import compile_decoder
from app.dashboard.command import dashboard
from app.demo import demo
from app.describe import describe
from app.devices import devices
from app.doctor import doctor
from app.evaluate import evaluate
from app.import_run import import_run
from app.level import level
from app.new import new
from app.play import play
from app.record import record
from app.replay import replay
from app.report import report
from app.run import run
from app.serve import control, serve
from app.stream import stream
from app.streams import streams
from app.train import train

app = typer.Typer(
    name="earmark",
    help="Real-time brain-steered listening. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
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


def main() -> None:
    """Entry point."""
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    app()


if __name__ == "__main__":
    main()
