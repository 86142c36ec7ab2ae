"""What separation leaves of attention decoding: simulated listeners, decoders of clean and of separated envelopes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.recorded_run import RecordedRun, Signal, Trial, prepare
from earmark.devices.files.session_run import REORIENT_S
from earmark.devices.simulate.listener import PRESETS, Listener
from earmark.pipeline.decoders.decoder import Learner
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.evaluation.score_run import judge
from earmark.pipeline.evaluation.separation import Samples
from earmark.pipeline.evaluation.splits import Fold
from earmark.pipeline.nodes.envelope import EnvelopeConfig
from earmark.pipeline.run import Run
from earmark.pipeline.stream import StreamSpec

#: Runs that share audio are left out together.
PROTOCOL = "leave-one-paired-envelope-out"
#: What a decoder was trained on, and what it was tested on.
CLEAN_CLEAN, CLEAN_SEPARATED, SEPARATED_SEPARATED = "clean/clean", "clean/separated", "separated/separated"


@dataclass(frozen=True, slots=True)
class Session:
    """A simulated listener who hears the scenes of one pair, and attends to each talker in turn.

    Attributes
    ----------
    listener : str
        Name of a preset of the simulated listener.
    number, seed : int
        Number of the pair, and seed of the scene; with the attended talker they draw the noise of the EEG.
    stimuli : tuple of str
        Identity of what each talker says.
    envelopes : tuple of array, shape (2, n_samples)
        Envelopes of both talkers: of the talkers themselves first, then in each row.
    """

    listener: str
    number: int
    seed: int
    stimuli: tuple[str, str]
    envelopes: tuple[Samples, ...]


def simulate(fold: Fold, train: Sequence[Session], test: Sequence[Session]) -> list[Run]:
    """Return one run for each attended talker of the session of a fold.

    The EEG is the same for all rows: it responds to the talkers themselves. A run has the features of all talkers: of
    the talkers themselves first, then of each row; :func:`of_row` selects.
    """
    (session,) = test
    sfreq = EnvelopeConfig().sfreq
    tracks = session.envelopes
    n = min(one.shape[1] for one in tracks)
    times = np.arange(n) / sfreq
    spec = StreamSpec("speech", sfreq, ("speech",), ("misc",), ("",))
    speech = tuple(Signal(spec, times, _rows(one[:n, None])) for pair in tracks for one in pair)
    names = tuple(f"{k}" for k in range(len(speech)))
    stimuli = session.stimuli * len(tracks)
    runs: list[Run] = []
    for attended in range(2):
        draw = np.random.SeedSequence([session.number, session.seed, attended, 6]).generate_state(1)
        person = Listener(PRESETS[session.listener], 2, seed=int(draw[0]))
        person.attend(attended, 0.0)
        person.hear(times, tracks[0][:, :n])
        eeg = person.listen(int(n / sfreq / person.period))
        stamps = person.start + np.arange(len(eeg), dtype=np.float64) * person.period
        name = f"pair {session.number}, seed {session.seed}, talker {attended}"
        trial = Trial(name, -np.inf, np.inf, names, stimuli, ((REORIENT_S, names[attended]),))
        recorded = RecordedRun(name, session.listener, Signal(person.spec, stamps, _rows(eeg)), speech, (trial,))
        runs += prepare(recorded, EEG)
    return runs


def _rows(data: NDArray) -> Callable[[int, int], NDArray]:
    return lambda start, stop: data[start:stop]


def of_row(run: Run, row: int) -> Run:
    """Return a run with the talkers of a row alone; -1 is the talkers themselves."""
    first = 2 * (row + 1)
    return replace(
        run,
        talker_names=run.talker_names[:2],
        talkers=run.talkers[first : first + 2],
        stimuli=run.stimuli[:2],
    )


#: For each row, or -1, and what the decoder was trained and tested on: decision window → (correct, all) for each run.
Counts = dict[tuple[int, str], list[dict[float, tuple[int, int]]]]


@dataclass(frozen=True, slots=True)
class Decode:
    """Train decoders on the training runs of a fold, and count decisions on its test runs.

    Attributes
    ----------
    make_decoder : callable
        Returns a new decoder each time.
    n_rows : int
        Number of rows in each run.
    windows : tuple of float
        Decision windows in s.
    """

    make_decoder: Callable[[], Learner]
    n_rows: int
    windows: tuple[float, ...]

    def __call__(self, fold: Fold, train: Sequence[Run], test: Sequence[Run]) -> Counts:
        """Return the counts of the test runs; the order of talkers in decisions is drawn alike for all rows."""
        clean = self.make_decoder().fit([of_row(run, -1) for run in train])
        found: Counts = {(-1, CLEAN_CLEAN): []}
        cases = [(-1, CLEAN_CLEAN, clean)]
        for row in range(self.n_rows):
            own = self.make_decoder().fit([of_row(run, row) for run in train])
            cases += [(row, CLEAN_SEPARATED, clean), (row, SEPARATED_SEPARATED, own)]
        for row, what, decoder in cases:
            found[row, what] = []
            for index, run in zip(fold.test, test, strict=True):
                judged = judge(decoder, of_row(run, row), self.windows, np.random.default_rng(index), 0, 5.0)
                found[row, what].append({one.seconds: (one.n_right, one.n) for one in judged.windows})
        return found


def decoding(kind: str, n_rows: int, windows: tuple[float, ...]) -> Decode:
    """Return the work of a fold with decoders of a kind."""
    from earmark.app.training.runs import maker

    return Decode(partial(maker(kind, EEG)), n_rows, windows)
