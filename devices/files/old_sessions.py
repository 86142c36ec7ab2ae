"""Describe streams of sessions recorded before user corrections were stored, as the graph saw them then."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from earmark.devices.sources.lsl_description import StreamDescription, describe_xml, unique_names
from earmark.pipeline.stream import ELECTRODES


@dataclass(frozen=True, slots=True)
class OldDescription(StreamDescription):
    """A stream as older versions understood it."""

    def marker(self, values: Iterable[Any]) -> str:
        """Return the text of a sample, with six digits for numbers."""
        return " ".join(value if isinstance(value, str) else f"{value:g}" for value in values)


def describe_old(xml: str, unit: str) -> StreamDescription:
    """Read a description as older versions did: completely or not at all, with units as they were written.

    Parameters
    ----------
    xml : str
        The ``<info>`` element.
    unit : str
        Unit of channels without a declared unit.

    Raises
    ------
    earmark.devices.sources.lsl_description.StreamError
        If it is not the description of a stream.
    """
    now = describe_xml(xml)
    info = ET.fromstring(xml)  # noqa: S314 - expat bounds entity expansion
    n, channels = now.spec.n_channels, info.findall("desc/channels/channel")
    if len(channels) != n:
        channels = [ET.Element("channel")] * n
    labels = [c.findtext("label") or f"{now.type or 'ch'}{i + 1}" for i, c in enumerate(channels)]
    spec = now.spec.evolve(
        ch_names=unique_names(labels),
        ch_types=tuple(_type(c.findtext("type") or now.type) for c in channels),
        units=tuple((c.findtext("unit") or unit).strip() for c in channels),
    )
    old = replace(now, spec=spec, sent=spec)
    return OldDescription(**{key: getattr(old, key) for key in StreamDescription.__slots__})


def _type(text: str) -> str:
    text = text.strip().lower()
    return {"ieeg": "seeg", "dbs": "seeg"}.get(text, text if text in ELECTRODES else "misc")
