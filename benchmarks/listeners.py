"""Measure decoding accuracy for simulated listeners, faster than real time.

::

    python -m benchmarks.listeners typical --sessions 12 --demos 100

A session is one minute of calibration and nine minutes of trials; its EEG passes through the nodes of a live session.
Two decoders of the default kind are tested on the trials: one trained on all but two of them, and one trained on the
minute of calibration. ``--before`` takes the linear decoder on signals without a tilt instead. The speech ships with
Earmark, starts at a random position and repeats, so training and test may share speech, with different noise. A
demonstration is a minute of calibration and a minute of closed loop, as in ``earmark demo``; it passes if its share of
correct decision windows reaches the chance limit.
"""

from __future__ import annotations

# Limits NumPy to one thread, therefore imported before NumPy.
import earmark.app

# isort: split
import json
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.real_recordings import DECODERS, Fit, fit_linear, linear_moments
from earmark.app.config.protocol import MOST_IN_A_ROW, draw_order
from earmark.app.session.simulated import CALIBRATION, N_TRIALS, SWITCH_S
from earmark.devices.files.recorded_run import RecordedRun, Signal, Trial, prepare
from earmark.devices.files.session_run import REORIENT_S
from earmark.devices.simulate.listener import PRESETS, Listener, ListenerConfig
from earmark.pipeline.decoders.decoder import Decoder
from earmark.pipeline.decoders.presets import EEG, IEEG, Preset
from earmark.pipeline.evaluation.metrics import chance_limit, mesd
from earmark.pipeline.evaluation.score_run import judge
from earmark.pipeline.nodes.envelope import EnvelopeConfig, speech_envelope
from earmark.pipeline.run import Run
from earmark.pipeline.stream import StreamSpec

VOICES = ("Joe", "Ada")
SPEECH = Path(earmark.app.__file__).parent / "speech"
#: Decision windows, and the window by which a loop is scored, s.
WINDOWS, LOOP_WINDOW = (1.0, 2.0, 4.0, 5.0, 10.0, 20.0, 60.0), 2.0
#: Length of a demonstration in seconds.
DEMO_S = 120.0
#: Number of trials after the calibration, their length in s, and number of trials left out at a time.
TRIALS, TRIAL_S, LEFT_OUT = 8, 67.5, 2
#: Windows that count between two switches: without the first two seconds, and without the lags after the end.
PER_STEP = int((SWITCH_S - REORIENT_S - EEG.tmax) / LOOP_WINDOW)
#: Number of loops to draw for the power analysis, target power, and loop lengths to report in minutes.
N_LOOPS, POWER, MINUTES = 2000, 0.95, (1, 2, 5, 10, 20)
#: Sessions to concatenate to a long loop; only valid for decoders of all but two trials, which are all similar.
END_TO_END = 4


@cache
def voices() -> list[NDArray[np.float64]]:
    """Return the talkers' envelopes as a session publishes them."""
    sounds = [soundfile.read(SPEECH / f"{name.lower()}.ogg") for name in VOICES]
    return [speech_envelope(audio, float(rate), EnvelopeConfig())[:, 0] for audio, rate in sounds]


def record(
    config: ListenerConfig, preset: Preset, seed: int, trials: Sequence[tuple[str, float]], starts: Sequence[float]
) -> list[Run]:
    """Simulate a listener; return one run per trial, as from a recorded session.

    Parameters
    ----------
    config : ListenerConfig
        The listener.
    preset : Preset
        How signals are prepared.
    seed : int
        Seed of the listener.
    trials : sequence of (str, float)
        Attended talker and length in s of each trial.
    starts : sequence of float
        Start position in the speech of each talker, s.
    """
    sfreq = EnvelopeConfig().sfreq
    ends = np.cumsum([seconds for _, seconds in trials])
    n = round(float(ends[-1]) * sfreq)
    times = np.arange(n) / sfreq
    heard = [one[(round(start * sfreq) + np.arange(n)) % len(one)] for one, start in zip(voices(), starts, strict=True)]
    person = Listener(config, len(VOICES), seed=seed)
    cut = []
    for number, ((name, seconds), end) in enumerate(zip(trials, ends, strict=True)):
        start = float(end) - seconds
        person.attend(VOICES.index(name), start)
        stimuli = tuple(f"{number} {voice}" for voice in VOICES)
        cut.append(Trial(f"{number}", start, float(end), VOICES, stimuli, ((start + REORIENT_S, name),)))
    person.hear(times, np.stack(heard))
    eeg = person.listen(int(ends[-1] / person.period))
    spec = StreamSpec("speech", sfreq, ("speech",), ("misc",), ("",))
    speech = tuple(Signal(spec, times, _rows(one[:, None])) for one in heard)
    neural = Signal(person.spec, person.start + np.arange(len(eeg), dtype=np.float64) * person.period, _rows(eeg))
    return prepare(RecordedRun(f"seed {seed}", f"{seed}", neural, speech, tuple(cut)), preset)


def _rows(data: NDArray[Any]) -> Callable[[int, int], NDArray[Any]]:
    return lambda start, stop: data[start:stop]


Right = dict[float, list[bool]]  # whether each window is correct, by window length


def correct_windows(decoder: Decoder, runs: Sequence[Run], windows: Sequence[float]) -> Right:
    """Return which windows are decoded correctly."""
    right: Right = {w: [] for w in windows}
    for run in runs:
        for found in judge(decoder, run, windows, np.random.default_rng(0), 0, 5.0).windows:
            right[found.seconds] += (found.said == found.attended).tolist()
    return right


#: Preset, moments of a run, and fit of a decoder.
How = tuple[Preset, Callable[[Run], Any], Fit]
#: With the many channels of intracranial EEG, a single penalty saves time.
INSIDE: How = (
    IEEG,
    partial(linear_moments, IEEG),
    partial(fit_linear, IEEG, {"penalties": (1.0,), "shrinks": (0.4,)}),
)


def fitted(how: How, runs: Sequence[Run]) -> Decoder:
    """Fit a decoder to runs."""
    _, prepared, fit = how
    return fit([(run, prepared(run)) for run in runs])


def calibration(seed: int) -> list[tuple[str, float]]:
    """Return the calibration trials of a demonstration."""
    order = draw_order(VOICES, N_TRIALS, MOST_IN_A_ROW, seed)
    return [(name, CALIBRATION * DEMO_S / N_TRIALS) for name in order]


def session(config: ListenerConfig, how: How, seed: int) -> tuple[Right, Right]:
    """Test a decoder of all but two trials, and one of a minute of calibration, on one listener."""
    preset, prepared, fit = how
    rng = np.random.default_rng(seed)
    trials = [(name, TRIAL_S) for name in draw_order(VOICES, TRIALS, MOST_IN_A_ROW, seed)]
    runs = record(config, preset, seed, [*calibration(seed), *trials], rng.uniform(0, 200, len(VOICES)).tolist())
    minute, runs = runs[:N_TRIALS], runs[N_TRIALS:]
    parts = [(run, prepared(run)) for run in runs]
    folds: Right = {w: [] for w in WINDOWS}
    for first in range(0, TRIALS, LEFT_OUT):
        stop = first + LEFT_OUT
        decoder = fit(parts[:first] + parts[stop:])
        for w, some in correct_windows(decoder, runs[first:stop], WINDOWS).items():
            folds[w] += some
    return folds, correct_windows(fitted(how, minute), runs, WINDOWS)


def demonstration(config: ListenerConfig, how: How, seed: int) -> list[bool]:
    """Return which decision windows of a demonstration's loop are correct."""
    loop_s = (1 - CALIBRATION) * DEMO_S
    order = draw_order(VOICES, int(np.ceil(loop_s / SWITCH_S)), 1, seed)
    begun = np.random.default_rng(seed).uniform(0, 10)  # both voices start together
    trials = [*calibration(seed), *((name, SWITCH_S) for name in order)]
    runs = record(config, how[0], seed, trials, [begun] * len(VOICES))
    return correct_windows(fitted(how, runs[:N_TRIALS]), runs[N_TRIALS:], (LOOP_WINDOW,))[LOOP_WINDOW]


def power(found: Sequence[Sequence[bool]], n_sessions: int, seed: int = 0) -> list[float]:
    """Return the share of loops that reach the chance limit, by loop length in steps of :data:`SWITCH_S`.

    Each loop concatenates ``n_sessions`` random sessions and begins at a random window of the first one.
    """
    rng = np.random.default_rng(seed)
    loops = []
    for _ in range(N_LOOPS):
        first, *others = rng.integers(len(found), size=n_sessions)
        begun = np.roll(found[first], rng.integers(len(found[first])))
        loops.append(np.cumsum(np.concatenate([begun, *(found[k] for k in others)])))
    n = np.arange(PER_STEP, len(loops[0]) + 1, PER_STEP)
    enough = np.array([round(k * chance_limit(int(k))) for k in n])
    reached: list[float] = (np.array(loops)[:, n - 1] >= enough).mean(axis=0).tolist()
    return reached


def main(
    presets: Annotated[list[str] | None, typer.Argument(help="Listeners; default: all.")] = None,
    sessions: Annotated[int, typer.Option(help="Sessions of ten minutes for each listener.")] = 12,
    demos: Annotated[int, typer.Option(help="Demonstrations for each listener.")] = 0,
    before: Annotated[bool, typer.Option("--before", help="The linear decoder on signals without a tilt.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every decision to this file.")] = None,
) -> None:
    """Run the measurements, and print tables."""
    console = Console(width=150)
    kept: dict[str, Any] = {}
    for name in presets or PRESETS:
        config = PRESETS[name]
        how = INSIDE if config.ch_type == "seeg" else DECODERS["linear, before" if before else "filter bank"]
        pairs = [session(config, how, seed) for seed in range(sessions)]
        loops = [demonstration(config, how, 1000 + seed) for seed in range(demos)]
        kept[name] = {"all but two trials": [p[0] for p in pairs], "one minute": [p[1] for p in pairs], "loops": loops}
        table = Table("trained on", *(f"{w:g} s" for w in WINDOWS), "MESD", title=f"{name}: % correct ± standard error")
        reached = Table(
            "trained on", *(f"{m} min" for m in MINUTES), "95 %", title=f"{name}: % of loops above the chance limit"
        )
        for what, n_sessions in (("all but two trials", END_TO_END), ("one minute", 1)) if pairs else ():
            found: list[Right] = kept[name][what]
            means = [100 * np.array([np.mean(one[w]) for one in found]) for w in WINDOWS]
            switch = mesd(WINDOWS, [m.mean() / 100 for m in means])
            table.add_row(
                what,
                *(f"{m.mean():.1f} ± {m.std(ddof=1) / np.sqrt(len(m)):.1f}" for m in means),
                f"{switch.seconds:.1f} s",
            )
            share = power([one[LOOP_WINDOW] for one in found], n_sessions)
            steps = [round(60 * m / SWITCH_S) for m in MINUTES]
            long = next((k for k in range(len(share)) if min(share[k:]) >= POWER), None)
            after = "longer" if long is None else f"{(long + 1) * SWITCH_S / 60:.1f} min"
            reached.add_row(what, *(f"{100 * share[k - 1]:.1f}" if k <= len(share) else "" for k in steps), after)
        if pairs:
            table.add_row("windows", *(str(sum(len(one[0][w]) for one in pairs)) for w in WINDOWS))
            console.print(table, reached)
        if loops:
            right = 100 * np.array([np.mean(one) for one in loops])
            passed = sum(np.mean(one) >= chance_limit(len(one)) for one in loops)
            console.print(
                f"{name}: {passed} of {demos} demonstrations reach the chance limit of {len(loops[0])} windows; "
                f"correct: {right.mean():.1f} % of windows, {np.percentile(right, 5):.0f} to "
                f"{np.percentile(right, 95):.0f} % in 90 % of demonstrations"
            )
    if json_file is not None:
        json_file.write_text(json.dumps(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
