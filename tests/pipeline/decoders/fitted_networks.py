"""Networks small enough for tests, fitted once."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from planted import SMALL, planted

from earmark.pipeline.decoders.baselines import EegNetDecoder, VlaaiDecoder, vlaai
from earmark.pipeline.decoders.matcher import MatcherDecoder, MatcherSize
from earmark.pipeline.decoders.network_decoder import NetworkDecoder
from earmark.pipeline.decoders.training import TrainingConfig

SIZE = MatcherSize(8, 12, (1, 2), 6, (1,), 4, 5, 0.1)
QUICK = TrainingConfig(epochs=2, patience=2, batch=4, seed=3)
KINDS = ("matcher", "placed", "eegnet", "vlaai")
RUNS = tuple(planted(i, seconds=60) for i in range(3))
PLACES = {f"E{i + 1}": (np.cos(i), np.sin(i), 0.1 * i) for i in range(6)}


class SmallVlaai(VlaaiDecoder):
    """One block, and a little of the second."""

    def build(self, ch_names, n_features, behind, listeners):
        return vlaai(len(ch_names), n_features, behind, n_blocks=1)


def make(kind: str, **settings: object) -> NetworkDecoder:
    """A decoder that is not fitted yet."""
    settings = {"config": QUICK, **settings}
    if kind in ("matcher", "placed"):
        return MatcherDecoder(SMALL, size=SIZE, positions=PLACES if kind == "placed" else None, **settings)
    return (EegNetDecoder if kind == "eegnet" else SmallVlaai)(SMALL, **settings)


@lru_cache
def fitted(kind: str) -> NetworkDecoder:
    """Two epochs, on three runs of a minute in which channels answer to a talker."""
    return make(kind).fit(RUNS)


def damaged(run, at):
    """The same up to a sample; not a number from there on."""
    changed = replace(run, neural=run.neural.copy(), talkers=run.talkers.copy())
    changed.neural[at:] = np.nan
    changed.talkers[:, at:] = np.nan
    return changed
