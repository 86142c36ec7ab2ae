"""Node that computes the score of every talker at every hop from aligned signals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from earmark.pipeline.decoders.decoder import Decoder, DecoderError, DecoderMismatch
from earmark.pipeline.decoders.sliding import Score, SlidingScores
from earmark.pipeline.node import State
from earmark.pipeline.stream import Aligned, Gap, Item, StreamSpec, WiringError, wiring_error


@dataclass(frozen=True, slots=True)
class DecodeConfig:
    """Settings of :class:`Decode`.

    Attributes
    ----------
    hop_s : float
        Seconds between scores; the decoder's window must be a multiple of it.
    features : str
        Name of the talker features, such as ``envelope``.
    """

    hop_s: float = 0.5
    features: str = "envelope"


class Decode:
    """Score the latest window of aligned signals; start over after a gap.

    A channel marked as bad is set to zero, so that it does not contribute to the reconstruction.

    Parameters
    ----------
    config : DecodeConfig
    decoder : Decoder
        A fitted decoder.
    """

    Config = DecodeConfig

    def __init__(self, config: DecodeConfig, decoder: Decoder) -> None:
        self.config, self.decoder = config, decoder

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Check that the stream is the one that the decoder was fitted for.

        Parameters
        ----------
        spec : StreamSpec
            The output of ``align``: neural channels first, then the features of all talkers, with type ``misc``.
        """
        n_neural = sum(kind != "misc" for kind in spec.ch_types)
        n_misc, n_features = spec.n_channels - n_neural, self.decoder.spec.n_features
        if n_misc == 0 or n_misc % n_features or "misc" in spec.ch_types[:n_neural]:
            raise wiring_error(
                "decode", "input", f"{n_neural} neural channels and {n_misc} of talkers", "the output of align, with "
                f"{n_features} features per talker"
            )  # fmt: skip
        try:
            self.decoder.spec.check(spec.sfreq, spec.ch_names[:n_neural], self.config.features, n_features)
            self._scores = SlidingScores(self.decoder, n_misc // n_features, self.config.hop_s)
        except DecoderMismatch as error:
            raise WiringError(
                f"decode: {error}: name a decoder that was trained on such a stream, or correct the stream"
            ) from error
        except DecoderError as error:
            raise WiringError(f"decode: {error}") from error
        names = tuple(f"talker {i + 1}" for i in range(n_misc // n_features))
        return StreamSpec(
            "decode",
            1 / self.config.hop_s,
            names,
            ("misc",) * len(names),
            ("",) * len(names),
            hop=1,
            delay=spec.delay,
            wait=spec.wait + self.decoder.spec.behind / spec.sfreq,
            group_delay=spec.group_delay,
        )

    def process(self, item: Item | Aligned) -> Iterator[Item | Aligned | Score]:
        """Score the signals, and pass on all other items."""
        if isinstance(item, Aligned):
            neural = item.neural if item.bad is None else np.where(item.bad, 0.0, item.neural)
            yield from self._scores.push(item.start, neural, item.talkers)
        else:
            if isinstance(item, Gap) and item.stop > item.start:
                self._scores.reset()
            yield item

    def state(self) -> State:
        """Return the samples of the current window."""
        return self._scores.state()

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._scores.restore(state)
