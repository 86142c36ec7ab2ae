"""``earmark import``: make a run from foreign files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.app.commands.options import Bads, Channels, ChType, Sfreq, Unit, overrides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earmark.devices.files.recording import Recording
    from earmark.devices.files.run_file import Talker


#: Of a run of which more than this part is masked, nothing can be learned.
MOST_MASKED = 0.9


def import_run(
    eeg: Annotated[Path, typer.Argument(help="Recording: .fif, .edf, .bdf, .vhdr or .xdf.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run to write, .xdf.", show_default=False)],
    talker: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=FILE",
            help="What a talker said, from the first sample of the recording on: any sound file, or an .npz with "
            "'envelope' (n_samples,) and 'sfreq'. NAME=FILE.wav:2 takes the second channel of a sound, "
            "NAME=FILE.npz:KEY:HZ another array at a given rate. Give two or more.",
            show_default=False,
        ),
    ],
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]WHEN",
            help="From when on that sounds, for all talkers or the one named: seconds of the recording (12.5), or the "
            "text of a marker, whose first occurrence counts (marker:TEXT where the text is a number).",
            show_default=False,
        ),
    ] = None,
    attended: Annotated[str, typer.Option(help="Name of the talker attended at first; empty if nobody.")] = "",
    attended_events: Annotated[
        Path | None, typer.Option(help="Switches: a CSV file of seconds and talker name, a line each, no header.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Who listened; from sub-XX in the path if not given.")] = None,
    stream: Annotated[str | None, typer.Option(help="Which stream of an XDF file.")] = None,
    unit: Unit = "",
    ch_type: ChType = "",
    channels: Channels = "",
    bads: Bads = "",
    sfreq: Sfreq = None,
) -> None:
    """Combine an EEG recording and its audio into a run.

    A run is the input of train and evaluate. It is passed through what these do, and is written only if they can use
    it. Exit status: 0 written, 1 something does not fit, and nothing was written.
    """
    from earmark.app.commands.import_talkers import read_talkers
    from earmark.app.terminal.console import console, fail, failures
    from earmark.app.terminal.outputs import must_be_writable
    from earmark.devices.files.attended_file import read_attended
    from earmark.devices.files.recorded_run import RunError
    from earmark.devices.files.recordings import open_recording
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    if out.exists():
        fail(f"{out} exists already, and runs are never overwritten")
    must_be_writable(out)
    listener, stated = _listener(eeg, subject)
    with failures():
        recording = open_recording(eeg, stream, overrides(unit, ch_type, channels, bads, sfreq))
        talkers = read_talkers(talker, at or (), recording)
        events = ([(0.0, attended)] if attended else []) + (read_attended(attended_events) if attended_events else [])
        if not events:
            raise RunError("nobody is said to be attended: give --attended, --attended-events, or both")
        with console.status("Checking that it can be used …"):
            _write(out, recording, talkers, events, listener)
    heard = [f"{t.name} {len(t.envelope) / t.sfreq:.1f} s" + (f" from {t.start:.3f} s" if at else "") for t in talkers]
    console.print(
        f"Wrote {out}: {recording.spec.n_channels} channels, {recording.duration:.1f} s; {'; '.join(heard)}; "
        f"listener {listener}",
        markup=False,
    )
    if not stated:
        console.print(
            f"Nothing says who listened: {listener!r} is the name of the file. Give --subject, the same one for all "
            "recordings of a listener, or one listener counts as several",
            markup=False,
        )


def _write(
    out: Path, recording: Recording, talkers: Sequence[Talker], events: Sequence[tuple[float, str]], listener: str
) -> None:
    """Write a run beside its place, and put it there if it can be used."""
    import os

    from earmark.devices.files.recorded_run import RunError
    from earmark.devices.files.run_file import write_run

    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        write_run(beside, recording, talkers, events, listener)
        _check(beside, recording, talkers)
        try:
            os.link(beside, out)
        except FileExistsError:
            raise RunError(f"{out} exists already, and runs are never overwritten") from None
        except OSError:  # a file system without links
            beside.rename(out)
    except RunError as error:
        raise RunError(str(error).replace(str(beside), str(out))) from None
    finally:
        beside.unlink(missing_ok=True)


def _check(path: Path, recording: Recording, talkers: Sequence[Talker]) -> None:
    """Refuse a run that nothing can use, by what training will do with it."""
    from earmark.devices.files.recorded_run import RunError
    from earmark.devices.files.run_file import read_run
    from earmark.pipeline.decoders.presets import EEG, IEEG

    spans = [(talker.start, talker.start + len(talker.envelope) / talker.sfreq) for talker in talkers]
    start, stop = max(0.0, *(a for a, _ in spans)), min(recording.duration, *(b for _, b in spans))
    if stop <= start:
        each = [f"{t.name!r} sounds from {a:g} to {b:g} s" for t, (a, b) in zip(talkers, spans, strict=True)]
        raise RunError(
            f"{', '.join(each)}, and the recording has {recording.duration:g} s: nothing is common to all. Say by --at "
            "from when on each sounds"
        )
    kinds = set(recording.spec.ch_types)
    presets = [p for p, types in ((EEG, {"eeg"}), (IEEG, {"seeg", "ecog"})) if types & kinds]
    if not presets:
        raise RunError(
            f"{recording.spec.name}: no channel is of type eeg, seeg or ecog, but {', '.join(sorted(kinds))}: "
            "where that is wrong, say by --ch-type what they are"
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
                f"({preset.window:g} s): see --attended, --attended-events and --at"
            )
        masked = float((run.neural[run.attended >= 0] == 0).mean())
        if masked > MOST_MASKED:
            raise RunError(
                f"{recording.spec.name}: {100 * masked:.0f} % of the signal is masked, as flat, railed or bad: look at "
                "its unit, and see --unit, --bads and --channels"
            )
        return
    raise refusals[0]


def _listener(eeg: Path, said: str | None) -> tuple[str, bool]:
    """Who listened, and whether that is more than a guess by the name of the file."""
    import re

    found = re.search(r"sub-[A-Za-z0-9]+", eeg.stem) or re.search(r"sub-[A-Za-z0-9]+(?=/)", eeg.absolute().as_posix())
    return said or (found[0] if found else eeg.stem), bool(said or found)
