"""How true the posterior of a run was, live and smoothed."""

import numpy as np
import pytest

from earmark.app.report.figures import Cues
from earmark.app.report.posterior import live_and_smoothed
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.attention.evidence import EvidenceConfig, make_evidence
from earmark.pipeline.attention.smoothing import smoothed
from earmark.pipeline.evaluation.metrics import reliability
from earmark.pipeline.stream import Decision

MODEL = Emissions(0.15, 0.03, 0.2, 0.0, 100.0)
CONFIG = EvidenceConfig(2, 0.5, 1.0)
CUES = Cues(np.array([0.0, 60.0, 100.0]), np.array([0, 1, -1]))
BEGIN = 1000.0


def decided(times, scores, missing=()):
    """Decisions of an engine, every 0.5 s, without those that are missing."""
    evidence, found = make_evidence(CONFIG, MODEL), []
    for k, (time, row) in enumerate(zip(times, scores, strict=True)):
        if k in missing:
            evidence.gap(CONFIG.hop_s)
            continue
        probability = evidence.update(row).probability
        found.append(
            Decision(round(64 * (time - BEGIN)), time + 0.01, row, probability, -1, np.zeros(2), None, "steered", time)
        )
    return found


def made_up(n):
    times = BEGIN + 0.5 * np.arange(n) + 0.5
    cued, _ = CUES.at(times - BEGIN)
    rng = np.random.default_rng(0)
    z = rng.normal(MODEL.ignored_mean, MODEL.sd, (n, 2))
    z[np.arange(n), cued] += np.where(cued < 0, 0, MODEL.attended_mean - MODEL.ignored_mean)
    return times, np.tanh(z)


def test_posteriors_are_compared_with_cues_from_two_seconds_after_them():
    times, scores = made_up(240)
    run = decided(times, scores)
    control = Decision(0, BEGIN + 3, np.full(2, np.nan), np.full(2, 0.5), -1, np.zeros(2), None, "steered")
    live, later = live_and_smoothed([[*run[:5], control, *run[5:]]], CUES, BEGIN, 64.0, CONFIG, MODEL)
    cued, since = CUES.at(times - BEGIN)
    known = (cued >= 0) & (since >= 2)
    assert sum(live.n) == sum(later.n) == known.sum() < 200
    assert live == reliability(np.array([one.probability for one in run])[known], cued[known])
    assert later == reliability(smoothed(CONFIG, MODEL, scores)[known], cued[known])
    assert later.share > live.share


def test_missing_decisions_are_time_without_a_score_and_engines_are_smoothed_apart():
    times, scores = made_up(160)
    missing = {*range(30, 37), 80}
    first, second = decided(times[:100], scores[:100], missing), decided(times[110:], scores[110:])
    live, later = live_and_smoothed([first, second, []], CUES, BEGIN, 64.0, CONFIG, MODEL)
    holed = scores.copy()
    holed[list(missing)] = np.nan
    there = np.array([k for k in range(160) if k not in missing and not 100 <= k < 110])
    both = np.concatenate(
        [smoothed(CONFIG, MODEL, holed[:100]), np.zeros((10, 2)), smoothed(CONFIG, MODEL, scores[110:])]
    )
    cued, since = CUES.at(times - BEGIN)
    known = there[(cued[there] >= 0) & (since[there] >= 2)]
    assert later == reliability(both[known], cued[known])
    assert sum(live.n) == len(known)


@pytest.mark.parametrize("cues", [Cues(np.empty(0), np.empty(0, np.int64)), CUES])
def test_nothing_is_measured_without_decisions_or_cues(cues):
    times, scores = made_up(20)
    run = [] if len(cues.times) else decided(times, scores)
    live, later = live_and_smoothed([run], cues, BEGIN, 64.0, CONFIG, MODEL)
    assert not live.n
    assert not later.n


def test_smoothing_begins_anew_after_a_long_pause_and_costs_nothing_for_it():
    times, scores = made_up(40)
    late = np.concatenate([times[:20], times[20:] + 6e5])
    cues = Cues(np.array([0.0]), np.array([0]))
    _, later = live_and_smoothed([decided(late, scores)], cues, BEGIN, 64.0, CONFIG, MODEL)
    apart = np.concatenate([smoothed(CONFIG, MODEL, scores[:20]), smoothed(CONFIG, MODEL, scores[20:])])
    assert later == reliability(apart[3:], np.zeros(37, int))
