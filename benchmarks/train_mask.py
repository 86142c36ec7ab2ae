"""Train the network that corrects the masks of beams, in simulated rooms.

::

    python -m benchmarks.train_mask --data ../shared/data --steps 1000

Two voices of LibriSpeech train-clean-100 (one clip for each of 251 talkers, none of whom is among those of
:mod:`benchmarks.scene`) read in shoebox rooms (image sources of pyroomacoustics, 16 kHz): reverberation 0 in a quarter
of them, 0.15 to 0.45 s in the others; 0.7 to 1.8 m away, at least 20 degrees apart, within 5 dB of each other, sensor
noise at -35 to -15 dB. They are heard by glasses with six microphones, two hearing aids with four, two ears, or a small
random array of two to six; of each, the beams believe positions that are wrong by 1 mm and directions that are wrong by
4 degrees (standard deviations). In a third of the scenes one of the talkers pauses.

What the network hears is computed by the code that does so live, hop by hop. It learns to raise, at equal parts, the
SI-SDR of the masked reference microphone against the direct sound and reflections until 50 ms, and the change of the
ratio of target and masker that gains of +3 dB and -9 dB deliver there; mean of both talkers. Every part of the program
depends on the seeds and the step only: it can be stopped, and goes on from its last checkpoint, also with more steps
and rooms. Simulated scenes are kept in the working folder. Weights are rounded to 16 bits; the figures printed last are
those of the rounded ones, for voices and rooms that were not trained with.
"""

from __future__ import annotations

# One thread: it must be imported before NumPy is.
import earmark.app  # noqa: F401

# isort: split
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import torch
import typer
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.signal import fftconvolve
from torch import Tensor, nn

from earmark.pipeline.scene.array import Array, preset
from earmark.pipeline.scene.network import LIMIT, N_BINS, N_KINDS, BeamFeatures
from earmark.pipeline.scene.transform import Analysis, Framing

SFREQ, SECONDS, EARLY_S = 16000, 4.0, 0.05
FRAMING = Framing(SFREQ)
#: Scenes that one room gives, and talkers in it.
PER_ROOM, PLACES = 3, 4
#: Voices that are kept for validation, and rooms for it.
HELD_OUT, VALIDATION_ROOMS = 25, 8
#: Rooms before the first step; one more every ``GROWTH`` steps.
FIRST_ROOMS, GROWTH = 40, 4
BATCH, CROP = 16, 500
#: Factors for +3 dB and -9 dB.
ASKED = (10 ** (3 / 20), 10 ** (-9 / 20))
RATE, CLIP = 2e-3, 2.0
#: Steps from one checkpoint to the next.
KEEP = 25
Samples = NDArray[np.float64]


class Network(nn.Module):
    """The network in PyTorch, with the names and shapes of :data:`earmark.pipeline.scene.network.SHAPES`.

    It maps features, shape (n, n_hops, 4 * n_bins), to changes, shape (n, n_hops, n_bins); at first all zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.inward = nn.Linear(N_KINDS * N_BINS, 128)
        self.recurrent = nn.GRU(128, 128, 2, batch_first=True)
        self.outward = nn.Linear(128, N_BINS)
        nn.init.zeros_(self.outward.weight)
        nn.init.zeros_(self.outward.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Return the changes."""
        found: Tensor = self.outward(self.recurrent(torch.relu(self.inward(features)))[0])
        return found.clamp(-LIMIT, LIMIT)


def random_array(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return an array, and what is believed of it."""
    kind = rng.choice(["glasses6", "aids4", "ears2", "random"], p=[0.25, 0.25, 0.3, 0.2])
    if kind == "random":
        while True:
            positions = rng.uniform(-1, 1, (rng.integers(2, 7), 3)) * [0.1, 0.1, 0.02]
            apart = np.linalg.norm(positions[:, None] - positions, axis=2) + np.eye(len(positions))
            if apart.min() > 0.012 and apart.max() > 0.06:
                break
        span = (-90.0, 90.0) if len(positions) == 2 else (-180.0, 180.0)
    else:
        positions, span = preset(str(kind)).positions * rng.uniform(0.9, 1.1), preset(str(kind)).span
    believed = positions + rng.normal(0, 0.001, positions.shape)
    return Array(positions, span=span), Array(believed, span=span)


def random_azimuths(rng: np.random.Generator, span: tuple[float, float]) -> Samples:
    """Return azimuths that are at least 20 degrees apart, also by the sine if front and back look alike."""
    low, high = (-80.0, 80.0) if span[1] <= 90 else span
    while True:
        azimuths = rng.uniform(low, high, PLACES)
        apart = np.abs((azimuths[:, None] - azimuths + 180) % 360 - 180) + 360 * np.eye(PLACES)
        if apart.min() >= 20:
            return azimuths


def voice(file: Path, rng: np.random.Generator) -> Samples:
    """Return a part of a clip, at a level of one."""
    clip, n = soundfile.read(file)[0], round(SECONDS * SFREQ)
    clip = np.tile(clip, n // len(clip) + 2)
    start = rng.integers(len(clip) - n)
    part = clip[start : start + n]
    return np.asarray(part / np.sqrt(np.mean(part**2) + 1e-12))


def simulate(files: list[Path], number: int) -> list[dict[str, NDArray]]:
    """Return the scenes of a room.

    Returns
    -------
    scenes : list of dict of array
        ``features`` of the first place, shape (n_hops, 4 * n_bins); ``mixture``, spectra at the reference,
        shape (n_hops, n_bins); ``talkers``, their magnitudes there, shape (2, n_hops, n_bins); ``early``, samples of
        what they should be, shape (2, n_samples).
    """
    import pyroomacoustics  # noqa: PLC0415 - tests of the network do without

    pyroomacoustics.constants.set("num_threads", 1)
    rng = np.random.default_rng([number, 17])
    array, believed = random_array(rng)
    azimuths = random_azimuths(rng, array.span)
    size = np.array([rng.uniform(5, 8), rng.uniform(4.6, 6.5), rng.uniform(2.4, 3.2)])
    centre = np.array([*(size[:2] / 2 + rng.uniform(-0.4, 0.4, 2)), rng.uniform(1.1, 1.6)])
    rt60 = 0.0 if rng.random() < 0.25 else rng.uniform(0.15, 0.45)
    absorption, order = pyroomacoustics.inverse_sabine(rt60, size) if rt60 else (1.0, 0)
    room = pyroomacoustics.ShoeBox(
        size, fs=SFREQ, materials=pyroomacoustics.Material(absorption), max_order=min(order, 25)
    )
    room.add_microphone_array((array.positions + centre).T)
    for azimuth in np.deg2rad(azimuths):
        towards = np.array([np.sin(azimuth), np.cos(azimuth), rng.uniform(-0.15, 0.15)])
        room.add_source(centre + rng.uniform(0.7, 1.8) * towards)
    room.compute_rir()
    pairs = rng.permutation([(a, b) for a in range(PLACES) for b in range(PLACES) if a < b])[:PER_ROOM]
    return [_scene(files, room.rir, believed, azimuths, list(map(int, pair)), rng) for pair in pairs]


def _scene(
    files: list[Path], paths: list, believed: Array, azimuths: Samples, pair: list[int], rng: np.random.Generator
) -> dict[str, NDArray]:
    n, hop = round(SECONDS * SFREQ), FRAMING.hop
    dry = [voice(files[k], rng) for k in rng.choice(len(files), 2, replace=False)]
    if rng.random() < 1 / 3:  # one of them pauses
        start, length = rng.integers(n), rng.integers(SFREQ // 4, SFREQ)
        dry[rng.integers(2)][start : start + length] = 0
    heard, early = np.zeros((2, believed.n_mics, n)), np.zeros((2, n))
    for k, place in enumerate(pair):
        heard[k] = [fftconvolve(dry[k], paths[mic][place])[:n] for mic in range(believed.n_mics)]
        direct = paths[0][place]
        early[k] = fftconvolve(dry[k], direct[: int(np.abs(direct).argmax()) + round(EARLY_S * SFREQ)])[:n]
    level = np.sqrt(np.mean(heard[:, 0] ** 2, axis=1)) + 1e-12
    gain = np.array([1.0, 10 ** (rng.uniform(-5, 5) / 20)]) / level
    heard, early = heard * gain[:, None, None], early * gain[:, None]
    mixture = heard.sum(axis=0) + rng.standard_normal(heard.shape[1:]) * 10 ** (rng.uniform(-35, -15) / 20)
    front, toward = BeamFeatures(believed, FRAMING), azimuths[pair] + rng.normal(0, 4, 2)
    analysis, alone = Analysis(FRAMING, believed.n_mics), Analysis(FRAMING, 2)
    features, spectra, apart = [], [], []
    for at in range(0, n - hop + 1, hop):
        now = analysis.push(mixture[:, at : at + hop].astype(np.float32))
        front.push(now, toward)
        features.append(front.values[0].reshape(-1).astype(np.float16))
        spectra.append(now[0].copy())
        apart.append(np.abs(alone.push(heard[:, 0, at : at + hop].astype(np.float32))).astype(np.float16))
    return {
        "features": np.array(features),
        "mixture": np.array(spectra),
        "talkers": np.stack(apart, axis=1),
        "early": early.astype(np.float32),
    }


class Scenes:
    """Scenes by number, simulated when they are first asked for and kept in a folder.

    Parameters
    ----------
    files : list of Path
        Voices.
    work : Path
        Folder.
    first : int
        Number of the first room.
    """

    def __init__(self, files: list[Path], work: Path, first: int) -> None:
        self._files, self._work, self._first = files, work, first
        self._kept: list[dict[str, NDArray]] = []

    def up_to(self, n_rooms: int) -> list[dict[str, NDArray]]:
        """Return all scenes of so many rooms."""
        while len(self._kept) < n_rooms * PER_ROOM:
            number = self._first + len(self._kept) // PER_ROOM
            path = self._work / f"room{number}.safetensors"
            if not path.exists():
                scenes = simulate(self._files, number)
                parts = {f"{k}.{name}": one for k, scene in enumerate(scenes) for name, one in scene.items()}
                save_file(parts, path.with_suffix(".part"))
                path.with_suffix(".part").rename(path)
            found = load_file(path)
            for k in range(PER_ROOM):
                self._kept.append({name[2:]: one for name, one in found.items() if name.startswith(f"{k}.")})
        return self._kept[: n_rooms * PER_ROOM]


TAPER = torch.from_numpy(FRAMING.taper)


def samples(spectra: Tensor) -> Tensor:
    """Return the samples of spectra, shape (..., n_hops, n_bins), without the first half window and the last."""
    waves: Tensor = torch.fft.irfft(spectra, FRAMING.window) * TAPER
    return (waves[..., :-1, FRAMING.hop :] + waves[..., 1:, : FRAMING.hop]).flatten(-2)


def decibels(ratio: Tensor) -> Tensor:
    """Return ten times the logarithm."""
    return 10 * torch.log10(ratio + 1e-8)


def si_sdr(found: Tensor, wanted: Tensor) -> Tensor:
    """Scale-invariant ratio of signal and distortion of the last axis, dB."""
    target = (found * wanted).sum(-1, keepdim=True) / ((wanted**2).sum(-1, keepdim=True) + 1e-8) * wanted
    return decibels((target**2).sum(-1) / (((found - target) ** 2).sum(-1) + 1e-8))


def figures(
    network: Network | None, scenes: list[dict[str, NDArray]], starts: list[int], n: int
) -> tuple[Tensor, Tensor]:
    """Return the improvement of SI-SDR and what gains deliver, dB, each of shape (n_scenes, 2).

    Parameters
    ----------
    network : Network or None
        None for the masks of the beams alone.
    scenes : list of dict
    starts : list of int
        First hop of each.
    n : int
        Number of hops.
    """
    parts = [
        {name: torch.from_numpy(scene[name][..., at : at + n, :]) for name in ("features", "mixture", "talkers")}
        for scene, at in zip(scenes, starts, strict=True)
    ]
    one = torch.stack([part["features"] for part in parts]).float()
    x, own, other, ratio = one.chunk(N_KINDS, dim=-1)
    change = torch.zeros(len(scenes), n, N_BINS)
    if network is not None:
        both = torch.cat([one, torch.cat([x, other, own, -ratio], dim=-1)])
        first, second = network(both).chunk(2)
        change = first - second
    mask = torch.sigmoid(ratio / BeamFeatures.RATIO_SCALE + change)
    masks = torch.stack([mask, 1 - mask], dim=1)
    mixture = torch.stack([part["mixture"] for part in parts])
    hop = FRAMING.hop
    early = torch.stack(
        [torch.from_numpy(s["early"][:, a * hop : (a + n - 1) * hop]) for s, a in zip(scenes, starts, strict=True)]
    )
    mixed = samples(mixture)
    better = si_sdr(samples(masks * mixture[:, None]), early) - si_sdr(mixed[:, None].expand_as(early), early)
    power = torch.stack([part["talkers"] for part in parts]).float() ** 2
    factor = (ASKED[0] * masks + ASKED[1] * masks.flip(1)) ** 2
    kept, masker = (factor * power).sum((2, 3)), (factor * power.flip(1)).sum((2, 3))
    total = power.sum((2, 3))
    return better, decibels(kept / (total + 1e-6)) - decibels(masker / (total.flip(1) + 1e-6))


def validated(network: Network | None, scenes: list[dict[str, NDArray]]) -> str:
    """Return the mean figures of scenes, from their first second on."""
    with torch.no_grad():
        found = [figures(network, [scene], [250], len(scene["mixture"]) - 250) for scene in scenes]
    better, got = (float(torch.cat(one).mean()) for one in zip(*found, strict=True))
    return f"SI-SDR {better:+.2f} dB, delivered {got:.2f} dB"


def rounded(network: Network) -> dict[str, NDArray[np.float16]]:
    """Return the parameters, rounded to 16 bits."""
    return {name: one.detach().numpy().astype(np.float16) for name, one in network.state_dict().items()}


def main(
    out: Annotated[Path, typer.Argument(help="File for the weights.")] = Path("devices/audio/weights/mask.safetensors"),
    data: Annotated[Path, typer.Option(help="Folder with speech_voices.")] = Path("../shared/data"),
    work: Annotated[Path, typer.Option(help="Folder for scenes and checkpoint.")] = Path("build/mask"),
    steps: Annotated[int, typer.Option(help="Number of steps.")] = 1000,
    rooms: Annotated[int, typer.Option(help="Number of rooms.")] = 200,
) -> None:
    """Train, and write the weights."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    files = sorted((data / "speech_voices").glob("*.flac"))
    if len(files) < HELD_OUT + 2:
        raise typer.BadParameter(f"{data / 'speech_voices'} has no voices: give the folder of the development data")
    work.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(3).permutation(len(files))
    files = [files[k] for k in order]
    training, validation = (
        Scenes(files[HELD_OUT:], work, 0),
        Scenes(files[:HELD_OUT], work, 10**6).up_to(VALIDATION_ROOMS),
    )
    print(f"beams alone: {validated(None, validation)}", flush=True)
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    checkpoint, first = work / "checkpoint.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    began = time.process_time()
    for step in range(first, steps):
        scenes = training.up_to(min(FIRST_ROOMS + step // GROWTH, rooms))
        rng = np.random.default_rng([step, 5])
        chosen = [scenes[k] for k in rng.choice(len(scenes), BATCH, replace=False)]
        starts = [int(rng.integers(len(scene["mixture"]) - CROP)) for scene in chosen]
        better, got = figures(network, chosen, starts, CROP)
        loss = -(better.clamp(-10, 25).mean() + got.mean())
        for group in optimizer.param_groups:  # a warm start, then down to a fiftieth
            group["lr"] = RATE * min((step + 1) / 20, 1.0) * max(0.02, min(1.0, 1.25 * (1 - step / steps)))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        if (step + 1) % KEEP == 0 or step + 1 == steps:
            now = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(now, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").rename(checkpoint)
            words = f"; validation {validated(network, validation)}" if (step + 1) % 50 == 0 else ""
            print(
                f"step {step + 1}, {time.process_time() - began:.0f} s: {-float(loss.detach()):.2f}{words}", flush=True
            )
    weights = rounded(network)
    network.load_state_dict({name: torch.from_numpy(one.astype(np.float32)) for name, one in weights.items()})
    print(f"network of {sum(one.size for one in weights.values())} numbers: {validated(network, validation)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, out)


if __name__ == "__main__":
    typer.run(main)
