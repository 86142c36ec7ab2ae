"""Compare decoders on real recordings, on the same folds.

``match_mismatch``: ten listeners to one talker, ten repetitions of the same 50 s. Repetition and half of the recording
are held out; a decoder is trained on the other half of the nine other repetitions, 220 s. Its score for the speech that
was heard is compared with its score for the same talker's speech elsewhere. Decoders are also trained on the nine other
listeners, and on two or four repetitions with and without a group of the others. ``cocktail``: one listener to two
talkers, four runs of a minute, each held out in turn. All filters are causal.

    python -m benchmarks.real_recordings DATA --workers 2 --json benchmarks/real_recordings.json
"""

from __future__ import annotations

# Limits NumPy to one thread, therefore imported before NumPy.
import earmark.app  # noqa: F401

# isort: split
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import mne
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.signal import butter, sosfilt, sosfilt_zi
from scipy.stats import wilcoxon

from earmark.app.engine.environment import environment
from earmark.pipeline.decoders.decoder import Decoder, DecoderSpec
from earmark.pipeline.decoders.filterbank import FilterBankDecoder, band_moments, bank_spec
from earmark.pipeline.decoders.group import Group
from earmark.pipeline.decoders.linear import LinearDecoder, make_spec
from earmark.pipeline.decoders.moments import moments, total
from earmark.pipeline.decoders.presets import EEG, UNTILTED, Preset
from earmark.pipeline.evaluation.metrics import dprime, fisher_z
from earmark.pipeline.nodes.resample import Resample, ResampleConfig
from earmark.pipeline.nodes.tilt import Tilt, TiltConfig
from earmark.pipeline.run import Run
from earmark.pipeline.stream import Block, StreamSpec

WINDOWS = (1.0, 2.0, 3.0, 5.0, 10.0)
#: Seconds between the two halves of a recording.
GUARD_S = 0.5
#: Seconds at the start of each test recording that are left out, since not all decoders score them.
SKIP_S = 1.0
LISTENERS, REPETITIONS = range(1, 11), range(10)
#: Numbers of repetitions of a short calibration.
SHORT = (2, 4)
OLD = UNTILTED["eeg"]


def bandpass(x: NDArray[np.float64], sfreq: float, preset: Preset) -> NDArray[np.float64]:
    """Filter by a preset's band, causally, settled on the first sample; shape (n_samples, n_columns)."""
    sos = butter(2, [preset.low_hz, preset.high_hz], "bandpass", fs=sfreq, output="sos")
    filtered: NDArray[np.float64] = sosfilt(sos, x, axis=0, zi=sosfilt_zi(sos)[:, :, None] * x[0])[0]
    return filtered


def node_output(node: Any, x: NDArray[np.float64], sfreq: float) -> NDArray[np.float64]:
    """Return what a node makes of a signal."""
    names = tuple(map(str, range(x.shape[1])))
    node.open(StreamSpec("x", sfreq, names, ("eeg",) * len(names), ("uV",) * len(names), hop=64, lowpass=12.0))
    items = (Block(start, x[start : start + 64]) for start in range(0, len(x), 64))
    return np.concatenate([one.data for item in items for one in node.process(item) if isinstance(one, Block)])


def features(x: NDArray[np.float64], sfreq: float, preset: Preset) -> NDArray[np.float64]:
    """Prepare a signal as a session does: band-pass, 64 Hz, tilt."""
    x = bandpass(x, sfreq, preset)
    if sfreq != preset.sfreq:
        x = node_output(Resample(ResampleConfig(preset.sfreq, preset.high_hz)), x, sfreq)
    return x if preset.tilt_hz is None else node_output(Tilt(TiltConfig(preset.tilt_hz)), x, preset.sfreq)


def cocktail(data: Path, preset: Preset = EEG) -> list[Run]:
    """Read four runs of a minute: one listener attends the first of two talkers; 128 channels."""
    runs = []
    for i in range(1, 5):
        stem = f"sub-01_task-cocktail_run-0{i}"
        raw = mne.io.read_raw_fif(data / "cocktail" / f"{stem}_raw.fif", verbose="error")
        names = tuple(raw.ch_names[:128])
        eeg = raw.get_data(picks=names).T * 1e6
        with np.load(data / "cocktail" / f"{stem}_envelopes.npz") as envelopes:
            both = np.stack([envelopes["attended"], envelopes["ignored"]], axis=1).astype(float)
        neural = features(eeg - eeg.mean(axis=1, keepdims=True), 128.0, preset)
        talkers = features(both, 128.0, preset).T[:, :, None]
        who, what = ("female", "male"), (f"female-{i}", f"male-{i}")
        attended = np.zeros(len(neural), dtype=np.int64)
        runs.append(Run(stem, "sub-01", preset.sfreq, names, neural, who, talkers, attended, what))
    return runs


def listener(data: Path, number: int, preset: Preset = EEG) -> list[tuple[Run, Run]]:
    """Read ten repetitions of one talker, 64 channels, each as (first half, second half) with a guard between.

    All repetitions carry the same speech, so a fold holds out a repetition and tests on the half that no other
    repetition trains on. Filters start anew in each half.
    """
    with np.load(data / "match_mismatch" / f"sub-{number:02d}.npz") as file:
        eeg = file["eeg_int16"] * file["scale_uv"].astype(float)
        envelope = file["envelope"].astype(float)[:, None]
    middle, guard = len(envelope) // 2, round(GUARD_S * preset.sfreq / 2)
    names = tuple(f"E{i + 1}" for i in range(eeg.shape[2]))
    halves = slice(0, middle - guard), slice(middle + guard, len(envelope))
    pairs = []
    for i, x in enumerate(eeg - eeg.mean(axis=2, keepdims=True)):
        both = [
            Run(f"{number}-{i}-{k}", f"{number}", preset.sfreq, names, features(x[half], preset.sfreq, preset),
                ("talker",), features(envelope[half], preset.sfreq, preset)[None],
                np.zeros(half.stop - half.start, dtype=np.int64), ("story",))
            for k, half in enumerate(halves)
        ]  # fmt: skip
        pairs.append((both[0], both[1]))
    return pairs


def score_matrix(
    decoder: Decoder, run: Run, seconds: float, skip_s: float = SKIP_S
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Score windows of EEG against windows of the talker, each with every other one, except for the first seconds.

    Returns
    -------
    scores : array, shape (n, n)
        Windows of EEG by windows of speech; windows begin every half second.
    apart : array of bool, shape (n, n)
        Whether two windows do not overlap.
    """
    n, skip = round(seconds * run.sfreq), round(skip_s * run.sfreq) - decoder.spec.ahead
    x, y = decoder.project_neural(run.neural)[skip:], decoder.project_talkers(run.talkers)[0, skip:]
    starts = np.arange(0, len(x) - n + 1, round(run.sfreq / 2))
    a, b = (np.stack([side[start : start + n] for start in starts]) for side in (x, y))
    if decoder.spec.centred:
        a, b = (side - side.mean(axis=1, keepdims=True) for side in (a, b))
    a, b = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (a, b))
    return decoder.combine(np.einsum("inc,jnc->ijc", a, b)), np.abs(starts[:, None] - starts) >= n


def match_mismatch(decoder: Decoder, run: Run) -> list[float]:
    """Return the share of pairs in which the speech that was heard scores better than other speech, by window."""
    found = []
    for seconds in WINDOWS:
        scores, apart = score_matrix(decoder, run, seconds)
        found.append(float((np.diag(scores)[:, None] > scores)[apart].mean()))
    return found


#: Fit a decoder to training runs, whose moments may be known.
Fit = Callable[[Sequence[tuple[Run, Any]]], Decoder]


def linear_moments(preset: Preset, run: Run) -> Any:
    """Return the moments of a run for the linear decoder."""
    return moments(run, make_spec("linear", run, preset))


def bank_moments(run: Run) -> Any:
    """Return the moments of a run for the filter bank."""
    return band_moments(run, bank_spec(run, EEG))


def fit_linear(preset: Preset, settings: dict[str, Any], train: Sequence[tuple[Run, Any]]) -> Decoder:
    """Fit a linear decoder."""
    spec: DecoderSpec = make_spec("linear", train[0][0], preset)
    return LinearDecoder(preset, **settings).fit_moments(spec, [part for _, part in train])


def fit_bank(group: Any, train: Sequence[tuple[Run, Any]]) -> Decoder:
    """Fit a filter bank."""
    spec = bank_spec(train[0][0], EEG)
    return FilterBankDecoder(EEG, group).fit_moments(spec, [run for run, _ in train], [part for _, part in train])


PLAIN: dict[str, Any] = {"penalties": (1.0,), "shrinks": (0.0,), "separables": (0.0,)}
#: Preset, moments of a run, and fit of each decoder.
DECODERS: dict[str, tuple[Preset, Callable[[Run], Any], Fit]] = {
    "plain ridge": (OLD, partial(linear_moments, OLD), partial(fit_linear, OLD, PLAIN)),
    "linear, before": (OLD, partial(linear_moments, OLD), partial(fit_linear, OLD, {})),
    "linear, tilted": (EEG, partial(linear_moments, EEG), partial(fit_linear, EEG, {})),
    "filter bank": (EEG, bank_moments, partial(fit_bank, None)),
}


def one_listener(data: Path, name: str, number: int) -> list[list[float]]:
    """Return share of correct pairs by fold and window, for one decoder and listener."""
    preset, prepared, fit = DECODERS[name]
    pairs = listener(data, number, preset)
    parts = [[prepared(half) for half in pair] for pair in pairs]
    found = []
    for half in (0, 1):
        for i in REPETITIONS:
            decoder = fit([(pairs[j][1 - half], parts[j][1 - half]) for j in REPETITIONS if j != i])
            found.append(match_mismatch(decoder, pairs[i][half]))
    return found


def held_out_listeners(data: Path, name: str, half: int) -> list[list[float]]:
    """Return share of correct pairs by listener and window, for decoders trained on the other half of the others."""
    preset, prepared, fit = DECODERS[name]
    pairs = [listener(data, number, preset) for number in LISTENERS]
    parts = [[prepared(pair[1 - half]) for pair in own] for own in pairs]
    found = []
    for i, own in enumerate(pairs):
        others = [k for k in range(len(pairs)) if k != i]
        if name == "filter bank":
            train = [(pairs[k][j][1 - half], parts[k][j]) for k in others for j in REPETITIONS]
        else:  # one held-out part per listener, because 90 fits would take long
            train = [(pairs[k][0][1 - half], total(parts[k])) for k in others]
        decoder = fit(train)
        found.append(np.mean([match_mismatch(decoder, pair[half]) for pair in own], axis=0).tolist())
    return found


#: Share of correct pairs after a short calibration, by number of repetitions and use of a group, listener and window.
Short = dict[tuple[int, bool], list[list[float]]]


def short_calibrations(data: Path, half: int) -> Short:
    """Test filter banks trained on a few repetitions, without and with a group of the other listeners."""
    pairs = [listener(data, number) for number in LISTENERS]
    parts = [[bank_moments(pair[1 - half]) for pair in own] for own in pairs]
    separations = [
        FilterBankDecoder(EEG).fit_moments(bank_spec(own[0][0], EEG), [p[1 - half] for p in own], known).separation
        for own, known in zip(pairs, parts, strict=True)
    ]
    sums = [[total(band) for band in zip(*known, strict=True)] for known in parts]
    found: Short = {(n, grouped): [] for n in SHORT for grouped in (False, True)}
    for k, own in enumerate(pairs):
        others = [other for other in range(len(pairs)) if other != k]
        group = Group.of(own[0][0].ch_names, [sums[o] for o in others], [separations[o] for o in others])
        for n, grouped in found:
            right = []
            for i in REPETITIONS:
                some = [(i + 1 + more) % len(own) for more in range(n)]
                decoder = fit_bank(group if grouped else None, [(own[j][1 - half], parts[k][j]) for j in some])
                right.append(match_mismatch(decoder, own[i][half]))
            found[n, grouped].append(np.mean(right, axis=0).tolist())
    return found


def on_cocktail(data: Path, name: str) -> dict[str, Any]:
    """Leave one run out: accuracy by window, and d' at 1 s with its standard error."""
    preset, prepared, fit = DECODERS[name]
    runs = cocktail(data, preset)
    parts = [prepared(run) for run in runs]
    differences: dict[float, list[NDArray[np.float64]]] = {seconds: [] for seconds in WINDOWS}
    for i, run in enumerate(runs):
        decoder = fit([(runs[j], parts[j]) for j in range(4) if j != i])
        skip = round(SKIP_S * run.sfreq) - decoder.spec.ahead
        x, y = decoder.project_neural(run.neural)[skip:], decoder.project_talkers(run.talkers)[:, skip:]
        for seconds in WINDOWS:
            n = round(seconds * run.sfreq)
            rows = np.arange(0, len(x) - n + 1, n)[:, None] + np.arange(n)
            a, b = x[rows], y[:, rows]
            if decoder.spec.centred:
                a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=2, keepdims=True)
            r = (a * b).sum(axis=2) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=2))
            z = fisher_z(decoder.combine(r))
            differences[seconds].append(z[0] - z[1])
    joined = {seconds: np.concatenate(found) for seconds, found in differences.items()}
    sensitivity = dprime(joined[1.0], len(joined[1.0]))
    return {
        "accuracy": [float((joined[seconds] > 0).mean()) for seconds in WINDOWS],
        "n": [len(joined[seconds]) for seconds in WINDOWS],
        "dprime": sensitivity.value,
        "dprime_se": sensitivity.se,
    }


def against(before: NDArray[np.float64], after: NDArray[np.float64]) -> str:
    """Return for how many listeners the mean over windows rose, by how many points, and p."""
    gain = after.mean(axis=1) - before.mean(axis=1)
    return f"{(gain > 0).sum()} of {len(gain)} by {gain.mean():.1f}, {wilcoxon(gain).pvalue:.3f}"


def main(
    data: Annotated[Path, typer.Argument(help="Folder with match_mismatch and cocktail.")],
    workers: Annotated[int, typer.Option(help="Number of processes.")] = 1,
    only: Annotated[list[str] | None, typer.Option(help="Decoders; default: all.")] = None,
    others: Annotated[bool, typer.Option(help="Also train on other listeners.")] = True,
    calibration: Annotated[bool, typer.Option(help="Also measure short calibrations with a group.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Run the measurements, and print tables."""
    console = Console(width=150)
    names = only or list(DECODERS)
    found: dict[str, Any] = {"environment": environment(), "windows_s": WINDOWS, "match_mismatch": {}, "cocktail": {}}
    table = Table("decoder", *(f"{w:g} s" for w in WINDOWS), "mean", "better, p", title="match_mismatch, % of pairs")
    other = Table("decoder", *(f"{w:g} s" for w in WINDOWS), "d′ at 1 s", title="cocktail, % correct")
    with ProcessPoolExecutor(workers) as pool:
        by_listener: dict[str, NDArray[np.float64]] = {}
        for name in names:
            runs = list(pool.map(partial(one_listener, data, name), LISTENERS))
            by_listener[name] = 100 * np.array(runs).mean(axis=1)
            found["match_mismatch"][name] = by_listener[name].tolist()
            mean = by_listener[name].mean(axis=1)
            versus = ""
            if name != names[0]:
                versus = against(by_listener[names[0]], by_listener[name])
            table.add_row(name, *(f"{v:.1f}" for v in by_listener[name].mean(axis=0)), f"{mean.mean():.1f}", versus)
        for name, one in zip(names, pool.map(partial(on_cocktail, data), names), strict=True):
            found["cocktail"][name] = one
            other.add_row(
                name, *(f"{100 * v:.1f}" for v in one["accuracy"]), f"{one['dprime']:.3f} ± {one['dprime_se']:.3f}"
            )
        console.print(table, other)
        rows: dict[str, NDArray[np.float64]] = {}
        for name in names if others else []:
            rows[f"{name}, trained on other listeners"] = 100 * np.mean(
                list(pool.map(partial(held_out_listeners, data, name), (0, 1))), axis=0
            )
        if calibration:
            halves = list(pool.map(partial(short_calibrations, data), (0, 1)))
            for n, grouped in halves[0]:
                what = f"filter bank, {n} × 24.5 s {'with a group of other listeners' if grouped else 'alone'}"
                rows[what] = 100 * np.mean([half[n, grouped] for half in halves], axis=0)
        more = Table("decoder", *(f"{w:g} s" for w in WINDOWS), "mean", "better, p", title="match_mismatch, % of pairs")
        before: NDArray[np.float64] | None = None
        for what, values in rows.items():
            found.setdefault("other training", {})[what] = values.tolist()
            row = [f"{v:.1f}" for v in values.mean(axis=0)]
            more.add_row(what, *row, f"{values.mean():.1f}", "" if before is None else against(before, values))
            before = values
        console.print(more)
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
