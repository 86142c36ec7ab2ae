"""Runs of simulated listeners and a minimal decoder, for tests of evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from earmark.pipeline.decoders.decoder import DecoderSpec
from earmark.pipeline.run import Run

SFREQ = 16.0
N_CHANNELS = 4


def listen(
    name: str,
    subject: str = "01",
    *,
    seed: int = 0,
    seconds: float = 60.0,
    gain: float = 0.35,
    n_talkers: int = 2,
    switch_s: float | None = None,
    stimuli: Sequence[str] | None = None,
) -> Run:
    """One run in which each channel follows the attended talker, each with its own delay, in noise.

    Attention goes round the talkers every ``switch_s`` seconds, or stays with one that is drawn. Runs that share a
    stimulus share its envelope, to the bit.
    """
    rng = np.random.default_rng([seed, *name.encode(), *subject.encode()])
    n = round(seconds * SFREQ)
    names = tuple(stimuli or (f"{name} of {subject}, talker {k}" for k in range(n_talkers)))
    talkers = np.stack([np.random.default_rng(list(s.encode())).normal(size=(n, 1)) for s in names])
    if switch_s is None:
        attended = np.full(n, rng.integers(n_talkers))
    else:
        attended = (np.arange(n) // round(switch_s * SFREQ)) % n_talkers
    heard = talkers[attended, np.arange(n), 0]
    neural = rng.normal(size=(n, N_CHANNELS))
    for channel in range(N_CHANNELS):
        neural[channel:, channel] += gain * heard[: n - channel]
    return Run(
        name,
        subject,
        SFREQ,
        tuple(f"E{i + 1}" for i in range(N_CHANNELS)),
        neural,
        tuple(f"talker {k}" for k in range(n_talkers)),
        talkers,
        attended.astype(np.int64),
        names,
    )


class Ridge:
    """Stimulus reconstruction with lags of 0 to 3 samples."""

    components = ()
    spec = DecoderSpec(
        "ridge", SFREQ, tuple(f"E{i + 1}" for i in range(N_CHANNELS)), "envelope", 1, 0.0, 3 / SFREQ, 2.0
    )

    def fit(self, runs: Sequence[Run]) -> Self:
        """Normal equations over all samples whose attention is known."""
        lagged, heard = [], []
        for run in runs:
            x = self._lagged(run.neural)
            attended = run.attended[: len(x)]
            known = np.flatnonzero(attended >= 0)
            lagged.append(x[known])
            heard.append(run.talkers[attended[known], known, 0])
        x, y = np.concatenate(lagged), np.concatenate(heard)
        self.weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
        return self

    def _lagged(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        return sliding_window_view(neural, self.spec.behind + 1, axis=0).reshape(len(neural) - self.spec.behind, -1)

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        return (self._lagged(neural) @ self.weights)[:, None]

    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        return talkers[:, : talkers.shape[1] - self.spec.behind]

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        return correlations[..., 0]

    def score(self, neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = self.project_neural(neural)[:, 0], self.project_talkers(talkers)[..., 0]
        return np.array([np.corrcoef(x, one)[0, 1] for one in y])
