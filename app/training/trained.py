"""A trained decoder in the place of one that is to be trained, for evaluation on runs it has not seen."""

from __future__ import annotations

from collections.abc import Sequence

from earmark.pipeline.decoders.decoder import Decoder
from earmark.pipeline.run import Run


class Trained:
    """A decoder that has learned already: fitting leaves it as it is."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def fit(self, runs: Sequence[Run]) -> Decoder:
        """Learn nothing; only see that the runs fit.

        Raises
        ------
        earmark.pipeline.decoders.decoder.DecoderMismatch
            If they do not.
        """
        for run in runs:
            self._decoder.spec.check_run(run)
        return self._decoder
