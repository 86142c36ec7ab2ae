"""What a recording keeps in addition to signals and decisions: decoders, events, and what was played."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from earmark.devices.audio.control_block import Status
from earmark.devices.audio.rings import Entry
from earmark.devices.audio.scene import Applied, Control
from earmark.devices.files.decoder_folder import folder_fingerprint
from earmark.devices.files.journal import DecoderCopy, HeardLine, PlacesLine
from earmark.devices.files.regular_file import open_regular


def copied_decoders(folders: Sequence[Path], recording: Path) -> tuple[DecoderCopy, ...]:
    """Copy decoders next to a recording, so that it can be replayed; return their entries in its metadata."""
    copies = []
    for number, folder in enumerate(folders):
        copy = recording.with_suffix(".fallback" if number else ".decoder")
        shutil.copytree(folder, copy)
        copies.append(DecoderCopy(copy.name, folder_fingerprint(copy)))
    return tuple(copies)


#: Maximum size of the events file in bytes; enough for weeks.
MAX_EVENTS = 256 << 20


def events_file(recording: Path) -> Path:
    """Return the path of a recording's events file: one JSON array ``[LSL time, text]`` per line."""
    return recording.with_suffix(".events.jsonl")


def read_events(recording: Path) -> list[tuple[float, str]]:
    """Return the events of a recording as (LSL time, text); empty without an events file. Damaged lines are skipped.

    Raises
    ------
    OSError
        If the file is not a regular file, or larger than :data:`MAX_EVENTS`.
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
        except (ValueError, TypeError, RecursionError):  # typically a last line cut short when the process was killed
            continue
        if math.isfinite(at):
            found.append((at, str(words)))
    return found


def parts(path: Path) -> list[Path]:
    """Return the files of a recording: the given one, and those of replacement engines."""
    found = [path]
    while (more := path.with_stem(f"{path.stem}-{len(found) + 1}")).exists():
        found.append(more)
    return found


def heard_line(entry: Entry, lsl_time: float) -> HeardLine:
    """Return a line for the journal that says what was played from a frame on."""
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


def places_line(status: Status, n_talkers: int, lsl_time: float) -> PlacesLine | None:
    """Return a line for the journal that says where the talkers of a mixture are; None without microphones."""
    if not status.acoustic_s:
        return None
    azimuths, delivered = (
        tuple(round(float(value), 2) if math.isfinite(value) else None for value in values[:n_talkers])
        for values in (status.azimuths, status.delivered_db)
    )
    return PlacesLine(azimuths, delivered, lsl_time)


def applied_of(line: HeardLine) -> Applied:
    """Return the entry of the log of the sound that a line of the journal holds."""
    control = Control(
        line.gains_db,
        line.ramp_s,
        line.master_db,
        line.mute,
        line.azimuths,
        line.seek_id,
        tuple(math.nan if second is None else second for second in line.seek_s),
        line.trims_db,
        line.mutes,
    )
    return Applied(line.frame, control, line.heard, line.positions)
