"""The raw signal of the electrodes for display: a ring in shared memory, which readers cannot block."""

from __future__ import annotations

import numpy as np

from earmark.devices.processes.signal_ring import SignalRing
from earmark.pipeline.stream import ELECTRODES, Block, Gap, Item, StreamSpec
from earmark.pipeline.units import microvolts

#: Length of the ring in s, and largest plausible magnitude of a sample in uV.
RING_S, LIMIT_UV = 30.0, 1e6


class EngineSignals:
    """Writes the neural stream to the ring, on the graph's thread.

    Parameters
    ----------
    name : str
        Name of the neural stream in the configuration.
    spec : StreamSpec
        Its specification as received.
    """

    def __init__(self, name: str, spec: StreamSpec) -> None:
        self._name = name
        self._rows = [i for i, kind in enumerate(spec.ch_types) if kind in ELECTRODES]
        # The graph refuses unknown units if it needs to know them.
        self._to_uv = np.array([microvolts(spec.units[i]) or 1.0 for i in self._rows], np.float32)
        self._ring = SignalRing(
            n_channels=len(self._rows), n_samples=max(1, round(RING_S * spec.sfreq)), sfreq=spec.sfreq
        )

    @property
    def ring(self) -> str:
        """Name of the ring."""
        return self._ring.name

    def write(self, name: str, item: Item) -> None:
        """Write an item of the neural stream in uV: implausible values as 0, gaps as NaN. Ignores other streams."""
        if name != self._name:
            return
        if isinstance(item, Block):
            with np.errstate(over="ignore", invalid="ignore"):
                data = item.data[:, self._rows].astype(np.float32) * self._to_uv
            data[~(np.abs(data) <= LIMIT_UV)] = 0.0
            self._ring.write(data)
        elif isinstance(item, Gap):
            self._ring.skip(item.stop - item.start)

    def close(self) -> None:
        """Remove the ring."""
        self._ring.close()
