"""Impedances of electrodes, where an LSL sender states them; nothing is measured or estimated here.

Senders use two forms. The first is an element of each channel, ``desc/channels/channel/impedance``: "measured impedance
value during setup, in kOhm" [1]_, as the connector of g.tec's g.NEEDaccess writes it. The second is another stream, of
type ``Impedance``, with one value per electrode, as the connector of Magstim EGI amplifiers sends it once a second,
with the unit ``kohms`` and 1000 for electrodes without contact.

References
----------
.. [1] https://github.com/sccn/xdf/wiki/EEG-Meta-Data
"""

from __future__ import annotations

import math
import re
import threading
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import pylsl

from earmark.devices.sources.lsl_description import DTYPES, StreamDescription, StreamError, describe_xml
from earmark.devices.sources.lsl_search import Search, StreamSelector
from earmark.pipeline.stream import ELECTRODES, StreamSpec

#: Content type of streams of impedances.
TYPE = "Impedance"
#: Largest plausible impedance, in kOhm; larger values, like those that are not positive, are no measurements.
MAX_KOHM = 1e5
#: Seconds between searches for a stream, and maximum wait for its values and its description.
LOOK_S, WAIT_S, DESCRIBE_S = 1.0, 0.2, 5.0
#: Seconds of values that LSL buffers.
BUFFER_S = 10
_UNITS = {"kohm": 1.0, "kohms": 1.0, "kω": 1.0, "kiloohm": 1.0, "kiloohms": 1.0}
_UNITS |= {"ohm": 1e-3, "ohms": 1e-3, "ω": 1e-3}


def kohm_per(unit: str) -> float | None:
    """Return the number of kOhm per unit; None if the text is not a known unit of impedance."""
    if unit.strip().startswith("M"):  # mega, which lower case would turn into milli
        return None
    return _UNITS.get(re.sub(r"[\s_-]", "", unit.replace("\u2126", "\u03a9")).lower())


def plausible(value: float) -> float:
    """Return an impedance, given in kOhm, or NaN if this is no measurement."""
    return value if 0 < value <= MAX_KOHM else math.nan


def stated_impedances(description: StreamDescription) -> dict[str, float]:
    """Return the impedances in the metadata of a stream, in kOhm by channel, without those that are no measurements."""
    channels = ET.fromstring(description.xml).findall("desc/channels/channel")  # noqa: S314 - was parsed before
    found = {}
    for name, channel in zip(description.sent.ch_names, channels, strict=False):
        try:
            value = plausible(float(channel.findtext("impedance") or ""))
        except ValueError:
            continue
        if not math.isnan(value):
            found[name] = value
    return found


def order_of(impedances: StreamSpec, electrodes: Sequence[str], same_sender: bool) -> list[str]:
    """Return the electrode of each value of a stream of impedances; an empty name for values of none.

    Parameters
    ----------
    impedances : StreamSpec
        Of the stream of impedances.
    electrodes : sequence of str
        Names of the electrodes, in the order of their stream.
    same_sender : bool
        Whether the values certainly are of these electrodes, so that their number suffices. Else they may be those of
        another cap on the same computer.

    Raises
    ------
    StreamError
        If no name fits, and the number does not fit or does not suffice.
    """
    known = {name.casefold(): name for name in electrodes}
    named = [known.get(label.casefold(), "") for label in impedances.ch_names]
    if any(named):
        return named
    fits = impedances.n_channels == len(electrodes)
    if fits and same_sender:
        return list(electrodes)
    why = ", and its source_id does not begin like theirs, so they may be those of another cap" if fits else ""
    raise StreamError(
        f"stream {impedances.name!r} has {impedances.n_channels} impedances with other names for {len(electrodes)} "
        f"electrodes{why}: not used"
    )


class Impedances:
    """The impedances of the electrodes of a stream, received on a thread of its own.

    Parameters
    ----------
    description : StreamDescription
        Of the stream of electrodes.
    """

    def __init__(self, description: StreamDescription) -> None:
        spec = description.spec
        self._described = description
        #: Names of the electrodes.
        self.names = tuple(name for name, kind in zip(spec.ch_names, spec.ch_types, strict=True) if kind in ELECTRODES)
        #: Impedance of each electrode in kOhm, if it is known.
        self.kohm = stated_impedances(description)
        #: LSL time at which the newest value arrived; NaN for values from the metadata.
        self.newest = math.nan
        #: Why a stream of impedances is not used; empty if there is none, or it is used.
        self.problem = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="impedances", daemon=True)
        if description.host:  # else it is no LSL stream, and no other belongs to it
            self._thread.start()

    def close(self) -> None:
        """Stop receiving."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=DESCRIBE_S + LOOK_S)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                with Search(StreamSelector(type=TYPE, host=self._described.host), self._stop) as search:
                    info = self._find(search)
                if info is not None:
                    self._receive(info)
            except (StreamError, RuntimeError) as error:  # pylsl raises RuntimeError and kinds of it
                self.problem = str(error)
            self._stop.wait(LOOK_S)

    def _find(self, search: Search) -> pylsl.StreamInfo | None:
        """Wait for a stream from the same computer; of several, that whose source_id begins like ours."""
        found: list[pylsl.StreamInfo] = []
        while not self._stop.is_set() and not (found and search.settled):
            found = search.wait(LOOK_S, at_least=1)
        if len(found) > 1:
            found = [one for one in found if self._is_ours(one.source_id())]
            if len(found) != 1:
                raise StreamError("several streams of impedances are on this computer: stop all but one")
        return found[0] if found else None

    def _is_ours(self, source_id: str) -> bool:
        """Whether a stream certainly is of the sender of the electrodes."""
        mine = self._described.source_id
        return bool(mine) and source_id.startswith(mine)

    def _receive(self, info: pylsl.StreamInfo) -> None:
        inlet = pylsl.StreamInlet(info, max_buflen=BUFFER_S, recover=False)
        try:
            said = describe_xml(inlet.info(DESCRIBE_S).as_xml())
            spec = said.spec
            if DTYPES[said.format] is None:
                raise StreamError(f"stream {spec.name!r} has texts instead of impedances: not used")
            names = order_of(spec, self.names, self._is_ours(said.source_id))
            factors = [kohm_per(unit) for unit in spec.units]
            if None in factors:
                raise StreamError(f"stream {spec.name!r} does not state its unit, such as kOhm: not used")
            self.problem = ""
            while not self._stop.is_set():
                values, _ = inlet.pull_chunk(timeout=WAIT_S, max_samples=64)
                if values:
                    self._take(names, [float(v) * (f or 1.0) for v, f in zip(values[-1], factors, strict=True)])
        finally:
            inlet.close_stream()

    def _take(self, names: Sequence[str], values: Sequence[float]) -> None:
        found = {name: plausible(value) for name, value in zip(names, values, strict=True) if name}
        # Values that are no measurements remove earlier ones: the electrode may have lost its contact.
        kept = {name: value for name, value in self.kohm.items() if name not in found}
        self.kohm = kept | {name: value for name, value in found.items() if not math.isnan(value)}
        self.newest = pylsl.local_clock()
