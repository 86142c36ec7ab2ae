"""Derive channel types from labels, for formats without types: clinical EDF files, BrainVision."""

from __future__ import annotations

import re

#: Types that EDF+ labels begin with ("EEG Fz", "Resp chest"); "" for channels that are not brain electrodes.
_PREFIXES = {
    **{kind: kind.lower() for kind in ("EEG", "SEEG", "ECOG", "EOG")},
    **dict.fromkeys(("IEEG", "DBS"), "seeg"),
    **dict.fromkeys(("ECG", "EKG", "EMG", "BIO", "RESP", "TEMP", "MISC", "SAO2", "STIM", "AUX"), "misc"),
}
#: Prefix of every label of some clinical systems, which carries no information.
_EMPTY_PREFIX = re.compile(r"POL\s+", re.IGNORECASE)
#: Reference or input after a label: "EKG1-REF", "DC1-DC", "LOC-A2".
_BEHIND = re.compile(r"[-_: ]*(ref\w*|le|ar|avg|dc|gnd|[am][12])$", re.IGNORECASE)
#: Depth electrodes can have the same letters (ACC1, HR2, LOC3): with a number, some of these are electrodes.
_EOG = re.compile(r"([hv]?eog|[hv]eo)[ -]?[lrudb]?[ -]?\d*|e?loc|e?roc", re.IGNORECASE)
_OTHER = re.compile(
    r"(e[ck]g|emg|chin|dc|photic|resp\w*|thor\w*|abd\w*|snor\w*|gsr|eda|erg|plet\w*|aux)[ -]?[lr]?\d*[+-]?"
    r"|air ?flow|nasal\w*|flow|s[ap]o2|o2 ?sat|etco2|pulse|hr|ibi|bursts?|suppr|(body ?)?pos(ition)?|temp(erature)?"
    r"|(acc|accel|gyro?)[ _-]?[xyz]|mic|sound|audio|light|photo|cal|sync",
    re.IGNORECASE,
)
_TRIGGER = re.compile(
    r"(status|trig(ger)?s?|sti|stim(ulus|uli)?|markers?|events?( markers?)?|digital( in)?)[ -]?\d*", re.IGNORECASE
)
#: Positions of the 10-5 system.
_PLACE = re.compile(r"(N|Fp|AF|F|FC|FT|FTT|C|T|TP|TTP|CP|P|PO|O|I)(z|\d{1,2})h?|[AM][12]", re.IGNORECASE)


def split_label(label: str) -> tuple[str, str]:
    """Split a label into the type that it begins with, if any, and the rest.

    Returns
    -------
    kind : str
        A channel type, or "" if the label does not begin with one.
    name : str
        The label without its type.
    """
    label = _EMPTY_PREFIX.sub("", label, count=1) or label
    first, space, rest = label.partition(" ")
    kind = _PREFIXES.get(first.upper(), "") if space else ""
    return (kind, rest.strip()) if kind and rest.strip() else ("", label)


def kind_by_label(name: str) -> str:
    """Return the type that a label implies: ``eog``, ``misc``, ``trigger``, or "" if it may be an electrode."""
    short = _BEHIND.sub("", name.strip()) or name
    for pattern, kind in ((_TRIGGER, "trigger"), (_EOG, "eog"), (_OTHER, "misc")):
        if pattern.fullmatch(short):
            return kind
    return ""


def is_place(name: str) -> bool:
    """Whether a label, with or without its reference, is a position on the head."""
    return _PLACE.fullmatch(_BEHIND.sub("", name.strip())) is not None
