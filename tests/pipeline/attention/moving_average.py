"""Moving average of scores: the baseline that the attention filter is compared with."""

import math

import numpy as np

from earmark.pipeline.attention.evidence import _check, _check_seconds, _Decision, _kept


class MovingAverage:
    """The usual comparison: the mean of the last scores, and nothing before them.

    Parameters
    ----------
    config : EvidenceConfig
        ``switch_rate`` and ``cap`` are not used.
    emissions : Emissions
        What scores say in this listener.
    length_s : float
        Seconds averaged over, at least one hop; rounded to whole hops.

    Notes
    -----
    Probabilities are those of a listener who did not switch within the average. Log-likelihoods are linear in
    Fisher-z, so the likeliest talker is the one of the highest mean z (but for what :data:`MAX_SD` pulls in).

    Raises
    ------
    ValueError
        If ``length_s`` is shorter than a hop.
    """

    def __init__(self, config, emissions, length_s):
        if not config.hop_s <= length_s < math.inf:
            raise ValueError(f"moving average: length_s is {length_s}, but must be at least hop_s, {config.hop_s}")
        self.config = config
        self.emissions = emissions
        self._decide = _Decision(config)
        self._recent = np.zeros((round(length_s / config.hop_s), config.n_talkers))
        self._silence = 0.0

    def _posterior(self):
        evidence = self._recent.sum(axis=0)
        weighed = np.exp(evidence - evidence.max())
        return self._decide(weighed / weighed.sum())

    def _push(self, evidence):
        self._recent[:-1] = self._recent[1:]
        self._recent[-1] = evidence

    def update(self, scores):
        """Add the scores of one hop, shape (n_talkers,). Raises the same errors as :meth:`MemorylessFilter.update`."""
        _check(self.config, scores)
        evidence = self.config.temper * self.emissions.log_likelihood(scores)
        self._push(evidence - evidence.mean())
        return self._posterior()

    def gap(self, seconds):
        """Advance the average by ``seconds`` without evidence."""
        _check_seconds(seconds)
        self._silence += seconds
        # 1e-9: the floating-point sum of the parts of a hop can be slightly less than the hop.
        hops = int(self._silence / self.config.hop_s + 1e-9)
        self._silence -= hops * self.config.hop_s
        for _ in range(min(hops, len(self._recent))):
            self._push(0.0)
        return self._posterior()

    def state(self):
        """Return recent evidence and decision."""
        return {"recent": self._recent.copy(), "silence": np.array(self._silence), **self._decide.state()}

    def restore(self, state):
        """Restore what :meth:`state` returned."""
        self._recent = _kept(state, "recent", self._recent.shape)
        self._silence = float(state["silence"])
        self._decide.restore(state)
