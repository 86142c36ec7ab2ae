"""One fold of a cross-validation: fit a decoder to the training runs and score it on the test runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.evidence import EvidenceConfig, make_evidence
from earmark.pipeline.decoders.decoder import Learner
from earmark.pipeline.evaluation.score_run import Projected, RunResult, judge
from earmark.pipeline.evaluation.splits import Fold, plan
from earmark.pipeline.run import EvaluationError, Run


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Result of one fold.

    Attributes
    ----------
    train : tuple of (str, str)
        Subject and name of each training run.
    shared_stimuli : tuple of str
        Audio heard in both training and test. A decoder can recognise it; only protocols with ``envelope`` in their
        name exclude this.
    window : float
        Decision window of the decoder in seconds.
    components : tuple of str
        Names of the components of its scores; empty if they have none.
    emissions : Emissions or None
        Emission model used for the posteriors.
    runs : tuple of RunResult
        One for each test run.
    """

    train: tuple[tuple[str, str], ...]
    shared_stimuli: tuple[str, ...]
    window: float
    components: tuple[str, ...]
    emissions: Emissions | None
    runs: tuple[RunResult, ...]


@dataclass(frozen=True, slots=True)
class FoldWork:
    """Computation of a fold, with the settings common to all folds.

    It is a pure function: the same fold gives the same result in every process.

    Attributes
    ----------
    make_decoder : callable
        Returns a new decoder each time. To run in another process it must be importable there.
    protocol : str
        A key of :data:`earmark.pipeline.evaluation.splits.PROTOCOLS`.
    windows : tuple of float
        Lengths of the decision windows in seconds.
    seed : int
        Seed of all random draws, together with the index of the run in the list.
    n_shifts, min_shift : int, float
        Number of shifts for the null distribution, and the minimum shift in seconds.
    evidence : EvidenceConfig or None
        Settings of the posteriors; None to compute none.
    """

    make_decoder: Callable[[], Learner]
    protocol: str
    windows: tuple[float, ...]
    seed: int
    n_shifts: int
    min_shift: float
    evidence: EvidenceConfig | None

    def __call__(self, fold: Fold, train: Sequence[Run], test: Sequence[Run]) -> FoldResult:
        """Fit a decoder to the training runs and score it on the test runs."""
        # The memory layout of slices, or of arrays from another process, must not change the order of summation.
        train, test = [_plain(run) for run in train], [_plain(run) for run in test]
        emissions = None if self.evidence is None else self.emissions(train)
        decoder = self.make_decoder().fit(train)
        results = []
        for index, run in zip(fold.test, test, strict=True):
            evidence = None
            if self.evidence is not None and emissions is not None:
                evidence = make_evidence(self.evidence, emissions)
            rng = np.random.default_rng([self.seed, index])
            results.append(judge(decoder, run, self.windows, rng, self.n_shifts, self.min_shift, evidence))
        heard = {stimulus for run in train for stimulus in run.stimuli}
        return FoldResult(
            train=tuple((run.subject, run.name) for run in train),
            shared_stimuli=tuple(sorted(heard & {stimulus for run in test for stimulus in run.stimuli})),
            window=decoder.spec.window,
            components=decoder.components,
            emissions=emissions,
            runs=tuple(results),
        )

    def emissions(self, train: Sequence[Run]) -> Emissions:
        """Fit the emission model to held-out scores, with a nested cross-validation within the training runs.

        Raises
        ------
        ValueError
            If ``evidence`` is None, or there are too few runs or windows.
        """
        config = self.evidence
        if config is None:
            raise ValueError("emissions are fitted for an evidence configuration, but there is none")
        try:
            folds = plan(train, self.protocol)
        except EvaluationError as error:
            raise EvaluationError(
                f"evidence is fitted on held-out scores within the training runs, but {error}"
            ) from error
        scores, attended = [], []
        for fold in folds:
            decoder = self.make_decoder().fit([train[i] for i in fold.train])
            for i in fold.test:
                seen = Projected.of(decoder, train[i])
                length = round(config.window_s * seen.sfreq)
                starts, _, _ = seen.grid(length)
                rng = np.random.default_rng([self.seed, i])
                scores.append(seen.score(decoder, starts, length, rng)[0])
                attended.append(seen.attended[starts])
        pooled = np.concatenate(scores)
        usable = np.isfinite(pooled).all(axis=1)
        return Emissions.fit(pooled[usable], np.concatenate(attended)[usable])


def _plain(run: Run) -> Run:
    """Copy arrays, in C order, so that a decoder that modifies them does not affect the next fold."""
    return replace(
        run,
        neural=np.array(run.neural, order="C"),
        talkers=np.array(run.talkers, order="C"),
        attended=np.array(run.attended, order="C"),
    )
