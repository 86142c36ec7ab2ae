"""How true the posterior of a recorded run was, live, and smoothed by the scores that followed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from earmark.app.report.figures import Cues
from earmark.devices.files.session_run import REORIENT_S
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.evidence import EvidenceConfig
from earmark.pipeline.attention.smoothing import smoothed
from earmark.pipeline.evaluation.metrics import Reliability, reliability
from earmark.pipeline.stream import Decision

#: Seconds without a score after which smoothing begins anew.
PAUSE_S = 60.0


def live_and_smoothed(
    decided: Sequence[Sequence[Decision]],
    cues: Cues,
    begin: float,
    sfreq: float,
    config: EvidenceConfig,
    emissions: Emissions,
) -> tuple[Reliability, Reliability]:
    """Compare posteriors with the cued talker, from two seconds after each cue (``REORIENT_S``).

    Parameters
    ----------
    decided : sequence of sequences of Decision
        Decisions of each engine, in order.
    cues : Cues
        Times in seconds from ``begin``.
    begin : float
        LSL time, s.
    sfreq : float
        Rate of the signals of the decoder, Hz.
    config : EvidenceConfig
        Evidence of the run.
    emissions : Emissions
        Emission model of its decoder.

    Returns
    -------
    live, smoothed : Reliability
        Of all hops with a score and a cue.
    """
    live, later, times = [], [], []
    for decisions in decided:
        scored = [one for one in decisions if np.isfinite(one.scores).all() and np.isfinite(one.newest_time)]
        hops = np.round(np.array([one.newest for one in scored]) / (config.hop_s * sfreq)).astype(int)
        for piece in np.split(np.arange(len(scored)), np.flatnonzero(np.diff(hops) * config.hop_s > PAUSE_S) + 1):
            if not len(piece):
                continue
            at = hops[piece] - hops[piece[0]]
            scores = np.full((at[-1] + 1, config.n_talkers), np.nan)  # a hop without a decision has no score
            scores[at] = [scored[k].scores for k in piece]
            live += [scored[k].probability for k in piece]
            later += list(smoothed(config, emissions, scores)[at])
            times += [scored[k].newest_time - begin for k in piece]
    cued, since = cues.at(np.array(times))
    known = (cued >= 0) & (since >= REORIENT_S)
    shape = (len(times), config.n_talkers)
    return (
        reliability(np.reshape(live, shape)[known], cued[known]),
        reliability(np.reshape(later, shape)[known], cued[known]),
    )
