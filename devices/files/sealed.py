"""Fingerprints within a recording, and a reader that uses them to tell damaged data from intact data.

Every second a line of the journal, a seal, holds three fingerprints: of every byte of the file before it; of the
headers; and of what was written since the last seal, together with the index that each stream had reached there. Damage
is therefore found anywhere, costs no more than the second that contains it, and shifts no later sample.
Recordings of earlier versions have only the first fingerprint: after damage they can be read, but not checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from earmark.devices.files import xdf

#: Streams with seals: the journal of a session, and one stream of a run.
SEALED_BY = ("earmark-journal", "earmark-seals")
#: Maximum bytes to read ahead for a seal.
MAX_STRETCH = 64 << 20


def _hash(raw: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(raw, digest_size=16)


class Sealer:
    """Compute fingerprints of written data.

    Parameters
    ----------
    headers : bytes
        Bytes of the file so far.
    """

    def __init__(self, headers: bytes) -> None:
        self._headers, self._file, self._part = _hash(headers).hexdigest(), _hash(headers), _hash(headers)

    def add(self, chunk: bytes) -> None:
        """Add the next written chunk."""
        self._file.update(chunk)
        self._part.update(chunk)

    def seal(self, reached: Mapping[str, int]) -> dict[str, Any]:
        """Return the next line to write; ``reached`` is the index of each stream at the last seal."""
        self._part.update(json.dumps([self._headers, dict(reached)]).encode())
        file, part = self._file.hexdigest(), self._part.hexdigest()
        return {"file": file, "headers": self._headers, "part": part, "from": dict(reached)}

    def begin(self) -> None:
        """Start the next stretch, after a seal was written."""
        self._part = _hash()


class Soundness(Enum):
    """Result of checking a stretch."""

    AS_WRITTEN, UNCHECKED, DAMAGED = range(3)


@dataclass
class Stretch:
    """Data between two seals.

    Attributes
    ----------
    chunks : list of Chunk
        Chunks without the seal.
    found : Soundness
    why : str
        What is damaged.
    reached : dict of str to int or None
        Index of the first sample of each stream; None if no seal confirms it.
    start, stop : int
        Byte positions in the file.
    last : bool
        Whether it is the end of the file, without a seal.
    """

    chunks: list[xdf.Chunk] = field(default_factory=list)
    found: Soundness = Soundness.UNCHECKED
    why: str = ""
    reached: dict[str, int] | None = None
    start: int = 0
    stop: int = 0
    last: bool = False


def stretches(path: Path, seal_of: Callable[[xdf.Chunk], str | None]) -> Iterator[Stretch]:
    """Read a file from seal to seal.

    Parameters
    ----------
    path : Path
        The recording.
    seal_of : callable
        Returns the text of a chunk that looks like a seal.

    Raises
    ------
    XdfError
        If the headers are damaged: then nothing in the file can be trusted.
    """
    file, part, head = _hash(xdf.MAGIC), _hash(xdf.MAGIC), _hash(xdf.MAGIC)
    for chunk in xdf.read_headers(path):
        head.update(chunk.raw)
    first, intact, size = True, True, 0
    now = Stretch()
    for chunk in xdf.read_chunks(path):
        text = seal_of(chunk) if chunk.tag == xdf.SAMPLES else None
        if text is None:
            if chunk.tag == xdf.DAMAGE:
                intact, now.found, now.why = False, Soundness.DAMAGED, chunk.content.decode()
            now.chunks.append(chunk)
            size += len(chunk.raw)
            part.update(chunk.raw)
            now.stop = chunk.stop
            if size > MAX_STRETCH:
                yield now
                now, size = Stretch(start=chunk.stop), 0
        else:
            seal = _parsed(text)
            now.stop = chunk.stop
            if "part" in seal:
                part.update(json.dumps([seal.get("headers"), seal.get("from")]).encode())
                good = part.hexdigest() == seal["part"] and _indices(seal.get("from"))
                if good and seal.get("headers") != head.hexdigest():
                    raise xdf.XdfError(f"{path}: its headers are damaged, so that nothing in it can be trusted")
                now.reached = seal["from"] if good else None
            elif not seal:
                good = False
            elif intact:
                good = seal.get("file") == file.hexdigest()
                if not good and first:
                    raise xdf.XdfError(
                        f"{path} is damaged in its headers or in its first second, so that nothing in it can be trusted"
                    )
            else:
                good = None
            if good is not None and now.found is not Soundness.DAMAGED:
                now.found = Soundness.AS_WRITTEN if good else Soundness.DAMAGED
                now.why = "" if good else "bytes differ from those written"
            if intact and good and seal.get("file") != file.hexdigest():
                intact, now.why = False, "only a fingerprint is damaged; no sample is affected"
            intact = intact and bool(good)
            yield now
            now, part, first, size = Stretch(start=chunk.stop), _hash(), False, 0
        file.update(chunk.raw)
    now.last = True
    yield now


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _indices(value: Any) -> bool:
    return isinstance(value, dict) and all(type(one) is int and 0 <= one < 1 << 52 for one in value.values())


def seal_streams(path: Path) -> frozenset[int]:
    """Return the streams of a file that hold seals; none in a file of another program."""
    names = [f"<name>{name}</name>".encode() for name in SEALED_BY]
    heads = (chunk for chunk in xdf.read_chunks(path) if chunk.tag == xdf.STREAM_HEADER)
    return frozenset(chunk.stream_id for chunk in heads if any(name in chunk.content for name in names))


def seal_text(streams: Collection[int], chunk: xdf.Chunk) -> str | None:
    """Return the text of a seal in one of these streams; empty if the seal is damaged, None for other chunks."""
    if chunk.stream_id not in streams or b'{"file": "' not in chunk.content:
        return None
    try:
        return xdf.parse_text(chunk.content, 1)[1][0]
    except xdf.XdfError:
        return ""


def undamaged(path: Path) -> tuple[list[str], bytes | None]:
    """Find damage in any XDF file, sealed or not.

    Returns
    -------
    words : list of str
        Location and kind of each damage.
    rest : bytes or None
        The file without the damage; None if there is none. Samples after damage whose stamps were left out are removed,
        too: their times would have to be deduced from a sample that may be missing.

    Raises
    ------
    XdfError
        If the file is not XDF, or its headers are damaged.
    """
    seals = seal_streams(path)
    words: list[str] = []
    good: list[xdf.Chunk] = []
    lost: set[int] = set()
    streams: set[int] = set()
    end = 0
    for stretch in stretches(path, partial(seal_text, seals)):
        end = max(end, stretch.stop)
        if stretch.found is Soundness.DAMAGED:
            words.append(f"bytes {stretch.start} to {stretch.stop}: {stretch.why}")
            lost = set(streams)
            if seals:
                continue
        for chunk in stretch.chunks:
            if chunk.tag == xdf.STREAM_HEADER:
                streams.add(chunk.stream_id)
            elif chunk.tag == xdf.DAMAGE:
                lost = set(streams)
                continue
            elif chunk.tag == xdf.SAMPLES and chunk.stream_id in lost:
                if not xdf.begins_with_stamp(chunk.content):
                    continue
                lost.discard(chunk.stream_id)
            good.append(chunk)
    if not words and end == path.stat().st_size:
        return [], None
    return words, xdf.MAGIC + b"".join(chunk.raw for chunk in good)
