"""The terminal's table of the current state of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from earmark.app.engine.engine import Engine
    from earmark.devices.processes.recorder import Recorder


def live_table(engine: Engine, recorder: Recorder | None, elapsed: float) -> Table:
    """Return a table of streams and latencies; ``recorder`` is None after the end, ``elapsed`` in s."""
    import pylsl
    from rich.table import Table

    from earmark.app.terminal.foreign import plain
    from earmark.devices.sources.lsl import Inlet

    table = Table(title=f"{elapsed:.0f} s", box=None, padding=(0, 1, 0, 0))  # 80 columns show all headers
    table.add_column("stream", overflow="fold")
    table.add_column("state")
    for column in ("samples", "Hz", "age ms", "gaps", "missing", "skipped", "steps"):
        table.add_column(column, justify="right", min_width=len(column))
    now = pylsl.local_clock()
    for name, status in engine.streams.items():
        inlet = engine.inlets[name]
        regular = inlet.description.spec.sfreq > 0
        rate = status.effective_sfreq
        over = recorder is None  # after the end, the age has no meaning
        age = None if over or status.newest is None else 1e3 * (now - status.newest)
        table.add_row(
            name,
            inlet.status,
            str(status.n_samples),
            f"{rate:.2f} of {inlet.description.spec.sfreq:g}" if regular and rate else "-",
            "-" if age is None else f"{age:.0f}",
            *(str(n) if regular else "-" for n in (status.n_gaps, status.n_missing, status.n_skipped)),
            str(inlet.continuity.n_steps) if isinstance(inlet, Inlet) and inlet.continuity else "-",
        )
    p50, p99 = engine.latency.percentiles(50, 99)
    lines = []
    if p50 is not None and p99 is not None:
        lines.append(
            f"arrival to output: p50 {1e3 * p50:.2f}, p99 {1e3 * p99:.2f}, max {1e3 * engine.latency.max:.2f} ms; "
            f"{engine.n_late} of {engine.latency.n} chunks later than {1e3 * engine.budget_s:g} ms"
        )
    for bad in engine.bad.values():
        lines.append(f"masked: {plain(', '.join(bad)) or 'none'}")
    if recorder is not None:
        lines.append(f"file {recorder.bytes_written / 1e6:.1f} MB")
    table.caption = "\n".join(lines)
    return table
