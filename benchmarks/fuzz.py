"""Hostile files through the commands that read files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devices import xdf
from devices.sealed import Sealer


def resealed(path: Path, change: Callable[[xdf.Chunk], bytes], target: Path) -> None:
    """Write a recorded session with other chunks, its fingerprints as if it had been so from the start.

    Parameters
    ----------
    path, target : Path
        What to read, and what to write.
    change : callable
        Given each chunk, returns the bytes to be written instead; it is not asked about seals.
    """
    out = xdf.MAGIC
    sealer: Sealer | None = None
    for chunk in xdf.read_chunks(path):
        seal: dict[str, Any] = {}
        if chunk.tag == xdf.SAMPLES and b'{"file": "' in chunk.content:
            stamp, (line,) = xdf.parse_text(chunk.content, 1)
            seal = json.loads(line)
        if not seal:
            raw = change(chunk)
            if sealer is None and chunk.tag not in (xdf.FILE_HEADER, xdf.STREAM_HEADER):
                sealer = Sealer(out)
            if sealer is not None:
                sealer.add(raw)
            out += raw
            continue
        sealer = sealer or Sealer(out)
        made = sealer.seal(seal.get("from", {}))
        raw = xdf.text_sample(chunk.stream_id, stamp, [json.dumps({key: made[key] for key in seal})])
        sealer.add(raw)
        sealer.begin()
        out += raw
    target.write_bytes(out)
