"""Matcher: a causal network that finds out to which of any number of talkers a few seconds of brain signal respond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from earmark.pipeline.decoders.decoder import DecoderError, DecoderSpec
from earmark.pipeline.decoders.linear import LinearDecoder, make_spec
from earmark.pipeline.decoders.moments import moments, total
from earmark.pipeline.decoders.network_decoder import PLACES, Learned, NetworkDecoder
from earmark.pipeline.decoders.networks import (
    CLIP_SD,
    Block,
    Filter,
    Listener,
    MatchNetwork,
    Shape,
    Standardise,
    Tower,
)
from earmark.pipeline.decoders.presets import Preset
from earmark.pipeline.decoders.saved import make
from earmark.pipeline.decoders.spatial import SpatialAttention, head_coordinates
from earmark.pipeline.decoders.training import TrainingConfig, contrastive
from earmark.pipeline.run import Run

#: Number of groups of runs, each held out in turn, for choosing the penalties of the linear components.
N_GROUPS = 5


@dataclass(frozen=True, slots=True)
class MatcherSize:
    """Size of the network.

    Attributes
    ----------
    n_virtual : int
        Number of channels after the spatial layer.
    width, dilations : int, tuple of int
        Number of channels of the brain tower, and dilations of its blocks.
    speech_width, speech_dilations : int, tuple of int
        The same for the speech tower.
    n_components : int
        Number of output components of both towers.
    shape_taps : int
        Length of the temporal filters of the linear components.
    dropout : float
        Dropout rate in training.
    """

    n_virtual: int = 64
    width: int = 256
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)
    speech_width: int = 32
    speech_dilations: tuple[int, ...] = (1, 2, 4, 8)
    n_components: int = 16
    shape_taps: int = 33
    dropout: float = 0.3


def matcher(
    n_channels: int,
    n_features: int,
    behind: int,
    n_taps: int,
    *,
    n_listeners: int = 1,
    positions: Sequence[tuple[float, float, float]] | None = None,
    size: MatcherSize | None = None,
) -> MatchNetwork:
    """Build a network with initial weights from torch's generator.

    Parameters
    ----------
    n_channels, n_features : int
        Number of neural channels, and of features of each talker.
    behind : int
        Neural samples after a stimulus sample that are waited for.
    n_taps : int
        Number of lags of the linear components.
    n_listeners : int
        Number of listeners; each has its own layer.
    positions : sequence of (float, float, float), optional
        Positions of electrodes, for a spatial layer that also works with other caps.
    size : MatcherSize, optional
    """
    s = size or MatcherSize()
    brain = [
        Filter(n_channels, s.n_virtual)
        if positions is None
        else SpatialAttention(head_coordinates(positions), s.n_virtual),
        Listener(s.n_virtual, n_listeners),
        Filter(s.n_virtual, s.width),
        *(Block(s.width, dilation, s.dropout) for dilation in s.dilations),
        Filter(s.width, s.n_components),
    ]
    # No bias and no normalisation, so that the level of a talker does not affect its score.
    speech = [
        Filter(n_features, s.speech_width, bias=False),
        *(Block(s.speech_width, d, s.dropout, homogeneous=True) for d in s.speech_dilations),
        Filter(s.speech_width, s.n_components, bias=False),
    ]
    rebuild = Filter(n_channels, n_features, n_taps, bias=False).requires_grad_(False)
    return MatchNetwork(
        Standardise(n_channels),
        Tower([rebuild, Shape(n_features, s.shape_taps)], brain),
        Tower([Shape(n_features, s.shape_taps)], speech),
        n_features,
        n_features + s.n_components,
        behind,
        n_linear=n_features,
    )


class MatcherDecoder(NetworkDecoder):
    """Contrastive network combined with the linear model.

    Parameters
    ----------
    preset, config, base, device
        See :class:`earmark.pipeline.decoders.network_decoder.NetworkDecoder`.
    positions : mapping of str to (float, float, float), optional
        Positions of electrodes by name, in any unit. The decoder can then be the base for another cap.
    size : MatcherSize, optional

    Notes
    -----
    The brain tower consists of dilated causal convolutions on virtual channels, with a layer for each listener; the
    speech tower is a smaller network. Both learn which speech belongs to which window of the brain signal (see
    :func:`earmark.pipeline.decoders.training.contrastive`), after [1]_ and [2]_. The reconstruction of the linear
    decoder is an additional component for each feature. The reconstruction and the feature each pass a temporal
    filter of half a second before they are correlated; these filters are trained with the same loss and emphasise
    the frequencies at which the two agree. The share of the network in the score, ``chosen.share``, is chosen on the
    held-out end of the training runs.

    References
    ----------
    .. [1] Accou et al., Modeling the relationship between acoustic stimulus and EEG with a dilated convolutional neural
       network, EUSIPCO (2020).
    .. [2] Défossez et al., Decoding speech perception from non-invasive brain recordings, Nature Machine Intelligence 5
       (2023).
    """

    kind = "matcher"
    criterion = staticmethod(contrastive)

    def __init__(
        self,
        preset: Preset | None = None,
        config: TrainingConfig | None = None,
        *,
        positions: Mapping[str, tuple[float, float, float]] | None = None,
        base: Self | None = None,
        device: str = "cpu",
        size: MatcherSize | None = None,
    ) -> None:
        super().__init__(preset, config, base=base, device=device)
        inherited = MatcherSize() if base is None else base.size
        self.size: MatcherSize = size or inherited
        self.positions = positions

    @classmethod
    def of_shape(cls, preset: Preset, config: TrainingConfig, shape: Mapping[str, Any]) -> Self:
        """Make a decoder of this size."""
        return cls(preset, config, size=make(MatcherSize, shape))

    def build(self, ch_names: Sequence[str], n_features: int, behind: int, listeners: Sequence[str]) -> MatchNetwork:
        """Build a network for these electrodes; with ``positions``, for any."""
        places = None
        if self.positions is not None:
            unknown = [name for name in ch_names if name not in self.positions]
            if unknown:
                raise DecoderError(
                    f"matcher: there are no positions for {', '.join(unknown)}: give positions of all channels, or none"
                )
            places = [self.positions[name] for name in ch_names]
        n_taps = behind - min(0, round(self.preset.tmin * self.preset.sfreq)) + 1
        return matcher(
            len(ch_names), n_features, behind, n_taps, n_listeners=len(listeners), positions=places, size=self.size
        )

    def shape(self) -> dict[str, int | float | tuple[int, ...]]:
        """Return the settings that determine the shapes of the weights."""
        return asdict(self.size)

    def prepare(self, network: MatchNetwork, spec: DecoderSpec, runs: Sequence[Run]) -> None:
        """Fit the linear components like a linear decoder, to scaled and clipped channels."""
        scale = network.standardise.scale[:, 0].cpu().double().numpy()
        runs = [replace(run, neural=(run.neural * scale).clip(-CLIP_SD, CLIP_SD)) for run in runs]
        linear = make_spec(LinearDecoder.kind, runs[0], self.preset)
        parts = [part for part in (moments(run, linear) for run in runs) if part.n]
        groups = [total(parts[i::N_GROUPS]) for i in range(min(N_GROUPS, len(parts)))]
        weights = LinearDecoder(self.preset).fit_moments(linear, groups).weights
        rebuild = network.neural.chains()[0][0]
        assert isinstance(rebuild, Filter)
        by_lag = weights.reshape(len(linear.lags), len(spec.ch_names), spec.n_features)
        with torch.no_grad():
            rebuild.weight.zero_()
            for lag, values in zip(linear.lags, by_lag, strict=True):
                rebuild.weight[:, :, lag - spec.behind - 1] = torch.tensor(values.T, dtype=torch.float32)

    def restore(
        self, spec: DecoderSpec, listeners: Sequence[str], chosen: Learned, arrays: Mapping[str, NDArray[np.float32]]
    ) -> Self:
        """Restore the decoder from :meth:`arrays`, which include positions if there were any."""
        places = next((array for name, array in arrays.items() if name.endswith(PLACES)), None)
        if places is not None:
            if places.shape != (len(spec.ch_names), 3):
                raise ValueError(f"positions are {places.shape}, but must be {(len(spec.ch_names), 3)}")
            self.positions = {name: tuple(xyz) for name, xyz in zip(spec.ch_names, places.tolist(), strict=True)}
        return super().restore(spec, listeners, chosen, arrays)
