"""The compiled network of a decoder in a session: scores every window within a deadline, is recorded and replayed."""

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
    """Return the network decoder of a graph, and the number of talkers.

    Raises
    ------
    ConfigError
        If the decoder of the graph is not a network.
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
    """Check that the network is compiled for every configured backend, without initialising a GPU.

    Raises
    ------
    ConfigError
        If a backend is not installed, or was not compiled for this network.
    """
    with _as_config_error():
        cache, wanted = EngineCache(), _wanted(config, decoder, n_talkers)
        for name in _attention(config).backends:
            if not cache.holds(BACKENDS[name], *wanted):
                raise _not_compiled(config, name, n_talkers)


def _compiled(config: Config, decoder: NetworkDecoder, n_talkers: int) -> dict[str, Prepared]:
    """Load the compiled network for every configured backend, by name; nothing is compiled here."""
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
    """Scores windows on compiled backends within a deadline, so that a slow backend does not block the graph.

    Parameters
    ----------
    config : Config
        Its ``[attention]`` names the backends and the deadline.
    decoder : NetworkDecoder
        It calls this object for the scores of its windows from now on.
    n_talkers : int

    Attributes
    ----------
    about : list of NetworkBackend
        Metadata for the recording: every backend, and its error relative to the network in float64.
    backend : str
        The backend in use.

    Raises
    ------
    ConfigError
        If a backend cannot be used, or disagrees with the network in float64.
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
        """Return the scores of a window, shape (n_talkers,); NaN if there was no answer in time."""
        answer = self._lanes.ask([neural.numpy(), talkers.numpy()])
        self.backend = answer.backend
        if not answer.fresh or answer.outputs is None:
            self._answers.append(Scores(answer.backend, None))
            return torch.full((self._n_talkers,), torch.nan)
        scores = answer.outputs[-1]
        self._answers.append(Scores(answer.backend, tuple(scores.tolist())))
        return torch.from_numpy(scores)

    def pop_answers(self) -> list[Scores]:
        """Return and clear backend and scores of every window since the last call; scores None without an answer."""
        taken, self._answers = self._answers, []
        return taken

    @property
    def at_last(self) -> bool:
        """Whether the backend in use is the last one, without a fallback."""
        return self._lanes.at_last

    def close(self) -> None:
        """Stop the backends."""
        self._lanes.close()


class RecordedNetwork:
    """Scores windows by the recorded answers, and checks these answers against the network.

    Parameters
    ----------
    decoder : NetworkDecoder
        It calls this object for the scores of its windows from now on.
    n_talkers : int
    answers : iterable of Scores
        As :meth:`LiveNetwork.pop_answers` returned them, in order.
    about : iterable of NetworkBackend
        As :attr:`LiveNetwork.about`.

    Attributes
    ----------
    n_answers, n_missed, n_wrong : int
        Numbers of windows answered in time, not answered in time, and answered differently from the network.
    difference, largest : float
        Largest difference between an answer and the network in float32, and largest score of the network.
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
        """Return the recorded scores, shape (n_talkers,); after the last recorded answer, those of the network."""
        answer = self._answers.popleft().scores if self._answers else self._module(neural, talkers).tolist()
        if answer is None:
            self.n_missed += 1
            return torch.full((self._n_talkers,), torch.nan)
        scores = np.array(answer, np.float32)
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
        # The scores of some windows, as when all channels are masked, are rounding errors only.
        window = [neural.numpy(), talkers.numpy()]
        (*_, exact), _, (*_, loose) = self._reference.answer(window)
        may = max(self._allowed * self.largest, SLACK * max(loose, self._reference.rounding(window)[-1]))
        if not np.abs(scores - exact).max() <= may:
            self.n_wrong += 1
