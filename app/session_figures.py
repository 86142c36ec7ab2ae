"""What a recorded session amounts to, in numbers: decisions against cues, gains, latencies, events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.verify import Replay
from devices.session_file import SessionFile
from devices.session_run import REORIENT_S, read_cues
from pipeline.metrics import binomial_threshold, switch_latencies
from pipeline.stream import Decision


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
    threshold : float
        Share that guessing reaches one time in twenty.
    steady : float
        Share of the time, from ten seconds after each cue on, in which the talker cued was decided for.
    latencies : array
        Seconds from each cue to the first right decision that lasts; NaN if there was none.
    stages : dict of str to array
        Seconds, per scored decision: ``newest sample to decision``, ``arrival to gains set`` and ``gains set to
        sound``.
    n_dropped : int
        Decisions that came too late.
    sound : dict
        Counters of the audio process at the end.
    events : tuple of (float, str)
        What was said during the session.
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
    threshold: float
    steady: float
    latencies: NDArray[np.float64]
    stages: dict[str, NDArray[np.float64]]
    n_dropped: int
    sound: dict[str, Any]
    events: tuple[tuple[float, str], ...]
    about: dict[str, Any]


def session_figures(path: Path, window_s: float, hop_s: float) -> SessionFigures:
    """Replay a recording of a closed loop and judge it against its cues.

    Parameters
    ----------
    path : Path
        The recording, with its decoder beside it.
    window_s, hop_s : float
        Decision window, and seconds between decisions.

    Raises
    ------
    ConfigError, devices.xdf.XdfError, ValueError
        If it cannot be replayed, or holds no decision.
    """
    file = SessionFile(path)
    replay, kept = Replay(file), dict[str, list[Any]]()
    replay.run(kept, only="attend")
    decisions = [item for item in kept.get("attend", []) if isinstance(item, Decision)]
    if not decisions:
        raise ValueError(f"{path} holds no decision")
    talkers = tuple(file.about["talkers"])
    begin = decisions[0].time
    cues = tuple((time - begin, name) for time, name in read_cues(file, "cues"))
    times = np.array([one.time for one in decisions]) - begin
    starts = np.array([time for time, _ in cues])
    whom = np.array([talkers.index(name) if name else -1 for _, name in cues], np.int64)
    at = np.searchsorted(starts, times, side="right") - 1
    cued = np.where(at >= 0, whom[at.clip(0)], -1) if cues else np.full(len(times), -1)
    since = np.where(at >= 0, times - starts[at.clip(0)], -np.inf) if cues else np.full(len(times), -np.inf)
    scores = np.stack([one.scores for one in decisions])
    scored = np.isfinite(scores).all(axis=1)
    right = last = 0
    n_windows, free = 0, -np.inf
    for i in np.flatnonzero(scored & (cued >= 0) & (since >= REORIENT_S + window_s)):
        if times[i] - free >= window_s - hop_s / 2 and (n_windows == 0 or times[i] > last):
            n_windows, free, last = n_windows + 1, times[i], times[i]
            right += int(scores[i].argmax() == cued[i])
    decided = np.array([one.talker for one in decisions], np.int64)
    known = cued >= 0
    steady = known & (since >= 10.0)
    return SessionFigures(
        talkers,
        begin,
        times,
        np.stack([one.probability for one in decisions]),
        np.stack([one.gains for one in decisions]),
        decided,
        cued,
        cues,
        n_windows,
        right,
        binomial_threshold(n_windows, len(talkers)) if n_windows else float("nan"),
        float(np.mean(decided[steady] == cued[steady])) if steady.any() else float("nan"),
        switch_latencies(times[known & scored], (decided == cued)[known & scored], list(starts[whom >= 0]), hop_s),
        *_ledger(replay.events),
        {key: value for _, entry in replay.events if "sound" in entry for key, value in entry["sound"].items()},
        tuple((time - begin, entry["event"]) for time, entry in replay.events if "event" in entry),
        file.about,
    )


def _ledger(events: list[tuple[float, dict[str, Any]]]) -> tuple[dict[str, NDArray[np.float64]], int]:
    """Times between the stages of every decision, and how many were dropped."""
    made = [entry for _, entry in events if "newest" in entry]
    heard: dict[int, float] = {}
    for _, entry in events:
        if entry.get("heard") == "control" and entry["dac"] is not None:
            heard.setdefault(entry["decision"], entry["dac"])
    scored = [one for one in made if one["scored"] and one["set"] is not None]
    stages = {
        "newest sample to decision": [one["decided"] - one["newest"] for one in scored],
        "arrival to gains set": [one["set"] - one["arrival"] for one in scored],
        "gains set to sound": [heard[one["decision"]] - one["set"] for one in scored if one["decision"] in heard],
    }
    return {name: np.array(values) for name, values in stages.items()}, sum(one["set"] is None for one in made)
