"""``earmark level``: measure the level of a sound output with a sound level meter."""

from __future__ import annotations

import math
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.app.terminal.exit_status import ExitStatus

if TYPE_CHECKING:
    from earmark.devices.audio.engine import AudioEngine

#: RMS of the noise, dBFS, and length of its loop, s.
NOISE_DBFS, NOISE_S = -30.0, 10.0
#: Seconds of noise with ``--listen``.
LISTEN_S = 3.0
#: Readings outside this range are taken for typing errors, dB SPL.
PLAUSIBLE_SPL = (30.0, 110.0)


def level(
    device: Annotated[str, typer.Argument(help="Sound output, as in [sound] of a session file.")],
    reading: Annotated[
        float | None, typer.Option(help="Reading of the meter, dB SPL; by default, you are asked for it.")
    ] = None,
    listen: Annotated[
        bool,
        typer.Option("--listen", help="Only play the noise for three seconds, to hear if this is the output."),
    ] = False,
    sfreq: Annotated[
        float,
        typer.Option(help="Sample rate in Hz, for a device that does not accept 48000 Hz.", min=8000, max=192_000),
    ] = 48_000.0,
) -> None:
    """Measure the level of a sound output.

    Plays pink noise, asks for the reading of a sound level meter at the listener's ear, and stores the level for this
    device. Then max_spl in [sound] caps the level: whatever is played, this device is never louder than that, as long
    as its volume is not turned up. Exit status: 0 stored, 1 playback failed, or the reading is missing or implausible,
    130 ended by Ctrl-C.
    """
    from earmark.app.config.sound import SoundConfig, TalkerConfig
    from earmark.app.terminal.console import console, fail, failures
    from earmark.devices.audio.engine import AudioEngine
    from earmark.devices.audio.levels import store_level

    if hasattr(signal, "SIGHUP"):  # closing the terminal ends the prompt, so everything is cleaned up
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with failures(), tempfile.TemporaryDirectory() as folder:
        _write_noise(Path(folder) / "noise.wav")
        noise = TalkerConfig(name="noise", source="noise.wav", loop=True)
        settings = SoundConfig(device=device, sfreq=sfreq, space="left_right", loudness_lufs=None, talkers=[noise])
        with AudioEngine(settings.scene(Path(folder)), settings.sink(Path(folder)), console.print) as audio:
            volume = "" if listen else " Set the volume that you will use, and do not change it afterwards."
            console.print(f"Pink noise on {audio.playing}.{volume}")
            if listen:
                time.sleep(LISTEN_S)
                return
            played = _settled_dbfs(audio)
            value = _ask_for_reading() if reading is None else reading
        low, high = PLAUSIBLE_SPL
        if not low <= value <= high:
            fail(f"a reading of {value:g} dB SPL is implausible: it must be {low:g} to {high:g}")
        path = store_level(device, value - played)
    console.print(f"Full scale on {device!r} is {value - played:.1f} dB SPL. Stored in {path}.", markup=False)


def _ask_for_reading() -> float:
    """Ask for the reading of the meter; end the command if there is no answer."""
    from earmark.app.terminal.console import console, fail

    try:
        value: float = typer.prompt("Reading of the sound level meter, dB SPL", type=float)
        return value
    except typer.Abort as error:
        if isinstance(error.__context__, EOFError):
            console.print()
            fail("there is no reading of the meter, because the input has ended: give it with --reading")
        console.print("Ended by Ctrl-C: nothing was stored.")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None


def _write_noise(path: Path) -> None:
    """Write pink noise from 100 Hz to 10 kHz, the same each time; it loops without a click."""
    import numpy as np
    import soundfile

    sfreq = 48_000
    n = round(NOISE_S * sfreq)
    f = np.fft.rfftfreq(n, 1 / sfreq)
    rng = np.random.default_rng(0)
    spectrum = np.where((f >= 100) & (f <= 10_000), 1 / np.sqrt(np.maximum(f, 1)), 0.0)
    noise = np.fft.irfft(spectrum * np.exp(2j * np.pi * rng.random(len(f))), n)
    soundfile.write(path, noise * 10 ** (NOISE_DBFS / 20) / np.sqrt(np.mean(noise**2)), sfreq, subtype="FLOAT")


def _settled_dbfs(audio: AudioEngine) -> float:
    """Return the RMS of the louder channel after the fade-in, dBFS."""
    time.sleep(1.5)
    return 20 * math.log10(max(float(audio.status().out_rms.max()), 1e-9))
