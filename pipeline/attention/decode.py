"""Scores of every talker, at every hop, from aligned signals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from earmark.pipeline.decoders.decoder import Decoder, DecoderError
from earmark.pipeline.decoders.sliding import Score, SlidingScores
from earmark.pipeline.node import State
from earmark.pipeline.stream import Aligned, Gap, Item, StreamSpec, wiring_error


@dataclass(frozen=True, slots=True)
class DecodeConfig:
    """How often to score.

    Attributes
    ----------
    hop_s : float
        Seconds from one score to the next; the decoder's window must be a multiple of it.
    features : str
        What the talker features are, as ``envelope``.
    """

    hop_s: float = 0.5
    features: str = "envelope"


class Decode:
    """Score the newest window of aligned signals; a gap begins anew.

    A channel that is not to be trusted counts as zero: it takes part in no reconstruction, rather than a wrong one.

    Parameters
    ----------
    config : DecodeConfig
    decoder : Decoder
        Fitted.
    """

    Config = DecodeConfig

    def __init__(self, config: DecodeConfig, decoder: Decoder) -> None:
        self.config, self.decoder = config, decoder

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Compare the stream with what the decoder was made for.

        Parameters
        ----------
        spec : StreamSpec
            As ``align`` returns it: neural channels first, then the features of all talkers, as ``misc``.
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
        except DecoderError as error:
            raise wiring_error("decode", "decoder", f"unfit ({error})", "made for this stream") from error
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
        """Score; pass on what is neither signal nor gap."""
        if isinstance(item, Aligned):
            neural = item.neural if item.bad is None else np.where(item.bad, 0.0, item.neural)
            yield from self._scores.push(item.start, neural, item.talkers)
        else:
            if isinstance(item, Gap) and item.stop > item.start:
                self._scores.reset()
            yield item

    def state(self) -> State:
        """What the next window is made of."""
        return self._scores.state()

    def restore(self, state: State) -> None:
        """Put back what :meth:`state` gave."""
        self._scores.restore(state)
