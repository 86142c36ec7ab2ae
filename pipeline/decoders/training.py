"""Training of networks with a contrastive or a correlation loss; epoch by epoch, so that the caller can stop it.

Training does not depend on a clock or on random numbers drawn elsewhere. The result of an epoch is determined by the
state before it and the seed, so an interrupted training continues as if it had not been interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from earmark.pipeline.decoders.decoder import DecoderError
from earmark.pipeline.decoders.examples import Batch, Examples
from earmark.pipeline.decoders.networks import Listener, MatchNetwork, centred

#: Loss of a network over a batch, with windows of ``n_window`` samples.
Loss = Callable[[MatchNetwork, Batch, int], Tensor]
#: Possible shares of the nonlinear components.
SHARES = tuple(i / 10 for i in range(11))
#: Inverse temperatures of the test loss; the best one is used, so that the scale of scores does not matter.
TEMPERATURES = tuple(2.0**k for k in range(10))


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Settings of training.

    Attributes
    ----------
    epochs : int
        Maximum number of epochs.
    patience : int
        Number of epochs without improvement of the test loss after which training ends.
    batch : int
        Segments per batch, each with up to four windows.
    rate, decay : float
        Learning rate and weight decay of AdamW.
    seed : int
        Seed of initial weights, batches and dropout.
    mixed : bool
        True to multiply in bfloat16 on devices where this is faster; sums, normalisation and correlations stay in
        float32.
    """

    epochs: int = 30
    patience: int = 4
    batch: int = 16
    rate: float = 1e-3
    decay: float = 0.05
    seed: int = 0
    mixed: bool = False

    def __post_init__(self) -> None:
        for what, fine in (
            ("epochs", self.epochs >= 0),
            ("patience", self.patience >= 1),
            ("batch", self.batch >= 2),
            ("rate", self.rate > 0),
            ("decay", self.decay >= 0),
        ):
            if not fine:
                raise DecoderError(f"training: {what} is {getattr(self, what)}, which is too small")


@dataclass(frozen=True, slots=True)
class Epoch:
    """Result of one epoch.

    Attributes
    ----------
    number, of : int
        Number of the epoch, from 1, and maximum number of epochs.
    loss : float
        Mean training loss over batches.
    test_loss, test_accuracy : float
        On the held-out end of each run: cross-entropy in nats, and fraction of correct pairs.
    best : bool
        True if no earlier epoch was better.
    """

    number: int
    of: int
    loss: float
    test_loss: float
    test_accuracy: float
    best: bool


def contrastive(network: MatchNetwork, batch: Batch, n_window: int) -> Tensor:
    """Contrastive loss: match every window of the brain signal with its speech, and vice versa [1]_.

    Negative examples are all other windows of the batch, except the same speech at the same time heard by another
    listener, and, for each brain window, the simultaneous speech of the other talker. Linear and nonlinear components
    have separate losses, so that overfitting of the nonlinear ones does not affect the linear ones.

    References
    ----------
    .. [1] Radford et al., Learning transferable visual models from natural language supervision, ICML (2021); Défossez
       et al., Nature Machine Intelligence 5 (2023), for brain and speech.
    """
    x, y, rival = (
        _windows(embedded, n_window)
        for embedded in (
            network.embed_neural(batch.neural),
            network.embed_talkers(batch.attended),
            network.embed_talkers(batch.other),
        )
    )
    n, share = network.n_linear, torch.softmax(network.logits, dim=0)
    loss = _tell_apart(network.sharpness[1], share, x[:, n:], y[:, n:], rival[:, n:], batch, n_window)
    if n:
        share = torch.full((n,), 1 / n, device=x.device)
        loss = loss + _tell_apart(network.sharpness[0], share, x[:, :n], y[:, :n], rival[:, :n], batch, n_window)
    return loss


def _tell_apart(
    sharpness: Tensor, share: Tensor, x: Tensor, y: Tensor, rival: Tensor, batch: Batch, n_window: int
) -> Tensor:
    x = sharpness.exp() * x * share[:, None]
    scores = x.flatten(1) @ y.flatten(1).T
    m = len(x) // len(batch.start)
    start = (batch.start[:, None] + n_window * torch.arange(m, device=x.device)).flatten()
    stimulus = batch.stimulus.repeat_interleave(m)
    same = (stimulus[:, None] == stimulus) & ((start[:, None] - start).abs() < n_window)
    same.fill_diagonal_(False)
    scores = scores.masked_fill(same, -torch.inf)
    has_other = batch.has_other.repeat_interleave(m)
    meanwhile = (x * rival).flatten(1).sum(dim=1).masked_fill(~has_other, -torch.inf)
    right = torch.arange(len(x), device=x.device)
    to_speech = cross_entropy(torch.cat([scores, meanwhile[:, None]], dim=1), right)
    loss: Tensor = (to_speech + cross_entropy(scores.T, right)) / 2
    if has_other.any():
        # The decision in use: attended or other talker at the same time.
        pair = torch.stack([scores.diagonal(), meanwhile], dim=1)[has_other]
        loss = loss + cross_entropy(pair, torch.zeros_like(pair[:, 0], dtype=torch.long))
    return loss


def correlation(network: MatchNetwork, batch: Batch, n_window: int) -> Tensor:
    """Reconstruction loss: negative correlation with the attended talker, mean over windows and features."""
    x = _windows(network.embed_neural(batch.neural), n_window)
    y = _windows(network.embed_talkers(batch.attended), n_window)
    r: Tensor = (x * y).sum(dim=-1).mean()
    return -r


def _windows(x: Tensor, n_window: int) -> Tensor:
    """(n, n_components, m * n_window) → (n * m, n_components, n_window): zero mean, unit length, float32."""
    n, n_components, length = x.shape
    x = x.float().reshape(n, n_components, length // n_window, n_window).transpose(1, 2).flatten(0, 1)
    return unit(x)


def unit(x: Tensor) -> Tensor:
    """Subtract the mean over time and scale to unit length."""
    x = centred(x)
    y: Tensor = x / (x.norm(dim=-1, keepdim=True) + 1e-6)
    return y


class Training:
    """Training of a network, which keeps the best weights.

    Parameters
    ----------
    network : MatchNetwork
        Trained in place; it has the best weights when the epochs end.
    examples : Examples
    config : TrainingConfig
    loss : callable
        :func:`contrastive` or :func:`correlation`.
    """

    def __init__(self, network: MatchNetwork, examples: Examples, config: TrainingConfig, loss: Loss) -> None:
        self._network, self._examples, self._config, self._loss = network, examples, config, loss
        linear = [p for name, p in network.named_parameters() if name.endswith(".taps") and p.requires_grad]
        rest = [p for name, p in network.named_parameters() if not name.endswith(".taps") and p.requires_grad]
        # The linear components have few taps, so a high learning rate without weight decay does not overfit them.
        groups: list[dict[str, Any]] = [
            {"params": linear, "lr": 3 * config.rate, "weight_decay": 0.0},
            {"params": rest},
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=config.rate, weight_decay=config.decay)
        self._best = {name: value.clone() for name, value in network.state_dict().items()}
        self._least, self._done, self.best_at = np.inf, 0, 0

    def epochs(self) -> Iterator[Epoch]:
        """Train until there is no progress; at the end the network has the best weights."""
        config = self._config
        while self._done < config.epochs and self._done - self.best_at < config.patience:
            # Random numbers here and elsewhere do not affect each other.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(config.seed * 100_003 + self._done)
                loss = self._learn(np.random.default_rng([config.seed, self._done]))
            self._done += 1
            found = mixture(margins(self._network, self._examples), self._network.n_linear)
            if best := found.loss < self._least:
                self._least, self.best_at = found.loss, self._done
                self._best = {name: value.clone() for name, value in self._network.state_dict().items()}
            yield Epoch(self._done, config.epochs, loss, found.loss, found.accuracy, best)
        self._network.load_state_dict(self._best)
        self._network.eval()

    def _learn(self, rng: np.random.Generator) -> float:
        config, examples, device = self._config, self._examples, self._network.weights.device
        per_batch = config.batch * examples.n_windows * examples.spec.window
        n, total = max(4, round(examples.seconds / per_batch)), 0.0
        self._network.train()
        for _ in range(n):
            batch = examples.batch(config.batch, rng).to(device)
            _listen(self._network, batch.listener)
            with torch.autocast(device.type, torch.bfloat16, enabled=config.mixed):
                loss = self._loss(self._network, batch, examples.spec.n_window)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
            self._optimizer.step()
            total += float(loss.detach()) / n
        _listen(self._network, None)
        return total

    def state(self) -> dict[str, Tensor]:
        """Return everything that later epochs depend on."""
        state = {f"network.{name}": value.clone() for name, value in self._network.state_dict().items()}
        state |= {f"best.{name}": value for name, value in self._best.items()}
        for i, slots in self._optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{i}.{name}": value.clone() for name, value in slots.items()}
        state["at"] = torch.tensor([float(self._done), float(self.best_at), self._least], dtype=torch.float64)
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`state` returned.

        Raises
        ------
        DecoderError
            If the state belongs to another network.
        """
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "optimizer": {}}
        for key, value in state.items():
            part, _, name = key.partition(".")
            if name:
                parts.setdefault(part, {})[name] = value
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in parts["optimizer"].items():
            i, _, name = key.partition(".")
            slots.setdefault(int(i), {})[name] = value
        try:
            self._network.load_state_dict(parts["network"])
            self._best = {name: value.to(self._network.weights.device) for name, value in parts["best"].items()}
            whole = self._optimizer.state_dict()
            self._optimizer.load_state_dict({"state": slots, "param_groups": whole["param_groups"]})
            done, best_at, self._least = (float(v) for v in state["at"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise DecoderError(f"this state of a training belongs to another network: {error}") from error
        self._done, self.best_at = int(done), int(best_at)


def _listen(network: nn.Module, who: Tensor | None) -> None:
    for module in network.modules():
        if isinstance(module, Listener):
            module.who = who


@dataclass(frozen=True, slots=True)
class Mixture:
    """Best combination of linear and nonlinear components.

    Attributes
    ----------
    share : float
        Share of the nonlinear components in the score.
    loss, accuracy : float
        Cross-entropy per pair in nats, and fraction of correct pairs.
    """

    share: float
    loss: float
    accuracy: float


def mixture(gaps: NDArray[np.float64], n_linear: int) -> Mixture:
    """Choose the share with the lowest loss on the result of :func:`margins`."""
    found = []
    for share in SHARES if n_linear else (1.0,):
        mixed = (1 - share) * gaps[:, 0] + share * gaps[:, 1]
        found.append(Mixture(share, least_entropy(mixed), float((mixed > 0).mean())))
    return min(found, key=lambda one: one.loss)


def margins(network: MatchNetwork, examples: Examples) -> NDArray[np.float64]:
    """Return by how much attended speech scores above other speech, on the held-out end of each run.

    Other speech is that of other talkers at the same time or, if there are none, that of the same talker at other
    times.

    Returns
    -------
    array, shape (n_pairs, 2)
        Differences of the linear components, and of the nonlinear ones.

    Raises
    ------
    DecoderError
        If the held-out parts of the runs are too short to test on.
    """
    found, n, device = [], examples.n_test, network.weights.device
    network.eval()
    share, split = torch.softmax(network.logits.detach(), dim=0), network.n_linear
    for neural, talkers, attended, listener in examples.tests():
        with torch.no_grad():
            _listen(network, torch.tensor(listener, device=device))
            x = network.embed_neural(neural.to(device)).float().unfold(-1, n, max(1, n // 2))[0]
            y = network.embed_talkers(talkers.to(device)).float().unfold(-1, n, max(1, n // 2))
            # (components, windows, n) against (talkers, components, windows, n)
            x, y = unit(x).transpose(0, 1), unit(y).transpose(1, 2)
            if len(y) > 1:
                r = (x * y).sum(dim=-1)
                gaps = r[attended] - torch.cat([r[:attended], r[attended + 1 :]])
                gaps = gaps.flatten(0, 1)
            else:
                r = torch.einsum("icn,jcn->ijc", x, y[0])
                at = torch.arange(len(x), device=device)
                apart = (at[:, None] - at).abs() >= 2
                gaps = (r[at, at][:, None] - r)[apart]
            linear = gaps[:, :split].mean(dim=1) if split else torch.zeros(len(gaps), device=device)
            found.append(torch.stack([linear, gaps[:, split:] @ share], dim=1).double().cpu().numpy())
    _listen(network, None)
    if not sum(map(len, found)):
        raise DecoderError(f"{examples.spec.kind} decoder: the runs are too short to hold a part out to test on")
    return np.concatenate(found)


def least_entropy(gaps: NDArray[np.float64]) -> float:
    """Return the minimum over temperatures of the mean cross-entropy of pairs."""
    return float(min(np.logaddexp(0.0, -t * gaps).mean() for t in (0.0, *TEMPERATURES)))
