"""The electrodes' raw signal, for whoever looks: a ring in shared memory that the engine writes and nobody holds up."""

from __future__ import annotations

import numpy as np

from earmark.devices.processes.signal_ring import SignalRing
from earmark.pipeline.stream import ELECTRODES, Block, Gap, Item, StreamSpec
from earmark.pipeline.units import microvolts

#: Seconds that the ring holds, and microvolts beyond which no electrode goes.
RING_S, LIMIT_UV = 30.0, 1e6


class EngineSignals:
    """Takes the items of the neural stream, on the thread of the graph.

    Parameters
    ----------
    name : str
        Of the stream in the configuration.
    spec : StreamSpec
        Of the stream as it arrives.
    """

    def __init__(self, name: str, spec: StreamSpec) -> None:
        self._name = name
        self._rows = [i for i, kind in enumerate(spec.ch_types) if kind in ELECTRODES]
        # Units that are not known are refused by the graph, where it needs them.
        self._to_uv = np.array([microvolts(spec.units[i]) or 1.0 for i in self._rows], np.float32)
        self._ring = SignalRing(
            n_channels=len(self._rows), n_samples=max(1, round(RING_S * spec.sfreq)), sfreq=spec.sfreq
        )

    @property
    def ring(self) -> str:
        """Name of the ring."""
        return self._ring.name

    def write(self, name: str, item: Item) -> None:
        """Show what arrives: in microvolts; 0 where a channel delivers nonsense, NaN where nothing arrived."""
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
