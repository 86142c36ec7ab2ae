"""What the participant's screen shows at one moment. Nothing in it depends on decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from earmark.app.config.protocol import NAME, ParticipantTexts
from earmark.app.dashboard.data.snapshot import Snapshot

_DEFAULTS = ParticipantTexts().model_dump()


@dataclass(frozen=True, slots=True)
class Shown:
    """Content of the participant's screen.

    Attributes
    ----------
    words : str
        The text: a cue, instructions, or a question.
    small : str
        A smaller text below it: the remaining seconds of a rest, or how to answer.
    arrow : float or None
        Direction to the attended talker, degrees to the right of straight up; None for no arrow.
    cross : bool
        Whether there is a fixation cross; a text without it takes the whole screen.
    n_asked : int
        Number of the question that is asked; 0 for none.
    options : tuple of str
        Its answers to choose from.
    block, n_blocks : int
        Number of the current trial, and of all; 0 for no progress.
    over : str
        Folder of the session, if it shows the end of a run; else empty.
    """

    words: str = ""
    small: str = ""
    arrow: float | None = None
    cross: bool = False
    n_asked: int = 0
    options: tuple[str, ...] = ()
    block: int = 0
    n_blocks: int = 0
    over: str = ""


def texts_of(now: Snapshot) -> dict[str, str]:
    """Return all texts of the screen, those that the session does not set by default."""
    return {**_DEFAULTS, **now.texts}


def all_words(now: Snapshot) -> str:
    """Return all that the screen has to show in this session."""
    return " ".join((*texts_of(now).values(), *now.talkers, *now.questions, now.question, *now.options))


def shown(now: Snapshot, before: Shown) -> Shown:
    """Return what the screen shows now.

    Parameters
    ----------
    now : Snapshot
        State of the session.
    before : Shown
        What it showed before: the end of a run stays while the session ends, too.
    """
    if before.over and before.over == (now.out or before.over) and (not now.session_live or now.state == "idle"):
        return before
    if not now.session_live:
        return Shown(cross=True)
    text = texts_of(now)
    if now.state == "review":
        return Shown(text["end"], over=now.out)
    if now.question:
        how = "" if now.options else text["tell"]
        return _with_progress(Shown(now.question, how, n_asked=now.n_asked, options=now.options), now)
    if now.state in ("idle", "checking", "ready"):
        return Shown(text["run" if now.decoder else "calibration"])
    if now.state == "paused":
        return _with_progress(Shown(text["pause"], cross=True), now)
    if now.ending or now.complete or now.waiting or now.state == "training":
        return _with_progress(Shown(text["wait"], cross=True), now)
    if now.attend:
        words = text["listen"].replace(NAME, now.attend)
        return _with_progress(Shown(words, arrow=direction(now), cross=True), now)
    if now.state == "running" and now.n_blocks <= 0:  # the listener is free
        return Shown(cross=True)
    seconds = f"{math.ceil(now.next_cue_s)}" if now.next_cue_s > 0 else ""
    return _with_progress(Shown(text["rest"], seconds, cross=True), now)


def direction(now: Snapshot) -> float | None:
    """Return the direction to the attended talker, degrees to the right of straight up; None if it is not known."""
    azimuths: Sequence[float] = now.azimuths
    if now.attend not in now.talkers or len(azimuths) != len(now.talkers):
        return None
    azimuth = azimuths[now.talkers.index(now.attend)]
    # Nobody else is on that side: the arrow points to the side, because small angles are hard to tell apart.
    alone = sum(other * azimuth > 0 for other in azimuths) == 1
    return math.copysign(90.0, azimuth) if alone else azimuth


def _with_progress(content: Shown, now: Snapshot) -> Shown:
    return replace(content, block=max(now.block, 0), n_blocks=max(now.n_blocks, 0)) if now.under_way else content
