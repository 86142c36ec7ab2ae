"""Lines of the journal for tests, and recordings as older and newer versions write them."""

from __future__ import annotations

import json
import re
from xml.sax.saxutils import escape, unescape

from benchmarks.fuzz import resealed
from earmark.devices.files import xdf
from earmark.devices.files.journal import HeardLine


def heard(heard="control", *, frame=0, dac=None, decision=-1, positions=(), trims_db=(0.0, 0.0), mutes=(False, False)):
    """A line about what was played, of which only some is of interest."""
    nothing = (0.0, 0.0)
    return HeardLine(
        heard, frame, dac, decision, nothing, 0.5, 0.0, False, (), 0, (None, None), tuple(positions), trims_db, mutes
    )


def rewritten(path, target, about, line=lambda said: said):
    """Write a recording with what it says of itself changed by ``about``, lines of the journal by ``line``; sealed.

    Both are given what JSON gives, and return what shall stand there.
    """

    def change(chunk):
        if chunk.tag == xdf.STREAM_HEADER and b"<earmark>" in chunk.content:
            xml = chunk.content.decode()
            return xdf.stream_header(
                chunk.stream_id,
                re.sub(
                    "(?s)<earmark>(.*)</earmark>",
                    lambda m: f"<earmark>{escape(json.dumps(about(json.loads(unescape(m[1])))))}</earmark>",
                    xml,
                ),
            )
        if chunk.tag == xdf.SAMPLES and b'{"' in chunk.content[:40]:
            stamp, (said,) = xdf.parse_text(chunk.content, 1)
            return xdf.text_sample(chunk.stream_id, stamp, [json.dumps(line(json.loads(said)))])
        return chunk.raw

    resealed(path, change, target)
    return target


def as_version_0(path, target):
    """Write a recording as it was written before there were versions: other spaces, no trims, nothing of a format."""
    return rewritten(
        path,
        target,
        lambda about: {"part": 1} | {k: v for k, v in about.items() if k not in ("format", "written_by")},
        lambda said: {k: v for k, v in said.items() if k not in ("trims_db", "mutes")},
    )


def as_newer(path, target):
    """Write a recording as a later version may: with words that nobody knows today."""
    return rewritten(path, target, lambda about: {"format": 7, "written_by": "earmark 9.0.1", "how": about})
