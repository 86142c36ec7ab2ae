"""Result of a check, and helpers with which checks run other programs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Literal

from earmark.kernels.errors import EarmarkError

log = logging.getLogger(__name__)

Status = Literal["ok", "warn", "fail", "absent"]


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one check.

    Attributes
    ----------
    name : str
        What was checked.
    status : {'ok', 'warn', 'fail', 'absent'}
        ``warn`` costs comfort or latency, ``fail`` keeps Earmark from working, ``absent`` is optional or could not
        be checked here.
    found : str
        What was found.
    fix : str
        How to fix it; empty if there is nothing to fix.
    """

    name: str
    status: Status
    found: str
    fix: str = ""


class ProbeError(EarmarkError):
    """Raised when a child process that checks a library or device gives no answer."""


def run_tool(*command: str, timeout: float = 3.0) -> str | None:
    """Return what a system tool prints, or None if it is not installed, fails or does not end in time."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        # LC_ALL: the output is parsed, so it must not be translated.
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.debug("%s: %s", command[0], error)
        return None
    return done.stdout if done.returncode == 0 else None


def probe(code: str, *arguments: str, timeout: float) -> dict[str, Any]:
    """Run Python code that prints one JSON object as its last line, in a child process; return the object.

    Crashes and hangs of drivers, and messages of sound and graphics libraries on stderr, stay in the child.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-W", "ignore", "-c", code, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(f"no answer within {timeout:g} s") from None
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode != 0:
        message = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ProbeError(f"ended with code {done.returncode}: {message}")
    try:
        answer: dict[str, Any] = json.loads(last)
    except json.JSONDecodeError:
        raise ProbeError(f"answered {last!r}") from None
    return answer


def library(name: str, module: str, distributions: tuple[str, ...], fix: str) -> Check:
    """Check whether an optional library is installed; it is not imported, as some crash on machines without a GPU."""
    if importlib.util.find_spec(module) is None:
        return Check(name, "absent", "not installed", fix)
    for distribution in distributions:
        try:
            return Check(name, "ok", f"{distribution} {importlib.metadata.version(distribution)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return Check(name, "ok", "installed, version unknown")
