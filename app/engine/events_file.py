"""What a loop keeps beside signals and decisions: what was heard, and what was said."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from earmark.devices.audio.rings import Entry
from earmark.devices.files.decoder_folder import folder_fingerprint
from earmark.devices.files.journal import DecoderCopy, HeardLine
from earmark.devices.files.regular_file import open_regular


def copied_decoders(folders: Sequence[Path], recording: Path) -> tuple[DecoderCopy, ...]:
    """Copy decoders beside a recording, so that it can be replayed; return what it shall say of them."""
    copies = []
    for number, folder in enumerate(folders):
        copy = recording.with_suffix(".fallback" if number else ".decoder")
        shutil.copytree(folder, copy)
        copies.append(DecoderCopy(copy.name, folder_fingerprint(copy)))
    return tuple(copies)


#: What an event begins with that is about the operator's trim of a talker.
TRIM = "trim: "
#: What an event, and a marker, begins with that holds an answer, or words of the operator.
ANSWER, NOTE = "answer:", "note:"


#: Bytes of the list of all that was said: weeks of it.
MAX_EVENTS = 256 << 20


def events_file(recording: Path) -> Path:
    """Where everything that was said during a recording is kept: a line for each, ``[LSL time, words]`` in JSON."""
    return recording.with_suffix(".events.jsonl")


def read_events(recording: Path) -> list[tuple[float, str]]:
    """Everything that was said during a recording, as (LSL time, words); a line cut short is left out.

    Raises
    ------
    OSError
        If the file is none, or larger than such a file may be.
    """
    found: list[tuple[float, str]] = []
    path = events_file(recording)
    if not path.exists():
        return []
    with open_regular(path, MAX_EVENTS) as file:
        lines = file.read().decode("utf-8", "replace").splitlines()
    for line in lines:
        try:
            time, words = json.loads(line)
            at = float(time)
        except (ValueError, TypeError, RecursionError):  # the last one, of a command that was killed
            continue
        if math.isfinite(at):
            found.append((at, str(words)))
    return found


def parts(path: Path) -> list[Path]:
    """Files of a recording: that one, and those of engines that took over."""
    found = [path]
    while (more := path.with_stem(f"{path.stem}-{len(found) + 1}")).exists():
        found.append(more)
    return found


def heard_line(entry: Entry, lsl_time: float) -> HeardLine:
    """A line for the journal about what was played from a frame on."""
    applied, control = entry.applied, entry.applied.control
    return HeardLine(
        heard=applied.kind,
        frame=applied.frame,
        dac=None if math.isnan(lsl_time) else lsl_time,
        decision=entry.decision,
        gains_db=control.gains_db,
        ramp_s=control.ramp_s,
        master_db=control.master_db,
        mute=control.mute,
        azimuths=control.azimuths,
        seek_id=control.seek_id,
        seek_s=tuple(None if math.isnan(second) else second for second in control.seek_s),
        positions=applied.positions,
        trims_db=control.trims_db,
        mutes=control.mutes,
    )
