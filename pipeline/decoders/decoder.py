"""The one contract that every decoder keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError
from earmark.pipeline.decoders.presets import Preset
from earmark.pipeline.node import State
from earmark.pipeline.registry import Registry
from earmark.pipeline.run import Run

if TYPE_CHECKING:
    from earmark.pipeline.decoders.saved import Saved

#: What varies less than this part of its own size is constant.
FLAT = 1e-24


class DecoderError(EarmarkError, ValueError):
    """Raised when a decoder cannot be made, saved, loaded or used."""


class DecoderMismatch(DecoderError):
    """Raised when a decoder does not fit what it is given; lists every difference."""


@dataclass(frozen=True, slots=True)
class DecoderSpec:
    """What a decoder was made for.

    Attributes
    ----------
    kind : str
        ``linear``, ``cca``, ...
    sfreq : float
        Rate of neural and talker features in Hz.
    ch_names : tuple of str
        Neural channels, in order.
    features : str
        Kind of talker features, as ``envelope``.
    n_features : int
        Features per talker.
    tmin, tmax : float
        Lags in seconds: the neural signal at ``t + lag`` answers to the stimulus at ``t``.
    window : float
        Decision window in seconds: how much stimulus is compared.
    lag_step : int
        Samples from one lag to the next. A signal that ends at 9 Hz, sampled at 64 Hz, needs no more than every
        second lag, at an eighth of the cost of a fit.
    context : float
        Seconds of earlier stimulus that a component of a talker looks back on.
    """

    kind: str
    sfreq: float
    ch_names: tuple[str, ...]
    features: str
    n_features: int
    tmin: float
    tmax: float
    window: float
    lag_step: int = 1
    context: float = 0.0

    def __post_init__(self) -> None:
        for what, found, wanted, fine in (
            ("sfreq", self.sfreq, "above 0 Hz", self.sfreq > 0),
            ("tmax", self.tmax, f"at least tmin, {self.tmin:g} s", self.tmax >= self.tmin),
            ("lag_step", self.lag_step, "1 or more samples", self.lag_step >= 1),
            ("context", self.context, "0 s or more", self.context >= 0),
            ("window", self.window, "at least two samples long", self.window * self.sfreq >= 2),
            ("ch_names", self.ch_names, "one name or more", len(self.ch_names) > 0),
            ("n_features", self.n_features, "1 or more", self.n_features >= 1),
        ):
            if not fine:
                raise DecoderError(f"{self.kind} decoder: {what} is {found}, but must be {wanted}")

    @property
    def lags(self) -> range:
        """Lags in samples, ``tmin`` to ``tmax`` inclusive."""
        return range(round(self.tmin * self.sfreq), round(self.tmax * self.sfreq) + 1, self.lag_step)

    @property
    def stimulus_lags(self) -> range:
        """How many samples back the components of a talker look."""
        return range(0, round(self.context * self.sfreq) + 1, self.lag_step)

    @property
    def behind(self) -> int:
        """Samples by which a score lags the newest neural sample: the newest lags are waited for, never zero-filled."""
        return max(0, self.lags[-1])

    @property
    def ahead(self) -> int:
        """The first stimulus sample that anything can be said about: earlier ones lack a lag on either side."""
        return max(0, -self.lags[0], self.stimulus_lags[-1])

    @property
    def reach(self) -> int:
        """Samples that a stretch of signal is longer than the stimulus it can speak of."""
        return self.ahead + self.behind

    @property
    def n_window(self) -> int:
        """Decision window in samples of stimulus compared; the signal handed to ``score`` has ``reach`` more."""
        return round(self.window * self.sfreq)

    def check(self, sfreq: float, ch_names: Sequence[str], features: str, n_features: int) -> None:
        """Refuse what the decoder was not made for.

        Raises
        ------
        DecoderMismatch
            Listing every difference in words.
        """
        found = []
        if sfreq != self.sfreq:
            found.append(f"rate {sfreq:g} Hz instead of {self.sfreq:g} Hz")
        missing = [name for name in self.ch_names if name not in ch_names]
        extra = [name for name in ch_names if name not in self.ch_names]
        if missing:
            found.append(f"channels missing: {', '.join(missing)}")
        if extra:
            found.append(f"channels the decoder does not know: {', '.join(extra)}")
        if not missing and not extra and tuple(ch_names) != self.ch_names:
            found.append("the same channels in another order")
        if features != self.features:
            found.append(f"talker features {features!r} instead of {self.features!r}")
        if n_features != self.n_features:
            found.append(f"{n_features} features per talker instead of {self.n_features}")
        if found:
            raise DecoderMismatch(f"the {self.kind} decoder does not fit: {'; '.join(found)}")

    def check_run(self, run: Run) -> None:
        """Refuse a run that the decoder was not made for, in the words of :meth:`check`."""
        try:
            self.check(run.sfreq, run.ch_names, run.features, run.talkers.shape[2])
        except DecoderMismatch as error:
            raise DecoderMismatch(f"run {run.name!r}: {error}") from None


class Decoder(Protocol):
    """Both sides are projected onto components; a talker's score is how well its components correlate.

    A decoder is made from a preset, and by :meth:`rebuild` from what was saved of one.
    :func:`earmark.testing.check_decoder` tries all of this on a class.

    ``project_neural`` and ``project_talkers`` are causal up to ``spec.behind`` samples, and a row depends on no more
    than ``spec.reach`` others, so that scores of a sliding window can be kept up with at a cost that does not depend
    on its length.

    Attributes
    ----------
    kind : str
        Its name in :data:`DECODERS`, in ``decoder.toml`` and after ``--decoder``.
    by_epochs : bool
        Whether it learns epoch by epoch, as :class:`earmark.pipeline.decoders.network_decoder.NetworkDecoder` does, and
        takes the options of networks.
    preset : Preset
        How signals are prepared and windows are cut.
    spec : DecoderSpec
        What it was made for; there once it is fitted.
    chosen : dataclass
        What the fit came to, for readers; there once it is fitted.
    """

    kind: str
    by_epochs: bool
    preset: Preset
    spec: DecoderSpec
    chosen: Any

    def __init__(self, preset: Preset, /) -> None: ...

    @classmethod
    def preset_for(cls, preset: Preset) -> Preset:
        """Return a preset as such a decoder uses it: with a longer window, for instance."""

    @classmethod
    def rebuild(cls, saved: Saved) -> Self:
        """Make a fitted decoder from what was saved of one.

        Raises
        ------
        ArithmeticError, KeyError, TypeError, ValueError
            If the settings or arrays are not those of such a decoder.
        """

    def settings(self) -> dict[str, Any]:
        """Return what :meth:`rebuild` needs beside arrays: numbers, text, truth values, and tuples of one of these."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that was learned, by name."""

    def fit(self, runs: Sequence[Run]) -> Self:
        """Learn from runs with known attention; everything, penalties included, from these runs alone."""

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        """Components of the neural side, from (n_samples, n_channels) to (n_samples - reach, n_components).

        Row ``t`` speaks of stimulus sample ``t + spec.ahead``; only rows for which every lag was there.
        """

    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Components of each talker at the same instants.

        From (n_talkers, n_samples, n_features) to (n_talkers, n_samples - reach, n_components).
        """

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """One score per talker from the correlations of its components: (..., n_components) → (...)."""

    def score(self, neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score one window: (n_samples, n_channels), (n_talkers, n_samples, n_features) → (n_talkers,)."""


class Learner(Protocol):
    """What becomes a decoder once it is fitted: a new decoder, or one that has learned already."""

    def fit(self, runs: Sequence[Run], /) -> Decoder:
        """Return a decoder for runs like these."""


#: Those of ours that are networks, and need PyTorch.
NETWORKS = ("matcher", "vlaai", "eegnet")
#: Every decoder, by its ``kind``; packages add to it by entry points of the group ``earmark.decoders``.
DECODERS: Registry[type[Decoder]] = Registry(
    "decoder",
    "earmark.decoders",
    {
        "linear": "earmark.pipeline.decoders.linear:LinearDecoder",
        "cca": "earmark.pipeline.decoders.cca:CcaDecoder",
        "matcher": "earmark.pipeline.decoders.matcher:MatcherDecoder",
        "vlaai": "earmark.pipeline.decoders.baselines:VlaaiDecoder",
        "eegnet": "earmark.pipeline.decoders.baselines:EegNetDecoder",
    },
    ("kind", "by_epochs", "preset_for", "rebuild", "settings", "arrays", "fit", "score", "combine"),
)


class Hops(Protocol):
    """Projections of a signal that comes hop by hop, at a cost that does not depend on how far back they look."""

    def hop(
        self, neural: NDArray[np.float64], talkers: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Project ``n_hop + reach`` samples as a decoder does, knowing that all but the newest hop were seen before."""

    def reset(self) -> None:
        """Forget everything, as at a gap."""

    def state(self) -> State:
        """Everything that later projections depend on."""

    def restore(self, state: State) -> None:
        """Put back what :meth:`state` gave."""


@runtime_checkable
class HopByHop(Protocol):
    """A decoder that can go on from where it was, unless something compiled for whole windows takes its place."""

    @property
    def compiled(self) -> bool:
        """Whether ``score`` is compiled: whole windows are scored by it then, at every hop."""

    def hops(self, n_talkers: int, n_hop: int) -> Hops:
        """Begin, for hops of this many samples."""


def correlate(neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson correlation of each component, over all rows.

    Parameters
    ----------
    neural : array, shape (..., n_rows, n_components)
        One window, or many.
    talkers : array, shape (n_talkers, ..., n_rows, n_components)

    Returns
    -------
    array, shape (n_talkers, ..., n_components)
        0 where either side is constant: silence is evidence for nobody. NaN where something is not finite.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        x = neural - neural.mean(axis=-2, keepdims=True)
        y = talkers - talkers.mean(axis=-2, keepdims=True)
        xx, yy = (x**2).sum(axis=-2), (y**2).sum(axis=-2)
        flat = (xx <= FLAT * (neural**2).sum(axis=-2)) | (yy <= FLAT * (talkers**2).sum(axis=-2))
        r: NDArray[np.float64] = np.where(flat, 0.0, (x * y).sum(axis=-2) / (np.sqrt(xx) * np.sqrt(yy)))
    return r


def ratio(xy: NDArray[np.float64], xx: NDArray[np.float64], yy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation from centred sums of products; 0 where one side has no variance."""
    # The square roots are taken apart: the product of two small sums may be too small for a float.
    norm = np.sqrt(np.maximum(xx, 0.0)) * np.sqrt(np.maximum(yy, 0.0))
    r = np.zeros(np.broadcast_shapes(xy.shape, norm.shape))
    np.divide(xy, norm, out=r, where=norm > 0)
    return r


class Projections(ABC):
    """What decoders made of projections and correlations share."""

    by_epochs = False
    spec: DecoderSpec

    @classmethod
    def preset_for(cls, preset: Preset) -> Preset:
        """Return a preset as such a decoder uses it: as it is."""
        return preset

    def settings(self) -> dict[str, Any]:
        """Return settings that are no arrays: none."""
        return {}

    @abstractmethod
    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        """Components of the neural side."""

    @abstractmethod
    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Components of each talker."""

    @abstractmethod
    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """One score per talker."""

    def score(self, neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score one window.

        Parameters
        ----------
        neural : array, shape (n_samples, n_channels)
            ``spec.n_window + spec.reach`` samples for one decision window; any other length is scored as it is.
        talkers : array, shape (n_talkers, n_samples, n_features)
            The same instants.

        Returns
        -------
        array, shape (n_talkers,)

        Raises
        ------
        DecoderMismatch
            If the arrays do not fit the spec or each other, or are too short.
        """
        check_window(self.spec, neural, talkers)
        return self.combine(correlate(self.project_neural(neural), self.project_talkers(talkers)))


def check_window(spec: DecoderSpec, neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> None:
    """Refuse arrays that do not fit the spec, listing every difference."""
    found = []
    if neural.ndim != 2 or talkers.ndim != 3:
        raise DecoderMismatch(
            f"the {spec.kind} decoder needs neural (n_samples, n_channels) and talkers (n_talkers, n_samples, "
            f"n_features), not {neural.shape} and {talkers.shape}"
        )
    if neural.shape[1] != len(spec.ch_names):
        found.append(f"{neural.shape[1]} channels instead of {len(spec.ch_names)}")
    if talkers.shape[2] != spec.n_features:
        found.append(f"{talkers.shape[2]} features per talker instead of {spec.n_features}")
    if talkers.shape[1] != len(neural):
        found.append(f"{talkers.shape[1]} samples of the talkers for {len(neural)} neural ones")
    if len(neural) < spec.reach + 2:
        found.append(f"{len(neural)} samples, too few for lags that reach over {spec.reach}")
    if found:
        raise DecoderMismatch(f"the {spec.kind} decoder does not fit: {'; '.join(found)}")
