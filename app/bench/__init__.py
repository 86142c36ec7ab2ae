"""``earmark bench``: measured figures, as ratios against a peer in the same run."""

import typer

from app.bench.audio import audio
from app.bench.dashboard import dashboard
from app.bench.decoder import decoder
from app.bench.graph import graph
from app.bench.loop import loop

bench = typer.Typer(no_args_is_help=True)
bench.command("graph")(graph)
bench.command("audio")(audio)
bench.command("loop")(loop)
bench.command("decoder")(decoder)
bench.command("dashboard")(dashboard)


@bench.callback()
def _bench() -> None:
    """Measure the speed of every part on this machine.

    Every comparison is made within one run.
    """
