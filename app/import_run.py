"""``earmark import``: make a run from foreign files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from devices.run_file import Talker


def import_run(
    eeg: Annotated[Path, typer.Argument(help="Recording: .fif, .edf, .bdf, .vhdr or .xdf.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run to write, .xdf.", show_default=False)],
    talker: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=FILE",
            help="What a talker said, from the first sample of the recording on: any sound file, or an .npz with "
            "'envelope' (n_samples,) and 'sfreq'. NAME=FILE.npz:KEY:HZ takes another array at a given rate. Give two "
            "or more.",
            show_default=False,
        ),
    ],
    attended: Annotated[str, typer.Option(help="Name of the talker attended at first; empty if nobody.")] = "",
    attended_events: Annotated[
        Path | None, typer.Option(help="Switches: a CSV file of seconds and talker name, a line each, no header.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Who listened; from sub-XX in the path if not given.")] = None,
    stream: Annotated[str | None, typer.Option(help="Which stream of an XDF file.")] = None,
) -> None:
    """Combine an EEG recording and its audio into a run.

    A run is the input of train and evaluate. Exit status: 0 written, 1 something does not fit, and nothing was written.
    """
    from app.console import console, fail
    from app.outputs import must_be_writable
    from devices.attended_file import read_attended
    from devices.lsl_log import quiet_liblsl
    from devices.recorded_run import RunError
    from devices.recordings import RecordingError, open_recording
    from devices.run_file import write_run
    from devices.speech_file import common_rate

    quiet_liblsl()
    if out.exists():
        fail(f"{out} exists already, and runs are never overwritten")
    must_be_writable(out)
    listener, stated = _listener(eeg, subject)
    try:
        recording = open_recording(eeg, stream)
        sources = [_source(text) for text in talker]
        hz = common_rate((path, rate) for _, path, _, rate in sources)
        talkers = [_talker(*source, hz) for source in sources]
        events = ([(0.0, attended)] if attended else []) + (read_attended(attended_events) if attended_events else [])
        if not events:
            raise RunError("nobody is said to be attended: give --attended, --attended-events, or both")
        write_run(out, recording, talkers, events, listener)
    except (RecordingError, RunError) as error:
        fail(str(error))
    console.print(
        f"Wrote {out}: {recording.spec.n_channels} channels, {recording.duration:.1f} s; "
        + "; ".join(f"{t.name} {len(t.envelope) / t.sfreq:.1f} s" for t in talkers)
        + f"; listener {listener}",
        markup=False,
    )
    if not stated:
        console.print(
            f"Nothing says who listened: {listener!r} is the name of the file. Give --subject, the same one for all "
            "recordings of a listener, or one listener counts as several",
            markup=False,
        )


def _listener(eeg: Path, said: str | None) -> tuple[str, bool]:
    """Who listened, and whether that is more than a guess by the name of the file."""
    import re

    found = re.search(r"sub-[A-Za-z0-9]+", eeg.stem) or re.search(r"sub-[A-Za-z0-9]+(?=/)", eeg.absolute().as_posix())
    return said or (found[0] if found else eeg.stem), bool(said or found)


def _source(text: str) -> tuple[str, Path, str, float | None]:
    """Name of a talker, file, array in it, and rate in Hz."""
    from devices.recorded_run import RunError

    name, equals, where = text.partition("=")
    if not (name and equals and where):
        raise RunError(f"--talker is {text!r}, but must be NAME=FILE")
    # The suffix ends the path; a drive letter has a colon, too.
    at = where.lower().rfind(".npz") + 4 if ".npz" in where.lower() else len(where)
    path, (key, _, rate) = where[:at], where[at:].lstrip(":").partition(":")
    try:
        sfreq = float(rate) if rate else None
    except ValueError:
        raise RunError(f"--talker is {text!r}, but its rate must be a number of Hz") from None
    return name, Path(path), key or "envelope", sfreq


def _talker(name: str, path: Path, key: str, sfreq: float | None, hz: float) -> Talker:
    from app.console import console
    from devices.run_file import Talker
    from devices.speech_file import read_speech

    with console.status(f"Reading what {name} said …"):
        return Talker(name, *read_speech(path, key, sfreq, hz=hz))
