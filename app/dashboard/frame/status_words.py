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
    # Names of plots and tables.
    "attention": tr("attention"),
    "evidence": tr("evidence"),
    "events": tr("events"),
    "gains": tr("gains"),
    "latency": tr("latency"),
    "probability": tr("probability"),
    "quality": tr("quality"),
    "spectrum": tr("spectrum"),
    "topomap": tr("topomap"),
    "traces": tr("traces"),
}


def word(code: str) -> str:
    """Return the word for a state of a session, a kind of session, or the status of a stream or a run, a plot."""
    return _WORDS.get(code, code)
