"""Interface and base class of decoders, their specification, and their registry."""

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

#: A signal with a variance below this fraction of its power counts as constant.
FLAT = 1e-24


class DecoderError(EarmarkError, ValueError):
    """Raised when a decoder cannot be created, saved, loaded or used."""


class DecoderMismatch(DecoderError):
    """Raised when a decoder does not fit its input; lists every difference."""


@dataclass(frozen=True, slots=True)
class DecoderSpec:
    """Specification of the data that a decoder was fitted to and can process.

    Attributes
    ----------
    kind : str
        ``filterbank``, ``linear``, ``cca``, ...
    sfreq : float
        Sampling rate of neural and talker features in Hz.
    ch_names : tuple of str
        Neural channels, in order.
    features : str
        Name of the talker features, such as ``envelope``.
    n_features : int
        Number of features per talker.
    tmin, tmax : float
        Lags in seconds: the neural signal at ``t + lag`` responds to the stimulus at ``t``.
    window : float
        Decision window in seconds of stimulus.
    lag_step : int
        Samples between lags. For a signal up to 9 Hz, sampled at 64 Hz, every second lag is sufficient and reduces the
        cost of a fit to an eighth.
    context : float
        Duration of earlier stimulus in a component of a talker, in seconds.
    centred : bool
        True to subtract the means of the components in a window before they are correlated. Of signals without an
        offset, the mean in a short window is evidence from low frequencies.
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
    centred: bool = True

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
        """Lags of the stimulus in the components of a talker, in samples."""
        return range(0, round(self.context * self.sfreq) + 1, self.lag_step)

    @property
    def behind(self) -> int:
        """Samples by which a score lags the latest neural sample: all lags are waited for, never zero-filled."""
        return max(0, self.lags[-1])

    @property
    def ahead(self) -> int:
        """First stimulus sample for which all lags are available."""
        return max(0, -self.lags[0], self.stimulus_lags[-1])

    @property
    def reach(self) -> int:
        """Number of samples by which a signal is longer than its components."""
        return self.ahead + self.behind

    @property
    def n_window(self) -> int:
        """Decision window in stimulus samples; the input of ``score`` has ``reach`` more."""
        return round(self.window * self.sfreq)

    def check(self, sfreq: float, ch_names: Sequence[str], features: str, n_features: int) -> None:
        """Check that the decoder can process such data.

        Raises
        ------
        DecoderMismatch
            If it cannot; the message lists every difference, and of many channels the number and the first ones.
        """
        found = []
        if sfreq != self.sfreq:
            found.append(f"rate {sfreq:g} Hz instead of {self.sfreq:g} Hz")
        missing = [name for name in self.ch_names if name not in ch_names]
        extra = [name for name in ch_names if name not in self.ch_names]
        if missing:
            found.append(f"channels missing: {some(missing)}")
        if extra:
            found.append(f"channels the decoder does not know: {some(extra)}")
        if not missing and not extra and tuple(ch_names) != self.ch_names:
            found.append("the same channels in another order")
        if features != self.features:
            found.append(f"talker features {features!r} instead of {self.features!r}")
        if n_features != self.n_features:
            found.append(f"{n_features} features per talker instead of {self.n_features}")
        if found:
            raise DecoderMismatch(f"the {self.kind} decoder does not fit: {'; '.join(found)}")

    def check_run(self, run: Run) -> None:
        """Check that a run fits the decoder; raises the error of :meth:`check`, with the name of the run."""
        try:
            self.check(run.sfreq, run.ch_names, run.features, run.talkers.shape[2])
        except DecoderMismatch as error:
            raise DecoderMismatch(f"run {run.name!r}: {error}") from None


def some(names: Sequence[str]) -> str:
    """Return names for a message; of many, their number and the first ones."""
    return ", ".join(names) if len(names) <= 8 else f"{len(names)} ({', '.join(names[:5])}, …)"


class Decoder(Protocol):
    """A decoder projects neural signal and talkers onto components; the correlation of components gives the score.

    A decoder is created from a preset, or by :meth:`rebuild` from saved data. :func:`earmark.testing.check_decoder`
    tests a class for all of this.

    ``project_neural`` and ``project_talkers`` are causal up to ``spec.behind`` samples, and a row depends on at most
    ``spec.reach`` other samples, so that a sliding window can be scored at a cost that does not depend on its length.

    Attributes
    ----------
    kind : str
        Name in :data:`DECODERS`, in ``decoder.toml`` and after ``--decoder``.
    by_epochs : bool
        True if it is trained in epochs, like :class:`earmark.pipeline.decoders.network_decoder.NetworkDecoder`, and
        has the options of networks.
    preset : Preset
        Settings of preprocessing and windows.
    spec : DecoderSpec
        Data that the decoder can process; available after fitting.
    chosen : dataclass
        Result of the fit, for display; available after fitting.
    """

    kind: str
    by_epochs: bool
    preset: Preset
    spec: DecoderSpec
    chosen: Any

    def __init__(self, preset: Preset, /) -> None: ...

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the components, for an evaluation that judges each alone; empty if they have none."""

    @classmethod
    def preset_for(cls, preset: Preset) -> Preset:
        """Return a preset adapted to this kind of decoder, for example with a longer window."""

    @classmethod
    def rebuild(cls, saved: Saved) -> Self:
        """Create a fitted decoder from saved data.

        Raises
        ------
        ArithmeticError, KeyError, TypeError, ValueError
            If the settings or arrays are not those of this kind of decoder.
        """

    def settings(self) -> dict[str, Any]:
        """Return what :meth:`rebuild` needs besides arrays: numbers, text, booleans, and tuples of one of these."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all learned parameters, by name."""

    def fit(self, runs: Sequence[Run]) -> Self:
        """Fit everything, including penalties, to runs with known attention."""

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the neural components, from (n_samples, n_channels) to (n_samples - reach, n_components).

        Row ``t`` belongs to stimulus sample ``t + spec.ahead``; there are only rows for which all lags are available.
        """

    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the components of each talker at the same instants.

        From (n_talkers, n_samples, n_features) to (n_talkers, n_samples - reach, n_components).
        """

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute one score per talker from the correlations of its components: (..., n_components) → (...)."""

    def score(self, neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score one window: (n_samples, n_channels), (n_talkers, n_samples, n_features) → (n_talkers,)."""


class Learner(Protocol):
    """An object that can be fitted to give a decoder: a new decoder, or one that is already trained."""

    def fit(self, runs: Sequence[Run], /) -> Decoder:
        """Return a decoder for runs like these."""


#: Built-in decoders that are networks and need PyTorch.
NETWORKS = ("matcher", "vlaai", "eegnet")
#: All decoders, by their ``kind``. Other packages add decoders by entry points of the group ``earmark.decoders``.
DECODERS: Registry[type[Decoder]] = Registry(
    "decoder",
    "earmark.decoders",
    {
        "filterbank": "earmark.pipeline.decoders.filterbank:FilterBankDecoder",
        "linear": "earmark.pipeline.decoders.linear:LinearDecoder",
        "cca": "earmark.pipeline.decoders.cca:CcaDecoder",
        "matcher": "earmark.pipeline.decoders.matcher:MatcherDecoder",
        "vlaai": "earmark.pipeline.decoders.baselines:VlaaiDecoder",
        "eegnet": "earmark.pipeline.decoders.baselines:EegNetDecoder",
    },
    ("kind", "by_epochs", "preset_for", "rebuild", "settings", "arrays", "fit", "score", "combine"),
)


class Hops(Protocol):
    """Incremental projections of a signal, hop by hop, at a cost that does not depend on the reach."""

    def hop(
        self, neural: NDArray[np.float64], talkers: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Project ``n_hop + reach`` samples like a decoder; all samples except the latest hop were given before."""

    def reset(self) -> None:
        """Reset the state, as after a gap."""

    def state(self) -> State:
        """Return everything that later projections depend on."""

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""


@runtime_checkable
class HopByHop(Protocol):
    """A decoder that can compute incrementally, unless its ``score`` is compiled for whole windows."""

    @property
    def compiled(self) -> bool:
        """True if ``score`` is compiled; it then scores a whole window at every hop."""

    def hops(self, n_talkers: int, n_hop: int) -> Hops:
        """Return incremental projections with hops of ``n_hop`` samples."""


def correlate(neural: NDArray[np.float64], talkers: NDArray[np.float64], centred: bool = True) -> NDArray[np.float64]:
    """Return the correlation of each component, over all rows.

    Parameters
    ----------
    neural : array, shape (..., n_rows, n_components)
        One or more windows.
    talkers : array, shape (n_talkers, ..., n_rows, n_components)
    centred : bool
        True for Pearson's correlation; False to leave the means in.

    Returns
    -------
    array, shape (n_talkers, ..., n_components)
        0 where either signal is constant, because silence is no evidence; NaN where a value is not finite.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        x, y = neural, talkers
        if centred:
            x, y = x - x.mean(axis=-2, keepdims=True), y - y.mean(axis=-2, keepdims=True)
        xx, yy = (x**2).sum(axis=-2), (y**2).sum(axis=-2)
        flat = (xx <= FLAT * (neural**2).sum(axis=-2)) | (yy <= FLAT * (talkers**2).sum(axis=-2))
        r: NDArray[np.float64] = np.where(flat, 0.0, (x * y).sum(axis=-2) / (np.sqrt(xx) * np.sqrt(yy)))
    return r


def ratio(xy: NDArray[np.float64], xx: NDArray[np.float64], yy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation from centred sums of products; 0 where either signal has no variance."""
    # Two square roots, because the product of two small sums can underflow.
    norm = np.sqrt(np.maximum(xx, 0.0)) * np.sqrt(np.maximum(yy, 0.0))
    r = np.zeros(np.broadcast_shapes(xy.shape, norm.shape))
    np.divide(xy, norm, out=r, where=norm > 0)
    return r


class Projections(ABC):
    """Base class of decoders that use projections and correlations."""

    by_epochs = False
    spec: DecoderSpec

    @property
    def components(self) -> tuple[str, ...]:
        """Return nothing: the components have no names."""
        return ()

    @classmethod
    def preset_for(cls, preset: Preset) -> Preset:
        """Return the preset unchanged."""
        return preset

    def settings(self) -> dict[str, Any]:
        """Return an empty dict: there are no settings besides arrays."""
        return {}

    @abstractmethod
    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the neural components."""

    @abstractmethod
    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the components of each talker."""

    @abstractmethod
    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one score per talker."""

    def score(self, neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score one window.

        Parameters
        ----------
        neural : array, shape (n_samples, n_channels)
            ``spec.n_window + spec.reach`` samples for one decision window; other lengths are also possible.
        talkers : array, shape (n_talkers, n_samples, n_features)
            Talker features at the same instants.

        Returns
        -------
        array, shape (n_talkers,)

        Raises
        ------
        DecoderMismatch
            If the arrays do not fit the spec or each other, or are too short.
        """
        check_window(self.spec, neural, talkers)
        x, y = self.project_neural(neural), self.project_talkers(talkers)
        return self.combine(correlate(x, y, self.spec.centred))


def check_window(spec: DecoderSpec, neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> None:
    """Check that arrays fit the spec; raise DecoderMismatch, which lists every difference, if not."""
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
