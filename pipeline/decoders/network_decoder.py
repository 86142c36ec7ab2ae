"""What decoders made of networks share: learning, scoring, and going on from hop to hop."""

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

#: Decision window in seconds: what networks are trained on, too.
WINDOW_S = 3.0
#: What belongs to a cap, its listeners or their sound, and is never taken over from a base.
OWN = ("standardise.scale", "loudness", "weights")
PLACES, MATRICES = ".places", ".matrices"
#: What normalisation counts and never reads.
COUNTERS = ".num_batches_tracked"

#: Scores of one window: (1, n_channels, T), (n_talkers, n_features, T) → (n_talkers,); all float32.
Scorer = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Learned:
    """How training ended.

    Attributes
    ----------
    epochs : int
        Until the best one.
    test_loss, test_accuracy : float
        On the held-out end of each run, that the best epoch was chosen by: hence optimistic. Cross-entropy per pair in
        nats, and share of pairs told apart.
    share : float
        Of the score, that comes from components that are not linear.
    n_parameters : int
        Values that it consists of.
    multiply_adds : int
        For one decision window and two talkers, scored from nothing.
    multiply_adds_per_s : int
        For one more second of signal, going on.
    """

    epochs: int
    test_loss: float
    test_accuracy: float
    share: float
    n_parameters: int
    multiply_adds: int
    multiply_adds_per_s: int


def network_preset(preset: Preset) -> Preset:
    """Take the signals of a preset, and the decision window of networks."""
    return replace(preset, window=max(WINDOW_S, preset.window))


class NetworkDecoder(Projections):
    """Two towers of causal stages; the score of a talker is the weighted correlation of their components.

    Parameters
    ----------
    preset : Preset
        Lag that is waited for, and window.
    config : TrainingConfig
    base : NetworkDecoder, optional
        Fitted, of the same kind: training begins with its weights, at a third of the rate.
    device : str
        To train on, as torch names it. Decoding is on the CPU, by one thread.

    Attributes
    ----------
    net : MatchNetwork
        Fitted.
    chosen : Learned
    listeners : tuple of str
        Subjects of the runs that were learned from.
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
        """Make a network with first weights from torch's generator."""

    def shape(self) -> dict[str, int | float | tuple[int, ...]]:
        """Settings that its weights depend on, beside the training."""
        return {}

    def prepare(self, network: MatchNetwork, spec: DecoderSpec, runs: Sequence[Run]) -> None:
        """Fit what is not learned by gradients; the scales of both sides are set already."""

    def fit(self, runs: Sequence[Run]) -> Self:
        """Learn from runs with known attention.

        Raises
        ------
        DecoderMismatch
            If the runs differ in rate, channels or features.
        DecoderError
            If there is nothing to learn from.
        """
        for _ in self.training(runs):
            pass
        return self

    def training(
        self, runs: Sequence[Run], state: Mapping[str, Tensor] | None = None
    ) -> Iterator[tuple[Epoch, Callable[[], dict[str, Tensor]]]]:
        """Learn, epoch by epoch; when the iterator ends, the decoder is fitted.

        Parameters
        ----------
        runs : sequence of Run
        state : mapping, optional
            Of a training of the same runs and settings that was broken off: goes on after its last epoch.

        Yields
        ------
        Epoch
            What it came to.
        callable
            Gives the state after it.
        """
        if not runs:
            raise DecoderError(f"{self.kind} decoder: no run to learn from")
        first = runs[0]
        if first.sfreq != self.preset.sfreq:
            raise DecoderError(
                f"run {first.name!r} is at {first.sfreq:g} Hz, but preset {self.preset.name} wants "
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
        # What chose the share is learned from, too, once it is chosen.
        self.prepare(network, spec, runs)
        network.weigh(found.share)
        self.settle(spec, network, listeners)
        n, per_s = multiply_adds(network, spec.n_window), round(spec.sfreq)
        going_on = multiply_adds(network, spec.n_window + per_s) - n
        self.chosen = Learned(
            training.best_at, found.loss, found.accuracy, found.share, n_parameters(network), n, going_on
        )

    def settle(self, spec: DecoderSpec, network: MatchNetwork, listeners: Sequence[str]) -> None:
        """Use this network from now on."""
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
        """Return a copy that uses the layer of one of its listeners, or the mean of all for anybody else."""
        other = copy.copy(self)
        other.net, other._scorer = copy.deepcopy(self.net), None
        for module in other.net.modules():
            if isinstance(module, Listener):
                known = subject in self.listeners
                module.who = torch.tensor(self.listeners.index(subject)) if known else None
        return other

    def network(self, n_talkers: int = 2) -> tuple[MatchNetwork, tuple[Tensor, Tensor]]:
        """What to compile: a module in eval mode, and float32 inputs of the only shapes it will meet.

        It takes a window of neural signal, (1, n_channels, n_window + reach), and of talkers, (n_talkers, n_features,
        n_window + reach), and gives the scores, (n_talkers,).
        """
        return self.net, self.net.example(self.spec.n_window, n_talkers)

    def use(self, scorer: Scorer, n_talkers: int = 2) -> None:
        """Score windows of the shapes of :meth:`network` by this, compiled from it, rather than by the module."""
        self._scorer = ((n_talkers, self.spec.n_window + self.spec.reach), scorer)

    @property
    def compiled(self) -> bool:
        """Whether windows are scored by what :meth:`use` was given."""
        return self._scorer is not None

    def score(self, neural: NDArray[np.float64], talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score one window, as :class:`Projections` says."""
        check_window(self.spec, neural, talkers)
        scorer: Scorer = self.net
        if self._scorer is not None and self._scorer[0] == talkers.shape[:2]:
            scorer = self._scorer[1]
        return _numpy(eager(scorer, _tensor(neural)[None], _tensor(talkers)))

    def project_neural(self, neural: NDArray[np.float64]) -> NDArray[np.float64]:
        """Components of the brain, shape (n_samples - reach, n_components)."""
        if len(neural) <= self.spec.reach:
            return np.zeros((0, len(self._weights)))
        return _numpy(eager(self.net.embed_neural, _tensor(neural)[None])[0].T)

    def project_talkers(self, talkers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Components of each talker, shape (n_talkers, n_samples - reach, n_components)."""
        if talkers.shape[1] <= self.spec.reach:
            return np.zeros((len(talkers), 0, len(self._weights)))
        return _numpy(eager(self.net.embed_talkers, _tensor(talkers)).transpose(1, 2))

    def combine(self, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted mean over components."""
        score: NDArray[np.float64] = correlations @ self._weights
        return score

    def hops(self, n_talkers: int, n_hop: int) -> CachedHops:
        """Projections that go on from hop to hop, at a cost that depends on the hop alone."""
        return CachedHops(self.net, n_talkers, n_hop)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """All weights, by name."""
        return {name: value.numpy() for name, value in self.net.state_dict().items() if not name.endswith(COUNTERS)}

    def restore(
        self, spec: DecoderSpec, listeners: Sequence[str], chosen: Learned, arrays: Mapping[str, NDArray[np.float32]]
    ) -> Self:
        """Become what :meth:`arrays` was taken from.

        Raises
        ------
        ValueError
            If arrays are missing, too many, of other shapes, or not finite.
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
            raise ValueError(f"lags of {spec.ahead} and {spec.behind} samples are not those of its network")
        self.settle(spec, network, listeners)
        self.chosen = chosen
        return self


def _tensor(array: NDArray[np.float64]) -> Tensor:
    """Channels first, in float32."""
    return torch.from_numpy(np.ascontiguousarray(np.swapaxes(array, -1, -2), dtype=np.float32))


def _numpy(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.cpu().numpy().astype(np.float64)


def _scale(network: MatchNetwork, examples: Examples) -> None:
    spread, loudness = examples.spread(), examples.loudness()
    # A dead channel has no scale: it is left out rather than blown up.
    alive = spread > 1e-6 * spread.max(initial=0.0)
    if not alive.any():
        raise DecoderError("the neural signal is constant: nothing can be learned from it")
    if not (loudness > 0).all():
        raise DecoderError("the features of the attended talker are constant: nothing can be learned from them")
    scale = np.where(alive, 1 / np.where(alive, spread, 1.0), 0.0)
    network.standardise.scale = torch.tensor(scale[:, None], dtype=torch.float32)
    network.loudness = torch.tensor(1 / loudness[None, :, None], dtype=torch.float32)


def _inherit(network: MatchNetwork, base: NetworkDecoder, spec: DecoderSpec) -> None:
    """Begin with the weights of another: all that does not belong to its cap, its listeners or their sound."""
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
