"""Measure how well talkers of a mixture are told apart, in simulated rooms, with directions known and tracked.

::

    python -m benchmarks.scene --data ../shared/data

Two talkers read at 0 dB at the reference microphone, 1.2 m away, in front (within 75 degrees) and at least 30 degrees
apart, in shoebox rooms (image sources of pyroomacoustics, at 16 kHz), with sensor noise at -25 dB. Every pair is heard
by every array in every room. Known directions are wrong by 3 degrees (standard deviation); tracked ones start unknown.
The first second is left out. ``walking`` is one of the talkers walking at 30 degrees per second to and fro. ``kemar2``
are the ears of KEMAR without a room, with the responses measured there; ``kemar2 as if open`` hears the same, but
believes to be in the open. Reported, as mean and bootstrap 95 % interval over pairs:

- *si_sdri*: improvement of the SI-SDR of the masked reference microphone, dB, against the direct sound and reflections
  until 50 ms; mean of both talkers;
- *delivered*: change of the ratio of target and masker at the ears in dB, for +3 dB and -9 dB asked, with each talker
  sent alone through the factors that the mixture got; mean of both talkers and both ears; *oracle* with masks computed
  from the talkers themselves at the reference microphone;
- *own*, *other*: correlation of the envelope (1 to 9 Hz) of the masked talker with that of this talker and the other,
  each with its early reflections; and of the mixture;
- *near*: share of time in which both directions are within 15 degrees; *swaps* per minute: how often the places
  exchanged talkers.

A place belongs to the talker that it is nearest to most of the time. Seconds of processor time per second of sound are
measured at 48 kHz.
"""

from __future__ import annotations

# One thread: it must be imported before NumPy is.
import earmark.app  # noqa: F401

# isort: split
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray
from rich.console import Console
from scipy.signal import butter, fftconvolve, sosfiltfilt

from earmark.app.engine.environment import environment
from earmark.devices.audio.room import room_responses
from earmark.devices.audio.space import impulse_responses
from earmark.pipeline.nodes.envelope import EnvelopeConfig, speech_envelope
from earmark.pipeline.scene.array import Array, Responses, preset
from earmark.pipeline.scene.motion import turn
from earmark.pipeline.scene.remix import Directions, Known, Remix
from earmark.pipeline.scene.separator import BeamMasks
from earmark.pipeline.scene.tracker import Tracker
from earmark.pipeline.scene.transform import Analysis, Framing, Synthesis

SFREQ, SECONDS, SKIPPED_S = 16000, 7.0, 1.0
KEMAR, OPEN = "kemar2", "kemar2 as if open"
ARRAYS = ("glasses6", "aids4", "ears2", KEMAR, OPEN)
ROOMS = (0.0, 0.3)
DISTANCE, NOISE_DB, WRONG_DEG = 1.2, -25.0, 3.0
ASKED_DB = np.array([3.0, -9.0])
#: Pairs before this one were used to choose the settings of separator and tracker.
FIRST_PAIR = 4
#: Early reflections that belong to a talker, s.
EARLY_S = 0.05
#: Speed of the talker who walks, degrees per second, and distance of simulated positions, degrees.
SPEED, STEP = 30.0, 5.0
FRAMING = Framing(SFREQ)
Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """Two talkers at an array."""

    array: Array
    talkers: Samples  # (n_talkers, n_mics, n_samples)
    early: Samples  # (n_talkers, n_samples) at the reference
    noise: Samples  # (n_mics, n_samples)
    azimuths: Samples  # (n_samples // hop, n_talkers)


def utterances(data: Path, number: int) -> list[Samples]:
    """Return both talkers of a pair at equal level, ``SECONDS`` long."""
    rng = np.random.default_rng([number, 1])
    folders = sorted(path for path in (data / "speech").glob("[0-9]*") if path.is_dir())
    if len(folders) < 2:
        raise typer.BadParameter(f"{data / 'speech'} has no speech: give the folder of the development data")
    found = []
    for folder in rng.permutation(len(folders))[:2]:
        files = sorted(folders[folder].glob("*.flac"))
        x = np.concatenate([soundfile.read(files[k])[0] for k in rng.permutation(len(files))])[: round(SECONDS * SFREQ)]
        found.append(x / np.sqrt(np.mean(x**2)))
    return found


def responses(array: Array, rt60: float, azimuths: list[float], number: int) -> list[list[Samples]]:
    """Return impulse responses [azimuth][microphone] of a room."""
    rng = np.random.default_rng([number, 2])
    size = np.array([6.0, 5.0, 2.8]) + rng.uniform(-0.8, 0.8, 3)
    centre = np.array([*(size[:2] / 2 + rng.uniform(-0.4, 0.4, 2)), 1.25])
    return room_responses(array.positions, SFREQ, rt60, size, centre, azimuths, DISTANCE)


def on_head(azimuths: list[float]) -> list[list[Samples]]:
    """Return the impulse responses [azimuth][ear] of KEMAR that are nearest."""
    measured, taps = impulse_responses("hrtf", SFREQ)
    return [list(taps[int(np.abs(measured - azimuth).argmin())]) for azimuth in azimuths]


def array_of(name: str) -> Array:
    """Return an array by its name."""
    if name not in (KEMAR, OPEN):
        return preset(name)
    ears = preset("ears2")
    measured = Responses(*impulse_responses("hrtf", SFREQ), sfreq=SFREQ) if name == KEMAR else None
    return Array(ears.positions, span=ears.span, responses=measured)


def way(number: int, walking: bool) -> Samples:
    """Return azimuths of both talkers at each sample, shape (n_talkers, n_samples)."""
    rng = np.random.default_rng([number, 3])
    n = round(SECONDS * SFREQ)
    while True:
        start = rng.uniform(-75, 75, 2)
        if abs(start[0] - start[1]) >= 30:
            break
    azimuths = np.repeat(start[:, None], n, axis=1)
    if walking:  # to and fro over 120 degrees, past the other
        phase = (start[0] + 60 + SPEED * np.arange(n) / SFREQ) % 240
        azimuths[0] = np.where(phase < 120, phase - 60, 180 - phase)
    return azimuths


def mixture(data: Path, name: str, rt60: float, number: int, walking: bool = False) -> Mixture:
    """Simulate a pair at an array in a room."""
    array, azimuths = array_of(name), way(number, walking)
    n = azimuths.shape[1]
    talkers, early = np.zeros((2, array.n_mics, n)), np.zeros((2, n))
    for k, speech in enumerate(utterances(data, number)):
        moves = np.ptp(azimuths[k]) > 0
        places = np.arange(-75.0, 75.1, STEP) if moves else azimuths[k, :1]
        there = list(map(float, places))
        paths = on_head(there) if name in (KEMAR, OPEN) else responses(array, rt60, there, number)
        for place, heard in zip(places, paths, strict=True):
            part = speech * np.clip(1 - np.abs(azimuths[k] - place) / STEP, 0, 1) if moves else speech
            talkers[k] += np.stack([fftconvolve(part, one)[:n] for one in heard])
            direct = heard[array.reference]
            until = int(np.abs(direct).argmax()) + round(EARLY_S * SFREQ)
            early[k] += fftconvolve(part, direct[:until])[:n]
    level = np.sqrt(np.mean(talkers[:, array.reference] ** 2, axis=1))
    talkers, early = talkers / level[:, None, None], early / level[:, None]
    noise = np.random.default_rng([number, 4]).standard_normal(talkers.shape[1:]) * 10 ** (NOISE_DB / 20)
    return Mixture(array, talkers, early, noise, azimuths[:, :: FRAMING.hop].T[: n // FRAMING.hop])


def spectra(x: Samples) -> NDArray[np.complex64]:
    """Return the spectra of all hops, shape (n_hops, n_channels, n_bins)."""
    analysis, hop, x32 = Analysis(FRAMING, len(x)), FRAMING.hop, x.astype(np.float32)
    return np.stack([analysis.push(x32[:, a : a + hop]).copy() for a in range(0, x.shape[1] - hop + 1, hop)])


def samples(heard: NDArray[np.complex64], factors: Samples) -> Samples:
    """Return what spectra, shape (n_hops, n_channels, n_bins), become by factors, shape (n_hops, n_bins)."""
    synthesis = Synthesis(FRAMING, heard.shape[1])
    changed = (heard * factors[:, None]).astype(np.complex64)
    out = np.concatenate([synthesis.push(one).copy() for one in changed], axis=1)
    return out[:, FRAMING.hop :]  # the first hop is older than the sound


def si_sdr(found: Samples, wanted: Samples) -> float:
    """Scale-invariant ratio of signal and distortion, dB."""
    n = min(len(found), len(wanted))
    found, wanted = (one[round(SKIPPED_S * SFREQ) : n] for one in (found, wanted))
    target = (found @ wanted) / (wanted @ wanted) * wanted
    return float(10 * np.log10((target @ target) / np.sum((found - target) ** 2)))


BAND = butter(2, [1, 9], "bandpass", fs=EnvelopeConfig().sfreq, output="sos")


def envelope(x: Samples) -> Samples:
    """Return the envelope between 1 and 9 Hz."""
    found = sosfiltfilt(BAND, speech_envelope(np.asarray(x, np.float64), SFREQ, EnvelopeConfig()).mean(axis=1))
    return np.asarray(found[round(SKIPPED_S * EnvelopeConfig().sfreq) :])


def alike(one: Samples, other: Samples) -> float:
    """Correlation of two envelopes."""
    n = min(len(one), len(other))
    return float(np.corrcoef(one[:n], other[:n])[0, 1])


def powers(x: Samples) -> Samples:
    """Power of each channel after the first second."""
    return np.asarray(np.mean(x[..., round(SKIPPED_S * SFREQ) :] ** 2, axis=-1))


def directions_of(scene: Mixture, tracked: bool, number: int) -> tuple[Samples, NDArray[np.intp]]:
    """Return azimuths of the places, shape (n_hops, n_places), tracked or nearly known, and the talker of each."""
    if not tracked:
        return scene.azimuths + np.random.default_rng([number, 5]).normal(0, WRONG_DEG, 2), np.arange(2, dtype=np.intp)
    tracker = Tracker(scene.array, FRAMING)
    found = np.array([tracker.process(one) for one in spectra(scene.talkers.sum(axis=0) + scene.noise)])
    straight, crossed = (np.nansum(np.abs(turn(found, one))) for one in (scene.azimuths, scene.azimuths[:, ::-1]))
    return found, np.array([0, 1] if straight <= crossed else [1, 0], np.intp)


def tracking(found: Samples, truth: Samples) -> dict[str, float]:
    """Return the share of time near the truth, and swaps per minute, of azimuths in the order of talkers."""
    start = round(SKIPPED_S * SFREQ / FRAMING.hop)
    found, truth = found[start:], truth[start:]
    away = np.abs(np.stack([turn(found, truth), turn(found, truth[:, ::-1])]))  # (order, hop, talker)
    near = np.all(away <= 15, axis=2, keepdims=False).reshape(2, -1)
    sure = near[0] != near[1]  # which order it is
    order = near[1][sure]
    return {
        "near": float(near[0].mean()),
        "swaps": float(np.count_nonzero(np.diff(order)) / (len(found) * FRAMING.hop / SFREQ / 60)),
    }


class Given:
    """Directions of each hop, one after the other."""

    def __init__(self, azimuths: Samples) -> None:
        self._azimuths = iter(azimuths)

    def process(self, spectra: NDArray[np.complex64], /) -> NDArray[np.float64]:
        """Return the next directions."""
        return np.asarray(next(self._azimuths), np.float64)

    def reset(self) -> None:
        """Do nothing."""


def factors(scene: Mixture, directions: Directions, gains_db: Samples) -> Samples:
    """Return what a remix multiplies the spectrum of each hop by, shape (n_hops, n_bins)."""
    remix = Remix(FRAMING, BeamMasks(scene.array, FRAMING), directions, scene.array.ears)
    x = (scene.talkers.sum(axis=0) + scene.noise).astype(np.float32)
    gains = np.repeat(10 ** (gains_db[:, None] / 20), FRAMING.hop, axis=1)
    found = []
    for at in range(0, x.shape[1] - FRAMING.hop + 1, FRAMING.hop):
        remix.process(x[:, at : at + FRAMING.hop], gains)
        found.append(1 + remix.factor)
    return np.array(found)


def delivered(scene: Mixture, changes: Samples, target: int) -> float:
    """Return the change of target and masker, dB, mean of both ears."""
    ears = [samples(spectra(talker[list(scene.array.ears)]), changes) for talker in scene.talkers]
    before = [powers(talker[list(scene.array.ears)]) for talker in scene.talkers]
    ratio = [powers(one) / reference for one, reference in zip(ears, before, strict=True)]
    return float(np.mean(10 * np.log10(ratio[target] / ratio[1 - target])))


def measured(scene: Mixture, tracked: bool, number: int) -> dict[str, float]:
    """Return all figures of one mixture."""
    azimuths, owner = directions_of(scene, tracked, number)
    separator, reference = BeamMasks(scene.array, FRAMING), scene.array.reference
    mixed = scene.talkers.sum(axis=0) + scene.noise
    heard = spectra(mixed)
    masks = np.stack([separator.process(*one).copy() for one in zip(heard, azimuths, strict=True)], axis=1)
    apart = spectra(scene.talkers[:, reference])
    oracle = np.abs(apart) ** 2 / (np.sum(np.abs(apart) ** 2, axis=1, keepdims=True) + 1e-12)
    found: dict[str, list[float]] = defaultdict(list)
    shapes = [envelope(one) for one in scene.early]
    for place, talker in enumerate(owner):
        alone = samples(heard[:, [reference]], masks[place])[0]
        found["si_sdri"].append(si_sdr(alone, scene.early[talker]) - si_sdr(mixed[reference], scene.early[talker]))
        gains = np.roll(ASKED_DB, place)
        found["delivered"].append(delivered(scene, factors(scene, Given(azimuths), gains), talker))
        best = np.einsum("tkf,k->tf", oracle, 10 ** (np.roll(ASKED_DB, talker) / 20))
        found["oracle"].append(delivered(scene, best, talker))
        shape = envelope(alone)
        found["own"].append(alike(shape, shapes[talker]))
        found["other"].append(alike(shape, shapes[1 - talker]))
        found["mixture"].append(alike(envelope(mixed[reference]), shapes[talker]))
    return {name: float(np.mean(values)) for name, values in found.items()} | tracking(
        azimuths[:, np.argsort(owner)], scene.azimuths
    )


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Return the mean of each figure with its bootstrap 95 % interval over pairs."""
    rng = np.random.default_rng(0)
    out: dict[str, Any] = {"n": len(rows)}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        means = values[rng.integers(0, len(values), (2000, len(values)))].mean(axis=1)
        out[name] = {"mean": float(values.mean()), "interval": [float(q) for q in np.quantile(means, [0.025, 0.975])]}
    return out


def cost(name: str, tracked: bool) -> float:
    """Return seconds of processor time per second of sound at 48 kHz, median of one-second parts."""
    array, framing = array_of(name), Framing(48000)
    directions = Tracker(array, framing) if tracked else Known(np.array([-30.0, 40.0]))
    remix = Remix(framing, BeamMasks(array, framing), directions, array.ears)
    x = np.random.default_rng(0).standard_normal((array.n_mics, 256)).astype(np.float32)
    gains = np.repeat(10 ** (ASKED_DB[:, None] / 20), 256, axis=1)
    taken = []
    for _ in range(6):
        start = time.process_time()
        for _ in range(188):
            remix.process(x, gains)
        taken.append(time.process_time() - start)
    return float(np.median(taken[1:]))


def conditions(names: list[str], rooms: list[float]) -> Iterator[tuple[str, float, bool]]:
    """Arrays and rooms, standing and walking; walking with the first array only."""
    for name in names:
        for rt60 in [0.0] if name in (KEMAR, OPEN) else rooms:
            yield name, rt60, False
            if name == names[0]:
                yield name, rt60, True


def main(
    out: Annotated[Path, typer.Argument(help="File for the figures.")] = Path("benchmarks/scene.json"),
    data: Annotated[Path, typer.Option(help="Folder with speech.")] = Path("../shared/data"),
    pairs: Annotated[int, typer.Option(help="Number of pairs of talkers.")] = 6,
    array: Annotated[list[str] | None, typer.Option(help="Arrays; all if not given.")] = None,
    room: Annotated[list[float] | None, typer.Option(help="Reverberation times in s; 0 and 0.3 if not given.")] = None,
) -> None:
    """Run all measurements and write the figures."""
    console = Console(width=200)
    arrays = array or list(ARRAYS)
    about = {
        "pairs": pairs, "seconds": SECONDS, "asked_db": ASKED_DB.tolist(), "noise_db": NOISE_DB,
        "window_s": FRAMING.window_s, "walking_deg_s": SPEED, "environment": environment(),
    }  # fmt: skip
    found: dict[str, Any] = {"about": about, "cost": {}, "figures": {}}
    for name in arrays:
        found["cost"][name] = {way: cost(name, way == "tracked") for way in ("known", "tracked")}
        console.print(f"{name}: {found['cost'][name]} s of processor time per second", markup=False, highlight=False)
    for name, rt60, walking in conditions(arrays, room or list(ROOMS)):
        rows: dict[str, list[dict[str, float]]] = {"known": [], "tracked": []}
        for number in range(FIRST_PAIR, FIRST_PAIR + pairs):
            scene = mixture(data, name, rt60, number, walking)
            for how, them in rows.items():
                them.append(measured(scene, how == "tracked", number))
        for how, them in rows.items():
            label = f"{name}, {rt60:g} s, {'walking' if walking else 'standing'}, {how}"
            found["figures"][label] = summary(them)
            text = "; ".join(
                f"{what} {one['mean']:.2f} ({one['interval'][0]:.2f} to {one['interval'][1]:.2f})"
                for what, one in found["figures"][label].items()
                if isinstance(one, dict)
            )
            console.print(f"{label}, n = {pairs}: {text}", markup=False, highlight=False)
        out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
