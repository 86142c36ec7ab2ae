"""Read and write XDF files chunk by chunk.

The format is that of the XDF 1.0 specification (github.com/sccn/xdf/wiki/Specifications), so that LabRecorder's
users, pyxdf, EEGLAB and MNE-based tools can read the files. In contrast to those readers, this one keeps the order
of chunks across streams.
"""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.regular_file import open_regular
from earmark.kernels.errors import EarmarkError

MAGIC = b"XDF:"
#: Tag of damaged stretches; no file contains it.
DAMAGE = 0
FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY, STREAM_FOOTER = 1, 2, 3, 4, 5, 6
#: Content of a boundary chunk, which a reader searches for after damage.
BOUNDARY_MARK = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
#: Maximum length of a chunk when reading; a longer one is damage.
MAX_CHUNK = 1 << 30


class XdfError(EarmarkError, ValueError):
    """Raised when a file is not XDF, or does not follow its specification."""


def _varlen(n: int) -> bytes:
    return struct.pack("<BB", 1, n) if n < 256 else struct.pack("<BI", 4, n)


def chunk(tag: int, content: bytes) -> bytes:
    """Return one chunk, ready to be appended to a file."""
    return _varlen(len(content) + 2) + struct.pack("<H", tag) + content


def file_header() -> bytes:
    """Return the beginning of a file."""
    return MAGIC + chunk(FILE_HEADER, b'<?xml version="1.0"?><info><version>1.0</version></info>')


def stream_header(stream_id: int, xml: str) -> bytes:
    """Return the header of a stream; ``xml`` is its LSL description."""
    return chunk(STREAM_HEADER, struct.pack("<I", stream_id) + xml.encode())


def stream_footer(stream_id: int, first: float, last: float, count: int) -> bytes:
    """Return the footer of a stream: first and last stamp, number of samples."""
    info = ET.Element("info")
    for key, value in (("first_timestamp", first), ("last_timestamp", last), ("sample_count", count)):
        ET.SubElement(info, key).text = repr(value)
    text = ET.tostring(info, xml_declaration=True, encoding="utf-8")
    return chunk(STREAM_FOOTER, struct.pack("<I", stream_id) + text)


def clock_offset(stream_id: int, time: float, offset: float) -> bytes:
    """Return a clock offset chunk: time of the measurement, and seconds to add to the stream's stamps."""
    return chunk(CLOCK_OFFSET, struct.pack("<Idd", stream_id, time, offset))


def boundary() -> bytes:
    """Return a boundary chunk, at which a reader can recover after damage."""
    return chunk(BOUNDARY, BOUNDARY_MARK)


def _sample_dtype(data_dtype: Any, n_channels: int) -> np.dtype:
    return np.dtype([("n_stamp_bytes", "u1"), ("stamp", "<f8"), ("values", data_dtype, (n_channels,))])


def samples(stream_id: int, stamps: NDArray[np.float64], data: NDArray[Any]) -> bytes:
    """Return a chunk with samples of a numeric stream.

    Parameters
    ----------
    stream_id : int
        Number of the stream, as in its header.
    stamps : array, shape (n_samples,)
        In seconds.
    data : array, shape (n_samples, n_channels)
        Samples in the number format that the header declares.
    """
    packed = np.empty(len(data), _sample_dtype(data.dtype.newbyteorder("<"), data.shape[1]))
    packed["n_stamp_bytes"], packed["stamp"], packed["values"] = 8, stamps, data
    return chunk(SAMPLES, struct.pack("<I", stream_id) + _varlen(len(data)) + packed.tobytes())


def text_sample(stream_id: int, stamp: float, values: Sequence[str]) -> bytes:
    """Return a chunk with one sample of a string stream."""
    content = struct.pack("<I", stream_id) + _varlen(1) + struct.pack("<Bd", 8, stamp)
    for value in values:
        raw = value.encode()
        content += _varlen(len(raw)) + raw
    return chunk(SAMPLES, content)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk as read: ``stream_id`` is 0 for chunks that belong to no stream; ``raw`` holds all its bytes in the file,
    from ``start`` to ``stop``."""

    tag: int
    stream_id: int
    content: bytes
    raw: bytes
    start: int
    stop: int


def read_headers(path: Path) -> Iterator[Chunk]:
    """Read the headers that a file begins with: one of the file, and one for each stream.

    A second header of a stream is not one of them: it is data with a damaged tag.

    Raises
    ------
    XdfError
        If the file is not XDF.
    """
    seen: set[tuple[int, int]] = set()
    for chunk in read_chunks(path):
        if chunk.tag not in (FILE_HEADER, STREAM_HEADER) or (chunk.tag, chunk.stream_id) in seen:
            return
        seen.add((chunk.tag, chunk.stream_id))
        yield chunk


def read_chunks(path: Path) -> Iterator[Chunk]:
    """Read a file chunk by chunk, in the order of writing.

    After invalid bytes, reading continues at the next boundary, and the bytes in between are returned as one chunk
    with the tag ``DAMAGE``, whose content says what was wrong. An incomplete last chunk, as left by a killed
    recorder, is not returned.

    Raises
    ------
    XdfError
        If the file is not XDF.
    """
    with open_regular(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        if file.read(4) != MAGIC:
            raise XdfError(f"{path} is not an XDF file: it does not begin with 'XDF:'")
        while True:
            at = file.tell()
            try:
                found = _read_chunk(file, at, size)
            except XdfError as error:
                file.seek(at + 1)
                stop = _behind_boundary(file) or size
                file.seek(stop)
                yield Chunk(DAMAGE, 0, str(error).encode(), b"", at, stop)
                continue
            if found is None:
                return
            yield found


def _read_chunk(file: BinaryIO, at: int, size: int) -> Chunk | None:
    """Read the chunk at a position; None at the end of the file, or if the chunk is incomplete."""
    length = _read_varlen(file)
    if length is None:
        return None
    if not 2 <= length <= MAX_CHUNK:
        raise XdfError(f"a chunk of {length} bytes")
    if length > size - file.tell():
        if _behind_boundary(file) is not None:
            raise XdfError(f"a chunk that claims {length} bytes, which are more than there are")
        return None
    raw = file.read(length)
    (tag,) = struct.unpack_from("<H", raw)
    owned = tag in (STREAM_HEADER, SAMPLES, CLOCK_OFFSET, STREAM_FOOTER)
    if not FILE_HEADER <= tag <= STREAM_FOOTER:
        raise XdfError(f"a chunk of kind {tag}")
    if owned and length < 6:
        raise XdfError("a chunk without a stream")
    stream_id = struct.unpack_from("<I", raw, 2)[0] if owned else 0
    prefix = _prefix(file, at, length)
    return Chunk(tag, stream_id, raw[6 if owned else 2 :], prefix + raw, at, at + len(prefix) + length)


def _behind_boundary(file: BinaryIO) -> int | None:
    """Find the position after the next boundary."""
    keep = b""
    while piece := file.read(1 << 20):
        found = (keep + piece).find(BOUNDARY_MARK)
        if found >= 0:
            return file.tell() - len(keep) - len(piece) + found + len(BOUNDARY_MARK)
        keep = piece[-len(BOUNDARY_MARK) :]
    return None


def _read_varlen(file: BinaryIO) -> int | None:
    width = file.read(1)
    if not width:
        return None
    if width[0] not in (1, 4, 8):
        raise XdfError(f"a length of {width[0]} bytes")
    raw = file.read(width[0])
    return int.from_bytes(raw, "little") if len(raw) == width[0] else None


def _prefix(file: BinaryIO, at: int, length: int) -> bytes:
    """Return the bytes of a chunk's length as in the file: writers may choose among three widths."""
    end = file.tell()
    file.seek(at)
    prefix = file.read(end - at - length)
    file.seek(end)
    return prefix


def _varlen_at(content: bytes, at: int) -> tuple[int, int]:
    width = content[at] if at < len(content) else 0
    if width not in (1, 4, 8):
        raise XdfError(f"length of {width} bytes inside a chunk: the file is damaged")
    return int.from_bytes(content[at + 1 : at + 1 + width], "little"), at + 1 + width


def begins_with_stamp(content: bytes) -> bool:
    """Whether the first sample of a samples chunk has a stamp; stamps of other samples may be left out."""
    at = _varlen_at(content, 0)[1]
    return content[at : at + 1] == b"\x08"


def count_samples(content: bytes) -> int:
    """Return the number of samples that a samples chunk declares."""
    return _varlen_at(content, 0)[0]


def parse_samples(content: bytes, dtype: str, n_channels: int) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return stamps and values of a samples chunk in which every sample has a stamp, as written by this module."""
    n, at = _varlen_at(content, 0)
    layout = _sample_dtype(np.dtype(dtype), n_channels)
    if len(content) - at != n * layout.itemsize:
        raise XdfError(f"samples chunk of {len(content) - at} bytes for {n} samples of {layout.itemsize}: damaged")
    packed = np.frombuffer(content, layout, n, at)
    if not (packed["n_stamp_bytes"] == 8).all():
        raise XdfError("samples without stamps: not written by Earmark")
    return packed["stamp"].copy(), packed["values"].copy()


def parse_text(content: bytes, n_channels: int) -> tuple[float, list[str]]:
    """Return stamp and values of a chunk with one string sample."""
    try:
        n, at = _varlen_at(content, 0)
        width, stamp = struct.unpack_from("<Bd", content, at)
        if n != 1 or width != 8:
            raise XdfError("chunk of several samples of strings: not written by Earmark")
        at += 9
        values = []
        for _ in range(n_channels):
            length, at = _varlen_at(content, at)
            values.append(content[at : at + length].decode())
            at += length
    except UnicodeDecodeError:
        raise XdfError("a sample of strings is damaged: it is not UTF-8") from None
    except (IndexError, struct.error):
        raise XdfError("a sample of strings is damaged: it is longer than its chunk") from None
    return stamp, values
