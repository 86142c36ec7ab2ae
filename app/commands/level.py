"""``earmark level``: how loud a sound output is, measured with a sound level meter."""

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

#: RMS of the noise, dBFS, and seconds of it that are repeated.
NOISE_DBFS, NOISE_S = -30.0, 10.0
#: Readings outside of this are typing errors, dB SPL.
PLAUSIBLE_SPL = (30.0, 110.0)


def level(
    device: Annotated[str, typer.Argument(help="Sound output, as in [sound] of a configuration.")],
    reading: Annotated[
        float | None, typer.Option(help="What the meter reads, dB SPL, if it is known already; else it is asked for.")
    ] = None,
    sfreq: Annotated[
        float, typer.Option(help="Frames per second, where the device does not play these.", min=8000, max=192_000)
    ] = 48_000.0,
) -> None:
    """Measure how loud a sound output is, by a sound level meter.

    Plays pink noise, asks what the meter reads at the listener's ear, and keeps it for this device. With it, max_spl in
    [sound] becomes a level cap: whatever is played, this device is not louder than that, as long as nobody turns up its
    volume. Exit status: 0 stored, 1 could not play, or there is no reading that makes sense, 130 ended by Ctrl-C.
    """
    from earmark.app.config.sound import SoundConfig, TalkerConfig
    from earmark.app.terminal.console import console, fail, failures
    from earmark.devices.audio.engine import AudioEngine
    from earmark.devices.audio.levels import store_level

    if hasattr(signal, "SIGHUP"):  # a closed terminal ends the question, and all is cleaned up
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with failures(), tempfile.TemporaryDirectory() as folder:
        _write_noise(Path(folder) / "noise.wav")
        noise = TalkerConfig(name="noise", source="noise.wav", loop=True)
        settings = SoundConfig(device=device, sfreq=sfreq, space="left_right", loudness_lufs=None, talkers=[noise])
        with AudioEngine(settings.scene(Path(folder)), settings.sink(Path(folder)), console.print) as audio:
            console.print(
                f"Pink noise on {audio.playing}. Set the volume that you will use, and never change it after."
            )
            played = _settled_dbfs(audio)
            value = _asked() if reading is None else reading
        low, high = PLAUSIBLE_SPL
        if not low <= value <= high:
            fail(f"a reading of {value:g} dB SPL makes no sense here: it must be {low:g} to {high:g}")
        path = store_level(device, value - played)
    console.print(f"Full scale on {device!r} is {value - played:.1f} dB SPL. Stored in {path}.", markup=False)


def _asked() -> float:
    """Ask for the reading of the meter; end the command where there is no answer."""
    from earmark.app.terminal.console import console, fail

    try:
        value: float = typer.prompt("Sound level meter reads, dB SPL", type=float)
        return value
    except typer.Abort as error:
        if isinstance(error.__context__, EOFError):
            console.print()
            fail("nobody can be asked what the meter reads, because the input has ended: give it with --reading")
        console.print("Ended by Ctrl-C: nothing was stored.")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None


def _write_noise(path: Path) -> None:
    """Pink noise from 100 Hz to 10 kHz, the same each time; its end joins its beginning."""
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
    """RMS of the louder channel once the fade-in is over, dBFS."""
    time.sleep(1.5)
    return 20 * math.log10(max(float(audio.status().out_rms.max()), 1e-9))
