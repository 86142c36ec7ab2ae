"""Measure one mixture: all figures of all rows, and the envelopes for decoding."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.app.scenes.plan import CLEAN_ROW, KNOWN, MIXTURE, ORACLE, SKIPPED_S, TRACKED, WRONG_DEG, RowKey, SceneTask
from earmark.app.scenes.quality import Quality
from earmark.devices.audio.scene import SEPARATORS
from earmark.devices.files.talker_speech import read_segment
from earmark.devices.simulate.room_scenes import SFREQ, array_of, mixture, ways
from earmark.pipeline.evaluation.separation import (
    ASKED_DB,
    Given,
    Mixture,
    Samples,
    Spectra,
    alike,
    change_factors,
    delivered,
    modulation,
    oracle_masks,
    owners,
    samples,
    separate,
    si_sdr,
    spectra,
    tracking,
)
from earmark.pipeline.evaluation.splits import Fold
from earmark.pipeline.nodes.envelope import EnvelopeConfig
from earmark.pipeline.scene.remix import Directions
from earmark.pipeline.scene.tracker import Tracker
from earmark.pipeline.scene.transform import Framing

FRAMING = Framing(SFREQ)


@dataclass(frozen=True, slots=True)
class RowFigures:
    """Figures of a row in one scene.

    Attributes
    ----------
    figures : dict
        Means over both talkers.
    envelopes : array, shape (n_talkers, n_samples)
        As a session publishes them, for decoding; in the order of the talkers.
    """

    figures: dict[str, float]
    envelopes: Samples


def measure_scene(fold: Fold, train: Sequence[SceneTask], test: Sequence[SceneTask]) -> dict[RowKey, RowFigures]:
    """Simulate the scene of a fold, and measure all rows of it."""
    (task,) = test
    array, head = array_of(task.array)
    speech = [read_segment(segment, SFREQ) for segment in task.pair]
    scene = mixture(array, speech, ways(task.key, len(speech[0])), task.rt60, task.key, head)
    return {CLEAN_ROW: _clean(speech)} | _Scene(task, scene).rows()


def _clean(speech: Sequence[Samples]) -> RowFigures:
    """Return the row of the talkers themselves, as they left their mouths."""
    envelopes, shapes = zip(*(modulation(one, SFREQ) for one in speech), strict=True)
    other = alike(*(one[round(SKIPPED_S * EnvelopeConfig().sfreq) :] for one in shapes))
    figures = {"delivered_db": ASKED_DB[0] - ASKED_DB[1], "envelope_own": 1.0, "envelope_other": other}
    return RowFigures(figures, np.stack(envelopes))


class _Scene:
    """A mixture, and what is the same for all rows."""

    def __init__(self, task: SceneTask, scene: Mixture) -> None:
        self._task, self._scene = task, scene
        self._heard: Spectra = spectra(scene.mics, FRAMING)
        n = len(self._heard)
        self._truth = scene.azimuths[:, :: FRAMING.hop].T[:n]
        ears = list(scene.array.ears)
        self._at_ears = [talker[ears] for talker in scene.talkers]
        self._ear_spectra = [spectra(one, FRAMING) for one in self._at_ears]
        self._length = scene.mics.shape[1]
        self._shapes = [self._cut(modulation(one, SFREQ)[1], EnvelopeConfig().sfreq) for one in scene.early]
        self._mixed: Samples = scene.mics[scene.array.reference]
        self._before = [si_sdr(self._cut(self._mixed), self._cut(one)) for one in scene.early]
        self._quality = Quality(SFREQ)

    def _cut(self, x: Samples, sfreq: float = SFREQ) -> Samples:
        return x[..., round(SKIPPED_S * sfreq) :]

    def rows(self) -> dict[RowKey, RowFigures]:
        """Measure all rows."""
        task, scene = self._task, self._scene
        found = {RowKey(task.array, task.rt60, MIXTURE): self._row(None, np.arange(2, dtype=np.intp))}
        masks = oracle_masks(scene.talkers[:, scene.array.reference], FRAMING)
        found[RowKey(task.array, task.rt60, ORACLE)] = self._row(masks, np.arange(2, dtype=np.intp))
        wrong = np.random.default_rng([*task.key, 5]).normal(0, WRONG_DEG, 2)
        for name in task.separators:
            for how in (KNOWN, TRACKED):
                separator = SEPARATORS.get(name)(scene.array, FRAMING, 2)
                directions: Directions = Given(self._truth + wrong) if how == KNOWN else Tracker(scene.array, FRAMING)
                begun = time.process_time()
                masks, azimuths = separate(separator, directions, self._heard)
                taken = (time.process_time() - begun) / (self._length / SFREQ)
                owner = np.arange(2, dtype=np.intp) if how == KNOWN else owners(azimuths, self._truth)
                row = self._row(masks, owner)
                start = round(SKIPPED_S * SFREQ / FRAMING.hop)
                by_talker = azimuths[start:, np.argsort(owner)]
                row.figures.update(tracking(by_talker, self._truth[start:], FRAMING.hop / SFREQ))
                row.figures["real_time_factor"] = taken
                row.figures["delay_ms"] = 1000 * (FRAMING.delay + separator.delay) / SFREQ
                found[RowKey(task.array, task.rt60, name, how)] = row
        return found

    def _row(self, masks: NDArray[np.float32] | None, owner: NDArray[np.intp]) -> RowFigures:
        """Measure masks of places, shape (n_places, n_hops, n_bins); None is the mixture as it is."""
        found: dict[str, list[float]] = defaultdict(list)
        envelopes: dict[int, Samples] = {}
        reference = self._scene.array.reference
        for place, talker in enumerate(owner):
            early = self._scene.early[talker]
            if masks is None:
                alone, change = self._mixed, 0.0
            else:
                alone = samples(self._heard[:, [reference]], masks[place], FRAMING)[0]
                alone = np.pad(alone, (0, self._length - len(alone)))
                change = self._delivered(masks, place, int(talker))
            found["delivered_db"].append(change)
            wanted, heard = self._cut(early), self._cut(alone)
            found["si_sdri_db"].append(si_sdr(heard, wanted) - self._before[talker])
            for name, value in self._quality(wanted, heard).items():
                found[name].append(value)
            envelopes[int(talker)], shape = modulation(alone, SFREQ)
            shape = self._cut(shape, EnvelopeConfig().sfreq)
            found["envelope_own"].append(alike(shape, self._shapes[talker]))
            found["envelope_other"].append(alike(shape, self._shapes[1 - talker]))
        means = {name: float(np.mean(values)) for name, values in found.items()}
        return RowFigures(means, np.stack([envelopes[k] for k in range(2)]))

    def _delivered(self, masks: NDArray[np.float32], place: int, talker: int) -> float:
        """Return what 12 dB between this talker and the other become at the ears."""
        gains = np.where(np.arange(len(masks)) == place, *ASKED_DB)
        factors = change_factors(masks, gains.tolist())
        changed = [self._cut(samples(one, factors, FRAMING)) for one in self._ear_spectra]
        before = [self._cut(one)[:, : changed[0].shape[1]] for one in self._at_ears]
        return delivered(before, changed, talker)
