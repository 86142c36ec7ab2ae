"""What a channel measures, by its label, in formats that have no types: clinical EDF files, BrainVision."""

from __future__ import annotations

import re

#: Types by which EDF+ labels begin ("EEG Fz", "Resp chest"); "" stands for what is no electrode of the brain.
_PREFIXES = {
    **{kind: kind.lower() for kind in ("EEG", "SEEG", "ECOG", "EOG")},
    **dict.fromkeys(("IEEG", "DBS"), "seeg"),
    **dict.fromkeys(("ECG", "EKG", "EMG", "BIO", "RESP", "TEMP", "MISC", "SAO2", "STIM", "AUX"), "misc"),
}
#: What stands before every label of some clinical systems and says nothing.
_EMPTY_PREFIX = re.compile(r"POL\s+", re.IGNORECASE)
#: Reference or input that stands behind a label: "EKG1-REF", "DC1-DC", "LOC-A2".
_BEHIND = re.compile(r"[-_: ]*(ref\w*|le|ar|avg|dc|gnd|[am][12])$", re.IGNORECASE)
#: Names of depth electrodes are made of the same letters (ACC1, HR2, LOC3): a number makes some of these another thing.
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
#: Places of the 10-5 system.
_PLACE = re.compile(r"(N|Fp|AF|F|FC|FT|FTT|C|T|TP|TTP|CP|P|PO|O|I)(z|\d{1,2})h?|[AM][12]", re.IGNORECASE)


def split_label(label: str) -> tuple[str, str]:
    """Return the type that a label begins with, if it does, and what follows it.

    Returns
    -------
    kind : str
        A type of channel, or "" if the label does not begin with one.
    name : str
        The label without its type.
    """
    label = _EMPTY_PREFIX.sub("", label, count=1) or label
    first, space, rest = label.partition(" ")
    kind = _PREFIXES.get(first.upper(), "") if space else ""
    return (kind, rest.strip()) if kind and rest.strip() else ("", label)


def kind_by_label(name: str) -> str:
    """Return what a label says of its channel: ``eog``, ``misc``, ``trigger``, or "" if it may be an electrode."""
    short = _BEHIND.sub("", name.strip()) or name
    for pattern, kind in ((_TRIGGER, "trigger"), (_EOG, "eog"), (_OTHER, "misc")):
        if pattern.fullmatch(short):
            return kind
    return ""


def is_place(name: str) -> bool:
    """Whether a label, with or without its reference, is a place on the head."""
    return _PLACE.fullmatch(_BEHIND.sub("", name.strip())) is not None
