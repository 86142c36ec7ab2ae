"""Cross-validated evaluation of decoders: everything is fitted within the fold, and compared with chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from earmark.pipeline.attention.evidence import EvidenceConfig
from earmark.pipeline.decoders.decoder import Learner
from earmark.pipeline.evaluation.fold import FoldWork
from earmark.pipeline.evaluation.results import Evaluation, summarise
from earmark.pipeline.evaluation.splits import Fold, plan
from earmark.pipeline.run import EvaluationError, Run

#: Decision windows in seconds.
WINDOWS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)


def check_alike(runs: Sequence[Run]) -> None:
    """Check that runs can be evaluated together.

    Raises
    ------
    EvaluationError
        If a run differs from the first one; the message names the run and the difference.
    """
    if not runs:
        raise EvaluationError("there are no runs to evaluate")
    first = runs[0]
    if len(first.talker_names) < 2:
        raise EvaluationError(
            f"run {first.name!r} has one talker: there is nothing to decide (see splits.with_imposter)"
        )
    for run in runs:
        for what, found, wanted in (
            ("sfreq", run.sfreq, first.sfreq),
            ("ch_names", run.ch_names, first.ch_names),
            ("features", run.features, first.features),
            ("number of talkers", len(run.talker_names), len(first.talker_names)),
            ("features per talker", run.talkers.shape[2], first.talkers.shape[2]),
        ):
            if found != wanted:
                raise EvaluationError(f"run {run.name!r} of subject {run.subject!r}: {what} is {found}, not {wanted}")


def prepare(
    runs: Sequence[Run],
    make_decoder: Callable[[], Learner],
    protocol: str,
    windows: Sequence[float] = WINDOWS,
    *,
    seed: int = 0,
    n_shifts: int = 20,
    min_shift: float = 5.0,
    evidence: EvidenceConfig | None = None,
) -> tuple[FoldWork, tuple[Fold, ...]]:
    """Check the input and divide the work into folds; parameters and errors are those of :func:`evaluate`."""
    check_alike(runs)
    lengths = tuple(sorted({float(window) for window in windows}))
    if not lengths or lengths[0] * runs[0].sfreq < 2:
        raise EvaluationError(f"windows are {list(windows)} s, but each must have two samples or more")
    if evidence is not None and evidence.n_talkers != len(runs[0].talker_names):
        raise EvaluationError(
            f"evidence is for {evidence.n_talkers} talkers, but runs have {len(runs[0].talker_names)}"
        )
    work = FoldWork(make_decoder, protocol, lengths, seed, n_shifts, min_shift, evidence)
    return work, plan(runs, protocol)


def evaluate(
    runs: Sequence[Run],
    make_decoder: Callable[[], Learner],
    protocol: str,
    windows: Sequence[float] = WINDOWS,
    *,
    seed: int = 0,
    n_shifts: int = 20,
    min_shift: float = 5.0,
    evidence: EvidenceConfig | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Cross-validate a decoder in this process; :mod:`earmark.devices.files.corpus` does the same on many cores.

    In each fold a new decoder is fitted to the training runs, without access to the test runs. The order of the
    talkers is drawn at random for each decision. The null distribution is scored in the same way with the talkers
    shifted in time, all by the same amount, which removes only their relation to the neural signal.

    Parameters
    ----------
    runs : sequence of Run
        Runs of one or more listeners, all with the same channels and rate.
    make_decoder : callable
        Returns a new decoder each time.
    protocol : str
        A key of :data:`earmark.pipeline.evaluation.splits.PROTOCOLS`.
    windows : sequence of float
        Lengths of the decision windows in seconds; windows do not overlap.
    seed : int
        Seed of all random draws.
    n_shifts : int
        Number of shifts per run for the null distribution.
    min_shift : float
        Minimum shift in seconds; runs shorter than twice this have no null distribution.
    evidence : EvidenceConfig, optional
        If given, also compute posteriors, their calibration, and switch latencies based on them. Emissions are fitted
        within each fold, on scores of the same protocol within the training runs.
    progress : callable, optional
        Called after each fold with the number of finished folds and the total.

    Returns
    -------
    Evaluation

    Raises
    ------
    EvaluationError
        If the runs cannot be evaluated together, or there are too few for the protocol.
    DecoderMismatch
        If the decoder does not fit the runs.
    """
    work, folds = prepare(
        runs,
        make_decoder,
        protocol,
        windows,
        seed=seed,
        n_shifts=n_shifts,
        min_shift=min_shift,
        evidence=evidence,
    )
    results = []
    for fold in folds:
        results.append(work(fold, [runs[i] for i in fold.train], [runs[i] for i in fold.test]))
        if progress is not None:
            progress(len(results), len(folds))
    return summarise(work, runs[0], results)
