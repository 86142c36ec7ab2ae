"""Speech of the talkers of ``earmark import``: files, channels or arrays in them, and when they start."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.run_file import Talker
from earmark.devices.files.speech_file import common_rate, read_speech
from earmark.devices.sources.overrides import nearest

if TYPE_CHECKING:
    from earmark.devices.files.recording import Recording

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    path: Path
    key: str = "envelope"
    sfreq: float | None = None
    channel: int | None = None


def read_talkers(texts: Sequence[str], at: Sequence[str], recording: Recording) -> list[Talker]:
    """Read the speech of every talker.

    Parameters
    ----------
    texts : sequence of str
        ``NAME=FILE``, ``NAME=FILE:CHANNEL`` of a sound, or ``NAME=FILE.npz:KEY:HZ``.
    at : sequence of str
        ``WHEN`` for all, or ``NAME=WHEN``: seconds of the recording, the text of a marker, or ``marker:TEXT``.
    recording : Recording
        EEG recording, to whose time and markers ``at`` refers.

    Returns
    -------
    list of Talker
        Envelopes and start times, in the order of ``texts``.

    Raises
    ------
    RunError
        If a text cannot be parsed, or a file cannot be read.
    """
    from earmark.app.terminal.console import console

    sources = [_source(text) for text in texts]
    starts = _starts(at, [source.name for source in sources], recording)
    hz = common_rate((source.path, source.sfreq) for source in sources)
    talkers = []
    for source in sources:
        with console.status(f"Reading the speech of {source.name} …"):
            envelope, sfreq = read_speech(source.path, source.key, source.sfreq, source.channel, hz)
        talkers.append(Talker(source.name, envelope, sfreq, starts[source.name]))
    return talkers


def _source(text: str) -> _Source:
    name, equals, where = text.partition("=")
    if not (name and equals and where):
        raise RunError(f"--talker is {text!r}, but must be NAME=FILE")
    # The suffix marks the end of the path, as a drive letter has a colon, too.
    if ".npz" in where.lower():
        end = where.lower().rfind(".npz") + 4
        path, (key, _, rate) = where[:end], where[end:].lstrip(":").partition(":")
        try:
            return _Source(name, Path(path), key or "envelope", float(rate) if rate else None)
        except ValueError:
            raise RunError(f"--talker is {text!r}, but its rate must be a number, in Hz") from None
    numbered = None if Path(where).exists() else re.fullmatch(r"(.+):(\d+)", where)
    return _Source(name, Path(numbered[1]), channel=int(numbered[2])) if numbered else _Source(name, Path(where))


def _starts(at: Sequence[str], names: Sequence[str], recording: Recording) -> dict[str, float]:
    """Return when the speech of each talker starts, in seconds of the recording."""
    starts: dict[str, float] = {}
    common = 0.0
    for text in at:
        name, equals, when = text.partition("=")
        if not equals or name not in names:
            common = _seconds(text, recording)
        elif name in starts:
            raise RunError(f"--at gives two start times for {name!r}: give one")
        else:
            starts[name] = _seconds(when, recording)
    return {name: starts.get(name, common) for name in names}


def _seconds(text: str, recording: Recording) -> float:
    wanted = text.removeprefix("marker:")
    found = [time for time, marker in recording.annotations if marker == wanted]
    if wanted == text:
        try:
            seconds = float(text)
        except ValueError:
            pass
        else:
            if found:
                raise RunError(
                    f"--at {text} may be {text} s or the marker {text!r}. Write {seconds!r} or marker:{text}"
                )
            if not math.isfinite(seconds):
                raise RunError(f"--at {text} is not a finite number of seconds")
            return seconds
    if not found:
        markers = list(dict.fromkeys(marker for _, marker in recording.annotations))
        raise RunError(f"--at {text}: there is no such marker in {recording.spec.name}: {nearest(wanted, markers)}")
    if len(found) > 1:
        words = "%s: marker %r occurs %d times; the first, at %.3f s, is used"
        log.warning(words, recording.spec.name, wanted, len(found), found[0])
    return found[0]
