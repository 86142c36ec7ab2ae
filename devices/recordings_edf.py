"""What MNE's reader does not tell of EDF and BDF files: units, rates per signal, and when data records began.

Layout of both: https://www.edfplus.info/specs/edfplus.html and https://www.biosemi.com/faq/file_format.htm
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devices.recordings import RecordingError

#: One time-stamped annotation list: onset, duration, texts.
_TAL = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15[\d.]*)?\x14([^\x00]*?)\x14?\x00")


@dataclass(frozen=True)
class EdfLayout:
    """Header of an EDF or BDF file.

    Attributes
    ----------
    path : Path
        The file.
    discontinuous : bool
        Whether there may be gaps between data records.
    record_s : float
        Seconds of one data record.
    per_record : tuple of int
        Samples per data record, one for each signal that is not annotations.
    dimensions : tuple of str
        Unit of each of these signals.
    texts : tuple of (int, int)
        Where in a data record annotations are: first byte, and after the last one.
    header_bytes, record_bytes : int
        Size of the header and of one data record.
    """

    path: Path
    discontinuous: bool
    record_s: float
    per_record: tuple[int, ...]
    dimensions: tuple[str, ...]
    texts: tuple[tuple[int, int], ...]
    header_bytes: int
    record_bytes: int

    def usual(self) -> int:
        """The number of samples per data record that most signals have; of two, the higher."""
        return max(self.per_record, key=lambda n: (self.per_record.count(n), n))

    def records(self) -> Iterator[list[tuple[float, list[str]]]]:
        """Onset in seconds and texts of every annotation, record by record."""
        with self.path.open("rb") as file:
            for at in range(self.header_bytes, self.path.stat().st_size - self.record_bytes + 1, self.record_bytes):
                found = []
                for first, last in self.texts:
                    file.seek(at + first)
                    for onset, texts in _TAL.findall(file.read(last - first)):
                        found.append((float(onset), [t for t in texts.decode("utf-8", "replace").split("\x14") if t]))
                yield found


def read_layout(path: Path) -> EdfLayout:
    """Read the header of an EDF or BDF file.

    Raises
    ------
    RecordingError
        If it has no signals. Other errors in the header raise ValueError.
    """
    with path.open("rb") as file:
        head = file.read(256)
        n_signals = int(head[252:256])
        rest = file.read(256 * n_signals).decode("latin-1")
    if n_signals < 1 or len(rest) < 256 * n_signals:
        raise RecordingError(f"{path}: the header ends before it has described {n_signals} signals")

    def column(at: int, width: int) -> list[str]:
        return [rest[at * n_signals + i * width :][:width].strip() for i in range(n_signals)]

    labels, dimensions, sizes = column(0, 16), column(96, 8), [int(n) for n in column(216, 8)]
    width = 3 if path.suffix.lower() == ".bdf" else 2
    signals = [i for i, label in enumerate(labels) if label not in ("EDF Annotations", "BDF Annotations")]
    if not signals:
        raise RecordingError(f"{path}: has annotations only, no signal")
    starts = [width * sum(sizes[:i]) for i in range(n_signals + 1)]
    return EdfLayout(
        path=path,
        discontinuous=head[192:197] in (b"EDF+D", b"BDF+D"),
        record_s=float(head[244:252]),
        per_record=tuple(sizes[i] for i in signals),
        dimensions=tuple(dimensions[i] for i in signals),
        texts=tuple((starts[i], starts[i + 1]) for i in range(n_signals) if i not in signals),
        header_bytes=int(head[184:192]),
        record_bytes=starts[-1],
    )
