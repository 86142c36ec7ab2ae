"""Count the figures of a recorded run from its XDF file, without any code of Earmark: a reference for the study.

Decisions are samples of the stream ``earmark-attend``: scores, probabilities, gains of the talkers.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyxdf

#: Seconds after a cue that are not scored, and seconds after a cue from which gains count.
REORIENT_S, STEADY_S = 2.0, 10.0
#: Interval of instants at which gains are looked up, and maximum age of a decision, s.
GRID_S, STALE_S = 0.5, 1.0


def recount(path: Path, window_s: float, hop_s: float) -> dict[str, Any]:
    """Return the figures of a run.

    Parameters
    ----------
    path : Path
        The recording.
    window_s, hop_s : float
        Length of a decision window, and interval between decisions, s.

    Returns
    -------
    dict
        ``windows``, ``right``, ``accuracy``, ``chance_limit``, ``tmr_db``, ``switches``, and ``d_prime``: mean over
        standard deviation of the difference of scores, cued talker minus the other, over the same windows.
    """
    streams, _ = pyxdf.load_xdf(str(path), synchronize_clocks=False, dejitter_timestamps=False)
    by_name = {stream["info"]["name"][0]: stream for stream in streams}
    journal, attend = by_name["earmark-journal"], by_name["earmark-attend"]
    about = json.loads(journal["info"]["desc"][0]["earmark"][0])
    talkers = about["talkers"]
    times, rows = attend["time_stamps"], np.asarray(attend["time_series"])
    end = max(float(journal["time_stamps"][-1]), float(times[-1]))
    scores, gains = rows[:, : len(talkers)], rows[:, 2 * len(talkers) :]
    cues = [
        (float(at), talkers.index(text[0].removeprefix("attend:")) if text[0] != "attend:" else -1)
        for at, text in zip(by_name["cues"]["time_stamps"], by_name["cues"]["time_series"], strict=True)
        if at <= end
    ]
    right = []
    apart: list[float] = []
    last = -math.inf
    for time, score in zip(times, scores, strict=True):
        at, who = cued(cues, time)
        if who < 0 or not np.isfinite(score).all() or time < at + REORIENT_S + window_s:
            continue
        if time < last + window_s - hop_s / 2:
            continue
        last = time
        others = np.delete(score, who).max()
        right.append(bool(score[who] > others))
        apart.append(float(score[who] - others))
    ratios = []
    scored = [k for k in range(len(times)) if np.isfinite(scores[k]).all()]
    for step in range(math.ceil((end - cues[0][0]) / GRID_S)):
        time = cues[0][0] + step * GRID_S
        at, who = cued(cues, time)
        before = [k for k in scored if times[k] <= time]
        if who < 0 or time < at + STEADY_S or not before or time - times[before[-1]] > STALE_S:
            continue
        gain = np.maximum(gains[before[-1]], -60.0)
        ratios.append(gain[who] - np.delete(gain, who).max())
    named = [who for _, who in cues if who >= 0]
    return {
        "windows": len(right),
        "right": sum(right),
        "accuracy": sum(right) / len(right) if right else None,
        "chance_limit": limit(len(right), len(talkers)),
        "tmr_db": float(np.mean(ratios)) if ratios else None,
        "switches": sum(a != b for a, b in pairwise(named)),
        "d_prime": float(np.mean(apart) / np.std(apart, ddof=1)) if len(apart) > 1 else None,
    }


def cued(cues: list[tuple[float, int]], time: float) -> tuple[float, int]:
    """Return time and talker of the last cue at a time; talker -1 before the first."""
    return next(((at, who) for at, who in reversed(cues) if at <= time), (-math.inf, -1))


def limit(n: int, n_talkers: int) -> float | None:
    """Return the smallest share that guessing reaches with p = 0.05 or less, by exact binomial sums."""
    tail = 0.0
    reached = None
    for k in range(n, -1, -1):
        tail += math.comb(n, k) * (n_talkers - 1) ** (n - k) / n_talkers**n
        if tail > 0.05:
            break
        reached = k
    return None if reached is None else reached / n
