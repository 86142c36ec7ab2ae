"""Who listened, where a recording does not say it: the rule by which folders name a listener."""

from __future__ import annotations

import re
from pathlib import Path

#: The subject entity of BIDS, as a folder is called or a file begins.
_BIDS = re.compile(r"sub-[A-Za-z0-9]+")
#: Folders that hold a part of what one listener did: runs, calibrations, days.
_PART = re.compile(r"(run|calibration|session|ses|day)[-_ ]?[A-Za-z0-9]*", re.IGNORECASE)
#: What lies in the folder of a session with a listener, and how far above its recordings it is looked for.
SESSION, LEVELS = "session.toml", 3


def whose(path: Path) -> tuple[str, str]:
    """Say who listened to a recording, by where it lies, and what the recording is called among that listener's.

    The listener is the ``sub-…`` of BIDS, in the name of the file or of a folder above it; else the nearest folder
    above that holds a ``session.toml``; else the nearest folder that is not called like a part of what a listener
    does, such as ``run-1``. In doubt two listeners become one, never one two: then nothing can leak.

    Parameters
    ----------
    path : Path
        Of the recording; it need not be there.

    Returns
    -------
    subject : str
    name : str
        Path from the listener's folder, without suffix: recordings of one listener differ in it.

    Examples
    --------
    >>> whose(Path("/study/alice/run-1/loop.xdf"))
    ('alice', 'run-1/loop')
    """
    path = path.absolute()
    above = [folder for folder in path.parents if folder.name]
    bids = next((folder for folder in above if _BIDS.fullmatch(folder.name)), None)
    session = next((folder for folder in above[:LEVELS] if (folder / SESSION).is_file()), None)
    other = next((folder for folder in above if not _PART.fullmatch(folder.name)), path.parent)
    folder = bids or session or other
    entity = _BIDS.match(path.name)
    subject = entity[0] if entity else folder.name or path.stem
    return subject, path.relative_to(folder).with_suffix("").as_posix()
