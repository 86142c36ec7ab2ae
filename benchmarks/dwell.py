"""Compare filters of evidence on scores of real listeners, for several ways in which attention may switch.

::

    python -m benchmarks.dwell SCORES.npz --out benchmarks/dwell.json

``SCORES.npz`` has one array per listener, shape (n, 2): scores of the attended and of the ignored talker in adjacent
windows of 1 s. Switches are simulated: the two columns are exchanged after each dwell. Emissions of a listener are
pooled from all others, so that nothing is fitted to the scores tested on. Reported for every filter and law of the
dwell (mean over listeners, and over the repetitions of a random law):

- *steady*: share of hops, from 30 s after a switch on, at which the most probable talker is the attended one (for a
  switch every 60 s: the last 30 s before each switch);
- *overall*: the same share of all hops; the first dwell of a sequence, which follows no switch, is left out of both;
- *median* and *mean* of the seconds from a switch to the first decision that stays correct for 3 s, the median over all
  switches, the mean over those that were followed at all;
- the expected calibration error (ECE) and the negative log-likelihood (NLL) of the posterior;
- *full*: share of hops with a probability of 0.9 or more, at which steering reaches its largest gain.

It takes some minutes.
"""

from __future__ import annotations

# One thread: it must be imported before NumPy is.
import earmark.app  # noqa: F401

# isort: split
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from earmark.app.engine.environment import environment
from earmark.pipeline.attention.dwell import UNKNOWN, Dwell
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.evidence import EvidenceConfig, make_evidence
from earmark.pipeline.attention.smoothing import smoothed
from earmark.pipeline.evaluation.metrics import reliability, switch_latencies

STEADY_S = 30
#: Scores of adjacent seconds.
SECONDS = EvidenceConfig(hop_s=1.0, window_s=1.0)
#: Draws of one dwell in seconds; a law without chance is tested once.
Draw = Callable[[np.random.Generator], float]
DWELLS: dict[str, Draw] = {
    "every 60 s": lambda rng: 60.0,
    "every 90 s": lambda rng: 90.0,
    "every 120 s": lambda rng: 120.0,
    "every 300 s": lambda rng: 300.0,
    "uniform 30-90 s": lambda rng: rng.uniform(30, 90),
    "gamma 4, mean 60 s": lambda rng: rng.gamma(4, 15),
    "gamma 2, mean 60 s": lambda rng: rng.gamma(2, 30),
    "exponential, mean 60 s": lambda rng: rng.exponential(60),
}
CONSOLE = Console(width=250)


@dataclass(frozen=True, slots=True)
class Variant(EvidenceConfig):
    """Evidence with any law of the dwell."""

    law: Dwell = UNKNOWN

    @property
    def dwell(self) -> Dwell:
        """The law."""
        return self.law


FILTERS: dict[str, EvidenceConfig] = {
    "switch_rate 0.02 (before)": replace(SECONDS, switch_rate=0.02),
    "switch_rate 0.03": replace(SECONDS, switch_rate=0.03),
    "default": SECONDS,
    "expected_dwell_s 60": replace(SECONDS, expected_dwell_s=60.0),
}
#: Around the default law: whether it is at a flat optimum.
AROUND: dict[str, EvidenceConfig] = {
    f"stages {' + '.join(f'{s:g}' for s in stages)} s": Variant(hop_s=1.0, window_s=1.0, law=Dwell(stages))
    for stages in (
        (30.0, 30.0),
        (5.0, 27.5, 27.5),
        (5.0, 20.0, 35.0),
        (3.0, 12.0, 45.0),
        (10.0, 10.0, 40.0),
        (5.0, 15.0, 30.0),
        (5.0, 15.0, 50.0),
        (20.0, 20.0, 20.0),
        (10.0, 50.0),
        (60.0,),
    )
}


def attended(draw: Draw, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw who is attended in each second; a dwell lasts at least one."""
    found: list[int] = []
    talker = 0
    while len(found) < n:
        found += [talker] * max(1, round(draw(rng)))
        talker = 1 - talker
    return np.array(found[:n])


def presented(scores: NDArray[np.float64], who: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return scores of talkers 0 and 1, from those of attended and ignored."""
    return np.where(who[:, None] == 0, scores, scores[:, ::-1])


def posteriors(config: EvidenceConfig, emissions: Emissions, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the live posterior of every hop."""
    evidence = make_evidence(config, emissions)
    return np.array([evidence.update(row).probability for row in scores])


@dataclass
class Judged:
    """Figures of a filter, collected over sequences."""

    steady: list[float]
    overall: list[float]
    latencies: list[float]
    posterior: list[NDArray[np.float64]]
    attended: list[NDArray[np.int64]]

    def add(self, posterior: NDArray[np.float64], who: NDArray[np.int64]) -> None:
        """Judge the posterior of one sequence."""
        n = len(who)
        right = posterior.argmax(axis=1) == who
        switches = np.flatnonzero(np.diff(who)) + 1
        since = np.arange(n) - switches[np.searchsorted(switches, np.arange(n), side="right") - 1]
        later = np.arange(n) >= switches[0]
        self.steady.append(float(right[later & (since >= STEADY_S)].mean()))
        self.overall.append(float(right[later].mean()))
        times = np.arange(1.0, n + 1)  # a score is available when its second is over
        self.latencies += switch_latencies(times, right, (switches + 1e-6).tolist(), 1.0).tolist()
        self.posterior.append(posterior)
        self.attended.append(who)

    def figures(self) -> dict[str, float]:
        """Return all figures; accuracies in percent."""
        posterior, who = np.concatenate(self.posterior), np.concatenate(self.attended)
        latencies = np.array(self.latencies)
        followed = np.isfinite(latencies)
        return {
            "steady": 100 * float(np.mean(self.steady)),
            "median_s": float(np.median(np.where(followed, latencies, np.inf))),
            "mean_s": float(latencies[followed].mean()),
            "followed": 100 * float(followed.mean()),
            "overall": 100 * float(np.mean(self.overall)),
            "ece": reliability(posterior, who).ece,
            "nll": float(-np.log(posterior[np.arange(len(who)), who]).mean()),
            "full": 100 * float((posterior.max(axis=1) >= 0.9).mean()),
        }


def sequences(n: int, n_random: int, draw: Draw, listener: int) -> list[NDArray[np.int64]]:
    """Draw who is attended: once if the law is without chance."""
    found = [attended(draw, n, np.random.default_rng([seed, listener])) for seed in range(n_random)]
    return found[:1] if all(np.array_equal(one, found[0]) for one in found) else found


def measure(
    listeners: dict[str, NDArray[np.float64]], posterior: Callable[..., NDArray[np.float64]], draw: Draw, n_random: int
) -> dict[str, float]:
    """Judge what computes posteriors, for one law of the dwell.

    Parameters
    ----------
    listeners : dict of str to array, shape (n, 2)
        Scores of the attended and of the ignored talker.
    posterior : callable
        Takes an emission model and scores.
    draw : callable
        Draws a dwell.
    n_random : int
        Number of sequences of a random law for each listener.
    """
    models = {name: Emissions.fit(scores, np.zeros(len(scores), int)) for name, scores in listeners.items()}
    judged = Judged([], [], [], [], [])
    for number, (name, scores) in enumerate(listeners.items()):
        emissions = Emissions.pool([model for other, model in models.items() if other != name])
        for who in sequences(len(scores), n_random, draw, number):
            judged.add(posterior(emissions, presented(scores, who)), who)
    return judged.figures()


def show(title: str, rows: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print a table: steady accuracy at the median latency, overall accuracy, ECE."""
    table = Table(title=f"{title}: steady % @ median s, overall %, ECE")
    table.add_column("dwells")
    for name in rows:
        table.add_column(name, no_wrap=True)
    for law in DWELLS:
        cells = [found[law] for found in rows.values()]
        table.add_row(
            law, *(f"{f['steady']:.1f} @ {f['median_s']:g}, {f['overall']:.1f}, {f['ece']:.3f}" for f in cells)
        )
    CONSOLE.print(table)


def main(
    scores: Annotated[Path, typer.Argument(help="scores of listeners, npz")],
    out: Annotated[Path | None, typer.Option(help="write all figures to this file, JSON")] = None,
    n_random: Annotated[int, typer.Option(min=2, help="sequences of a random law for each listener")] = 3,
    around: Annotated[bool, typer.Option(help="also measure laws around the default one")] = True,
) -> None:
    """Measure all filters."""
    with np.load(scores) as file:
        listeners = {key: file[key].astype(float) for key in file.files if file[key].ndim == 2}
    report: dict[str, Any] = {"environment": environment(), "listeners": len(listeners), "n_random": n_random}
    for title, configs in (("filters", FILTERS), ("around", AROUND if around else {})):
        report[title] = rows = {}
        for name, config in configs.items():
            rows[name] = {
                law: measure(listeners, lambda e, s, c=config: posteriors(c, e, s), draw, n_random)
                for law, draw in DWELLS.items()
            }
        if rows:
            show(title, rows)
    report["smoothed"] = {
        f"default, {lag:g} s later": {
            law: measure(listeners, lambda e, s, lag=lag: smoothed(FILTERS["default"], e, s, lag), draw, n_random)
            for law, draw in DWELLS.items()
        }
        for lag in (3.0, 5.0, 8.0)
    }
    show("smoothed", report["smoothed"])
    if out is not None:
        out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
