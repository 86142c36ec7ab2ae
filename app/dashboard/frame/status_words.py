"""Words for the codes in a status."""

from __future__ import annotations

from earmark.app.dashboard.language import tr

_WORDS = {
    "idle": tr("idle"),
    "checking": tr("checking"),
    "calibrating": tr("calibrating"),
    "training": tr("training"),
    "ready": tr("ready"),
    "running": tr("running"),
    "paused": tr("paused"),
    "review": tr("review"),
    "live": tr("live"),
    "demo": tr("demo"),
    "rehearsal": tr("rehearsal"),
    "replay": tr("replay"),
    "view": tr("view"),
    "silent": tr("silent"),
    "lost": tr("lost"),
    "refused": tr("refused"),
    "failed": tr("failed"),
    "used": tr("used"),
    "cut": tr("cut"),
    "excluded": tr("excluded"),
    "unusable": tr("unusable"),
    "closed": tr("closed"),
    "open": tr("open"),
    "sham": tr("sham"),
    # Situations, which determine the gains; some are states as well.
    "no decoder": tr("no decoder"),
    "waiting for a decision": tr("waiting for a decision"),
    "steered": tr("steered"),
    "held: decisions are late": tr("held: decisions are late"),
    "neutral: no decision for too long": tr("neutral: no decision for too long"),
    "neutral: stream lost": tr("neutral: stream lost"),
    "neutral: too many bad channels": tr("neutral: too many bad channels"),
    "override": tr("override"),
    "muted": tr("muted"),
    # Kinds of events.
    "note": tr("note"),
    "answer": tr("answer"),
    "cue": tr("cue"),
    "trim": tr("trim"),
    "mute": tr("mute"),
    "pause": tr("pause"),
    "gap": tr("gap"),
    "alarm": tr("alarm"),
    "other": tr("other"),
    # Names of plots and tables.
    "attention": tr("attention"),
    "evidence": tr("evidence"),
    "events": tr("events"),
    "gains": tr("gains"),
    "latency": tr("latency"),
    "probability": tr("probability"),
    "quality": tr("quality"),
    "scene": tr("scene"),
    "spectrum": tr("spectrum"),
    "topomap": tr("topomap"),
    "traces": tr("traces"),
}


def word(code: str) -> str:
    """Return the word for a state or kind of a session, status of a stream or run, situation, event or plot."""
    return _WORDS.get(code, code)
