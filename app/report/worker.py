"""Score a run: print its figures as JSON. A separate process, because a replay keeps a core busy for a while."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.kernels.errors import EarmarkError

if TYPE_CHECKING:
    from earmark.app.report.figures import SessionFigures
    from earmark.devices.files.decoder_folder import Facts


def figures_of(folder: Path) -> dict[str, Any]:
    """Replay a run and compute the same figures as ``earmark report``, ready for JSON; write its report if missing.

    Parameters
    ----------
    folder : Path
        Folder of the run, with ``loop.xdf`` and its decoder.

    Raises
    ------
    OSError, earmark.kernels.errors.EarmarkError
        If the run cannot be replayed, or has no decision.
    """
    from earmark.app.report.page import PAGE
    from earmark.app.report.read_session import session_figures
    from earmark.app.report.write import write_report
    from earmark.devices.files.decoder_folder import load_decoder

    recording = folder / "loop.xdf"
    decoder, facts = load_decoder(recording.with_suffix(".decoder"))
    found = session_figures(recording)
    problem = ""
    if not (folder / PAGE).exists():
        try:
            write_report(folder, found, facts, decoder.spec.window)
        except OSError as error:  # such as a folder that is read-only: the figures are shown all the same
            problem = f"{folder / PAGE} cannot be written: {error.strerror}"
    return {"problem": problem, **figures_json(found, facts, decoder.spec.window)}


def figures_json(found: SessionFigures, facts: Facts, window: float) -> dict[str, Any]:
    """Return figures as values for JSON; None stands for what was not measured.

    Parameters
    ----------
    found : SessionFigures
        Figures of a recording.
    facts : Facts
        Facts of its decoder.
    window : float
        Length of a decision window, s.
    """
    from earmark.app.report.figures import sometimes_masked
    from earmark.app.training.worth import run_words

    return {
        "talkers": list(found.talkers),
        "mode": found.about.mode,
        "window_s": window,
        "begin": found.begin,
        "times": found.times.tolist(),
        "probability": found.probability.tolist(),
        "gains": np.maximum(found.gains, -60.0).tolist(),
        "cues": [list(cue) for cue in found.cues],
        "words": run_words(found, facts),
        "windows": found.n_windows,
        "right": found.n_right,
        "chance_limit": _known(found.chance_limit),
        "tmr_db": _known(found.tmr_db),
        "delivered_db": _known(found.delivered_db),
        "by_window": _by_window(found.accuracy),
        "steady": _known(found.steady),
        "switches": [_known(one) for one in found.latencies],
        "calibration": _known(facts.accuracy),
        "chance_level": _known(facts.chance_level),
        "calibration_limit": _known(facts.chance_limit),
        "n_calibration": facts.n_decisions,
        "dropped": found.n_dropped,
        "stages": {
            name: [_known(float(v)) for v in (*np.percentile(values, [50, 99]), values.max())] if len(values) else []
            for name, values in found.stages.items()
        },
        "sound": {key: str(value) for key, value in found.sound.items()},
        "n_electrodes": len(found.masked),
        "bad_channels": dict(sometimes_masked(found.masked)),
        "gaps": {name: list(gaps) for name, gaps in found.gaps.items()},
        "whole": found.whole,
        "damage": list(found.damage),
        "events": [list(event) for event in found.events],
    }


def _by_window(found: dict[str, Any] | str) -> list[list[float | None]] | str:
    """Return rows of window (s), accuracy, chance limit, null, and number of windows; or why there are none."""
    if isinstance(found, str):
        return found
    keys = ("accuracy", "chance_limit", "null_accuracy", "n_windows")
    return [[float(window), *(found[key].get(window) for key in keys)] for window in found["accuracy"]]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


if __name__ == "__main__":
    try:
        json.dump(figures_of(Path(sys.argv[1])), sys.stdout)
    except (EarmarkError, OSError) as error:
        sys.exit(f"error: {error}")
