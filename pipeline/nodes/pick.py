"""Node that selects channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from earmark.pipeline.node import State
from earmark.pipeline.stream import ELECTRODES, Block, Item, StreamSpec, wiring_error


@dataclass(frozen=True, slots=True)
class PickConfig:
    """Settings of :class:`Pick`.

    Attributes
    ----------
    types : tuple of str
        Channel types to keep.
    names : tuple of str
        If given, keep only the channels with these names, of any type.
    drop : tuple of str
        Names of channels to remove.
    """

    types: tuple[str, ...] = ELECTRODES
    names: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class Pick:
    """Select channels; they stay in the order of the stream."""

    Config = PickConfig
    n_inputs = 1

    def __init__(self, config: PickConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Find the channels; raise WiringError for unknown names and an empty selection."""
        for key, names in (("names", self.config.names), ("drop", self.config.drop)):
            missing = [name for name in names if name not in spec.ch_names]
            if missing:
                raise wiring_error("pick", key, missing, f"channels of {spec.name!r}: {', '.join(spec.ch_names)}")
        self._indices = [
            i
            for i, (name, kind) in enumerate(zip(spec.ch_names, spec.ch_types, strict=True))
            if (name in self.config.names if self.config.names else kind in self.config.types)
            and name not in self.config.drop
        ]
        if not self._indices:
            there = f"among those of {spec.name!r}: {sorted(set(spec.ch_types))}"
            hint = "if the source reports wrong types or none, give 'ch_type' in [streams] of a session, or --ch-type"
            raise wiring_error("pick", "types", list(self.config.types), f"{there}; {hint}")
        return spec.pick(self._indices)

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Select the channels of blocks; pass on all other items."""
        if isinstance(item, Block):
            bad = None if item.bad is None else item.bad[self._indices]
            item = Block(item.start, item.data[:, self._indices], bad)
        yield item

    def state(self) -> State:
        """Return an empty state: the node has none."""
        return {}

    def restore(self, state: State) -> None:
        """Do nothing: the node has no state."""
