"""Which runs a decoder may learn from when it is judged on another, and runs made from recordings of one talker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from earmark.pipeline.run import EvaluationError, Run


def _recording(run: Run) -> str:
    """Parts of a run carry its name and where they were cut."""
    return run.name.partition("[")[0]


def _same_listener(test: Run, other: Run) -> bool:
    return other.subject == test.subject and _recording(other) != _recording(test)


def _same_audio(test: Run, other: Run) -> bool:
    return not set(test.stimuli).isdisjoint(other.stimuli)


#: Whether a decoder that is judged on the first run may learn from the second.
PROTOCOLS: Mapping[str, Callable[[Run, Run], bool]] = {
    "leave-one-run-out": _same_listener,
    "leave-one-subject-out": lambda test, other: other.subject != test.subject,
    "leave-one-paired-envelope-out": lambda test, other: _same_listener(test, other) and not _same_audio(test, other),
    "leave-one-subject-and-envelope-out": lambda test, other: (
        other.subject != test.subject and not _same_audio(test, other)
    ),
}


#: For a decoder that has learned from other runs before: none of these is learned from.
TRAINED_ELSEWHERE = "trained-elsewhere"


@dataclass(frozen=True, slots=True)
class Fold:
    """One training and what is judged with it.

    Attributes
    ----------
    train, test : tuple of int
        Indices of runs.
    """

    train: tuple[int, ...]
    test: tuple[int, ...]


#: Fewest runs that a decoder learns from: with one alone, no penalty can be chosen.
LEAST = 2
#: Pieces that a run is cut into where it is the only one, and seconds that each must have at least.
PIECES, PIECE_S = 4, 5.0
#: What is wanted to leave LEAST runs to learn from, by protocol.
_WANTED = {
    "leave-one-run-out": "three runs of a listener",
    "leave-one-subject-out": "two listeners, each with two runs, or more listeners",
    "leave-one-paired-envelope-out": "three runs of a listener, each with other audio",
    "leave-one-subject-and-envelope-out": "two listeners, each with two runs, or more listeners, each with other audio",
}


def learnable(runs: Sequence[Run]) -> list[Run]:
    """Return what a decoder can learn from: the runs, or of a single one its pieces.

    Settings are chosen by holding out one of them. Pieces of a run are close in time and may share what was heard, so
    they serve for that, but for no accuracy.

    Raises
    ------
    EvaluationError
        If there is a single run, and it is too short.
    """
    if len(runs) >= LEAST:
        return list(runs)
    (run,) = runs
    known = np.flatnonzero(run.attended >= 0)
    if len(known) < PIECES * PIECE_S * run.sfreq:
        raise EvaluationError(
            f"training needs {LEAST} runs or more, or one in which attention is known for {PIECES * PIECE_S:g} s; "
            f"there is {run.name} of {run.subject}, with {len(known) / run.sfreq:.1f} s"
        )
    cuts = [0, *(int(part[0]) for part in np.array_split(known, PIECES)[1:]), len(run.neural)]
    return [run.part(start, stop) for start, stop in pairwise(cuts)]


def few(runs: Sequence[Run], protocol: str) -> list[int]:
    """Find the runs that cannot be judged by a protocol, since too little is left to learn from.

    Returns
    -------
    indices : list of int
        Without these runs, a decoder learns from at least ``LEAST`` runs in each fold.

    Raises
    ------
    EvaluationError
        If none can be judged; it says what is wanted and what there is.
    """
    if protocol == TRAINED_ELSEWHERE:
        return []
    may, left = PROTOCOLS[protocol], list(range(len(runs)))
    while True:
        enough = [i for i in left if sum(may(runs[i], runs[j]) for j in left if j != i) >= LEAST]
        if len(enough) == len(left):
            break
        left = enough
    if not left:
        names = sorted({run.subject for run in runs})
        counts = ", ".join(f"{name} {sum(run.subject == name for run in runs)}" for name in names)
        raise EvaluationError(
            f"{protocol} needs {_WANTED[protocol]}: one is left out, and a decoder learns from {LEAST} or more. "
            f"Runs that there are: {counts or 'none'}"
        )
    return sorted(set(range(len(runs))) - set(left))


def plan(runs: Sequence[Run], protocol: str) -> tuple[Fold, ...]:
    """Divide runs into folds; each is judged once, and those that may learn from the same runs share a fold.

    Parameters
    ----------
    runs : sequence of Run
        Parts of one run never train for each other, unless for another listener.
    protocol : str
        A key of ``PROTOCOLS``. ``leave-one-run-out`` and ``leave-one-paired-envelope-out`` [1]_ train for each
        listener alone, the other two on other listeners only. With ``envelope`` in its name, nothing that is heard in
        a test run was heard in training. ``TRAINED_ELSEWHERE`` trains on none of them.

    Raises
    ------
    EvaluationError
        For an unknown protocol, runs of the same name, or a run without any to learn from.

    References
    ----------
    .. [1] arXiv:2605.25605: an envelope that was attended in training can be recognised in the test.
    """
    if protocol not in (*PROTOCOLS, TRAINED_ELSEWHERE):
        raise EvaluationError(f"unknown protocol {protocol!r}: choose from {', '.join(PROTOCOLS)}")
    names = [(run.subject, run.name) for run in runs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise EvaluationError(f"two runs of subject {twice[0]!r} are called {twice[1]!r}")
    if protocol == TRAINED_ELSEWHERE:
        return tuple(Fold((), (i,)) for i in range(len(runs)))
    may = PROTOCOLS[protocol]
    folds: dict[tuple[int, ...], list[int]] = {}
    for i, run in enumerate(runs):
        train = tuple(j for j, other in enumerate(runs) if j != i and may(run, other))
        if not train:
            raise EvaluationError(f"{protocol}: no run is left to train for {run.name!r} of subject {run.subject!r}")
        folds.setdefault(train, []).append(i)
    return tuple(Fold(train, tuple(test)) for train, test in folds.items())


def time_halves(run: Run, guard: float = 0.5) -> tuple[Run, Run]:
    """Cut a run in the middle, ``guard`` seconds apart; what is heard counts as two stimuli from there on.

    For recordings in which every run has the same audio: time is then what keeps training and test apart.
    """
    middle, apart = len(run.neural) // 2, round(guard * run.sfreq)
    first, second = run.part(0, middle - apart // 2), run.part(middle + apart - apart // 2, len(run.neural))
    return (
        replace(first, stimuli=tuple(f"{s}, first half" for s in run.stimuli)),
        replace(second, stimuli=tuple(f"{s}, second half" for s in run.stimuli)),
    )


def with_imposter(run: Run, rng: np.random.Generator, min_shift: float = 1.0, guard: float = 0.5) -> Run:
    """Add to a recording of one talker a second: the same talker at another time, for match against mismatch.

    Cut first (``time_halves``), then add: the imposter speaks what is spoken elsewhere in the same part.

    Parameters
    ----------
    run : Run
        With one talker.
    rng : Generator
        Draws by how much the imposter is shifted, round the end of the part and in again at its start.
    min_shift : float
        Seconds by which the imposter is at least away from the talker, either way round.
    guard : float
        At either end and around the place where the imposter's end meets its start, this many seconds count as
        unknown: what filters left there would tell the two apart.

    Raises
    ------
    EvaluationError
        If there is not one talker, or the run is too short.
    """
    n, least, edge = len(run.neural), round(min_shift * run.sfreq), round(guard * run.sfreq)
    if len(run.talker_names) != 1:
        raise EvaluationError(f"run {run.name!r} has {len(run.talker_names)} talkers, but must have one")
    if n < 2 * least + 1 or n <= 4 * edge:
        raise EvaluationError(
            f"run {run.name!r}: {run.duration:g} s are too short for an imposter {min_shift:g} s away"
        )
    shift = int(rng.integers(least, n - least + 1))
    attended = run.attended.copy()
    attended[:edge] = attended[n - edge :] = -1
    attended[max(0, shift - edge) : shift + edge] = -1
    return replace(
        run,
        talker_names=(*run.talker_names, f"{run.talker_names[0]}, elsewhere"),
        talkers=np.concatenate([run.talkers, np.roll(run.talkers, shift, axis=1)]),
        attended=attended,
        stimuli=run.stimuli * 2,
    )
