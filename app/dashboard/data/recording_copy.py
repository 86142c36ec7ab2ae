"""A recording of any program, to look at: a separate process copies its samples to a file from which pages are read.

Run as a module with a recording, a stream (``""`` for the only one) and the file to write, this prints what is in the
recording as JSON. The window's process needs little memory for any recording, and no damaged file can end it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError

#: The process may use half of the memory, or this many bytes if that is more.
MEMORY = 4 << 30
#: Samples per step of copying, and number of markers that are kept.
STEP, MAX_MARKERS = 1 << 16, 20_000
#: Free space that must remain on the disk, in bytes.
SPARE = 1 << 30


class RecordedStream(NamedTuple):
    """A stream of a recording, and what it declares; the rate is 0 if it is irregular.

    ``number`` is that in an XDF file. All channels of an EDF or BDF file with the same rate count as a stream: their
    names, and the rate as its number.
    """

    number: str
    name: str
    type: str
    n_channels: int
    sfreq: float


class RecordingCopy:
    """Reads pages of a recording that was copied.

    Parameters
    ----------
    found : dict
        What the process printed.
    path : Path
        The file that it wrote.

    Attributes
    ----------
    sfreq : float
        Hz.
    ch_names, ch_types, units : tuple of str
        Shape (n_channels,); electrodes are in µV unless their unit is not known.
    n_frames : int
        Length in samples, gaps included.
    markers : list of (int, str)
        Position, in frames from the beginning, and text.
    """

    def __init__(self, found: dict[str, Any], path: Path) -> None:
        self.sfreq, self.n_frames = float(found["sfreq"]), int(found["n_frames"])
        self.ch_names, self.ch_types, self.units = (tuple(found[key]) for key in ("ch_names", "ch_types", "units"))
        self.markers = [(int(at), str(text)) for at, text in found["markers"]]
        self._pieces = [(int(start), int(stop), int(frame)) for start, stop, frame in found["pieces"]]
        n_samples = max(stop for _, stop, _ in self._pieces)
        self._data = np.memmap(path, np.float32, "r", shape=(n_samples, len(self.ch_names)))

    def page(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return frames, shape (stop - first, n_channels); NaN where nothing was recorded."""
        out = np.full((stop - first, len(self.ch_names)), np.nan, np.float32)
        for start, end, frame in self._pieces:
            low, high = max(first, frame), min(stop, frame + end - start)
            if low < high:
                out[low - first : high - first] = self._data[start + low - frame : start + high - frame]
        return out


def copy_recording(path: Path, stream: str, target: Path) -> dict[str, Any]:
    """Copy the samples of a recording as float32, and return what is in it.

    Raises
    ------
    EarmarkError, OSError
        If it cannot be read or copied.
    """
    from earmark.devices.files.recordings import open_recording

    streams = [one._asdict() for one in streams_of(path)]
    try:
        recording = open_recording(path, stream or None)
    except EarmarkError as error:
        return {"streams": streams, "error": str(error)}
    spec = recording.spec
    room = 4 * recording.n_samples * spec.n_channels
    if room + SPARE > (free := shutil.disk_usage(target.parent).free):
        words = f"{path.name} needs {room / 1e9:.1f} GB in {target.parent} to be shown; {free / 1e9:.1f} GB are free"
        return {"streams": streams, "error": words}
    with target.open("wb") as file:
        for start in range(0, recording.n_samples, STEP):
            data = recording.read(start, min(start + STEP, recording.n_samples))
            file.write(np.ascontiguousarray(data).tobytes())
    end = round(recording.duration * spec.sfreq)
    return {
        "streams": streams,
        "error": "",
        "sfreq": spec.sfreq,
        "n_frames": end,
        "ch_names": spec.ch_names,
        "ch_types": spec.ch_types,
        "units": spec.units,
        "pieces": [(one.start, one.stop, round(one.time * spec.sfreq)) for one in recording.segments],
        "n_markers": len(recording.annotations),
        "markers": [(round(at * spec.sfreq), text[:200]) for at, text in recording.annotations[:MAX_MARKERS]],
    }


def streams_of(path: Path) -> Iterator[RecordedStream]:
    """List the streams of an XDF, EDF or BDF file; none for other files, and for what cannot be read."""
    match path.suffix.lower():
        case ".xdf":
            yield from _streams_of_xdf(path)
        case ".edf" | ".bdf":
            yield from _rates_of_edf(path)


def _rates_of_edf(path: Path) -> Iterator[RecordedStream]:
    from earmark.devices.files.recording import RecordingError, in_words
    from earmark.devices.files.recordings_edf import read_layout

    try:
        with in_words(path):
            layout = read_layout(path, {})
            for n in sorted({channel.n for channel in layout.channels}, reverse=True):
                channels, sfreq = [one for one in layout.channels if one.n == n], n / layout.record_s
                kind = Counter(one.kind for one in channels).most_common(1)[0][0].upper()
                names = ", ".join(one.name for one in channels)
                yield RecordedStream(f"{sfreq:g}", names, kind, len(channels), sfreq)
    except RecordingError:  # the reader of recordings says why
        return


def _streams_of_xdf(path: Path) -> Iterator[RecordedStream]:
    from earmark.devices.files.xdf import STREAM_HEADER, XdfError, read_chunks
    from earmark.devices.sources.lsl_description import StreamError, describe_xml

    seen = set()
    try:
        for chunk in read_chunks(path):
            if chunk.tag != STREAM_HEADER or chunk.stream_id in seen:
                continue
            seen.add(chunk.stream_id)
            try:
                said = describe_xml(chunk.content.decode(errors="replace"))
            except StreamError as error:
                yield RecordedStream(str(chunk.stream_id), f"damaged: {error}", "", 0, 0.0)
                continue
            spec = said.spec
            yield RecordedStream(str(chunk.stream_id), spec.name, said.type, spec.n_channels, spec.sfreq)
    except (XdfError, OSError):  # the reader of recordings says why
        return


def main(arguments: Sequence[str]) -> None:
    """Copy a recording, and print what is in it."""
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = max(MEMORY, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    words: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            words.append(record.getMessage())

    logging.getLogger("earmark").addHandler(Kept(logging.WARNING))
    try:
        found = copy_recording(Path(arguments[0]), arguments[1], Path(arguments[2]))
    except (EarmarkError, OSError) as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(found | {"words": words[:20]}))


if __name__ == "__main__":
    main(sys.argv[1:])
