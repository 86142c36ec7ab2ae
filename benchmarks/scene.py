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
  exchanged talkers; *exchanges* counts them while talkers are at least 30 degrees apart only, so that a place that is
  late while talkers pass each other does not count.

A place belongs to the talker that it is nearest to most of the time. With ``--separator beams --separator network``,
the masks of the network of :mod:`benchmarks.train_mask` are measured beside those of the beams, with the same
directions. Seconds of processor time per second of sound are measured at 48 kHz.
"""

from __future__ import annotations

# One thread: it must be imported before NumPy is.
import earmark.app  # noqa: F401

# isort: split
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray
from rich.console import Console

from earmark.app.engine.environment import environment
from earmark.devices.audio.scene import SEPARATORS
from earmark.devices.simulate import room_scenes
from earmark.devices.simulate.room_scenes import NOISE_DB, SFREQ, SPEED, Head, kemar_head, mixture, ways
from earmark.pipeline.evaluation.separation import (
    ASKED_DB,
    Given,
    Mixture,
    Samples,
    alike,
    change_factors,
    delivered,
    interval,
    modulation,
    oracle_masks,
    owners,
    samples,
    separate,
    si_sdr,
    spectra,
    tracking,
)
from earmark.pipeline.nodes.envelope import EnvelopeConfig
from earmark.pipeline.scene.array import Array, preset
from earmark.pipeline.scene.remix import Directions, Known, Remix
from earmark.pipeline.scene.tracker import Tracker
from earmark.pipeline.scene.transform import Framing

SECONDS, SKIPPED_S = 7.0, 1.0
KEMAR, OPEN = "kemar2", "kemar2 as if open"
ARRAYS = ("glasses6", "aids4", "ears2", KEMAR, OPEN)
ROOMS = (0.0, 0.3)
WRONG_DEG = 3.0
#: Pairs before this one were used to choose the settings of separator and tracker.
FIRST_PAIR = 4
FRAMING = Framing(SFREQ)
BEAMS = "beams"


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


def array_of(name: str) -> tuple[Array, Head | None]:
    """Return an array by its name, and the head that it is on."""
    if name == OPEN:
        return preset("ears2"), kemar_head()
    return room_scenes.array_of(room_scenes.KEMAR if name == KEMAR else name)


def scene_of(data: Path, name: str, rt60: float, number: int, walking: bool = False) -> Mixture:
    """Simulate a pair at an array in a room."""
    array, head = array_of(name)
    azimuths = ways((number,), round(SECONDS * SFREQ), walking)
    return mixture(array, utterances(data, number), azimuths, rt60, (number,), head)


def settled(x: Samples, sfreq: float = SFREQ) -> Samples:
    """Return what is after the first second."""
    return x[..., round(SKIPPED_S * sfreq) :]


def envelope(x: Samples) -> Samples:
    """Return the envelope between 1 and 9 Hz."""
    return settled(modulation(x, SFREQ)[1], EnvelopeConfig().sfreq)


def directions_of(
    scene: Mixture, truth: Samples, heard: NDArray[np.complex64], tracked: bool, number: int
) -> tuple[Samples, NDArray[np.intp]]:
    """Return azimuths of the places, shape (n_hops, n_places), tracked or nearly known, and the talker of each."""
    if not tracked:
        return truth + np.random.default_rng([number, 5]).normal(0, WRONG_DEG, 2), np.arange(2, dtype=np.intp)
    tracker = Tracker(scene.array, FRAMING)
    found = np.array([tracker.process(one) for one in heard])
    return found, owners(found, truth)


def measured(scene: Mixture, tracked: bool, number: int, kinds: list[str]) -> dict[str, dict[str, float]]:
    """Return all figures of one mixture, by the name of the separator."""
    heard = spectra(scene.mics, FRAMING)
    truth = scene.azimuths[:, :: FRAMING.hop].T[: len(heard)]
    where = directions_of(scene, truth, heard, tracked, number)
    return {kind: separated(scene, truth, heard, *where, kind) for kind in kinds}


def separated(
    scene: Mixture,
    truth: Samples,
    heard: NDArray[np.complex64],
    azimuths: Samples,
    owner: NDArray[np.intp],
    kind: str,
) -> dict[str, float]:
    """Return all figures of one mixture by a separator, with directions of :func:`directions_of`."""
    array, reference = scene.array, scene.array.reference
    masks, _ = separate(SEPARATORS.get(kind)(array, FRAMING, 2), Given(azimuths), heard)
    oracle = oracle_masks(scene.talkers[:, reference], FRAMING)
    at_ears = [talker[list(array.ears)] for talker in scene.talkers]
    ear_spectra = [spectra(one, FRAMING) for one in at_ears]

    def change(shares: NDArray[np.float32], gains: Samples, target: int) -> float:
        factors = change_factors(shares, gains.tolist())
        changed = [settled(samples(one, factors, FRAMING)) for one in ear_spectra]
        return delivered([settled(one) for one in at_ears], changed, target)

    found: dict[str, list[float]] = defaultdict(list)
    shapes, mixed = [envelope(one) for one in scene.early], scene.mics[reference]
    for place, talker in enumerate(owner):
        wanted = settled(scene.early[talker])
        alone = samples(heard[:, [reference]], masks[place], FRAMING)[0]
        found["si_sdri"].append(si_sdr(settled(alone), wanted) - si_sdr(settled(mixed), wanted))
        found["delivered"].append(change(masks, np.roll(ASKED_DB, place), int(talker)))
        found["oracle"].append(change(oracle, np.roll(ASKED_DB, talker), int(talker)))
        shape = envelope(alone)
        found["own"].append(alike(shape, shapes[talker]))
        found["other"].append(alike(shape, shapes[1 - talker]))
        found["mixture"].append(alike(envelope(mixed), shapes[talker]))
    start = round(SKIPPED_S * SFREQ / FRAMING.hop)
    followed = tracking(azimuths[start:, np.argsort(owner)], truth[start:], FRAMING.hop / SFREQ)
    return {name: float(np.mean(values)) for name, values in found.items()} | followed


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Return the mean of each figure with its bootstrap 95 % interval over pairs."""
    out: dict[str, Any] = {"n": len(rows)}
    for name in rows[0]:
        one = interval([row[name] for row in rows])
        out[name] = {"mean": one.mean, "interval": [one.low, one.high]}
    return out


def cost(name: str, tracked: bool, kind: str) -> float:
    """Return seconds of processor time per second of sound at 48 kHz, median of one-second parts."""
    array, framing = array_of(name)[0], Framing(48000)
    directions: Directions = Tracker(array, framing) if tracked else Known(np.array([-30.0, 40.0]))
    remix = Remix(framing, SEPARATORS.get(kind)(array, framing, 2), directions, array.ears)
    x = np.random.default_rng(0).standard_normal((array.n_mics, 256)).astype(np.float32)
    gains = np.repeat(10 ** (np.array(ASKED_DB)[:, None] / 20), 256, axis=1)
    taken = []
    for _ in range(6):
        start = time.process_time()
        for _ in range(188):
            remix.process(x, gains)
        taken.append(time.process_time() - start)
    return float(np.median(taken[1:]))


def label_of(kind: str) -> str:
    """Return what the label of figures says about a separator other than the beams."""
    return "" if kind == BEAMS else f", {kind}"


def conditions(names: list[str], rooms: list[float], walking: bool) -> Iterator[tuple[str, float, bool]]:
    """Arrays and rooms, standing and, if asked for, walking; walking with the first array only."""
    for name in names:
        for rt60 in [0.0] if name in (KEMAR, OPEN) else rooms:
            yield name, rt60, False
            if walking and name == names[0]:
                yield name, rt60, True


def main(
    out: Annotated[Path, typer.Argument(help="File for the figures.")] = Path("benchmarks/scene.json"),
    data: Annotated[Path, typer.Option(help="Folder with speech.")] = Path("../shared/data"),
    pairs: Annotated[int, typer.Option(help="Number of pairs of talkers.")] = 6,
    array: Annotated[list[str] | None, typer.Option(help="Arrays; all if not given.")] = None,
    room: Annotated[list[float] | None, typer.Option(help="Reverberation times in s; 0 and 0.3 if not given.")] = None,
    separator: Annotated[list[str] | None, typer.Option(help="Separators; beams if not given.")] = None,
    walks: Annotated[bool, typer.Option(help="Whether one walks, too, with the first array.")] = True,
) -> None:
    """Run all measurements and write the figures."""
    console = Console(width=200)
    arrays, kinds = array or list(ARRAYS), separator or [BEAMS]
    about = {
        "pairs": pairs, "seconds": SECONDS, "asked_db": list(ASKED_DB), "noise_db": NOISE_DB,
        "window_s": FRAMING.window_s, "walking_deg_s": SPEED, "environment": environment(),
    }  # fmt: skip
    found: dict[str, Any] = {"about": about, "cost": {}, "figures": {}}
    for name in arrays:
        found["cost"][name] = {
            way + label_of(kind): cost(name, way == "tracked", kind) for kind in kinds for way in ("known", "tracked")
        }
        console.print(f"{name}: {found['cost'][name]} s of processor time per second", markup=False, highlight=False)
    for name, rt60, walking in conditions(arrays, room or list(ROOMS), walks):
        rows: dict[str, list[dict[str, float]]] = defaultdict(list)
        for number in range(FIRST_PAIR, FIRST_PAIR + pairs):
            scene = scene_of(data, name, rt60, number, walking)
            for how in ("known", "tracked"):
                for kind, figures in measured(scene, how == "tracked", number, kinds).items():
                    rows[how + label_of(kind)].append(figures)
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
