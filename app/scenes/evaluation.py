"""Evaluate scenes: simulate mixtures, measure all rows, decode attention, and put the figures together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from earmark.app.engine.environment import environment
from earmark.app.scenes.attention import (
    CLEAN_CLEAN,
    CLEAN_SEPARATED,
    PROTOCOL,
    SEPARATED_SEPARATED,
    Counts,
    Session,
    decoding,
    simulate,
)
from earmark.app.scenes.measure import FRAMING, RowFigures, measure_scene
from earmark.app.scenes.plan import CLEAN_ROW, MIXTURE, ORACLE, SKIPPED_S, WRONG_DEG, RowKey, Settings
from earmark.app.scenes.quality import has_pesq
from earmark.devices.files.corpus import Executor, Progress
from earmark.devices.simulate.room_scenes import DISTANCE, NOISE_DB, array_of
from earmark.kernels.extras import install
from earmark.pipeline.evaluation.metrics import chance_limit
from earmark.pipeline.evaluation.separation import ASKED_DB, interval
from earmark.pipeline.evaluation.splits import Fold, plan

#: Version of the layout of the results.
SCHEMA = 1
#: Pairs that attention decoding needs: one is left out, and decoders learn from the others.
LEAST_PAIRS = 3
#: All figures of a row, in order; those that a row does not have are None.
FIGURES = (
    "si_sdri_db",
    "estoi",
    "pesq",
    "delivered_db",
    "envelope_own",
    "envelope_other",
    "near",
    "swaps",
    "delay_ms",
    "real_time_factor",
)
#: Figures of each pair and seed, by row.
Measured = dict[RowKey, dict[tuple[int, int], RowFigures]]


class Evaluating:
    """One evaluation, step by step; what is finished stays if a step is interrupted.

    Parameters
    ----------
    settings : Settings
    by : Executor
        Where to compute.
    progress : callable
        Called with the number of finished and of all parts of the work.
    """

    def __init__(self, settings: Settings, by: Executor, progress: Progress = lambda done, of: None) -> None:
        self.settings, self._by, self._progress = settings, by, progress
        self._measured: Measured = defaultdict(dict)
        self._counts: dict[str, list[tuple[list[int], Counts]]] = {}
        s = settings
        scenes = len(s.pairs) * s.seeds
        self._why = _why_no_attention(settings)
        listeners = 0 if self._why else len(s.listeners)
        self._total = scenes * len(s.arrays) * len(s.rt60) + listeners * (scenes + len(s.pairs))
        self._done = 0
        self._whole = False

    def run(self) -> None:
        """Measure everything."""
        s = self.settings
        for array in s.arrays:
            for rt60 in s.rt60:
                tasks = s.tasks(array, rt60)
                for task, rows in zip(tasks, self._each(measure_scene, tasks), strict=True):
                    for key, row in rows.items():
                        self._measured[key][task.key] = row
        if not self._why:
            for listener in s.listeners:
                self._counts[listener] = self._decode(listener)
        self._whole = True

    def _each(self, work: Callable[..., Any], items: Sequence[Any], folds: Sequence[Fold] = ()) -> list[Any]:
        folds = folds or [Fold((), (k,)) for k in range(len(items))]
        found = self._by.run(work, items, folds, lambda done, of: self._progress(self._done + done, self._total))
        self._done += len(folds)
        return found

    def _decode(self, listener: str) -> list[tuple[list[int], Counts]]:
        """Return the pairs of the test runs and the counts of each fold."""
        s, rows = self.settings, self._decodable
        sessions = [
            Session(
                listener,
                number,
                seed,
                (pair[0].name, pair[1].name),
                tuple(self._measured[row][number, seed].envelopes for row in (CLEAN_ROW, *rows)),
            )
            for number, pair in enumerate(s.pairs)
            for seed in range(s.seeds)
        ]
        numbers: list[int] = []
        runs = []
        for session, made in zip(sessions, self._each(simulate, sessions), strict=True):
            runs += made
            numbers += [session.number] * len(made)
        folds = plan(runs, PROTOCOL)
        found = self._each(decoding(s.decoder, len(rows), s.windows), runs, folds)
        return [([numbers[k] for k in fold.test], counts) for fold, counts in zip(folds, found, strict=True)]

    @property
    def _decodable(self) -> list[RowKey]:
        """Rows with an envelope for each talker; the mixture has one for both."""
        return [key for key in self._measured if key != CLEAN_ROW and key.row != MIXTURE]

    def to_json(self) -> dict[str, Any]:
        """Return what was measured so far; the layout is that of :data:`SCHEMA`."""
        s = self.settings
        place = {key: k for k, key in enumerate(self._decodable)}
        rows = [self._row(key, place.get(key)) for key in self._measured]
        notes = [self._why] if self._why else []
        if not has_pesq():
            notes.append(f"PESQ was not measured: its package is compiled when it is installed: {install('pesq')}")
        return {
            "schema": SCHEMA,
            "whole": self._whole,
            "about": {
                "pairs": [[segment.name for segment in pair] for pair in s.pairs],
                "seeds": s.seeds,
                "seconds": s.seconds,
                "skipped_s": SKIPPED_S,
                "arrays": {name: array_of(name)[0].n_mics for name in s.arrays},
                "rt60_s": list(s.rt60),
                "separators": list(s.separators),
                "listeners": list(self._counts),
                "windows_s": list(s.windows),
                "decoder": s.decoder,
                "protocol": PROTOCOL,
                "asked_db": ASKED_DB[0] - ASKED_DB[1],
                "distance_m": DISTANCE,
                "noise_db": NOISE_DB,
                "directions_wrong_deg": WRONG_DEG,
                "transform_s": FRAMING.window_s,
                "environment": environment(),
            },
            "rows": rows,
            "notes": notes,
        }

    def _row(self, key: RowKey, place: int | None) -> dict[str, Any]:
        windows, clean = self.settings.windows, key == CLEAN_ROW
        attention = {}
        for listener, folds in self._counts.items():
            if clean:
                attention[listener] = {
                    f"{w:g}": {CLEAN_CLEAN: self._accuracy(folds, -1, CLEAN_CLEAN, w)} for w in windows
                }
            elif place is not None:
                attention[listener] = {f"{w:g}": self._at_window(folds, place, w) for w in windows}
        scenes = self._measured[key]
        n_mics = 1 if key.row in (MIXTURE, ORACLE) else array_of(key.array)[0].n_mics if not clean else None
        return {
            "row": key.row,
            "array": key.array or None,
            "microphones": n_mics,
            "rt60_s": None if clean else key.rt60,
            "directions": key.directions or None,
            "figures": {
                name: self._figure([(at, row.figures.get(name)) for at, row in scenes.items()]) for name in FIGURES
            },
            "attention": attention,
        }

    def _figure(self, values: Sequence[tuple[tuple[int, int], float | None]]) -> dict[str, Any] | None:
        """Return the mean over pairs with its interval; the value of a pair is the mean over seeds."""
        by_pair: dict[int, list[float]] = defaultdict(list)
        for (number, _), value in values:
            if value is not None and np.isfinite(value):
                by_pair[number].append(value)
        means = [float(np.mean(some)) for some in by_pair.values()]
        return interval(means).to_json() | {"values": means} if means else None

    def _counted(
        self, folds: Sequence[tuple[list[int], Counts]], row: int, what: str, window: float
    ) -> tuple[list[int], list[int]]:
        """Return the correct and all decisions of each pair."""
        n_pairs = len(self.settings.pairs)
        right, n = [0] * n_pairs, [0] * n_pairs
        for numbers, counts in folds:
            for number, by_window in zip(numbers, counts[row, what], strict=True):
                right[number] += by_window[window][0]
                n[number] += by_window[window][1]
        return right, n

    def _accuracy(
        self, folds: Sequence[tuple[list[int], Counts]], row: int, what: str, window: float
    ) -> dict[str, Any]:
        right, n = self._counted(folds, row, what, window)
        decisions = sum(n)
        return interval(right, n).to_json() | {
            "decisions": decisions,
            "chance_limit": chance_limit(decisions) if decisions else None,
        }

    def _at_window(self, folds: Sequence[tuple[list[int], Counts]], row: int, window: float) -> dict[str, Any]:
        """Return the accuracy of both decoders on separated envelopes, and what is lost against clean ones."""
        best, n = self._counted(folds, -1, CLEAN_CLEAN, window)
        found: dict[str, Any] = {}
        for what in (CLEAN_SEPARATED, SEPARATED_SEPARATED):
            right, _ = self._counted(folds, row, what, window)
            lost = [a - b for a, b in zip(best, right, strict=True)]
            found[what] = self._accuracy(folds, row, what, window) | {"loss": interval(lost, n).to_json()}
        return found


def _why_no_attention(settings: Settings) -> str:
    """Return why attention is not decoded; empty if it is."""
    n = len(settings.pairs)
    if not settings.listeners:
        return "Attention was not decoded: no listener was asked for"
    if n < LEAST_PAIRS:
        return (
            f"Attention was not decoded: there are {n} pairs, but {LEAST_PAIRS} are needed, because decoders "
            "learn from other pairs than they are tested on"
        )
    return ""
