"""Results of an evaluation, and how they are computed from the folds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.smoothing import SMOOTHING_S
from earmark.pipeline.evaluation.fold import FoldResult, FoldWork
from earmark.pipeline.evaluation.metrics import (
    DPrime,
    Mesd,
    Reliability,
    auc,
    chance_limit,
    dprime,
    expected_accuracy,
    information_transfer_rate,
    leads,
    mesd,
    reliability,
)
from earmark.pipeline.evaluation.score_run import RunResult, WindowResult
from earmark.pipeline.run import Run

#: A value for each decision window in seconds.
ByWindow = dict[float, float]


@dataclass(frozen=True, slots=True)
class SubjectResult:
    """Results of one listener; values as in :class:`Evaluation`."""

    subject: str
    r_attended: float
    r_ignored: float
    accuracy: ByWindow
    n_windows: dict[float, int]
    chance_limit: ByWindow
    null_accuracy: ByWindow
    expected_accuracy: ByWindow
    auc: ByWindow
    dprime: dict[float, DPrime]
    dprime_by_component: dict[str, DPrime]
    mesd: Mesd


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Result of a cross-validation. Values are means over listeners unless stated otherwise; NaN means not measured.

    Attributes
    ----------
    protocol : str
        A key of :data:`earmark.pipeline.evaluation.splits.PROTOCOLS`.
    seed, n_shifts, min_shift_s : int, int, float
        Seed of all random draws; number of shifts and minimum shift of the null distribution.
    sfreq : float
        Sampling rate of the features in Hz.
    features : str
        Name of the talker features.
    n_channels, n_talkers, n_runs : int
        Number of channels, talkers and runs.
    windows : tuple of float
        Decision windows in seconds.
    r_attended, r_attended_sd, r_ignored, r_ignored_sd : float
        Mean and standard deviation (n - 1) over listeners of the correlation between the first decoded component and
        that of each talker, over whole test runs.
    accuracy, accuracy_sd : dict
        Mean and standard deviation (n - 1) over listeners.
    n_windows : dict
        Number of decisions of all listeners.
    n_left_out : dict
        Number of windows in which attention is unknown, and in which it switches.
    chance_limit : dict
        Accuracy that guessing reaches with probability 0.05 in ``n_windows`` decisions.
    null_accuracy, n_null : dict
        Accuracy with talkers shifted in time, and the number of decisions for it, over all shifts.
    expected_accuracy : dict
        Accuracy at each window, extrapolated from the shortest one.
    auc : dict
        Area under the ROC curve of how far the attended talker's score exceeds the others'.
    dprime, dprime_se : dict
        Sensitivity at each window, see :class:`earmark.pipeline.evaluation.metrics.DPrime`: mean over listeners, and
        its standard error from those of the listeners.
    dprime_by_component : dict
        The same at the shortest window for each named component of the score alone, such as the bands of a filter bank;
        empty if the components have no names.
    itr : dict
        Information transfer rate at the mean accuracy, in bits per minute.
    mesd_s : float
        Median over listeners of the minimal expected switch duration; infinite at chance, NaN for more than two
        talkers.
    emissions : Emissions or None
        Distribution of the scores at the shortest window, over all listeners; None if there are too few windows, or if
        the scores are not correlations.
    ece : float
        Expected calibration error of the posterior; NaN without evidence.
    ece, posterior_accuracy : float
        Expected calibration error of the posterior, and fraction of hops at which the most probable talker was
        attended; NaN without evidence.
    smoothed_ece, smoothed_accuracy : float
        The same of the smoothed posterior, which also uses the scores of the following ``smoothing_s`` seconds.
    smoothing_s : float
        Seconds of later scores.
    reliability : Reliability or None
        Reliability curve over the hops of all listeners.
    switch_latency_s : float
        Median over all switches of attention; infinite if fewer than half were followed, NaN if there was none.
    n_switches, n_followed : int
        Number of switches, and number of those followed by a lasting correct decision.
    subjects : tuple of SubjectResult
        Results of each listener.
    folds : tuple of dict
        Training runs, emission model and test results of each fold.
    """

    protocol: str
    seed: int
    n_shifts: int
    min_shift_s: float
    sfreq: float
    features: str
    n_channels: int
    n_talkers: int
    n_runs: int
    windows: tuple[float, ...]
    r_attended: float
    r_attended_sd: float
    r_ignored: float
    r_ignored_sd: float
    accuracy: ByWindow
    accuracy_sd: ByWindow
    n_windows: dict[float, int]
    n_left_out: dict[float, dict[str, int]]
    chance_limit: ByWindow
    null_accuracy: ByWindow
    n_null: dict[float, int]
    expected_accuracy: ByWindow
    auc: ByWindow
    dprime: ByWindow
    dprime_se: ByWindow
    dprime_by_component: dict[str, DPrime]
    itr: ByWindow
    mesd_s: float
    emissions: Emissions | None
    ece: float
    posterior_accuracy: float
    smoothed_ece: float
    smoothed_accuracy: float
    smoothing_s: float
    reliability: Reliability | None
    switch_latency_s: float
    n_switches: int
    n_followed: int
    subjects: tuple[SubjectResult, ...]
    folds: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain dicts, lists, strings and unrounded numbers.

        Windows become keys such as ``"1.0"``. Values that are not finite become None.
        """
        plain: dict[str, Any] = _plain(self)
        return plain


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {repr(key) if isinstance(key, float) else key: _plain(one) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def summarise(work: FoldWork, example: Run, results: Sequence[FoldResult]) -> Evaluation:
    """Combine the results of folds.

    Parameters
    ----------
    work : FoldWork
        The computation of each fold.
    example : Run
        Any of the runs.
    results : sequence of FoldResult
        In the order of the plan, which is the order of summation.
    """
    windows, n_talkers = work.windows, len(example.talker_names)
    runs = [run for result in results for run in result.runs]
    names = sorted({run.subject for run in runs})
    components = results[0].components
    subjects = tuple(
        _subject(name, [run for run in runs if run.subject == name], n_talkers, components) for name in names
    )
    every = {w: [run.windows[i] for run in runs] for i, w in enumerate(windows)}
    n_windows = {w: sum(one.n for one in every[w]) for w in windows}
    accuracy = {w: _mean(s.accuracy[w] for s in subjects) for w in windows}
    sensitivity = {w: _mean_dprime([s.dprime[w] for s in subjects]) for w in windows}
    curve = later = None
    if work.evidence is not None:
        attended = np.concatenate([run.posterior_attended for run in runs])
        curve = reliability(np.concatenate([run.posterior for run in runs]), attended)
        later = reliability(np.concatenate([run.smoothed for run in runs]), attended)
    latencies = np.array([latency for run in runs for latency in run.latencies])
    followed = int(np.isfinite(latencies).sum())
    return Evaluation(
        protocol=work.protocol,
        seed=work.seed,
        n_shifts=work.n_shifts,
        min_shift_s=work.min_shift,
        sfreq=example.sfreq,
        features=example.features,
        n_channels=len(example.ch_names),
        n_talkers=n_talkers,
        n_runs=len(runs),
        windows=windows,
        r_attended=_mean(s.r_attended for s in subjects),
        r_attended_sd=_sd(s.r_attended for s in subjects),
        r_ignored=_mean(s.r_ignored for s in subjects),
        r_ignored_sd=_sd(s.r_ignored for s in subjects),
        accuracy=accuracy,
        accuracy_sd={w: _sd(s.accuracy[w] for s in subjects) for w in windows},
        n_windows=n_windows,
        n_left_out={
            w: {"unknown": sum(o.n_unknown for o in every[w]), "switching": sum(o.n_switching for o in every[w])}
            for w in windows
        },
        chance_limit={w: chance_limit(n_windows[w], n_talkers) for w in windows},
        null_accuracy={w: _mean(s.null_accuracy[w] for s in subjects) for w in windows},
        n_null={w: sum(one.n_null for one in every[w]) for w in windows},
        expected_accuracy={w: _mean(s.expected_accuracy[w] for s in subjects) for w in windows},
        auc={w: _mean(s.auc[w] for s in subjects) for w in windows},
        dprime={w: one.value for w, one in sensitivity.items()},
        dprime_se={w: one.se for w, one in sensitivity.items()},
        dprime_by_component={
            name: _mean_dprime([s.dprime_by_component[name] for s in subjects]) for name in components
        },
        itr={w: information_transfer_rate(accuracy[w], w, n_talkers) for w in windows},
        mesd_s=float(np.median([s.mesd.seconds for s in subjects])),
        emissions=_emissions(every[windows[0]]),
        ece=curve.ece if curve else math.nan,
        posterior_accuracy=curve.share if curve else math.nan,
        smoothed_ece=later.ece if later else math.nan,
        smoothed_accuracy=later.share if later else math.nan,
        smoothing_s=SMOOTHING_S,
        reliability=curve,
        # A switch that was never followed counts as longer than all others.
        switch_latency_s=_median_of_all(latencies),
        n_switches=len(latencies),
        n_followed=followed,
        subjects=subjects,
        folds=tuple(_fold(result) for result in results),
    )


def _median_of_all(latencies: NDArray[np.float64]) -> float:
    if not len(latencies):
        return math.nan
    low, high = np.sort(np.where(np.isnan(latencies), math.inf, latencies))[
        [(len(latencies) - 1) // 2, len(latencies) // 2]
    ]
    return float((low + high) / 2)


def _mean(values: Iterable[float]) -> float:
    """Return the mean of the values that are not NaN."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _sd(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.std(known, ddof=1)) if len(known) > 1 else math.nan


def _mean_dprime(values: Sequence[DPrime]) -> DPrime:
    known = [one for one in values if not math.isnan(one.value)]
    if not known:
        return DPrime(math.nan, math.nan)
    return DPrime(float(np.mean([one.value for one in known])), math.sqrt(sum(one.se**2 for one in known)) / len(known))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _subject(name: str, runs: Sequence[RunResult], n_talkers: int, components: Sequence[str]) -> SubjectResult:
    by_window = {one.seconds: [run.windows[i] for run in runs] for i, one in enumerate(runs[0].windows)}
    n = {w: sum(one.n for one in ones) for w, ones in by_window.items()}
    accuracy = {w: _share(sum(one.n_right for one in ones), n[w]) for w, ones in by_window.items()}
    shortest = min(by_window)
    differences = leads(*_finite(by_window[shortest])).ravel()
    measured = [w for w in by_window if n[w]]
    switch = Mesd(math.nan, math.nan, 0)
    if n_talkers == 2 and measured:
        switch = mesd(measured, [accuracy[w] for w in measured])
    return SubjectResult(
        subject=name,
        r_attended=_mean(run.r_attended for run in runs),
        r_ignored=_mean(run.r_ignored for run in runs),
        accuracy=accuracy,
        n_windows=n,
        chance_limit={w: chance_limit(n[w], n_talkers) for w in by_window},
        null_accuracy={
            w: _share(sum(one.n_null_right for one in ones), sum(one.n_null for one in ones))
            for w, ones in by_window.items()
        },
        expected_accuracy={w: expected_accuracy(differences, shortest, w, n_talkers) for w in by_window},
        auc={w: _auc(ones) for w, ones in by_window.items()},
        dprime={w: dprime(leads(*_finite(ones)).ravel(), n[w]) for w, ones in by_window.items()},
        dprime_by_component={
            component: dprime(leads(*_finite(by_window[shortest], number)).ravel(), n[shortest])
            for number, component in enumerate(components)
        },
        mesd=switch,
    )


def _finite(
    ones: Sequence[WindowResult], component: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the scores of all windows, or the correlations of one component, and the attended talkers."""
    scores = np.concatenate([one.scores if component is None else one.correlations[..., component] for one in ones])
    attended = np.concatenate([one.attended for one in ones])
    usable = np.isfinite(scores).all(axis=1)
    return scores[usable], attended[usable]


def _emissions(ones: Sequence[WindowResult]) -> Emissions | None:
    try:
        return Emissions.fit(*_finite(ones))
    except ValueError:
        return None


def _auc(ones: Sequence[WindowResult]) -> float:
    return auc(*_finite(ones))


def _fold(result: FoldResult) -> dict[str, Any]:
    return {
        "train": [{"subject": subject, "run": run} for subject, run in result.train],
        "shared_stimuli": list(result.shared_stimuli),
        "decoder_window_s": result.window,
        "emissions": None if result.emissions is None else result.emissions.to_dict(),
        "test": [
            {
                "subject": run.subject,
                "run": run.name,
                "r_attended": run.r_attended,
                "r_ignored": run.r_ignored,
                "n_windows": {one.seconds: one.n for one in run.windows},
                "n_right": {one.seconds: one.n_right for one in run.windows},
                "n_null": {one.seconds: one.n_null for one in run.windows},
                "n_null_right": {one.seconds: one.n_null_right for one in run.windows},
                "switch_latencies_s": list(run.latencies),
            }
            for run in result.runs
        ],
    }
