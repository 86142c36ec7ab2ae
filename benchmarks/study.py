"""Make a study of simulated listeners, compare its figures with independent code, and time it on many runs.

::

    python -m benchmarks.study FOLDER [--seconds 120] [--runs 300] [--bids] [--json FILE]

Twelve listeners, from one that hardly responds to an easy one, each with a calibration of a minute and three runs in
two sessions; two of the 36 runs are cut, one is empty. Signals are simulated and pass through the graph and the writer
of live sessions, faster than real time. Then ``earmark study`` measures all runs, and
:mod:`benchmarks.study_recount` counts them again from the XDF files. Times are of runs copied from these, each with a
note of its own, so that all are different: without kept figures (cold) and with them (warm), in this process, in two
processes, and on a Dask cluster of two processes. With ``--bids`` the study is exported as a BIDS data set, which is
validated and imported again: accuracy of each listener, cross-validated, from both.
"""

from __future__ import annotations

# Limits NumPy to one thread, therefore imported before NumPy.
import earmark.app

# isort: split
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from distributed import LocalCluster
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.sessions import SFREQ, SPEECH_HZ, TALKERS, write_session
from benchmarks.study_recount import limit, recount
from earmark.app.commands.export import bids
from earmark.app.commands.study import study
from earmark.app.commands.train import train
from earmark.app.report.kept import kept_file
from earmark.app.report.study import find_runs, measured, participants
from earmark.app.report.study_files import study_json
from earmark.app.training.study import read_study
from earmark.devices.files.corpus import DaskCluster, Executor, InProcess, Processes
from earmark.devices.files.decoder_folder import load_decoder
from earmark.devices.files.journal import About
from earmark.devices.simulate.listener import Listener, ListenerConfig
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.evaluation.evaluate import evaluate
from earmark.pipeline.nodes.envelope import EnvelopeConfig, speech_envelope

#: Responses of the listeners in µV: from hard to easy.
RESPONSES_UV = np.geomspace(0.5, 5.5, 12)
CHANNELS = ("Fz", "Cz", "Pz", "C3", "C4", "T7", "T8", "FC1", "FC2", "CP5", "CP6", "Oz")
#: Trials of a calibration, s, and time between switches in a run, s.
CALIBRATION, SWITCH_S = ((("Joe", 10.0), ("Ada", 10.0)) * 3), 24.0
RUNS = ("ses-01/run-1", "ses-01/run-2", "ses-02/run-1")
#: Runs that are cut, with the share of their bytes that is left, and one that is empty.
CUT, EMPTY = {"P03/ses-01/run-2": 0.6, "P07/ses-02/run-1": 0.8}, "P10/ses-02/run-1"
SPEECH = Path(earmark.app.__file__).parent / "speech"
SAME = ("windows", "right", "accuracy", "switches")
CLOSE = ("chance_limit", "tmr_db")

Trials = tuple[tuple[str, float], ...]


def main(
    folder: Annotated[Path, typer.Argument(help="Folder for the study and its copies; made if it does not exist.")],
    seconds: Annotated[float, typer.Option(help="Length of a run, s.", min=30.0)] = 120.0,
    runs: Annotated[int, typer.Option(help="Number of runs to time; 0 for none.", min=0)] = 300,
    exported: Annotated[bool, typer.Option("--bids", help="Compare with a BIDS data set of the study.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result here.")] = None,
) -> None:
    """Make a study, recount it, time it, and export it."""
    root = folder / "study"
    result: dict[str, Any] = {"seconds": seconds, "load": os.getloadavg()}
    if not root.exists():
        begun = time.perf_counter()
        make(root, folder / "decoders", seconds)
        result["made_s"] = time.perf_counter() - begun
    study(root, json_file=folder / "study.json", csv_file=folder / "study.csv", html=folder / "study.html")
    found = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    result["recount"] = compare(root, found)
    if runs:
        result["times"] = times(root, folder / "many", runs)
        result["load_after"] = os.getloadavg()
    if exported:
        result["bids"] = compare_bids(root, folder / "bids")
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def make(root: Path, decoders: Path, seconds: float) -> None:
    """Write the study; ``seconds`` is the length of a run."""
    trials = tuple((TALKERS[k % 2], SWITCH_S) for k in range(max(1, round(seconds / SWITCH_S))))
    for number, response in enumerate(RESPONSES_UV, 1):
        name = f"P{number:02}"
        config = ListenerConfig("eeg", CHANNELS, SFREQ, 0.0, float(response), wandering=0.3)
        calibration = root / name / "ses-01" / "calibration-1.xdf"
        about = About("", mode="calibration", subject=name)
        _write(calibration, CALIBRATION, config, 10 * number, about=about)
        train([calibration], decoders / name)
        for k, run in enumerate(RUNS, 1):
            path = root / name / run / "loop.xdf"
            if f"{name}/{run}" == EMPTY:
                path.parent.mkdir(parents=True)
                path.touch()
                continue
            _write(path, trials, config, 10 * number + k, about=About("", subject=name), decoder=decoders / name)
            if (share := CUT.get(f"{name}/{run}")) is not None:
                os.truncate(path, int(share * path.stat().st_size))


def _write(path: Path, trials: Trials, config: ListenerConfig, seed: int, **options: Any) -> None:
    person = Listener(config, len(TALKERS), seed=seed)
    heard = _heard(seed, 1.0 + sum(length for _, length in trials))
    at = 1.0
    for name, length in trials:
        person.attend(TALKERS.index(name), at)
        at += length
    person.hear(np.arange(len(heard)) / SPEECH_HZ, heard.T)
    eeg = person.listen(round(at * SFREQ))
    write_session(path, trials, seed, len(CHANNELS), signals=(eeg, heard), **options)


def _heard(seed: int, seconds: float) -> NDArray[np.float64]:
    """Return the envelopes of both talkers from a random position in their speech, shape (n_samples, n_talkers)."""
    rows = np.arange(round(seconds * SPEECH_HZ))
    starts = np.random.default_rng(seed).integers(0, 1 << 20, len(TALKERS))
    voices = zip(map(_voice, TALKERS), starts, strict=True)
    return np.stack([voice[(start + rows) % len(voice)] for voice, start in voices], axis=1)


@cache
def _voice(name: str) -> NDArray[np.float64]:
    audio, rate = soundfile.read(SPEECH / f"{name.lower()}.ogg")
    return speech_envelope(audio, float(rate), EnvelopeConfig())[:, 0]


def compare(root: Path, found: dict[str, Any]) -> dict[str, Any]:
    """Recount all runs and participants, and show the differences."""
    table = Table(title="Figures of earmark study, recounted from the XDF files")
    for head in ("run", "status", "right", "n", "limit", "TMR / dB", "d'", "equal", "difference"):
        table.add_column(head)
    differences: list[float] = []
    counted: dict[str, dict[str, Any]] = {}
    for row in found["runs"]:
        if row["status"] not in ("used", "cut"):
            table.add_row(row["path"], f"{row['status']}: {row['reason']}"[:60])
            continue
        recording = root / row["path"] / "loop.xdf"
        decoder, _ = load_decoder(recording.with_suffix(".decoder"))
        own = counted[row["path"]] = recount(recording, decoder.spec.window, decoder.preset.hop)
        same, apart = _same(own, row)
        differences.append(apart)
        words = [f"{row[key]:.3f}" if row[key] is not None else "–" for key in CLOSE]
        words += [f"{own['d_prime']:.3f}" if own["d_prime"] is not None else "–"]
        table.add_row(row["path"], row["status"], str(row["right"]), str(row["windows"]), *words, same, f"{apart:.2g}")
    groups = []
    for one in found["participants"]:
        mine = [own for path, own in counted.items() if path.startswith(f"{one['participant']}/")]
        n, right = (sum(own[key] for own in mine) for key in ("windows", "right"))
        tmr = [own["tmr_db"] for own in mine if own["tmr_db"] is not None]
        together = {
            "windows": n,
            "right": right,
            "accuracy": right / n,
            "switches": sum(own["switches"] for own in mine),
            "chance_limit": limit(n, 2),
            "tmr_db": statistics.fmean(tmr) if tmr else None,
        }
        same, apart = _same(together, one)
        differences.append(apart)
        groups.append(together["accuracy"])
        table.add_row(one["participant"], "together", str(right), str(n), "", "", "", same, f"{apart:.2g}")
    console = Console(width=130)
    console.print(table)
    mean, spread = statistics.fmean(groups), statistics.stdev(groups)
    better = sum(
        own is not None and one["accuracy"] >= own
        for one in found["participants"]
        for own in [limit(one["windows"], 2)]
    )
    console.print(
        f"Recounted: {better} of {len(groups)} participants are better than guessing; mean {100 * mean:.2f} %, SD "
        f"{100 * spread:.2f} %. Largest difference of any figure: {max(differences):.3g}"
    )
    return {"difference": max(differences), "n": len(differences), "mean": mean, "sd": spread, "better": better}


def _same(own: dict[str, Any], row: dict[str, Any]) -> tuple[str, float]:
    """Return whether counts are equal, and the largest difference of the other figures."""
    equal = all(own[key] == row[key] for key in SAME)
    if any((own[key] is None) != (row[key] is None) for key in CLOSE):
        return "NO", float("inf")
    apart = max(abs(own[key] - row[key]) for key in CLOSE if own[key] is not None)
    return ("yes" if equal else "NO"), (apart if equal else float("inf"))


def compare_bids(root: Path, data_set: Path) -> dict[str, Any]:
    """Export the study, validate the data set, and compare the runs and the accuracy of each listener."""
    shutil.rmtree(data_set, ignore_errors=True)
    bids(root, data_set)
    validator = Path(sys.executable).with_name("bids-validator-deno")
    done = subprocess.run([validator, "--json", data_set], capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    ours, theirs = (read_study([folder], EEG).runs for folder in (root, data_set))
    same = [
        np.array_equal(a.neural, b.neural) and np.array_equal(a.attended, b.attended)
        for a, b in zip(ours, theirs, strict=True)
    ]
    apart = [np.abs(a.talkers - b.talkers).max() / np.abs(a.talkers).max() for a, b in zip(ours, theirs, strict=True)]
    accuracies = []
    for name in sorted({run.subject for run in ours}):
        both = []
        for runs, subject in ((ours, name), (theirs, f"sub-{name}")):
            mine = [run for run in runs if run.subject == subject]
            score = evaluate(mine, partial(LinearDecoder, EEG), "leave-one-run-out", (EEG.window,), n_shifts=0)
            both.append((score.accuracy[EEG.window], d_prime(score.emissions)))
        accuracies.append(both)
    found = {
        "errors": sum(issue["severity"] == "error" for issue in issues),
        "runs": len(ours),
        "runs_with_equal_electrodes": sum(same),
        "largest_difference_of_envelopes": float(max(apart)),
        "listeners": len(accuracies),
        "equal_accuracies": sum(one[0] == other[0] for one, other in accuracies),
        "largest_difference_of_d_prime": max(abs(one[1] - other[1]) for one, other in accuracies),
    }
    Console(width=130).print(found)
    return found


def d_prime(emissions: Emissions | None) -> float:
    """Return how far apart the scores of attended and other talkers are, in standard deviations."""
    return math.nan if emissions is None else (emissions.attended_mean - emissions.ignored_mean) / emissions.sd


def times(root: Path, many: Path, n_runs: int) -> dict[str, Any]:
    """Time many runs, cold and warm, with each executor; their results must be equal."""
    if not many.exists():
        copy_runs(root, many, n_runs)
    found: dict[str, Any] = {}
    results = []
    console = Console(width=130)
    table = Table(title=f"{n_runs} runs")
    for head in ("executor", "cold / s", "warm / s", "ratio", "load"):
        table.add_column(head)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        for name, by in (
            ("this process", InProcess()),
            ("two processes", Processes(2)),
            ("Dask, two processes", DaskCluster(cluster.scheduler_address)),
        ):
            for file in many.rglob(kept_file(Path("loop.xdf")).name):
                file.unlink()
            cold, first = _timed(many, by)
            warm, second = _timed(many, by)
            results += [first, second]
            load = os.getloadavg()[0]
            found[name] = {"cold_s": cold, "warm_s": warm, "load": load}
            table.add_row(name, f"{cold:.1f}", f"{warm:.1f}", f"{cold / warm:.0f}", f"{load:.1f}")
            console.print(f"{name}: cold {cold:.1f} s, warm {warm:.1f} s, load {load:.1f}")
    found["equal"] = all(one == results[0] for one in results)
    console.print(table)
    console.print(f"All results are equal: {found['equal']}")
    return found


def copy_runs(root: Path, many: Path, n_runs: int) -> None:
    """Copy complete runs under other names, each with a note of its own, so that none counts as a copy."""
    whole = [run.parent for run in sorted(root.rglob("loop.xdf")) if _path(root, run) not in (*CUT, EMPTY)]
    for k in range(n_runs):
        target = many / f"P{k // 3 + 1:03}" / f"run-{k % 3 + 1}"
        shutil.copytree(whole[k % len(whole)], target, ignore=shutil.ignore_patterns("*.figures.json"))
        (target / "loop.events.jsonl").write_text(f'[1001.0, "note: copy {k}"]\n', encoding="utf-8")


def _path(root: Path, recording: Path) -> str:
    return recording.parent.relative_to(root).as_posix()


def _timed(folder: Path, by: Executor) -> tuple[float, dict[str, Any]]:
    begun = time.perf_counter()
    runs = measured(find_runs(folder), by)
    result = study_json(folder, runs, participants(runs))
    return time.perf_counter() - begun, result


if __name__ == "__main__":
    typer.run(main)
