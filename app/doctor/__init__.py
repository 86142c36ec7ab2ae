"""``earmark doctor``: check whether this machine can run a session, and say how to fix what is wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from rich.table import Column, Table
from rich.text import Text

from earmark.app.doctor import machine, media, network
from earmark.app.doctor.check import Check, Status
from earmark.app.terminal.console import JsonFile, console, fail, write_json
from earmark.kernels.errors import EarmarkError

log = logging.getLogger(__name__)

STYLES: dict[Status, str] = {"ok": "green", "warn": "yellow", "fail": "bold red", "absent": "dim"}

#: In the order in which they build on each other.
CHECKS: dict[str, Callable[[], Check]] = {
    "Python": machine.python,
    "packages": machine.packages,
    "LSL library": network.lsl_library,
    "LSL configuration": network.lsl_config,
    "LSL round trip": network.lsl_round_trip,
    "LSL multicast": network.multicast,
    "network interfaces": network.interfaces,
    "firewall": network.firewall,
    "LSL clock": network.lsl_clock,
    "system clock": machine.system_clock,
    "sound": media.sound,
    "GPU": media.gpu,
    "Torch-TensorRT": media.torch_tensorrt,
    # The names in earmark.kernels.runtime, which is not imported, as it loads torch.
    **{
        f"networks by {name}": partial(media.backend, name)
        for name in ("tensorrt", "tensorrt_rtx", "inductor", "eager_cuda", "onnx", "eager_cpu")
    },
    "Qt": media.qt,
    "Qt libraries": media.qt_libraries,
    "display": media.display,
    "real-time priority": machine.realtime,
    "CPU governor": machine.governor,
    "disk": machine.disk,
    "shared memory": machine.shared_memory,
    "open files": machine.open_files,
    "address space": machine.address_space,
    "folders": machine.folders,
}


def run_check(name: str, check: Callable[[], Check]) -> Check:
    """Run one check; if it raises an error, this is its result, and the other checks continue."""
    try:
        return check()
    except (EarmarkError, OSError, RuntimeError, ValueError, ImportError, LookupError) as error:
        log.debug("check %r raised an error", name, exc_info=True)
        fix = "this error is unexpected: please report it"
        return Check(name, "fail", f"{type(error).__name__}: {error}", fix)


def doctor(
    json_file: JsonFile = None,
) -> None:
    """Check this machine and say how to fix what is wrong.

    Checks LSL and network, sound, GPU, window system, real-time permissions, memory and disk. Exit status: 0 no
    problem, 1 a session cannot run.
    """
    with console.status("") as spinner:
        checks = []
        # One after the other, as importing torch in parallel would distort the latencies that others measure.
        for name, check in CHECKS.items():
            spinner.update(f"Checking {name} ...")
            checks.append(run_check(name, check))
    console.print(_table(checks), soft_wrap=False)
    failed = [each.name for each in checks if each.status == "fail"]
    warned = [each.name for each in checks if each.status == "warn"]
    write_json(json_file, {"ok": not failed, "checks": [asdict(each) for each in checks]})
    if failed:
        fail(f"fix these first: {', '.join(failed)}")
    result = f"No check failed, but see the warnings above: {', '.join(warned)}." if warned else "No problems found."
    console.print(result, highlight=False)


def _table(checks: list[Check]) -> Table:
    table = Table("check", "status", Column("found", overflow="fold"), box=None, padding=(0, 2, 0, 0))
    for check in checks:
        # Text, not markup: paths and device names are untrusted.
        found = Text(check.found)
        if check.fix:
            found.append(f"\n→ {check.fix}", style="italic")
        table.add_row(check.name, Text(check.status, style=STYLES[check.status]), found)
    return table
