"""``earmark import``: make a run from foreign files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from devices.run_file import Talker

#: Rate in Hz at which envelopes are stored: above what any preset needs.
STORED_HZ = 128.0


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
    subject: Annotated[
        str | None, typer.Option(help="Who listened; from sub-XX in the file name if not given.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Which stream of an XDF file.")] = None,
) -> None:
    """Make a run, the input of train and evaluate, from a recording and what was heard during it.

    Exit status: 0 written, 1 something does not fit, and nothing was written.
    """
    import re

    from app.console import console, fail
    from devices.lsl_log import quiet_liblsl
    from devices.recordings import RecordingError, open_recording
    from devices.run_file import RunError, write_run

    quiet_liblsl()
    try:
        recording = open_recording(eeg, stream)
        talkers = [_talker(text) for text in talker]
        events = ([(0.0, attended)] if attended else []) + (_events(attended_events) if attended_events else [])
        if not events:
            raise RunError("nobody is said to be attended: give --attended, --attended-events, or both")
        match = re.search(r"sub-[A-Za-z0-9]+", eeg.stem)
        write_run(out, recording, talkers, events, subject or (match[0] if match else eeg.stem))
    except (RecordingError, RunError) as error:
        fail(str(error))
    console.print(
        f"Wrote {out}: {recording.spec.n_channels} channels, {recording.duration:.1f} s; "
        + "; ".join(f"{t.name} {len(t.envelope) / t.sfreq:.1f} s" for t in talkers),
        markup=False,
    )


def _talker(text: str) -> Talker:
    from devices.run_file import RunError, Talker

    name, equals, where = text.partition("=")
    if not (name and equals and where):
        raise RunError(f"--talker is {text!r}, but must be NAME=FILE")
    if ".npz" in where.lower():
        envelope, sfreq = _from_npz(where)
    else:
        envelope, sfreq = _from_sound(Path(where)), STORED_HZ
    return Talker(name, envelope, sfreq)


def _from_npz(where: str) -> tuple[NDArray[np.float64], float]:
    import zipfile

    import numpy as np

    from devices.run_file import RunError

    at = where.lower().index(".npz") + 4
    path, (key, _, rate) = Path(where[:at]), where[at:].lstrip(":").partition(":")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [k for k in (key or "envelope", *([] if rate else ["sfreq"])) if k not in arrays]
            if missing:
                raise RunError(f"{path} has no {' and no '.join(map(repr, missing))}; it has {', '.join(arrays)}")
            envelope = np.asarray(arrays[key or "envelope"], dtype=np.float64)
            sfreq = float(rate or arrays["sfreq"])
    except RunError:
        raise
    except FileNotFoundError:
        raise RunError(f"{path}: no such file") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise RunError(f"{path} is not a usable .npz file: {error}") from None
    if envelope.ndim not in (1, 2) or not len(envelope) or not np.isfinite(envelope).all() or not sfreq > 0:
        raise RunError(f"{path}: envelope of shape {envelope.shape} at {sfreq:g} Hz, but must be (n_samples,), finite")
    return envelope.reshape(len(envelope), -1), sfreq


def _from_sound(path: Path) -> NDArray[np.float64]:
    import numpy as np
    import soundfile

    from app.console import console
    from devices.run_file import RunError
    from pipeline.envelope import Envelope, EnvelopeConfig, speech_envelope
    from pipeline.stream import StreamSpec, WiringError

    # Its own low-pass is left wide: the band-pass that decoding wants comes later, for both sides alike.
    config = EnvelopeConfig(sfreq=STORED_HZ, passband_hz=0.4 * STORED_HZ)
    try:
        audio, rate = soundfile.read(path, dtype="float64", always_2d=True)
        with console.status(f"Computing the envelope of {path.name} …"):
            envelope = speech_envelope(audio.mean(axis=1), float(rate), config)
        sound = StreamSpec("audio", float(rate), ("audio",), ("misc",), ("",), hop=rate)
        delay = Envelope(config).open(sound).delay * STORED_HZ
    except (soundfile.LibsndfileError, OSError) as error:
        raise RunError(f"{path} cannot be read as sound: {error}") from None
    except (WiringError, ValueError) as error:
        raise RunError(f"{path}: {error}") from None
    rows = np.arange(len(envelope))
    return np.column_stack([np.interp(rows + delay, rows, column) for column in envelope.T])


def _events(path: Path) -> list[tuple[float, str]]:
    import csv

    from devices.run_file import RunError

    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [(float(seconds), name.strip()) for seconds, name in csv.reader(file)]
    except FileNotFoundError:
        raise RunError(f"{path}: no such file") from None
    except (OSError, ValueError, csv.Error) as error:
        raise RunError(f"{path}: {error}; each line must be SECONDS,NAME") from None
