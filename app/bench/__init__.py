"""``earmark bench``: benchmarks, reported as ratios to a reference that is measured in the same run."""

import typer

from earmark.app.bench.audio import audio
from earmark.app.bench.dashboard import dashboard
from earmark.app.bench.decoder import decoder
from earmark.app.bench.graph import graph
from earmark.app.bench.loop import loop

bench = typer.Typer(no_args_is_help=True)
bench.command("graph")(graph)
bench.command("audio")(audio)
bench.command("loop")(loop)
bench.command("decoder")(decoder)
bench.command("dashboard")(dashboard)


@bench.callback()
def _bench() -> None:
    """Measure the speed of every part on this machine.

    Compare figures only within one run.
    """
