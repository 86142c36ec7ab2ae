"""Turn recorded sessions into runs: training sees exactly the items that live decoding receives."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path

from earmark.devices.files.recorded_run import RunError, Trial, cut
from earmark.devices.files.session_file import Consumed, Damaged, SessionFile
from earmark.devices.files.subjects import listener, whose
from earmark.pipeline.attention.decoding_graph import decoding_graph
from earmark.pipeline.decoders.presets import Preset
from earmark.pipeline.run import Run
from earmark.pipeline.stream import Item, Marker

log = logging.getLogger(__name__)

#: Session stream with the cues.
CUES = "cues"
#: Cue texts: attend to a talker or to none from now on; discard the newest trial.
ATTEND, DISCARD = "attend:", "discard:"
#: Seconds after a cue in which the listener finds the talker; they are not used for training.
REORIENT_S = 2.0


def read_cues(session: SessionFile, cues: str) -> list[tuple[float, str]]:
    """Return the cues as (LSL time, talker name), ``""`` for none, from the marker stream ``cues``.

    Discarded trials have the name ``""``, and so does the time from damage in which a cue may be lost until the next
    cue.
    """
    found: list[tuple[float, str]] = []
    for event in session:
        if isinstance(event, Damaged) and cues in event.lost and found and found[-1][1]:
            found.append((event.time if math.isfinite(event.time) else found[-1][0], ""))
        if not (isinstance(event, Consumed) and event.stream == cues and isinstance(event.item, Marker)):
            continue
        if event.item.value.startswith(ATTEND):
            found.append((event.item.time, event.item.value.removeprefix(ATTEND)))
        elif event.item.value == DISCARD:
            trial = next((k for k in range(len(found) - 1, -1, -1) if found[k][1]), None)
            if trial is not None:
                found[trial] = found[trial][0], ""
    return found


def read_session_runs(path: Path, preset: Preset, neural: str, talkers: str, cues: str) -> list[Run]:
    """Cut a recorded session into one run per stretch between two cues.

    Parameters
    ----------
    path : Path
        The recording of a session.
    preset : Preset
        Signal processing preset.
    neural, talkers, cues : str
        Names of the streams of electrodes, of envelopes with one channel per talker, and of cues.

    Returns
    -------
    list of Run
        One per trial.

    Raises
    ------
    RunError
        If there is no cue, a cue names an unknown talker, or a trial has no data.
    """
    session = SessionFile(path)
    subject, called = listener(path, session.about.subject), whose(path)[1]
    for name in (neural, talkers, cues):
        if name not in session.streams:
            raise RunError(f"{path} has no stream {name!r}, but {', '.join(session.streams)}")
    found = read_cues(session, cues)
    for words in session.damage:
        log.warning("%s is damaged: %s", path, words)
    names = session.streams[talkers].spec.ch_names
    unknown = {name for _, name in found} - {*names, ""}
    if unknown:
        raise RunError(f"{path}: a cue names {sorted(unknown)[0]!r}, but the talkers are {', '.join(names)}")
    trials = []
    ends = [*(time for time, _ in found[1:]), float("inf")]
    for number, ((start, name), stop) in enumerate(zip(found, ends, strict=False), 1):
        if name:
            # Speech continues from trial to trial: no two trials share a part of it.
            stimuli = tuple(f"{path.stem}-{number}-{talker}" for talker in names)
            trials.append(Trial(f"{called} trial {number}", start, stop, names, stimuli, ((start + REORIENT_S, name),)))
    if not trials:
        raise RunError(f"{path} has no cue that names the attended talker")

    def items() -> Iterator[tuple[str, Item]]:
        for event in session:
            if isinstance(event, Consumed) and event.stream in (neural, talkers):
                yield event.stream, event.item

    specs = {name: session.streams[name].spec for name in (neural, talkers)}
    graph = decoding_graph(preset, neural, [talkers], 1, 2.0)
    return cut(str(path), subject, graph, specs, items(), trials)
