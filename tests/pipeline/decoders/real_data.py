"""Real recordings, preprocessed with causal filters only; tests that need them are skipped if they are missing."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfilt, sosfilt_zi
from streams import hops, join, through

from earmark.pipeline.nodes.resample import Resample, ResampleConfig
from earmark.pipeline.run import Run
from earmark.pipeline.stream import StreamSpec

DATA = Path(__file__).parents[3].parent / "shared" / "data"
#: Seconds between training and test data from the same recording.
GUARD = 0.5


def needs(folder: str) -> Path:
    """Path of a data set, or skip."""
    if not (DATA / folder).is_dir():
        pytest.skip(f"no recordings at {DATA / folder}")
    return DATA / folder


def bandpass(x: np.ndarray, sfreq: float) -> np.ndarray:
    """1 to 9 Hz, second order, causal, settled on the first sample; the same for both sides."""
    sos = butter(2, [1.0, 9.0], "bandpass", fs=sfreq, output="sos")
    return sosfilt(sos, x, axis=0, zi=sosfilt_zi(sos)[:, :, None] * x[0])[0]


def resample(x: np.ndarray, sfreq: float) -> np.ndarray:
    """To 64 Hz with the pipeline's own node."""
    node = Resample(ResampleConfig(64.0))
    names = tuple(map(str, range(x.shape[1])))
    node.open(StreamSpec("x", sfreq, names, ("eeg",) * len(names), ("uV",) * len(names), hop=64, lowpass=9.0))
    return join(through(node, hops(x, 64)))


@lru_cache(1)
def cocktail() -> list[Run]:
    """Four runs of a minute: one listener attends the first of two talkers; 128 channels."""
    import mne

    folder, runs = needs("cocktail"), []
    for i in range(1, 5):
        stem = f"sub-01_task-cocktail_run-0{i}"
        raw = mne.io.read_raw_fif(folder / f"{stem}_raw.fif", verbose="error")
        names = tuple(raw.ch_names[:128])
        eeg = raw.get_data(picks=names).T * 1e6
        eeg -= eeg.mean(axis=1, keepdims=True)
        with np.load(folder / f"{stem}_envelopes.npz") as envelopes:
            both = np.stack([envelopes["attended"], envelopes["ignored"]], axis=1).astype(float)
        neural = resample(bandpass(eeg, 128.0), 128.0)
        talkers = resample(bandpass(both, 128.0), 128.0).T[:, :, None]
        who, what = ("female", "male"), (f"female-{i}", f"male-{i}")
        attended = np.zeros(len(neural), dtype=np.int64)
        runs.append(Run(stem, "sub-01", 64.0, names, neural, who, talkers, attended, what))
    return runs


def listener(number: int) -> list[tuple[Run, Run]]:
    """Ten repetitions of one talker, 64 channels, each as (first half, second half) with a guard between.

    All repetitions carry the same speech, so a fold holds out a repetition and tests on the half that no other
    repetition trains on.
    """
    with np.load(needs("match_mismatch") / f"sub-{number:02d}.npz") as data:
        eeg = data["eeg_int16"] * data["scale_uv"].astype(float)
        envelope = bandpass(data["envelope"].astype(float)[:, None], 64.0)
    pairs, middle, guard = [], len(envelope) // 2, round(GUARD * 64 / 2)
    names = tuple(f"E{i + 1}" for i in range(eeg.shape[2]))
    for i, x in enumerate(eeg - eeg.mean(axis=2, keepdims=True)):
        attended = np.zeros(len(x), dtype=np.int64)
        whole = Run(f"{number}-{i}", f"{number}", 64.0, names, bandpass(x, 64.0), ("talker",), envelope[None], attended,
                    ("story",))  # fmt: skip
        pairs.append((whole.part(0, middle - guard), whole.part(middle + guard, len(x))))
    return pairs
