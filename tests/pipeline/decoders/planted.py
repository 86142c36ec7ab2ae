"""Simulated runs in which the neural signal responds to one talker, for tests that need a known attended talker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.run import Run

#: Small and fast: 32 Hz, lags up to an eighth of a second, decision windows of two seconds.
SMALL = replace(EEG, sfreq=32.0, tmax=0.125, lag_step=1, window=2.0, context=0.0625, separable=0.0)


def planted(
    seed: int,
    n_talkers: int = 2,
    seconds: float = 40.0,
    noise: float = 2.0,
    n_channels: int = 6,
    switch_every: float | None = None,
    n_features: int = 1,
    attended: int = 0,
    sfreq: float = 32.0,
    answer: Sequence[int] = (1, 2, 3),
    topography_seed: int = 0,
) -> Run:
    """One run: smooth features per talker, and channels that follow the attended one some samples later."""
    rng, same = np.random.default_rng(seed), np.random.default_rng(topography_seed)
    n = round(seconds * sfreq)
    raw = rng.normal(size=(n_talkers, n + 2, n_features))
    talkers = raw[:, :-2] + raw[:, 1:-1] + raw[:, 2:]
    who = np.full(n, attended)
    if switch_every is not None:
        who = (attended + (np.arange(n) / sfreq // switch_every)).astype(np.int64) % n_talkers
    heard = talkers[who, np.arange(n)]
    neural = noise * rng.normal(size=(n, n_channels))
    for lag in answer:
        neural[lag:] += heard[: n - lag] @ same.normal(size=(n_features, n_channels))
    names = tuple(f"E{i + 1}" for i in range(n_channels))
    return Run(f"run {seed}", "planted", sfreq, names, neural, tuple(f"t{k}" for k in range(n_talkers)), talkers, who,
               tuple(f"{seed}-{k}" for k in range(n_talkers)))  # fmt: skip


def accuracy(decoder: object, run: Run) -> float:
    """Fraction of non-overlapping windows in which the attended talker has the best score."""
    n, reach = decoder.spec.n_window, decoder.spec.reach
    right = []
    for start in range(0, len(run.neural) - n - reach + 1, n):
        part = run.part(start, start + n + reach)
        if (part.attended == part.attended[0]).all():
            right.append(decoder.score(part.neural, part.talkers).argmax() == part.attended[0])
    return float(np.mean(right))
