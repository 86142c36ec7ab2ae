"""Division of runs into training and test (cross-validation protocols), and runs derived from other runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from earmark.pipeline.run import EvaluationError, Run


def _recording(run: Run) -> str:
    """Return the name of the recording; parts of a run have it, followed by their sample range."""
    return run.name.partition("[")[0]


def _same_listener(test: Run, other: Run) -> bool:
    return other.subject == test.subject and _recording(other) != _recording(test)


def _same_audio(test: Run, other: Run) -> bool:
    return not set(test.stimuli).isdisjoint(other.stimuli)


#: Protocols: a function that says whether a decoder that is tested on the first run may be trained on the second.
PROTOCOLS: Mapping[str, Callable[[Run, Run], bool]] = {
    "leave-one-run-out": _same_listener,
    "leave-one-subject-out": lambda test, other: other.subject != test.subject,
    "leave-one-paired-envelope-out": lambda test, other: _same_listener(test, other) and not _same_audio(test, other),
    "leave-one-subject-and-envelope-out": lambda test, other: (
        other.subject != test.subject and not _same_audio(test, other)
    ),
}


#: Protocol of a decoder that was trained on other runs: none of these runs is used for training.
TRAINED_ELSEWHERE = "trained-elsewhere"


@dataclass(frozen=True, slots=True)
class Fold:
    """Training and test runs of one fold.

    Attributes
    ----------
    train, test : tuple of int
        Indices of runs.
    """

    train: tuple[int, ...]
    test: tuple[int, ...]


#: Minimum number of training runs: with a single one, no penalty can be chosen.
LEAST = 2
#: Number of pieces into which a single run is divided, and minimum duration of each in seconds.
PIECES, PIECE_S = 4, 5.0
#: Runs required by each protocol, so that LEAST runs remain for training.
_WANTED = {
    "leave-one-run-out": "three runs of a listener",
    "leave-one-subject-out": "two listeners, each with two runs, or more listeners",
    "leave-one-paired-envelope-out": "three runs of a listener, each with other audio",
    "leave-one-subject-and-envelope-out": "two listeners, each with two runs, or more listeners, each with other audio",
}


def learnable(runs: Sequence[Run]) -> list[Run]:
    """Return runs that a decoder can be trained on: the given runs, or the pieces of a single run.

    Training chooses settings by holding out one of them in turn. Pieces of a run are close in time and can share
    audio, so they are suitable for this choice, but not to measure accuracy.

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
    """Find the runs that cannot be tested with a protocol because too few runs remain for training.

    Returns
    -------
    indices : list of int
        Without these runs, there are at least ``LEAST`` training runs in each fold.

    Raises
    ------
    EvaluationError
        If no run can be tested; the message says what is required and what is available.
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
            f"Available runs: {counts or 'none'}"
        )
    return sorted(set(range(len(runs))) - set(left))


def plan(runs: Sequence[Run], protocol: str) -> tuple[Fold, ...]:
    """Divide runs into folds; each run is tested once, and test runs with the same training runs share a fold.

    Parameters
    ----------
    runs : sequence of Run
        Parts of the same run are never in training and test of the same listener.
    protocol : str
        A key of ``PROTOCOLS``. ``leave-one-run-out`` and ``leave-one-paired-envelope-out`` [1]_ train on runs of the
        same listener, the other two only on other listeners. With ``envelope`` in the name, training and test runs
        share no audio. ``TRAINED_ELSEWHERE`` uses none of the runs for training.

    Raises
    ------
    EvaluationError
        If the protocol is unknown, two runs have the same name, or a run has no training runs.

    References
    ----------
    .. [1] arXiv:2605.25605: a decoder can recognise in the test an envelope that was attended in training.
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
    """Divide a run in the middle, leaving out ``guard`` seconds; the audio of the two halves counts as two stimuli.

    This is for recordings in which all runs have the same audio: training and test are then separated in time.
    """
    middle, apart = len(run.neural) // 2, round(guard * run.sfreq)
    first, second = run.part(0, middle - apart // 2), run.part(middle + apart - apart // 2, len(run.neural))
    return (
        replace(first, stimuli=tuple(f"{s}, first half" for s in run.stimuli)),
        replace(second, stimuli=tuple(f"{s}, second half" for s in run.stimuli)),
    )


def with_imposter(run: Run, rng: np.random.Generator, min_shift: float = 1.0, guard: float = 0.5) -> Run:
    """Add a second talker to a run with one: the same talker at another time, for match versus mismatch.

    If the run is to be divided (``time_halves``), do it first: the imposter is taken from the same part.

    Parameters
    ----------
    run : Run
        A run with one talker.
    rng : Generator
        Draws the circular shift of the imposter.
    min_shift : float
        Minimum shift in seconds, in either direction.
    guard : float
        Seconds at both ends, and around the seam of the imposter, in which attention is set to unknown: filter
        transients there would distinguish the imposter from the talker.

    Raises
    ------
    EvaluationError
        If the run does not have exactly one talker, or is too short.
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
