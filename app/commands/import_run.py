"""``earmark import``: make a run from an EEG recording and its audio."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.app.commands.options import Bads, Channels, ChType, Sfreq, Unit, overrides


def import_run(
    eeg: Annotated[Path, typer.Argument(help="Recording: .fif, .edf, .bdf, .vhdr or .xdf.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run to write, .xdf.", show_default=False)],
    talker: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=FILE",
            help="Speech of a talker, starting at the first sample of the recording: any sound file, or an .npz with "
            "'envelope', shape (n_samples,), and 'sfreq'. NAME=FILE.wav:2 uses the second channel of a sound file, "
            "NAME=FILE.npz:KEY:HZ another array with a given rate. Give two or more.",
            show_default=False,
        ),
    ],
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]WHEN",
            help="When the speech starts, for all talkers or the one named: seconds of the recording (12.5), or the "
            "text of a marker, whose first occurrence is used (marker:TEXT if the text is a number).",
            show_default=False,
        ),
    ] = None,
    attended: Annotated[str, typer.Option(help="Talker attended at the start; empty for none.")] = "",
    attended_events: Annotated[
        Path | None, typer.Option(help="Switches: a CSV file with seconds and talker name in each line, no header.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Name of the listener; by default, sub-XX in the path.")] = None,
    stream: Annotated[
        str | None, typer.Option(help="Which stream of an XDF file: its name, source_id or number.")
    ] = None,
    unit: Unit = "",
    ch_type: ChType = "",
    channels: Channels = "",
    bads: Bads = "",
    sfreq: Sfreq = None,
) -> None:
    """Combine an EEG recording and its audio into a run.

    A run is the input of train and evaluate. It is checked by the same preprocessing, and written only if they can use
    it. Exit status: 0 written, 1 failed, and nothing was written.
    """
    from earmark.app.commands.checked_run import write_checked
    from earmark.app.commands.import_talkers import read_talkers
    from earmark.app.terminal.console import console, fail, failures
    from earmark.app.terminal.outputs import must_be_writable
    from earmark.devices.files.attended_file import read_attended
    from earmark.devices.files.recorded_run import RunError
    from earmark.devices.files.recordings import open_recording
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    if out.exists():
        fail(f"{out} exists already, and runs are never overwritten: choose another file with --out")
    must_be_writable(out)
    listener, stated = _listener(eeg, subject)
    with failures():
        recording = open_recording(eeg, stream, overrides(unit, ch_type, channels, bads, sfreq))
        talkers = read_talkers(talker, at or (), recording)
        events = ([(0.0, attended)] if attended else []) + (read_attended(attended_events) if attended_events else [])
        if not events:
            raise RunError("no attended talker is given: give --attended, --attended-events, or both")
        with console.status("Checking that it can be used …"):
            write_checked(out, recording, talkers, events, listener)
    heard = [f"{t.name} {len(t.envelope) / t.sfreq:.1f} s" + (f" from {t.start:.3f} s" if at else "") for t in talkers]
    console.print(
        f"Wrote {out}: {recording.spec.n_channels} channels, {recording.duration:.1f} s; {'; '.join(heard)}; "
        f"listener {listener}",
        markup=False,
    )
    if not stated:
        console.print(
            f"The listener is not stated, so the file name is used: {listener!r}. Give --subject, the same one for all "
            "recordings of a listener, or one listener counts as several",
            markup=False,
        )


def _listener(eeg: Path, subject: str | None) -> tuple[str, bool]:
    """Return the listener's name, and whether it is stated rather than taken from the file name."""
    import re

    found = re.search(r"sub-[A-Za-z0-9]+", eeg.stem) or re.search(r"sub-[A-Za-z0-9]+(?=/)", eeg.absolute().as_posix())
    return subject or (found[0] if found else eeg.stem), bool(subject or found)
