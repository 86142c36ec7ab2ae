"""The terminal's table of a recording fits a terminal of 80 columns."""

import io
from types import SimpleNamespace

from rich.console import Console

from earmark.app.engine.ledger import Latencies
from earmark.app.engine.live_table import live_table

HEADERS = ("stream", "state", "samples", "Hz", "age ms", "gaps", "missing", "skipped", "steps")


def shown(names, n):
    streams, inlets = {}, {}
    for name in names:
        streams[name] = SimpleNamespace(
            effective_sfreq=1999.98, newest=None, n_samples=n, n_gaps=12, n_missing=3456, n_skipped=7890
        )
        description = SimpleNamespace(spec=SimpleNamespace(sfreq=2000.0))
        inlets[name] = SimpleNamespace(description=description, status="live", continuity=None)
    engine = SimpleNamespace(streams=streams, inlets=inlets, latency=Latencies(), bad={}, n_late=0, budget_s=None)
    out = io.StringIO()
    Console(file=out, width=80).print(live_table(engine, None, 3600.0))
    return out.getvalue()


def test_every_header_and_figure_is_whole_at_80_columns():
    found = shown(("eeg", "a stream with quite a long name"), 7_200_000)
    header = next(line for line in found.splitlines() if "samples" in line)
    assert header.split() == " ".join(HEADERS).split()
    assert "…" not in found
    assert max(map(len, found.splitlines())) <= 80
    for figure in ("7200000", "1999.98 of 2000", "3456", "7890"):
        assert found.count(figure) == 2, figure
