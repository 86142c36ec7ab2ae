"""Open recorded EEG from FIF, EDF/BDF, BrainVision and XDF files.

Files are never loaded completely, except XDF, whose samples can only be ordered by reading all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from earmark.devices.files.bids_sidecars import complete, read_sidecars
from earmark.devices.files.recording import SUFFIXES, Recording, RecordingError, must_be_readable
from earmark.devices.sources.overrides import NOTHING, Overrides


def open_recording(path: str | Path, stream: str | None = None, overrides: Overrides = NOTHING) -> Recording:
    """Open a recording, completed by the metadata of its BIDS data set, if it belongs to one.

    Parameters
    ----------
    path : path
        A ``.fif``, ``.edf``, ``.bdf``, ``.vhdr`` or ``.xdf`` file.
    stream : str or None
        Name, ``source_id`` or number of the stream of an XDF file, or rate in Hz of an EDF or BDF file whose electrodes
        have several; None if there is only one.
    overrides : Overrides
        The user's corrections, which override the metadata of file and data set.

    Returns
    -------
    Recording
        Its samples are read on request.

    Raises
    ------
    RecordingError
        If the file is missing, damaged or of another format, if several of its streams could be meant, or if the
        user's corrections do not fit.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    must_be_readable(path)
    if suffix not in SUFFIXES:
        hint = f"; open {path.with_suffix('.vhdr').name}" if suffix in (".eeg", ".vmrk") else ""
        raise RecordingError(f"{path}: its suffix is not one of {', '.join(SUFFIXES)}{hint}")
    if stream is not None and suffix in (".fif", ".vhdr"):
        raise RecordingError(f"{path}: only XDF, EDF and BDF files have several streams, leave out stream {stream!r}")
    said = read_sidecars(path)
    recording = _open(path, suffix, stream, said.kinds, overrides.sfreq)
    return complete(recording, said, path).overridden(overrides)


def _open(path: Path, suffix: str, stream: str | None, kinds: Mapping[str, str], sfreq: float | None) -> Recording:
    if suffix == ".xdf":
        from earmark.devices.files.recordings_xdf import open_xdf

        return open_xdf(path, stream, sfreq)
    if suffix in (".edf", ".bdf"):
        from earmark.devices.files.recordings_edf import open_edf

        return open_edf(path, stream, kinds)
    if suffix == ".vhdr":
        from earmark.devices.files.recordings_brainvision import open_brainvision

        return open_brainvision(path, kinds)
    from earmark.devices.files.recordings_fif import open_fif

    return open_fif(path)
