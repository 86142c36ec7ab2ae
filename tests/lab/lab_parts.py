"""Parts of a session as another laboratory would write them, in a package of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from earmark.pipeline.node import State
from earmark.pipeline.stream import Block, Gap, Item, StreamSpec, wiring_error


@dataclass(frozen=True)
class DriftConfig:
    """How quickly the level is followed."""

    seconds: float
    channels: tuple[str, ...] = ()


class Drift:
    """Take the level of each channel off, by a leaky mean that starts on the first sample."""

    Config = DriftConfig
    n_inputs = 1

    def __init__(self, config: DriftConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec) -> StreamSpec:
        if not spec.sfreq > 0:
            raise wiring_error("drift", "input", f"{spec.name!r} with irregular rate", "a regularly sampled stream")
        if not self.config.seconds > 0:
            raise wiring_error("drift", "seconds", self.config.seconds, "above 0")
        missing = [name for name in self.config.channels if name not in spec.ch_names]
        if missing:
            raise wiring_error("drift", "channels", missing, f"among {', '.join(spec.ch_names)}")
        self._which = [spec.ch_names.index(name) for name in self.config.channels or spec.ch_names]
        self._leak = 1 / (self.config.seconds * spec.sfreq + 1)
        self._level: np.ndarray | None = None
        return spec

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        if isinstance(item, Gap):
            self._level = None
        elif isinstance(item, Block):
            data = item.data.astype(np.float64)
            for row in data:
                if self._level is None:
                    self._level = row[self._which].copy()
                self._level += self._leak * (row[self._which] - self._level)
                row[self._which] -= self._level
            item = Block(item.start, data, item.bad)
        yield item

    def state(self) -> State:
        return {"level": np.zeros(0) if self._level is None else self._level.copy()}

    def restore(self, state: State) -> None:
        self._level = state["level"].astype(np.float64) if len(state["level"]) else None
