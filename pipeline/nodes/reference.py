"""Node that re-references scalp and depth electrodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from earmark.pipeline.node import State
from earmark.pipeline.stream import Block, Item, StreamSpec, wiring_error

KINDS = ("average", "channels", "bipolar", "laplacian")


@dataclass(frozen=True, slots=True)
class ReferenceConfig:
    """Settings of :class:`Reference`.

    Attributes
    ----------
    kind : {"average", "channels", "bipolar", "laplacian"}
        What is subtracted: the mean of all EEG (or all intracranial) channels; the mean of given channels; the next
        contact on the same shaft; the mean of the two adjacent contacts.
    channels : tuple of str
        For ``kind="channels"``: the channels whose mean is subtracted.
    pairs : tuple of (str, str)
        For ``kind="bipolar"``: anode and cathode of each derivation. Empty means neighbouring contacts of each
        shaft, read from the channel names: A1-A2, A2-A3, B1-B2, ...
    """

    kind: Literal["average", "channels", "bipolar", "laplacian"] = "average"
    channels: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()


def shafts(ch_names: tuple[str, ...]) -> dict[str, dict[int, int]]:
    """Find the contacts of each depth electrode by names like ``A'12``: shaft → contact number → channel index."""
    found: dict[str, dict[int, int]] = {}
    for index, name in enumerate(ch_names):
        match = re.fullmatch(r"(.*\D)(\d+)", name)
        if match:
            found.setdefault(match[1], {})[int(match[2])] = index
    return found


class Reference:
    """Subtract a reference. Channels masked as bad are not part of any reference.

    EOG and channels that are not electrodes pass unchanged. A bipolar derivation with a bad contact is bad. A
    Laplacian uses one neighbour if the other is bad, and is bad if both are. If no good channel is left for a mean,
    all channels that depend on it are bad.
    """

    Config = ReferenceConfig
    n_inputs = 1

    def __init__(self, config: ReferenceConfig) -> None:
        self.config = config

    def open(self, spec: StreamSpec) -> StreamSpec:
        """Resolve names to indices and determine the output channels."""
        if spec.hop is None:
            raise wiring_error(
                "reference", "input", f"{spec.name!r} in ragged blocks", "reblocked: put reblock before it"
            )
        if self.config.kind not in KINDS:
            raise wiring_error("reference", "kind", repr(self.config.kind), f"one of {', '.join(KINDS)}")
        if self.config.pairs and self.config.kind != "bipolar":
            raise wiring_error(
                "reference", "pairs", f"given with kind {self.config.kind!r}", "left out, or kind bipolar"
            )
        if self.config.channels and self.config.kind != "channels":
            raise wiring_error(
                "reference", "channels", f"given with kind {self.config.kind!r}", "left out, or kind channels"
            )
        if self.config.kind in ("average", "channels"):
            return self._open_mean(spec)
        return self._open_neighbours(spec)

    def _open_mean(self, spec: StreamSpec) -> StreamSpec:
        kinds = ("eeg",) if "eeg" in spec.ch_types else ("seeg", "ecog")
        self._members = np.array([kind in kinds for kind in spec.ch_types])
        if not self._members.any():
            raise wiring_error("reference", "input", f"{spec.name!r} without EEG or intracranial channels", "with some")
        self._sources = self._members
        if self.config.kind == "channels":
            self._check_names(spec, "channels", self.config.channels)
            self._sources = np.array([name in self.config.channels for name in spec.ch_names])
        return spec

    def _open_neighbours(self, spec: StreamSpec) -> StreamSpec:
        intracranial = [kind in ("seeg", "ecog") for kind in spec.ch_types]
        others = [i for i, inside in enumerate(intracranial) if not inside]
        contacts = [
            {number: i for number, i in shaft.items() if intracranial[i]} for shaft in shafts(spec.ch_names).values()
        ]
        # Each row: centre and its two neighbours (the same one twice for bipolar derivations and at shaft ends).
        if self.config.pairs:
            self._check_names(spec, "pairs", tuple(name for pair in self.config.pairs for name in pair))
            find = spec.ch_names.index
            rows = [(find(a), find(b), find(b)) for a, b in self.config.pairs]
        elif self.config.kind == "bipolar":
            rows = [(s[n], s[n + 1], s[n + 1]) for s in contacts for n in sorted(s) if n + 1 in s]
        else:
            rows = [
                (s[n], s.get(n - 1, s.get(n + 1, -1)), s.get(n + 1, s.get(n - 1, -1)))
                for s in contacts
                for n in sorted(s)
                if n - 1 in s or n + 1 in s
            ]
        if not rows:
            raise wiring_error(
                "reference",
                "kind",
                f"{self.config.kind!r} on {spec.name!r}",
                "used on seeg or ecog channels named by shaft and contact (A1, A2, ...), or with 'pairs'",
            )
        self._centre, self._left, self._right = np.array(rows).T
        self._others = np.array(others, dtype=int)
        self._n_derived = len(rows)
        out = spec.pick([*self._centre, *others])
        if self.config.kind == "bipolar":
            names = [f"{spec.ch_names[a]}-{spec.ch_names[b]}" for a, b, _ in rows]
            out = out.evolve(ch_names=(*names, *(spec.ch_names[i] for i in others)))
        return out

    def _check_names(self, spec: StreamSpec, key: str, names: tuple[str, ...]) -> None:
        missing = [name for name in names if name not in spec.ch_names]
        if missing or not names:
            raise wiring_error(
                "reference", key, missing or "empty", f"channels of {spec.name!r}: {', '.join(spec.ch_names)}"
            )

    def process(self, item: Item, port: int = 0) -> Iterator[Item]:
        """Re-reference blocks; pass on all other items."""
        if isinstance(item, Block):
            item = self._mean(item) if self.config.kind in ("average", "channels") else self._neighbours(item)
        yield item

    def _mean(self, block: Block) -> Block:
        sources = self._sources if block.bad is None else self._sources & ~block.bad
        n_sources = np.count_nonzero(sources)
        if n_sources == 0:
            bad = self._members if block.bad is None else self._members | block.bad
            return Block(block.start, block.data, bad)
        mean = block.data @ (sources / n_sources)
        data = np.where(self._members, block.data - mean[:, None], block.data)
        return Block(block.start, data, block.bad)

    def _neighbours(self, block: Block) -> Block:
        x = block.data
        left, right, bad = self._left, self._right, None
        if block.bad is not None:
            left_bad, right_bad = block.bad[left], block.bad[right]
            left, right = np.where(left_bad, right, left), np.where(right_bad, left, right)
            bad = np.concatenate([block.bad[self._centre] | (left_bad & right_bad), block.bad[self._others]])
        data = np.empty((len(x), self._n_derived + len(self._others)))
        data[:, : self._n_derived] = x[:, self._centre] - (0.5 * x[:, left] + 0.5 * x[:, right])
        data[:, self._n_derived :] = x[:, self._others]
        return Block(block.start, data, bad)

    def state(self) -> State:
        """Return an empty state: the node has none."""
        return {}

    def restore(self, state: State) -> None:
        """Do nothing: the node has no state."""
