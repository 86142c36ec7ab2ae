"""A trained decoder in the place of one that is to be trained, for evaluation on runs it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from earmark.pipeline.run import Run


class Trained:
    """A decoder that has learned already: fitting leaves it as it is."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self.spec = decoder.spec
        self.project_neural, self.project_talkers = decoder.project_neural, decoder.project_talkers
        self.combine, self.score = decoder.combine, decoder.score

    def fit(self, runs: Sequence[Run]) -> Self:
        """Learn nothing; only see that the runs fit.

        Raises
        ------
        earmark.pipeline.decoders.decoder.DecoderMismatch
            If they do not.
        """
        for run in runs:
            self.spec.check_run(run)
        return self
