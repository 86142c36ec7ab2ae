"""What a recorded session amounts to, in numbers: decisions against cues, gains, latencies, signals, events."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.loop_records import parts, read_events
from app.verify import Replay
from devices.corpus import evaluate_corpus
from devices.decoder_folder import load_decoder
from devices.rate import BLIND, LOST, percent, rate_words
from devices.recorded_run import RunError
from devices.session_file import LONGEST_S, Consumed, Noted, SessionFile
from devices.session_run import CUES, REORIENT_S, read_cues, read_session_runs
from pipeline.evaluate import WINDOWS
from pipeline.gain_control import STALE_S, Situation
from pipeline.metrics import chance_limit, switch_latencies
from pipeline.splits import TRAINED_ELSEWHERE
from pipeline.stream import Block, ChannelQuality, ClockMap, Decision, Gap, Item

#: Seconds after a cue from which on decisions are expected to be right.
STEADY_S = 10.0
#: Clock maps, of which there is one a second, until a rate is known.
SETTLED = 10
#: Seconds between looks at what was decided.
GRID_S = 0.5


@dataclass(frozen=True)
class SessionFigures:
    """One recording.

    Attributes
    ----------
    talkers : tuple of str
        Names.
    begin : float
        LSL time of the first decision; all times below are seconds from there.
    times : array, shape (n,)
        Of every decision.
    probability, gains : array, shape (n, n_talkers)
        Posterior, and target gain in dB (minus infinity is silence).
    decided, cued : array of int, shape (n,)
        Who was decided for, and who was to be attended to; -1 for nobody.
    cues : tuple of (float, str)
        When who.
    n_windows, n_right : int
        Decision windows that do not overlap, begun at least two seconds after a cue, and those in which the talker
        cued had the highest score.
    chance_limit : float
        Share that guessing reaches one time in twenty; NaN if there are too few windows to tell.
    covered : float
        Share of the time under a cue in which a decision was there that was no older than a second.
    steady, tmr_db : float
        From ten seconds after each cue on: share of the time in which the talker cued was decided for, which it was not
        where no decision was there; and how much louder than the loudest other one it was made, on average, while
        gains followed decisions.
    latencies : array
        Seconds from each cue to the first right decision that lasts; NaN if there was none.
    accuracy : dict or str
        By decision window, as :meth:`pipeline.evaluation.Evaluation.to_json` gives it; or why it is not measured.
    stages : dict of str to array
        Seconds, per scored decision: ``newest sample to decision``, ``arrival to gains set`` and ``gains set to
        sound``.
    n_dropped : int
        Decisions that came too late.
    masked : dict of str to float
        Share of the time for which each electrode was not trusted.
    gaps : dict of str to (int, int)
        Gaps of each stream that has some, and samples missing in them.
    rates : dict of str to str
        Of each stream that needs it, what there is to say of its rate and of the share of its samples that is missing.
    sound : dict
        Counters of the audio process at the end.
    events : tuple of (float, str)
        What was said during the session.
    n_files, whole : int, bool
        Files of the recording: more than one, if engines had to be replaced. Whether the last one came to its end.
    damage : tuple of str
        What of the files is damaged, and was left out.
    about : dict
        Configuration, environment and whatever else the recording says of itself.
    """

    talkers: tuple[str, ...]
    begin: float
    times: NDArray[np.float64]
    probability: NDArray[np.float64]
    gains: NDArray[np.float64]
    decided: NDArray[np.int64]
    cued: NDArray[np.int64]
    cues: tuple[tuple[float, str], ...]
    n_windows: int
    n_right: int
    chance_limit: float
    covered: float
    steady: float
    tmr_db: float
    latencies: NDArray[np.float64]
    accuracy: dict[str, Any] | str
    stages: dict[str, NDArray[np.float64]]
    n_dropped: int
    masked: dict[str, float]
    gaps: dict[str, tuple[int, int]]
    rates: dict[str, str]
    sound: dict[str, Any]
    events: tuple[tuple[float, str], ...]
    n_files: int
    whole: bool
    damage: tuple[str, ...]
    about: dict[str, Any]


@dataclass
class _Seen:
    """What replaying all files brings up."""

    decisions: list[Decision] = field(default_factory=list)
    cues: list[tuple[float, str]] = field(default_factory=list)
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    gaps: dict[str, tuple[int, int]] = field(default_factory=dict)
    n_samples: dict[str, int] = field(default_factory=dict)
    nominal: dict[str, float] = field(default_factory=dict)
    periods: dict[str, list[float]] = field(default_factory=dict)
    last: float = -np.inf
    whole: bool = False
    damage: list[str] = field(default_factory=list)
    quality: dict[str, list[bool]] = field(default_factory=dict)

    def look(self, file: SessionFile) -> None:
        self.nominal |= {name: one.spec.sfreq for name, one in file.streams.items() if one.spec.sfreq}
        self.cues += read_cues(file, CUES) if CUES in file.streams else []
        for event in file:
            if isinstance(event, Consumed) and isinstance(event.item, Gap):
                n, missing = self.gaps.get(event.stream, (0, 0))
                self.gaps[event.stream] = n + 1, missing + event.item.stop - event.item.start
            elif isinstance(event, Consumed) and isinstance(event.item, Block):
                self.n_samples[event.stream] = self.n_samples.get(event.stream, 0) + len(event.item.data)
            elif isinstance(event, Consumed) and isinstance(event.item, ClockMap):
                self.periods.setdefault(event.stream, []).append(event.item.period)
            if isinstance(event, Noted):
                self.last = max(self.last, event.time)
        self.whole = file.whole
        self.damage += [f"{file.path.name}: {words}" for words in file.damage]
        replay = Replay(file)
        replay.run(self._take)
        self.events += replay.events

    def rates(self) -> dict[str, str]:
        """What there is to say of each stream's rate, by its clock maps, once these had ten seconds to settle."""
        found = {}
        for name, nominal in self.nominal.items():
            said, periods = [], self.periods.get(name, [])[SETTLED:]
            lost, n = self.gaps.get(name, (0, 0))[1], self.n_samples.get(name, 0)
            blind = any(f"{name}: " in words and BLIND in words for words in self._events())
            if periods and (words := rate_words(1 / float(np.median(periods)), nominal, blind)):
                said.append(words)
            if lost > LOST * (n + lost):
                said.append(f"{percent(lost / (n + lost))} of the samples are missing")
            if said:
                found[name] = "; ".join(said)
        return found

    def _events(self) -> list[str]:
        return [str(entry["event"]) for _, entry in self.events if "event" in entry]

    def _take(self, output: str, item: Item) -> None:
        if isinstance(item, Decision):
            self.decisions.append(item)
        elif isinstance(item, ChannelQuality):
            for name, bad in zip(item.ch_names, item.bad, strict=True):
                self.quality.setdefault(name, []).append(bool(bad))


def session_figures(path: Path) -> SessionFigures:
    """Replay a recording of a closed loop and judge it against its cues.

    Parameters
    ----------
    path : Path
        The recording, or the first file of it, with its decoder beside it.

    Raises
    ------
    ConfigError, devices.xdf.XdfError, pipeline.decoders.decoder.DecoderError, ValueError
        If it cannot be replayed, or holds no decision.
    """
    files, seen = parts(path), _Seen()
    for file in files:
        seen.look(SessionFile(file))
    about = SessionFile(path).about
    decoder, _ = load_decoder(path.with_suffix(".decoder"))
    window_s, hop_s = decoder.spec.window, decoder.preset.hop
    decisions, talkers = seen.decisions, tuple(about["talkers"])
    if not decisions:
        raise ValueError(f"{path} holds no decision")
    if len(talkers) != len(decisions[0].scores):
        raise ValueError(f"{path} names {len(talkers)} talkers, but decides between {len(decisions[0].scores)}")
    if unknown := sorted({name for _, name in seen.cues} - {*talkers, ""}):
        raise ValueError(f"{path}: a cue names {unknown[0]!r}, but the talkers are {', '.join(talkers)}")
    begin = decisions[0].time
    cues = tuple((time - begin, name) for time, name in seen.cues)
    times = np.array([one.time for one in decisions]) - begin
    starts = np.array([time for time, _ in cues])
    whom = np.array([talkers.index(name) if name else -1 for _, name in cues], np.int64)
    at = np.searchsorted(starts, times, side="right") - 1
    cued = np.where(at >= 0, whom[at.clip(0)], -1) if cues else np.full(len(times), -1)
    since = np.where(at >= 0, times - starts[at.clip(0)], -np.inf) if cues else np.full(len(times), -np.inf)
    scores = np.stack([one.scores for one in decisions])
    gains = np.stack([one.gains for one in decisions])
    scored = np.isfinite(scores).all(axis=1)
    right = last = 0
    n_windows, free = 0, -np.inf
    for i in np.flatnonzero(scored & (cued >= 0) & (since >= REORIENT_S + window_s)):
        if times[i] - free >= window_s - hop_s / 2 and (n_windows == 0 or times[i] > last):
            n_windows, free, last = n_windows + 1, times[i], times[i]
            right += int(scores[i].argmax() == cued[i])
    decided = np.array([one.talker for one in decisions], np.int64)
    steered = np.array([one.situation == Situation.STEERED for one in decisions])
    known = cued >= 0
    # Looked at every half second, so that time without decisions counts as what it is.
    end = max(seen.last, decisions[-1].time) - begin
    if not max([end, *times, *starts]) - min([0.0, *starts]) <= LONGEST_S:
        raise ValueError(f"{path}: its times lie more than {LONGEST_S / 86400:g} days apart")
    grid = np.arange(starts[0] if cues else 0.0, end, GRID_S)
    newest = np.searchsorted(times[scored], grid, side="right") - 1
    fresh = (newest >= 0) & (grid - times[scored][newest.clip(0)] <= STALE_S) if scored.any() else grid < 0
    chosen = np.flatnonzero(scored)[newest.clip(0)] if scored.any() else np.zeros(len(grid), np.int64)
    cue = (np.searchsorted(starts, grid, side="right") - 1).clip(0)
    whose = whom[cue] if cues else np.full(len(grid), -1)
    steady = (whose >= 0) & (grid - (starts[cue] if cues else 0.0) >= STEADY_S)
    right_then = fresh & (decided[chosen] == whose)
    followed = steady & fresh & steered[chosen]
    return SessionFigures(
        talkers,
        begin,
        times,
        np.stack([one.probability for one in decisions]),
        gains,
        decided,
        cued,
        cues,
        n_windows,
        right,
        chance_limit(n_windows, len(talkers)) if n_windows else float("nan"),
        float(np.mean(fresh[whose >= 0])) if (whose >= 0).any() else float("nan"),
        float(np.mean(right_then[steady])) if steady.any() else float("nan"),
        float(np.mean(tmr(gains[chosen[followed]], whose[followed]))) if followed.any() else float("nan"),
        switch_latencies(times[known & scored], (decided == cued)[known & scored], list(starts[whom >= 0]), hop_s),
        _accuracy(files, decoder, about),
        *_ledger(seen.events),
        {name: float(np.mean(bad)) for name, bad in seen.quality.items()},
        seen.gaps,
        seen.rates(),
        {key: value for _, entry in seen.events if "sound" in entry for key, value in entry["sound"].items()},
        tuple((time - begin, words) for time, words in _said(path, seen.events)),
        len(files),
        seen.whole,
        tuple(seen.damage),
        about,
    )


def tmr(gains: NDArray[np.float64], talker: NDArray[np.int64]) -> NDArray[np.float64]:
    """Target-to-masker ratio that gains make of talkers equally loud, dB.

    Parameters
    ----------
    gains : array, shape (n, n_talkers)
        dB; silence counts as -60.
    talker : array of int, shape (n,)
        The target.
    """
    loud = np.maximum(gains, -60.0)
    rows = np.arange(len(loud))
    others = loud.copy()
    others[rows, talker] = -np.inf
    return np.asarray(loud[rows, talker] - others.max(axis=1))


def _accuracy(files: list[Path], decoder: Any, about: dict[str, Any]) -> dict[str, Any] | str:
    """Accuracy by decision window of the decoder as it was, on signals it had not seen; a null beside it."""
    from app.config import parse_config
    from app.evaluate import Trained

    attention = parse_config(about["config"], "the recording").attention
    assert attention is not None
    try:
        runs = [
            run
            for file in files
            for run in read_session_runs(file, decoder.preset, attention.neural, attention.talkers, CUES)
        ]
        longest = max(run.duration for run in runs)
        windows = tuple(window for window in WINDOWS if window <= longest / 2)
        return evaluate_corpus(runs, partial(Trained, decoder), TRAINED_ELSEWHERE, windows).to_json()
    except (RunError, ValueError) as error:
        return str(error)


def _ledger(events: list[tuple[float, dict[str, Any]]]) -> tuple[dict[str, NDArray[np.float64]], int]:
    """Times between the stages of every decision, and how many were dropped."""
    stages: dict[str, list[float]] = {
        "newest sample to decision": [], "arrival to gains set": [], "gains set to sound": []
    }  # fmt: skip
    n_dropped, asked = 0, dict[int, float]()
    for _, entry in events:
        if "newest" in entry:
            n_dropped += entry["set"] is None
            if entry["scored"] and entry["set"] is not None:
                stages["newest sample to decision"].append(entry["decided"] - entry["newest"])
                stages["arrival to gains set"].append(entry["set"] - entry["arrival"])
                asked[entry["decision"]] = entry["set"]
        elif entry.get("heard") == "control" and entry["dac"] is not None:
            if (at := asked.pop(entry["decision"], None)) is not None:
                stages["gains set to sound"].append(entry["dac"] - at)
        elif entry.get("heard") == "start":
            asked.clear()  # another engine counts its decisions from one
    return {name: np.array(values) for name, values in stages.items()}, n_dropped


def _said(path: Path, journal: list[tuple[float, dict[str, Any]]]) -> list[tuple[float, str]]:
    """Everything that was said, from the list beside the recording, else from what the recording itself holds."""
    kept = read_events(path)
    return kept or [(time, str(entry["event"])) for time, entry in journal if "event" in entry]


def shaky(masked: dict[str, float]) -> list[tuple[str, float]]:
    """Electrodes that were not always trusted, the worst first."""
    return sorted(((name, share) for name, share in masked.items() if share), key=lambda one: -one[1])
