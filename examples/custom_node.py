"""Write your own node and run it in a graph, offline: subtract the running mean of every channel."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from earmark.pipeline import Block, Gap, StreamSpec
from earmark.pipeline.node import State
from earmark.pipeline.stream import Item, wiring_error


@dataclass(frozen=True, slots=True)
class DriftConfig:
    """Settings of the drift removal.

    Attributes
    ----------
    seconds : float
        Time constant of the running mean, s.
    """

    seconds: float = 2.0


class Drift:
    """Subtract an exponential running mean, which restarts after a gap."""

    Config = DriftConfig
    n_inputs = 1

    def __init__(self, config: DriftConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Check the time constant; the output has the same format as the input."""
        if not self.config.seconds > 0:
            raise wiring_error("drift", "seconds", self.config.seconds, "above 0")
        self._rate = 1 / (self.config.seconds * spec.sfreq)
        self._mean = np.full(spec.n_channels, np.nan)
        return spec

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Subtract the mean sample by sample, so that the result does not depend on block lengths."""
        if isinstance(item, Gap) and not item.short:
            self._mean[:] = np.nan
        if isinstance(item, Block):
            out = np.empty_like(item.data)
            for row, sample in enumerate(item.data):
                step = np.where(np.isnan(self._mean), sample, self._mean + self._rate * (sample - self._mean))
                self._mean[:] = step
                out[row] = sample - step
            item = Block(item.start, out, item.bad)
        yield item

    def state(self) -> State:
        """Return the running mean."""
        return {"mean": self._mean.copy()}

    def restore(self, state: State) -> None:
        """Restore the running mean."""
        self._mean[:] = state["mean"]


def main() -> None:
    """Filter two seconds of a slow ramp, and print what remains."""
    from earmark.pipeline import Graph, Reblock, Step

    spec = StreamSpec("eeg", 250.0, ("C3", "C4"), ("eeg", "eeg"), ("uV", "uV"))
    steps = [
        Step("reblock", Reblock(Reblock.Config(hop_s=0.02)), ("eeg",)),
        Step("drift", Drift(DriftConfig(seconds=0.5)), ("reblock",)),
    ]
    graph = Graph(steps, outputs=["drift"])
    graph.open({"eeg": spec})
    ramp = np.linspace(0, 100, 500)[:, None] * np.ones(2)
    found = [item for _, item in graph.feed("eeg", Block(0, ramp)) if isinstance(item, Block)]
    out = np.concatenate([block.data for block in found])
    print(f"{len(out)} samples; of the ramp of 100 uV, at most {np.abs(out).max():.1f} uV remain")


if __name__ == "__main__":
    main()
