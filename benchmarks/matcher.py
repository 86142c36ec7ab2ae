"""Compare networks with linear decoders on the same splits: real listeners to one talker, and simulated sessions.

Real: the recordings of ``match_mismatch``, split into halves of 25 s. In each of five folds, two listeners, two
repetitions and one half are held out. Decoders are trained on the other listeners, repetitions and half, and tested on
the held-out half: on held-out repetitions of known listeners, and on held-out listeners. Training on 200 s of a
held-out listener, with and without the decoder of the others as a base, is tested in the same way. Each window is
compared with all windows of its half that do not overlap it; the chance level is 50 %. The null uses the same signals
with random phases.

Simulated: sessions of six minutes in which a listener hears read speech and switches attention every minute; the speech
of test sessions is not used for training. Windows do not overlap.

::

    python -m benchmarks.matcher --data ../shared/data [real] [simulated] [--kinds matcher,eegnet] [--mixed]
"""

from __future__ import annotations

# Limits NumPy to one thread, therefore imported before NumPy.
import earmark.app  # noqa: F401

# isort: split
import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from benchmarks.real_recordings import listener, score_matrix
from earmark.app.engine.environment import environment
from earmark.app.training.runs import maker
from earmark.devices.files.recorded_run import RecordedRun, Signal, Trial, prepare
from earmark.devices.simulate.listener import Listener, ListenerConfig
from earmark.pipeline.decoders.decoder import correlate
from earmark.pipeline.decoders.filterbank import FilterBankDecoder
from earmark.pipeline.decoders.linear import LinearDecoder, make_spec
from earmark.pipeline.decoders.matcher import MatcherDecoder
from earmark.pipeline.decoders.moments import Moments, moments, total
from earmark.pipeline.decoders.network_decoder import NetworkDecoder, network_preset
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.decoders.training import TrainingConfig
from earmark.pipeline.nodes.envelope import EnvelopeConfig, speech_envelope
from earmark.pipeline.run import Run
from earmark.pipeline.stream import StreamSpec

#: Listener of simulated sessions, with a slightly weaker response than the typical one.
LISTENER = ListenerConfig(response_uv=0.86)
WINDOWS = (1.0, 2.0, 3.0, 5.0)
#: Seconds at the start of each real recording that are left out, since not all networks score them.
SKIP_S = 4.0
N_LISTENERS, N_REPETITIONS, N_FOLDS = 10, 10, 5
MEN, WOMEN = ("1688", "2033", "2414"), ("1998", "3080", "3331")
N_TRAIN, N_TEST, SESSION_S, TURN_S = 20, 10, 360, 60
#: Utterances of each speaker for training sessions, and for test sessions.
TRAIN_SPEECH, TEST_SPEECH = range(7), range(7, 10)

console = Console(width=120)
#: Accuracy for each window, by decoder, then by listener or session.
Found = dict[str, dict[str, list[float]]]


class Part(StrEnum):
    """Part of the benchmark."""

    REAL = "real"
    SIMULATED = "simulated"


def recordings(folder: Path) -> list[list[tuple[Run, Run]]]:
    """Return every listener's repetitions, causally filtered and tilted, each as two halves half a second apart."""
    return [listener(folder, number) for number in range(1, N_LISTENERS + 1)]


def pooled(parts: Sequence[Moments], run: Run) -> LinearDecoder:
    """Fit the linear decoder; its settings are chosen by cross-validation over up to five groups of parts."""
    preset = network_preset(EEG)
    groups = [total(parts[i::5]) for i in range(min(5, len(parts)))]
    return LinearDecoder(preset).fit_moments(make_spec("linear", run, preset), groups)


def alone(decoder: MatcherDecoder) -> MatcherDecoder:
    """Return a copy without the linear components, that is, the contrastive network alone."""
    net = copy.deepcopy(decoder.net)
    net.weigh(1.0)
    other = copy.copy(decoder)
    other.settle(decoder.spec, net, decoder.listeners)
    return other


def unrelated(run: Run) -> Run:
    """Return the run with random phases, the same in all channels: this keeps spectra and topographies only."""
    spectrum = np.fft.rfft(run.neural, axis=0)
    rng = np.random.default_rng([*run.name.encode(), *run.subject.encode()])
    turned = spectrum * np.exp(2j * np.pi * rng.random((len(spectrum), 1)))
    return replace(run, neural=np.fft.irfft(turned, n=len(run.neural), axis=0))


def pair_accuracy(decoder: Any, run: Run) -> list[float]:
    """Return the share of pairs in which the matching speech scores above speech of another time, for each window."""
    found = []
    for seconds in WINDOWS:
        scores, apart = score_matrix(decoder, run, seconds, SKIP_S)
        found.append(float((np.diag(scores)[:, None] > scores)[apart].mean()))
    return found


def real(data: Path, kinds: Sequence[str], config: TrainingConfig) -> dict[str, Found]:
    """Test all decoders on held-out time and repetitions, and on held-out listeners."""
    listeners = recordings(data)
    known, unknown = "known listeners, held-out repetition and time", "held-out listeners and time"
    tuned = "listeners learned from for 200 s alone, held-out repetition and time"
    rows: dict[str, dict[str, dict[str, list[list[float]]]]] = {known: {}, unknown: {}, tuned: {}}

    def add_accuracy(where: str, name: str, decoder: Any, run: Run) -> None:
        rows[where].setdefault(name, {}).setdefault(run.subject, []).append(pair_accuracy(decoder, run))
        null = rows[where].setdefault(f"{name}, null", {})
        null.setdefault(run.subject, []).append(pair_accuracy(decoder, unrelated(run)))

    for fold in range(N_FOLDS):
        half, out = fold % 2, {2 * fold, 2 * fold + 1}
        inside = [i for i in range(N_LISTENERS) if i not in out]
        train = {i: [listeners[i][j][half] for j in range(N_REPETITIONS) if j not in out] for i in inside}
        everyone = [run for i in inside for run in train[i]]
        parts = {i: [moments(run, make_spec("linear", run, EEG)) for run in train[i]] for i in inside}
        by_listener = {f"{i + 1}": pooled(parts[i], everyone[0]) for i in inside}
        generic = {
            "filter bank, of all": FilterBankDecoder(EEG).fit(everyone),
            "linear, of all": pooled([total(parts[i]) for i in inside], everyone[0]),
        }
        banks = {f"{i + 1}": FilterBankDecoder(EEG).fit(train[i]) for i in inside}
        networks: dict[str, NetworkDecoder] = {}
        for kind in kinds:
            decoder = maker(kind, EEG, config=config)().fit(everyone)
            assert isinstance(decoder, NetworkDecoder)
            networks[kind] = decoder
            console.print(f"fold {fold + 1} of {N_FOLDS}: {kind} {decoder.chosen}")
            if isinstance(decoder, MatcherDecoder):
                networks[f"{kind}, its network alone"] = alone(decoder)
            for i in sorted(out):
                own = [listeners[i][j][half] for j in range(N_REPETITIONS) if j not in out]
                learners = {
                    "filter bank": FilterBankDecoder(EEG).fit(own),
                    "linear": pooled([moments(run, make_spec("linear", run, EEG)) for run in own], own[0]),
                    f"{kind}, of others": decoder,
                    f"{kind}, from nothing": maker(kind, EEG, config=config)().fit(own),
                    f"{kind}, from that of others": maker(kind, EEG, config=config, base=decoder)().fit(own),
                }
                for j in sorted(out):
                    for name, learner in learners.items():
                        add_accuracy(tuned, name, learner, listeners[i][j][1 - half])
        for i in range(N_LISTENERS):
            where = unknown if i in out else known
            for j in range(N_REPETITIONS) if i in out else sorted(out):
                run = listeners[i][j][1 - half]
                for name, one in generic.items():
                    add_accuracy(where, name, one, run)
                if where == known:
                    add_accuracy(where, "filter bank, of the listener", banks[run.subject], run)
                    add_accuracy(where, "linear, of the listener", by_listener[run.subject], run)
                for name, network in networks.items():
                    add_accuracy(where, name, network.for_listener(run.subject), run)
    return {
        where: {
            name: {subject: np.mean(runs, axis=0).tolist() for subject, runs in by_subject.items()}
            for name, by_subject in names.items()
        }
        for where, names in rows.items()
    }


def session(data: Path, seed: int, speech: range) -> Run:
    """Simulate six minutes of a listener, through the nodes of a live session."""
    rng, n = np.random.default_rng(seed), round(SESSION_S * EEG.sfreq)
    envelopes = np.stack([_talk(data, rng, speakers, speech, n) for speakers in (MEN, WOMEN)])
    listener, who = Listener(LISTENER, seed=seed), ("him", "her")
    cues: list[tuple[float, str]] = []
    for turn in range(SESSION_S // TURN_S):
        talker = (seed + turn) % 2
        listener.attend(talker, turn * TURN_S - (0.0 if turn else 10.0))
        if turn:
            cues.append((float(turn * TURN_S), ""))  # attention is unknown while it switches
        cues.append((turn * TURN_S + (1.5 if turn else 0.0), who[talker]))
    listener.hear(np.arange(n) / EEG.sfreq, envelopes)
    eeg = listener.listen(round(SESSION_S * LISTENER.sfreq))
    spec = StreamSpec("speech", EEG.sfreq, ("speech",), ("misc",), ("",))
    signals = tuple(Signal(spec, np.arange(n) / EEG.sfreq, _rows(one[:, None])) for one in envelopes)
    neural = Signal(listener.spec, np.array([listener.time(i) for i in range(len(eeg))]), _rows(eeg))
    trial = Trial(f"{seed}", -np.inf, np.inf, who, (f"{seed}, him", f"{seed}, her"), tuple(cues))
    return prepare(RecordedRun("simulated", f"{seed}", neural, signals, (trial,)), EEG)[0]


def _rows(data: NDArray[Any]) -> Callable[[int, int], NDArray[Any]]:
    return lambda start, stop: data[start:stop]


def _talk(data: Path, rng: np.random.Generator, speakers: Sequence[str], speech: range, n: int) -> NDArray[np.float64]:
    """Return utterances in random order, repeated only after all were used."""
    found: list[NDArray[np.float64]] = []
    pool: list[Path] = []
    while sum(map(len, found)) < n:
        if not pool:
            files = [sorted((data / "speech" / speaker).glob("*.flac")) for speaker in speakers]
            pool = [of[i] for of in files for i in speech]
            rng.shuffle(pool)  # type: ignore[arg-type]
        sound, rate = soundfile.read(pool.pop())
        found.append(speech_envelope(sound, rate, EnvelopeConfig()).ravel())
    return np.concatenate(found)[:n]


def simulated(
    data: Path, kinds: Sequence[str], config: TrainingConfig, cache: Path | None
) -> tuple[Found, dict[str, NDArray[np.bool_]]]:
    """Test all decoders on held-out sessions; also return each decision on windows of three seconds."""
    runs = []
    for seed in range(N_TRAIN + N_TEST):
        file = None if cache is None else cache / f"session-{seed}.npz"
        if file is not None and file.exists():
            names, stimuli = Listener(LISTENER).spec.ch_names, (f"{seed}, him", f"{seed}, her")
            with np.load(file) as kept:
                x, y, who = kept["neural"], kept["talkers"], kept["attended"]
            runs.append(Run(f"{seed}", f"{seed}", EEG.sfreq, names, x, ("him", "her"), y, who, stimuli))
            continue
        run = session(data, seed, TRAIN_SPEECH if seed < N_TRAIN else TEST_SPEECH)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, neural=run.neural, talkers=run.talkers, attended=run.attended)
        runs.append(run)
    train, tests = runs[:N_TRAIN], runs[N_TRAIN:]
    linear = pooled([moments(run, make_spec("linear", run, EEG)) for run in train], train[0])
    decoders: dict[str, Any] = {"filter bank": FilterBankDecoder(EEG).fit(train), "linear": linear}
    for kind in kinds:
        fitted = maker(kind, EEG, config=config)().fit(train)
        assert isinstance(fitted, NetworkDecoder)
        decoders[kind] = fitted
        if isinstance(fitted, MatcherDecoder):
            decoders[f"{kind}, its network alone"] = alone(fitted)
        console.print(f"simulated: {kind} {fitted.chosen}")
    # Windows begin where all decoders have scores, so that all decide on the same windows.
    first = max(decoder.spec.ahead for decoder in decoders.values())
    found: Found = {}
    decisions: dict[str, NDArray[np.bool_]] = {}
    for name, decoder in decoders.items():
        right = [[_decisions(decoder, run, first, seconds) for seconds in WINDOWS] for run in tests]
        found[name] = {run.subject: [float(r.mean()) for r in row] for run, row in zip(tests, right, strict=True)}
        decisions[name] = np.concatenate([row[WINDOWS.index(3.0)] for row in right])
        null = [[_decisions(decoder, unrelated(run), first, seconds) for seconds in WINDOWS] for run in tests]
        found[f"{name}, null"] = {
            run.subject: [float(r.mean()) for r in row] for run, row in zip(tests, null, strict=True)
        }
    return found, decisions


def _decisions(decoder: Any, run: Run, first: int, seconds: float) -> NDArray[np.bool_]:
    """Return whether the attended talker has the highest score in each window."""
    x, y = decoder.project_neural(run.neural), decoder.project_talkers(run.talkers)
    n, at, right = round(seconds * run.sfreq), first - decoder.spec.ahead, []
    for start in range(at, len(x) - n + 1, n):
        who = run.attended[decoder.spec.ahead :][start : start + n]
        if who[0] >= 0 and (who == who[0]).all():
            scores = decoder.combine(correlate(x[start : start + n], y[:, start : start + n], decoder.spec.centred))
            right.append(scores.argmax() == who[0])
    return np.array(right)


def show(title: str, found: Found) -> None:
    """Print means and standard deviations over listeners or sessions."""
    table = Table("decoder", *(f"{w:g} s" for w in WINDOWS), "n", title=title)
    for name, rows in found.items():
        values = 100 * np.array(list(rows.values()))
        table.add_row(
            name, *(f"{m:.1f} ± {s:.1f}" for m, s in zip(values.mean(0), values.std(0, ddof=1), strict=True)),
            str(len(values))
        )  # fmt: skip
    console.print(table)
    reference = next(iter(found))
    for name in [name for name in found if name != reference and not name.endswith("null")]:
        gain = np.array([found[name][k][2] - found[reference][k][2] for k in found[reference] if k in found[name]])
        console.print(
            f"{name} against {reference}, at 3 s: {100 * gain.mean():+.1f} ± {100 * gain.std(ddof=1):.1f} points, "
            f"better for {int((gain > 0).sum())} of {len(gain)}"
        )


def main(
    parts: Annotated[list[Part] | None, typer.Argument(help="Default: all.")] = None,
    data: Annotated[Path, typer.Option(help="Folder with match_mismatch and speech.")] = Path("../shared/data"),
    kinds: Annotated[str, typer.Option(help="Networks, separated by commas.")] = "matcher,eegnet",
    seed: int = 0,
    epochs: int = 12,
    patience: int = 2,
    mixed: Annotated[
        bool, typer.Option(help="Train in bfloat16, twice as fast on processors that support it.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Keep simulated sessions in this folder.")] = None,
) -> None:
    """Run the measurements, and print tables."""
    networks = [kind for kind in kinds.split(",")]
    config = TrainingConfig(epochs=epochs, patience=patience, seed=seed, mixed=mixed)
    figures: dict[str, Any] = {"environment": environment(), "seed": seed, "windows_s": WINDOWS}
    for part in parts or list(Part):
        if part is Part.REAL:
            for title, found in real(data, networks, config).items():
                show(title, found)
                figures[title] = found
        else:
            found, decisions = simulated(data, networks, config, cache)
            show("simulated sessions, held out", found)
            default = decisions["filter bank"]
            for name in [name for name in decisions if name != "filter bank"]:
                gained = int((decisions[name] & ~default).sum())
                lost = int((~decisions[name] & default).sum())
                p = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
                console.print(
                    f"{name}: of {len(decisions[name])} decisions of 3 s, {gained} gained and {lost} lost against "
                    f"the filter bank (p = {p:.3g})"
                )
            figures["simulated"] = found
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
