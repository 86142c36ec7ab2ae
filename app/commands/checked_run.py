"""Write a run only if training can use it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.recording import Recording
from earmark.devices.files.run_file import Talker, read_run, write_run
from earmark.pipeline.decoders.presets import EEG, IEEG

#: Largest masked fraction of a run; nothing can be learned from a run with more.
MOST_MASKED = 0.9


def write_checked(
    out: Path,
    recording: Recording,
    talkers: Sequence[Talker],
    events: Sequence[tuple[float, str]],
    listener: str,
    origin: Mapping[str, str] | None = None,
) -> None:
    """Write a run to a temporary file, and move it into place if it can be used.

    Parameters
    ----------
    out : Path
        File to create.
    recording, talkers, events, listener, origin
        See :func:`earmark.devices.files.run_file.write_run`.

    Raises
    ------
    earmark.devices.files.recorded_run.RunError
        If the file exists, cannot be written, or training could not use the run.
    """
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        write_run(temporary, recording, talkers, events, listener, origin)
        _check(temporary, recording, talkers)
        try:
            os.link(temporary, out)
        except FileExistsError:
            raise RunError(
                f"{out} exists already, and runs are never overwritten: choose another file with --out"
            ) from None
        except OSError:  # a file system without hard links
            temporary.rename(out)
    except RunError as error:
        raise RunError(str(error).replace(str(temporary), str(out))) from None
    finally:
        temporary.unlink(missing_ok=True)


def _check(path: Path, recording: Recording, talkers: Sequence[Talker]) -> None:
    """Refuse a run that cannot be used, by reading it as training does."""
    spans = [(talker.start, talker.start + len(talker.envelope) / talker.sfreq) for talker in talkers]
    start, stop = max(0.0, *(a for a, _ in spans)), min(recording.duration, *(b for _, b in spans))
    if stop <= start:
        each = [f"{t.name!r} sounds from {a:g} to {b:g} s" for t, (a, b) in zip(talkers, spans, strict=True)]
        raise RunError(
            f"{', '.join(each)}, and the recording has {recording.duration:g} s: they have no time in common. Give the "
            "start of each with --at"
        )
    kinds = set(recording.spec.ch_types)
    presets = [p for p, types in ((EEG, {"eeg"}), (IEEG, {"seeg", "ecog"})) if types & kinds]
    if not presets:
        raise RunError(
            f"{recording.spec.name}: no channel is of type eeg, seeg or ecog, but {', '.join(sorted(kinds))}: "
            "if that is wrong, give the type with --ch-type"
        )
    refusals = []
    for preset in presets:
        try:
            run = read_run(path, preset)
        except RunError as error:
            refusals.append(error)
            continue
        known = float((run.attended >= 0).sum()) / run.sfreq
        if known < preset.window:
            raise RunError(
                f"attention is known for {known:.1f} s in which all talkers sound, which is shorter than one decision "
                f"window ({preset.window:g} s): check --attended, --attended-events and --at"
            )
        masked = float((run.neural[run.attended >= 0] == 0).mean())
        if masked > MOST_MASKED:
            raise RunError(
                f"{recording.spec.name}: {100 * masked:.0f} % of the signal is masked, as flat, railed or bad: check "
                "its unit, and --unit, --bads and --channels"
            )
        return
    raise refusals[0]
