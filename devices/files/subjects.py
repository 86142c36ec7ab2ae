"""Derive the listener of a recording from its path, where the recording does not name one."""

from __future__ import annotations

import re
from pathlib import Path

#: The subject entity of BIDS, at the start of a folder or file name.
_BIDS = re.compile(r"sub-[A-Za-z0-9]+")
#: Folders that hold a part of one listener's data: runs, calibrations, days.
_PART = re.compile(r"(run|calibration|session|ses|day)[-_ ]?[A-Za-z0-9]*", re.IGNORECASE)
#: Listener that recordings of a rehearsal state: they are no data of a person. Folders of rehearsals.
SIMULATED, REHEARSAL = "simulated listener", re.compile(r"rehearsal-\d+")
#: File that marks a listener's session folder, and the maximum number of levels above a recording to search for it.
SESSION, LEVELS = "session.toml", 3


def whose(path: Path) -> tuple[str, str]:
    """Return the listener of a recording, and the recording's name among those of that listener, from its path.

    The listener is the ``sub-…`` of BIDS, in the name of the file or of a folder above it; else the nearest folder
    above that holds a ``session.toml``; else the nearest folder. Folders that are named like a part of a listener's
    data, such as ``run-1`` or ``ses-01``, are passed over. In doubt two listeners are merged, and one is never split:
    then nothing can leak.

    Parameters
    ----------
    path : Path
        Path of the recording; the file need not exist.

    Returns
    -------
    subject : str
    name : str
        Path from the listener's folder, without suffix: unique among the recordings of one listener.

    Examples
    --------
    >>> whose(Path("/study/alice/run-1/loop.xdf"))
    ('alice', 'run-1/loop')
    """
    path = path.absolute()
    above = [folder for folder in path.parents if folder.name]
    bids = next((folder for folder in above if _BIDS.fullmatch(folder.name)), None)
    near = [folder for folder in above[:LEVELS] if not _PART.fullmatch(folder.name)]
    session = next((folder for folder in near if (folder / SESSION).is_file()), None)
    other = next((folder for folder in above if not _PART.fullmatch(folder.name)), path.parent)
    folder = bids or session or other
    entity = _BIDS.match(path.name)
    subject = entity[0] if entity else folder.name or path.stem
    return subject, path.relative_to(folder).with_suffix("").as_posix()


def listener(path: Path, stated: str) -> str:
    """Return the listener of a recording: the stated one, else that of its path.

    Earlier versions stated the name of a session folder, such as ``ses-01``, which two listeners may share: it counts
    as none.

    Parameters
    ----------
    path : Path
        Path of the recording.
    stated : str
        Listener that the recording states; empty if none.
    """
    return stated if stated and not _PART.fullmatch(stated) else whose(path)[0]
