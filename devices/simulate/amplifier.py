"""Send a simulated listener's signal in the channels of a certain amplifier, with faults that can be switched on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from earmark.devices.simulate.electrodes import Electrodes, scalp_names, shafts
from earmark.pipeline.stream import ELECTRODES, Block, StreamSpec
from earmark.pipeline.units import microvolts

#: Electrodes of the cap that are taken first for channels whose names it does not have: spread over the head.
SPREAD = (
    *("Cz", "Fz", "Pz", "T7", "T8", "C3", "C4", "P7", "P8", "F3", "F4", "Oz"),
    *("Fp1", "Fp2", "F7", "F8", "P3", "P4", "O1", "O2"),
)
#: Noise of channels that are no electrodes, and of electrodes beyond those that are simulated, in µV RMS.
_IDLE_UV, _OWN_UV = 1.0, 5.0
#: Blinks: interval and length in s, and peak in µV in the channel where they are largest.
_BLINK_EVERY_S, _BLINK_S, _BLINK_UV = 1.2, 0.3, 400.0
#: Noise in µV RMS of a tense muscle in the electrode nearest to it, and of an electrode without contact.
_MUSCLE_UV, _LOOSE_UV = 80.0, 300.0
#: Mains frequency in Hz; its amplitude in µV: average over electrodes, and in an electrode without contact.
_MAINS_HZ, _MAINS_UV, _LOOSE_MAINS_UV = 50.0, 150.0, 800.0
#: Share of the packets that are lost.
_LOST = 0.15


class Fault(StrEnum):
    """What can go wrong with a simulated listener, electrodes and amplifier."""

    BLINKS = "blinks"
    MUSCLE = "muscle"
    LOOSE = "loose"
    FLAT = "flat"
    MAINS = "mains"
    PACKETS = "packets"
    CABLE = "cable"
    ABSENT = "absent"


#: Each fault: its key on a terminal, its name, and what it does.
FAULTS = {
    Fault.BLINKS: ("B", "Blinks", "The listener blinks again and again"),
    Fault.MUSCLE: ("M", "Muscles", "The listener clenches the jaw"),
    Fault.LOOSE: ("L", "Loose electrode", "One electrode loses contact"),
    Fault.FLAT: ("F", "Flat channel", "One channel is constant"),
    Fault.MAINS: ("H", "Mains hum", "50 Hz in all electrodes"),
    Fault.PACKETS: ("P", "Packet loss", "The amplifier loses packets"),
    Fault.CABLE: ("C", "Cable out", "The amplifier is disconnected; it is back when this is switched off"),
    Fault.ABSENT: ("A", "Not listening", "The listener attends to nobody, whatever the cues say"),
}


@dataclass(frozen=True, slots=True)
class AmplifierConfig:
    """An amplifier's stream.

    Attributes
    ----------
    spec : StreamSpec
        As the stream states it: name, rate, channels, units.
    type : str
        LSL content type.
    unit : str
        Unit of the electrodes if the stream states none, such as ``0.0488 uV``.
    """

    spec: StreamSpec
    type: str = "EEG"
    unit: str = ""

    @property
    def electrodes(self) -> tuple[int, ...]:
        """Indices of the channels that are electrodes."""
        return tuple(i for i, kind in enumerate(self.spec.ch_types) if kind in ELECTRODES)

    def place(self, fault: Fault) -> str:
        """Return the name of the channel that a fault of a single electrode concerns; empty for other faults."""
        part = {Fault.LOOSE: 1 / 3, Fault.FLAT: 2 / 3}.get(fault)
        return "" if part is None else self.spec.ch_names[self.electrodes[int(part * len(self.electrodes))]]


def wiring(names: Sequence[str], ch_type: str) -> tuple[tuple[str, ...], list[int]]:
    """Choose a simulated electrode for each channel: that of its name if there is one, else one that is left.

    Parameters
    ----------
    names : sequence of str
        Channels.
    ch_type : str
        Type of the simulated electrodes: ``eeg`` or ``seeg``.

    Returns
    -------
    electrodes : tuple of str
        Simulated electrodes in use.
    order : list of int
        Index in ``electrodes`` for each channel; electrodes are repeated if there are more channels.
    """
    there = list(scalp_names() if ch_type == "eeg" else shafts().ch_names)
    by_name = {name.casefold(): name for name in there}
    known = [by_name.get(name.casefold(), "") for name in names]
    first = [name for name in SPREAD if name in there]
    left = [name for name in [*first, *there] if name not in known]
    free = iter(dict.fromkeys(left))
    again = iter(range(len(names)))
    chosen = [name or next(free, "") or there[next(again) % len(there)] for name in known]
    used = tuple(dict.fromkeys(chosen))
    return used, [used.index(name) for name in chosen]


class Amplifier:
    """Turns the signal of simulated electrodes into that of an amplifier.

    Parameters
    ----------
    config : AmplifierConfig
    electrodes : Electrodes
        Simulated electrodes.
    order : sequence of int
        Index of the simulated electrode of each electrode channel.
    seed : int
        Seed of all noise.
    """

    def __init__(self, config: AmplifierConfig, electrodes: Electrodes, order: Sequence[int], seed: int) -> None:
        self._config, self._rng = config, np.random.default_rng([seed, 1])
        spec, self._channels, self._order = config.spec, list(config.electrodes), list(order)
        repeated = [k in self._order[:i] for i, k in enumerate(self._order)]
        self._own = np.where(repeated, _OWN_UV, 0.0)
        units = [spec.units[i] or config.unit or "uV" for i in range(spec.n_channels)]
        self._steps = np.array([microvolts(config.unit or unit) or 1.0 for unit in units])
        n = len(self._channels)
        self._blink = electrodes.blink[self._order]
        self._tense, self._hum = self._rng.uniform(0.1, 1.0, n), self._rng.uniform(0.5, 1.5, n)
        self._place = {fault: spec.ch_names.index(config.place(fault)) for fault in (Fault.LOOSE, Fault.FLAT)}
        #: Faults that are switched on.
        self.faults: set[Fault] = set()

    def send(self, block: Block) -> Block | None:
        """Return what the amplifier sends for a block of the simulated electrodes, in µV; None if it is lost."""
        spec, faults, rng = self._config.spec, self.faults, self._rng
        n, seconds = len(block.data), np.arange(block.start, block.stop) / spec.sfreq
        x = np.asarray(block.data, dtype=np.float64)[:, self._order]
        x += self._own * rng.normal(size=x.shape)
        mains = np.sin(2 * np.pi * _MAINS_HZ * seconds)
        if Fault.BLINKS in faults:
            part = (seconds % _BLINK_EVERY_S) / _BLINK_S
            x += np.outer(_BLINK_UV * np.where(part < 1, np.sin(np.pi * part) ** 2, 0.0), self._blink)
        if Fault.MUSCLE in faults:
            x += _MUSCLE_UV * self._tense * rng.normal(size=x.shape)
        if Fault.MAINS in faults:
            x += np.outer(_MAINS_UV * mains, self._hum)
        out = _IDLE_UV * rng.normal(size=(n, spec.n_channels))
        out[:, self._channels] = x
        if Fault.LOOSE in faults:
            out[:, self._place[Fault.LOOSE]] = _LOOSE_UV * rng.normal(size=n) + _LOOSE_MAINS_UV * mains
        if Fault.FLAT in faults:
            out[:, self._place[Fault.FLAT]] = 0.0
        if Fault.CABLE in faults or (Fault.PACKETS in faults and rng.random() < _LOST):
            return None
        return Block(block.start, (out / self._steps).astype(np.float32))
