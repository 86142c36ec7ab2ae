"""Base class of the decoders that are networks: training, scoring, and incremental computation hop by hop."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earmark.pipeline.decoders.cached import CachedHops
from earmark.pipeline.decoders.decoder import DecoderError, DecoderMismatch, DecoderSpec, Projections, check_window
from earmark.pipeline.decoders.examples import HELD_OUT, Batch, Examples
from earmark.pipeline.decoders.networks import Listener, MatchNetwork, eager, multiply_adds, n_parameters
from earmark.pipeline.decoders.presets import EEG, Preset
from earmark.pipeline.decoders.saved import Saved, make
from earmark.pipeline.decoders.training import Epoch, Training, TrainingConfig, margins, mixture
from earmark.pipeline.run import Run

#: Minimum decision window of networks in seconds, also used in training.
WINDOW_S = 3.0
#: Values specific to a cap, its listeners or their audio, which are never taken from a base.
OWN = ("standardise.scale", "loudness", "weights")
PLACES, MATRICES = ".places", ".matrices"
#: Counters of the normalisation layers, which do not affect the output.
COUNTERS = ".num_batches_tracked"

#: Scores of one window: (1, n_channels, T), (n_talkers, n_features, T) → (n_talkers,); all float32.
Scorer = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Learned:
    """Result of training.

    Attributes
    ----------
    epochs : int
        Number of the best epoch.
    test_loss, test_accuracy : float
        Cross-entropy per pair in nats, and fraction of correct pairs, on the held-out end of each run. They are
        optimistic, because the best epoch was chosen by them.
    share : float
        Share of the nonlinear components in the score.
    n_parameters : int
        Number of parameters.
    multiply_adds : int
        Multiply-add operations for one complete decision window and two talkers.
    multiply_adds_per_s : int
        Multiply-add operations per additional second of signal.
    """

    epochs: int
    test_loss: float
    test_accuracy: float
    share: float
    n_parameters: int
    multiply_adds: int
    multiply_adds_per_s: int


def network_preset(preset: Preset) -> Preset:
    """Return a preset with the decision window of networks."""
    return replace(preset, window=max(WINDOW_S, preset.window))


class NetworkDecoder(Projections):
    """Two towers of causal stages; the score of a talker is the weighted correlation of their components.

    Parameters
    ----------
    preset : Preset
        Maximum lag and window.
    config : TrainingConfig
    base : NetworkDecoder, optional
        A fitted decoder of the same kind: training starts with its weights, at a third of the learning rate.
    device : str
        Device for training, as torch names it. Decoding uses one thread on the CPU.

    Attributes
    ----------
    net : MatchNetwork
        The fitted network.
    chosen : Learned
    listeners : tuple of str
        Subjects of the training runs.
    """

    kind: str
    by_epochs = True
    criterion: ClassVar[staticmethod[[MatchNetwork, Batch, int], Tensor]]
    spec: DecoderSpec
    net: MatchNetwork
    chosen: Learned
    listeners: tuple[str, ...]

    def __init__(
        self,
        preset: Preset | None = None,
        config: TrainingConfig | None = None,
        *,
        base: Self | None = None,
        device: str = "cpu",
    ) -> None:
        self.preset = preset or network_preset(EEG)
        self.config = config or TrainingConfig()
        self.base, self.device = base, device
        self._scorer: tuple[tuple[int, int], Scorer] | None = None

    @classmethod
    def preset_for(cls, preset: Preset) -> Preset:
        """Return a preset with the decision window of networks."""
        return network_preset(preset)

    @classmethod
    def of_shape(cls, preset: Preset, config: TrainingConfig, shape: Mapping[str, Any]) -> Self:
        """Make a decoder with the settings that :meth:`shape` gave."""
        return cls(preset, config)

    @classmethod
    def rebuild(cls, saved: Saved) -> Self:
        """Make a fitted decoder from what :meth:`settings` and :meth:`arrays` gave."""
        settings = dict(saved.settings)
        listeners = settings.pop("listeners")
        own = {field.name for field in fields(TrainingConfig)}
        config = make(TrainingConfig, {key: value for key, value in settings.items() if key in own})
        decoder = cls.of_shape(saved.preset, config, {key: value for key, value in settings.items() if key not in own})
        for name, array in saved.arrays.items():
            if array.dtype != np.float32:
                raise ValueError(f"{name} is {array.dtype}, but must be float32")
        return decoder.restore(saved.spec, listeners, make(Learned, saved.chosen), saved.arrays)

    def settings(self) -> dict[str, Any]:
        """Return listeners, how it was trained, and its shape."""
        return {"listeners": self.listeners, **asdict(self.config), **self.shape()}

    @abstractmethod
    def build(self, ch_names: Sequence[str], n_features: int, behind: int, listeners: Sequence[str]) -> MatchNetwork:
        """Build a network with initial weights from torch's generator."""

    def shape(self) -> dict[str, int | float | tuple[int, ...]]:
        """Return the settings that determine the shapes of the weights."""
        return {}

    def prepare(self, network: MatchNetwork, spec: DecoderSpec, runs: Sequence[Run]) -> None:
        """Fit the parameters that are not trained by gradients; the scales of both sides are already set."""

    def fit(self, runs: Sequence[Run]) -> Self:
        """Fit the decoder to runs with known attention.

        Raises
        ------
        DecoderMismatch
            If the runs differ in rate, channels or features.
        DecoderError
            If the runs have too little data with known attention.
        """
        for _ in self.training(runs):
            pass
        return self

    def training(
        self, runs: Sequence[Run], state: Mapping[str, Tensor] | None = None
    ) -> Iterator[tuple[Epoch, Callable[[], dict[str, Tensor]]]]:
        """Train epoch by epoch; the decoder is fitted when the iterator ends.

        Parameters
        ----------
        runs : sequence of Run
        state : mapping, optional
            State of an interrupted training with the same runs and settings, which continues after its last epoch.

        Yields
        ------
        Epoch
            Result of the epoch.
        callable
            Returns the state after the epoch.
        """
        if not runs:
            raise DecoderError(f"{self.kind} decoder: no run to learn from")
        first = runs[0]
        if first.sfreq != self.preset.sfreq:
            raise DecoderError(
                f"run {first.name!r} is at {first.sfreq:g} Hz, but preset {self.preset.name} needs "
                f"{self.preset.sfreq:g}"
            )
        listeners = tuple(dict.fromkeys(run.subject for run in runs))
        behind = max(0, round(self.preset.tmax * first.sfreq))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            network = self.build(first.ch_names, first.talkers.shape[2], behind, listeners)
        spec = self._spec(network, first)
        examples = Examples(runs, spec)
        _scale(network, examples)
        if self.base is not None:
            _inherit(network, self.base, spec)
        self.prepare(network, spec, [_before_the_test(run) for run in runs])
        network.to(self.device)
        config = self.config if self.base is None else replace(self.config, rate=self.config.rate / 3)
        training = Training(network, examples, config, self.criterion)
        if state is not None:
            training.restore(state)
        for epoch in training.epochs():
            yield epoch, training.state
        found = mixture(margins(network, examples), network.n_linear)
        network.to("cpu")
        # The held-out data were needed only to choose the share; now they are used for the fit, too.
        self.prepare(network, spec, runs)
        network.weigh(found.share)
        self.settle(spec, network, listeners)
        n, per_s = multiply_adds(network, spec.n_window), round(spec.sfreq)
        going_on = multiply_adds(network, spec.n_window + per_s) - n
        self.chosen = Learned(
            training.best_at, found.loss, found.accuracy, found.share, n_parameters(network), n, going_on
        )

    def settle(self, spec: DecoderSpec, network: MatchNetwork, listeners: Sequence[str]) -> None:
        """Set the fitted network."""
        self.spec, self.net, self.listeners = spec, network.eval().requires_grad_(False), tuple(listeners)
        self._weights = network.weights.double().numpy()

    def _spec(self, network: MatchNetwork, run: Run) -> DecoderSpec:
        behind, sfreq = network.behind, run.sfreq
        tmin, tmax = min(0, behind - network.neural.reach) / sfreq, behind / sfreq
        context, n_features = network.talkers.reach / sfreq, run.talkers.shape[2]
        return DecoderSpec(
            self.kind, sfreq, run.ch_names, run.features, n_features, tmin, tmax, self.preset.window, 1, context
        )

    def for_listener(self, subject: str) -> Self:
        """Return a copy with the layer of one of the listeners, or the mean of all layers for an unknown listener."""
        other = copy.copy(self)
        other.net, other._scorer = copy.deepcopy(self.net), None
        for module in other.net.modules():
            if isinstance(module, Listener):
                known = subject in self.listeners
                module.who = torch.tensor(self.listeners.index(subject)) if known else None
        return other

    def network(self, n_talkers: int = 2) -> tuple[MatchNetwork, tuple[Tensor, Tensor]]:
        """Return what to compile: a module in eval mode, and float32 example inputs of the only shapes it will get.

        The module takes a window of neural signal, (1, n_channels, n_window + reach), and of talkers, (n_talkers,
        n_features, n_window + reach), and returns the scores, (n_talkers,).
        """
        return self.net, self.net.example(self.spec.n_window, n_talkers)

    def use(self, scorer: Scorer, n_talkers: int = 2) -> None:
        """Use a scorer compiled from :meth:`network`, instead of the module, for windows of its shapes."""
        self._scorer = ((n_talkers, self.spec.n_window + self.spec.reach), scorer)

    @property
    def compiled(self) -> bool:
        """True if windows are scored by the scorer given to :meth:`use`."""
        return self._scorer is not None

    def score(self, neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score one window, see :meth:`Projections.score`."""
        check_window(self.spec, neural, talkers)
        scorer: Scorer = self.net
        if self._scorer is not None and self._scorer[0] == talkers.shape[:2]:
            scorer = self._scorer[1]
        return _numpy(eager(scorer, _tensor(neural)[None], _tensor(talkers)))

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the neural components, shape (n_samples - reach, n_components)."""
        if len(neural) <= self.spec.reach:
            return np.zeros((0, len(self._weights)))
        return _numpy(eager(self.net.embed_neural, _tensor(neural)[None])[0].T)

    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the components of each talker, shape (n_talkers, n_samples - reach, n_components)."""
        if talkers.shape[1] <= self.spec.reach:
            return np.zeros((len(talkers), 0, len(self._weights)))
        return _numpy(eager(self.net.embed_talkers, _tensor(talkers)).transpose(1, 2))

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted mean over components."""
        score: NDArray[np.float64] = correlations @ self._weights
        return score

    def hops(self, n_talkers: int, n_hop: int) -> CachedHops:
        """Return incremental projections, whose cost per hop depends only on the length of the hop."""
        return CachedHops(self.net, n_talkers, n_hop)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return all weights, by name."""
        return {name: value.numpy() for name, value in self.net.state_dict().items() if not name.endswith(COUNTERS)}

    def restore(
        self, spec: DecoderSpec, listeners: Sequence[str], chosen: Learned, arrays: Mapping[str, NDArray[np.float32]]
    ) -> Self:
        """Restore the decoder from :meth:`arrays`.

        Raises
        ------
        ValueError
            If arrays are missing or unknown, have wrong shapes, or are not finite.
        """
        with torch.random.fork_rng(devices=[]):
            network = self.build(spec.ch_names, spec.n_features, spec.behind, listeners)
        wanted = {name: value for name, value in network.state_dict().items() if not name.endswith(COUNTERS)}
        if set(wanted) != set(arrays):
            raise ValueError(f"weights are of another network: {', '.join(sorted(set(wanted) ^ set(arrays))[:3])}, ...")
        for name, value in wanted.items():
            found = arrays[name]
            if found.shape != tuple(value.shape) or not np.isfinite(found).all():
                raise ValueError(f"{name} is {found.dtype} {found.shape}, but must be finite {tuple(value.shape)}")
        network.load_state_dict({name: torch.tensor(value) for name, value in arrays.items()}, strict=False)
        if (network.ahead, network.behind) != (spec.ahead, spec.behind):
            raise ValueError(f"lags of {spec.ahead} and {spec.behind} samples are not those of the network")
        self.settle(spec, network, listeners)
        self.chosen = chosen
        return self


def _tensor(array: NDArray[np.float64]) -> Tensor:
    """Convert to a float32 tensor with channels first."""
    return torch.from_numpy(np.ascontiguousarray(np.swapaxes(array, -1, -2), dtype=np.float32))


def _numpy(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.cpu().numpy().astype(np.float64)


def _scale(network: MatchNetwork, examples: Examples) -> None:
    spread, loudness = examples.spread(), examples.loudness()
    # A dead channel gets scale 0, so that its noise is not amplified.
    alive = spread > 1e-6 * spread.max(initial=0.0)
    if not alive.any():
        raise DecoderError("the neural signal is constant: nothing can be learned from it")
    if not (loudness > 0).all():
        raise DecoderError("the features of the attended talker are constant: nothing can be learned from them")
    scale = np.where(alive, 1 / np.where(alive, spread, 1.0), 0.0)
    network.standardise.scale = torch.tensor(scale[:, None], dtype=torch.float32)
    network.loudness = torch.tensor(1 / loudness[None, :, None], dtype=torch.float32)


def _inherit(network: MatchNetwork, base: NetworkDecoder, spec: DecoderSpec) -> None:
    """Copy the weights of a base, except those specific to its cap, its listeners or their audio."""
    found, own, old = [], network.state_dict(), base.net.state_dict()
    placed = any(name.endswith(PLACES) for name in old)
    for what, theirs, ours in (
        ("kind", base.kind, spec.kind),
        ("rate in Hz", base.spec.sfreq, spec.sfreq),
        ("lags in samples", (base.spec.ahead, base.spec.behind), (spec.ahead, spec.behind)),
        ("features per talker", base.spec.n_features, spec.n_features),
        ("knowledge of where electrodes are", placed, any(name.endswith(PLACES) for name in own)),
        ("channels", () if placed else base.spec.ch_names, () if placed else spec.ch_names),
    ):
        if theirs != ours:
            found.append(f"{what}: {theirs} instead of {ours}")
    if found:
        raise DecoderMismatch(f"this base does not fit: {'; '.join(found)}")
    for name, value in old.items():
        if name.endswith(MATRICES):
            own[name] = value.mean(dim=0).repeat(len(own[name]), 1, 1)
        elif name not in OWN and not name.endswith(PLACES) and value.shape == own[name].shape:
            own[name] = value
    network.load_state_dict(own)


def _before_the_test(run: Run) -> Run:
    return run.part(0, round((1 - HELD_OUT) * len(run.neural)))
