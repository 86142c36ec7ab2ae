"""A decoder's network in a session: asked for every window within a bound, recorded with what it said, and replayed."""

from __future__ import annotations

import shlex
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earmark.app.config.session import Config, ConfigError
from earmark.devices.files.engine_cache import CacheError, EngineCache
from earmark.devices.files.journal import NetworkBackend, Scores
from earmark.devices.processes.network_lanes import NetworkLanes
from earmark.kernels.runtime import BACKENDS
from earmark.kernels.runtime.backend import TOLERANCE, BackendError, Policy
from earmark.kernels.runtime.parity import SLACK, Reference, check
from earmark.pipeline.attention.attend import Attend
from earmark.pipeline.decoders.network_decoder import NetworkDecoder
from earmark.pipeline.graph import Graph
from earmark.pipeline.stream import StreamSpec

if TYPE_CHECKING:
    from earmark.app.config.session import AttentionConfig
    from earmark.devices.files.engine_cache import Prepared


def network_of(config: Config, graph: Graph, specs: Mapping[str, StreamSpec]) -> tuple[NetworkDecoder, int]:
    """The decoder that decides in a graph, and for how many talkers.

    Raises
    ------
    ConfigError
        If it is not made of a network.
    """
    decoder = next((step.node.decoder for step in graph.steps if isinstance(step.node, Attend)), None)
    if not isinstance(decoder, NetworkDecoder):
        raise ConfigError(
            f"[attention]: backends are for networks, but decoder {config.decoder} runs in NumPy and needs none: "
            "remove 'backends'"
        )
    return decoder, specs[_attention(config).talkers].n_channels // decoder.spec.n_features


def _attention(config: Config) -> AttentionConfig:
    assert config.attention is not None
    return config.attention


def check_compiled(config: Config, decoder: NetworkDecoder, n_talkers: int) -> None:
    """See whether all that the configuration names can be made ready, without a look at a GPU.

    Raises
    ------
    ConfigError
        If a backend is not there, or was not compiled for this network.
    """
    with _as_config_error():
        cache, wanted = EngineCache(), _wanted(config, decoder, n_talkers)
        for name in _attention(config).backends:
            if not cache.holds(BACKENDS[name], *wanted):
                raise _not_compiled(config, name, n_talkers)


def _compiled(config: Config, decoder: NetworkDecoder, n_talkers: int) -> dict[str, Prepared]:
    """What the configuration names, ready to answer; nothing is compiled here."""
    found = {}
    with _as_config_error():
        cache, wanted = EngineCache(), _wanted(config, decoder, n_talkers)
        for name in _attention(config).backends:
            prepared = cache.find(BACKENDS[name], *wanted)
            if prepared is None:
                raise _not_compiled(config, name, n_talkers)
            found[name.value] = prepared
    return found


def _wanted(
    config: Config, decoder: NetworkDecoder, n_talkers: int
) -> tuple[torch.nn.Module, tuple[Tensor, ...], Policy]:
    return *decoder.network(n_talkers), Policy(_attention(config).precision.value)


def _not_compiled(config: Config, backend: str, n_talkers: int) -> ConfigError:
    folder, precision = config.decoder, _attention(config).precision
    return ConfigError(
        f"[attention]: decoder {folder} is not compiled for {backend}, {precision} and {n_talkers} talkers; first run: "
        f"earmark compile {shlex.quote(str(folder))} --backend {backend} --precision {precision} --talkers {n_talkers}"
    )


@contextmanager
def _as_config_error() -> Iterator[None]:
    try:
        yield
    except (BackendError, CacheError) as error:
        raise ConfigError(f"[attention]: {error}") from None


class LiveNetwork:
    """Scores windows by backends that answer in time or not at all: whoever asks is not held up any longer.

    Parameters
    ----------
    config : Config
        Its [attention] names the backends; an answer may take as long as a decision.
    decoder : NetworkDecoder
        From now on it scores windows by this.
    n_talkers : int

    Attributes
    ----------
    about : list of NetworkBackend
        For the recording: what answers, and how far it was from the network in float64.
    backend : str
        In charge.

    Raises
    ------
    ConfigError
        If a backend cannot be used, or gives other answers than the network in float64.
    """

    def __init__(self, config: Config, decoder: NetworkDecoder, n_talkers: int) -> None:
        ready = _compiled(config, decoder, n_talkers)
        module, example = decoder.network(n_talkers)
        self.about: list[NetworkBackend] = []
        for name, prepared in ready.items():
            with _as_config_error():
                parity = check(prepared.network, module, [[one.numpy() for one in example]])
            info = prepared.network.info()
            self.about.append(
                NetworkBackend(
                    name, info.device, info.precision, dict(info.versions), prepared.key, float(parity.error)
                )
            )
        networks = {name: prepared.network for name, prepared in ready.items()}
        self._lanes = NetworkLanes(networks, _attention(config).deadline_s, time.monotonic)
        self.backend = next(iter(networks))
        self._answers: list[Scores] = []
        self._n_talkers = n_talkers
        decoder.use(self, n_talkers)

    def __call__(self, neural: Tensor, talkers: Tensor) -> Tensor:
        """Scores, shape (n_talkers,); NaN if no answer came in time."""
        answer = self._lanes.ask([neural.numpy(), talkers.numpy()])
        self.backend = answer.backend
        if not answer.fresh or answer.outputs is None:
            self._answers.append(Scores(answer.backend, None))
            return torch.full((self._n_talkers,), torch.nan)
        scores = answer.outputs[-1]
        self._answers.append(Scores(answer.backend, tuple(scores.tolist())))
        return torch.from_numpy(scores)

    def pop_answers(self) -> list[Scores]:
        """Backend and scores of every window since the last call; None where no answer came in time."""
        taken, self._answers = self._answers, []
        return taken

    @property
    def at_last(self) -> bool:
        """Whether the backend in charge has none to give way to."""
        return self._lanes.at_last

    def close(self) -> None:
        """Ask nothing more."""
        self._lanes.close()


class RecordedNetwork:
    """Scores windows by what was answered live, and asks the network itself whether that was right.

    Parameters
    ----------
    decoder : NetworkDecoder
        From now on it scores windows by this.
    n_talkers : int
    answers : iterable of Scores
        As :meth:`LiveNetwork.pop_answers` gave them, in order.
    about : iterable of NetworkBackend
        As :attr:`LiveNetwork.about`.

    Attributes
    ----------
    n_answers, n_missed, n_wrong : int
        Windows answered in time; not answered in time; and answers that are not those of the network.
    difference, largest : float
        Largest difference of an answer from that of the network in float32, and largest answer.
    """

    def __init__(
        self,
        decoder: NetworkDecoder,
        n_talkers: int,
        answers: Iterable[Scores],
        about: Iterable[NetworkBackend],
    ) -> None:
        self._module, self._n_talkers = decoder.net, n_talkers
        self._answers = deque(answers)
        self.backends = [f"{one.backend} ({one.device}, {one.precision})" for one in about]
        self._allowed = max(TOLERANCE[one.precision] for one in about)
        self._reference = Reference(decoder.net)
        self.n_answers = self.n_missed = self.n_wrong = 0
        self.difference = self.largest = 0.0
        decoder.use(self, n_talkers)

    def __call__(self, neural: Tensor, talkers: Tensor) -> Tensor:
        """Scores, shape (n_talkers,), as live; beyond the end of a recording that was cut short, of the network."""
        said = self._answers.popleft().scores if self._answers else self._module(neural, talkers).tolist()
        if said is None:
            self.n_missed += 1
            return torch.full((self._n_talkers,), torch.nan)
        scores = np.array(said, np.float32)
        if scores.shape != (self._n_talkers,):
            raise ConfigError(f"the recording holds an answer of {scores.size} scores for {self._n_talkers} talkers")
        self.n_answers += 1
        self._check_answer(scores, neural, talkers)
        return torch.from_numpy(scores)

    def _check_answer(self, scores: NDArray[np.float32], neural: Tensor, talkers: Tensor) -> None:
        expected = self._module(neural, talkers).numpy()
        off, size = float(np.abs(scores - expected).max()), float(np.abs(expected).max())
        self.difference, self.largest = max(self.difference, off), max(self.largest, size)
        if off <= self._allowed * size:
            return
        # Of some windows, as when all channels are masked, only rounding decides.
        window = [neural.numpy(), talkers.numpy()]
        (*_, exact), _, (*_, loose) = self._reference.answer(window)
        may = max(self._allowed * self.largest, SLACK * max(loose, self._reference.rounding(window)[-1]))
        if not np.abs(scores - exact).max() <= may:
            self.n_wrong += 1
