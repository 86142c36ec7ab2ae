# ruff: noqa: T201 - it is a script
"""Mutation tests of the figures: introduce one mistake at a time, and check that a test fails.

Run it from the root of the repository: ``python tests/app/report/mutants.py``. It takes some minutes. The working tree
is not changed: each mistake is made in a copy. Exit status 1 if a mistake passes all tests, or its line is not found.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
FIGURES, PAGE, STAGES = "app/report/figures.py", "app/report/page.py", "app/engine/latency_stages.py"
REPORT = "tests/app/report"


class Mistake(NamedTuple):
    """A change of one line, and the tests that must catch it."""

    what: str
    file: str
    right: str
    wrong: str
    tests: str = REPORT


MISTAKES = (
    Mistake("windows overlap", FIGURES, ">= window_s - hop_s / 2:", ">= hop_s / 2:"),
    Mistake("windows begin at the cue", FIGURES, "since >= REORIENT_S + window_s", "since >= window_s"),
    Mistake("windows end when the decision holds", FIGURES, "cues.at(decisions.newest)", "cues.at(decisions.times)"),
    Mistake("equal scores are correct", FIGURES, "cued[i]] > others.max()", "cued[i]] >= others.max()"),
    Mistake("one score is enough", FIGURES, "np.isfinite(self.scores).all(", "np.isfinite(self.scores).any("),
    Mistake("guessing is always between two", FIGURES, "(n_windows, decisions.scores.shape[1])", "(n_windows, 2)"),
    Mistake("steady immediately after the cue", FIGURES, "self.since >= STEADY_S", "self.since >= 0.0"),
    Mistake("old decisions stay valid", FIGURES, "times - decisions.times[newest] <= STALE_S", "times >= 0"),
    Mistake("TMR of the first talker", FIGURES, "loud[rows, talker] - others", "loud[:, 0] - others"),
    Mistake("the target masks itself", FIGURES, "others[rows, talker] = -np.inf", "others[rows, talker] += 0.0"),
    Mistake("TMR while not steered", FIGURES, " & decisions.steered[grid.newest]", ""),
    Mistake("dropped decisions are not counted", FIGURES, "line.set_at is None for", "line.set_at == 0 for"),
    Mistake("the first cue is a switch", FIGURES, "found[1:][talkers[1:] != talkers[:-1]]", "found"),
    Mistake("a repeated cue is a switch", FIGURES, "found[1:][talkers[1:] != talkers[:-1]]", "found[1:]"),
    Mistake(
        "engines share their decision numbers",
        FIGURES,
        "    for lines in journals:\n        timer = StageTimer()\n",
        "    timer = StageTimer()\n    for lines in journals:\n",
    ),
    Mistake("the last stages overlap", STAGES, "done - decided, done", "done - arrival, done"),
    Mistake("the first stage includes the second", STAGES, "(arrival - newest,", "(decided - newest,"),
    Mistake("charts show two talkers", PAGE, "talker in range(len(found.talkers))", "talker in range(2)"),
    Mistake(
        "a clock step is a gap",
        "devices/sources/continuity.py",
        "min(self._lags, default=lag) - off / 2",
        "min(self._lags, default=lag) - 2 * off",
        "tests/devices/sources/test_continuity.py",
    ),
    Mistake(
        "nearly all of a gap must have passed locally",
        "devices/sources/continuity.py",
        "min(self._lags, default=lag) - off / 2",
        "min(self._lags, default=lag) - off / 20",
        "tests/devices/sources/test_continuity.py",
    ),
    Mistake(
        "delays of consecutive filters do not add up",
        "pipeline/iir.py",
        "group_delay=spec.group_delay + centre_delay(sos, out)",
        "group_delay=centre_delay(sos, out)",
        "tests/pipeline/test_iir.py",
    ),
    Mistake(
        "misses of the previous decoder count against the next",
        "app/engine/ledger.py",
        "            self._misses.clear()\n",
        "            pass\n",
        "tests/app/engine/test_ledger.py",
    ),
)


def copied(folder: Path) -> None:
    """Copy the files that the tests need."""
    for name in ("app", "benchmarks", "devices", "kernels", "pipeline", "tests", ".links"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)


def failed(folder: Path, tests: str) -> list[str]:
    """Run tests in a copy, up to the first failure; return the failed test, if any."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-rf", tests]
    environment = {**os.environ, "PYTHONPATH": str(folder / ".links"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"the tests could not run:\n{done.stdout}{done.stderr}")
    return re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE)


def main() -> int:
    """Make every mistake; return how many were not caught."""
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="earmark-mutants-") as name:
        folder = Path(name)
        copied(folder)
        for tests in dict.fromkeys(one.tests for one in MISTAKES):
            if wrong := failed(folder, tests):
                sys.exit(f"{wrong[0]} fails without any mistake")
        for one in MISTAKES:
            path = folder / one.file
            text = path.read_text(encoding="utf-8")
            if one.right not in text:
                print(f"GONE: {one.what}: {one.file} has no {one.right!r}; update the pattern")
                survivors += 1
                continue
            path.write_text(text.replace(one.right, one.wrong), encoding="utf-8")
            caught = failed(folder, one.tests)
            path.write_text(text, encoding="utf-8")
            survivors += not caught
            print(f"{'caught' if caught else 'SURVIVED'}: {one.what}", *caught, sep="\n    ", flush=True)
    print(f"{len(MISTAKES) - survivors} of {len(MISTAKES)} mistakes are caught")
    return survivors


if __name__ == "__main__":
    sys.exit(min(main(), 1))
