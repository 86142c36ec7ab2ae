"""Streams, ways to divide them into chunks, and bit-exact comparisons, for all tests of the pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from scipy.signal import sosfilt, sosfilt_zi

from earmark.pipeline.stream import Block, ChannelQuality, ClockMap, Epoch, Gap, Item, Marker, StreamSpec

MARKERS = StreamSpec("markers", 0.0, ("marker",), ("misc",), ("",))


def eeg(n_channels: int = 4, sfreq: float = 500.0, hop: int | None = None, **changes: object) -> StreamSpec:
    """Scalp channels E1, E2, ... in microvolts."""
    names = tuple(f"E{i + 1}" for i in range(n_channels))
    spec = StreamSpec("eeg", sfreq, names, ("eeg",) * n_channels, ("uV",) * n_channels, hop=hop)
    return spec.evolve(**changes)


def seeg(n_channels: int = 8, sfreq: float = 1000.0, hop: int | None = None, **changes: object) -> StreamSpec:
    """Contacts A1 ... A8, B1 ... B8, ... in microvolts."""
    names = tuple(f"{chr(ord('A') + i // 8)}{i % 8 + 1}" for i in range(n_channels))
    spec = StreamSpec("seeg", sfreq, names, ("seeg",) * n_channels, ("uV",) * n_channels, hop=hop)
    return spec.evolve(**changes)


def noise(seed: int, n_samples: int, n_channels: int = 4) -> np.ndarray:
    """Microvolts on an electrode offset."""
    return np.random.default_rng(seed).normal(300, 20, (n_samples, n_channels))


def cut(block: Block, at: Iterable[int]) -> list[Block]:
    """Cut a block at those of the absolute indices ``at`` that lie inside it."""
    edges = sorted({block.start, block.stop, *(i for i in at if block.start < i < block.stop)})
    return [Block(a, block.data[a - block.start : b - block.start], block.bad) for a, b in pairwise(edges)]


def hops(x: np.ndarray, hop: int, start: int = 0) -> list[Block]:
    """Blocks as reblock outputs them."""
    return cut(Block(start, x), range(start, start + len(x), hop))


def through(node: object, items: Iterable[Item]) -> list[Item]:
    """Everything that an open node outputs for some items."""
    return [out for item in items for out in node.process(item)]


def join(items: Iterable[Item]) -> np.ndarray:
    """The data of all blocks."""
    return np.concatenate([item.data for item in items if isinstance(item, Block)])


def bits(item: Item) -> tuple:
    """All contents of an item, bit for bit."""

    def exact(array: np.ndarray | None) -> object:
        return None if array is None else (array.dtype.str, array.shape, array.tobytes())

    if isinstance(item, Block):
        return ("block", item.start, exact(item.data), exact(item.bad))
    if isinstance(item, Epoch):
        return ("epoch", item.marker, item.start, exact(item.data), exact(item.bad), item.reason)
    if isinstance(item, ChannelQuality):
        return ("quality", item.stop, exact(item.score), exact(item.bad), item.faults, item.ch_names)
    assert isinstance(item, Gap | ClockMap | Marker)
    return (item,)


def assert_same(found: Sequence[tuple[str, Item]], wanted: Sequence[tuple[str, Item]]) -> None:
    """Compare the output of two graphs bit for bit, and report the first difference."""
    for i, ((name, a), (other, b)) in enumerate(zip(found, wanted, strict=False)):
        assert name == other, f"item {i} comes from {name}, not {other}"
        assert bits(a) == bits(b), f"item {i}, from {name}: {a} is not {b}"
    assert len(found) == len(wanted)


def one_shot(sos: np.ndarray, x: np.ndarray) -> np.ndarray:
    """SciPy's answer for the whole signal at once, settled on its first sample."""
    return sosfilt(sos, x, axis=0, zi=sosfilt_zi(sos)[:, :, None] * x[0])[0]


def assert_close(found: np.ndarray, wanted: np.ndarray, rtol: float = 1e-9) -> None:
    """Compare with an oracle, relative to its largest value."""
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=rtol * np.abs(wanted).max())
