"""A trained decoder that can stand in for an untrained one, to evaluate it on new runs."""

from __future__ import annotations

from collections.abc import Sequence

from earmark.pipeline.decoders.decoder import Decoder
from earmark.pipeline.run import Run


class Trained:
    """A trained decoder; fitting does not change it."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def fit(self, runs: Sequence[Run]) -> Decoder:
        """Check that the runs fit the decoder, and return it unchanged.

        Raises
        ------
        earmark.pipeline.decoders.decoder.DecoderMismatch
            If a run does not fit.
        """
        for run in runs:
            self._decoder.spec.check_run(run)
        return self._decoder
