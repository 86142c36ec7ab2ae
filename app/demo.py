"""``earmark demo``: a simulated listener steers real sound through real LSL, from calibration to report."""

from __future__ import annotations

import contextlib
import math
import tempfile
import threading
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.loop import Loop
    from devices.audio.engine import AudioEngine
    from devices.audio.outlets import SoundOutlets
    from devices.audio.scene import Prepared

#: Streams of the demonstration, all on this machine.
SESSION = """\
# The streams of a session with attention: electrodes, the talkers' envelopes as they are played, cues.
[streams.eeg]
source_id = "{source_id}"

[streams.speech]
name = "{audio}-envelopes"
ch_type = "misc"

[streams.cues]
name = "{cues}"
type = "Markers"

# Filters, alignment and features are those that the decoder was trained with.
[attention]
"""
#: Share of the time that calibration takes, and its number of trials.
CALIBRATION, N_TRIALS = 0.5, 6
#: Seconds between switches of attention while the loop is closed.
SWITCH_S = 20.0


class ListenerName(StrEnum):
    """Presets of ``devices.simulate``."""

    EASY = "easy"
    TYPICAL = "typical"
    HARD = "hard"


def demo(
    seconds: Annotated[float, typer.Option(help="How long it takes, about.", min=100)] = 120.0,
    listener: Annotated[ListenerName, typer.Option(help="How well attention shows.")] = ListenerName.EASY,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the recordings and the report.")] = None,
    device: Annotated[str, typer.Option(help="Where sound goes: a device, or null for none.")] = "",
    headless: Annotated[bool, typer.Option("--headless", help="Without a window; for now there is none.")] = False,
) -> None:
    """Let a simulated listener steer two voices: calibrate, train, close the loop, verify the recording, report.

    Sound goes to the default device, else to a file in the folder. Nobody was recorded for this: EEG and both voices
    are made up, and the page at the end says so. Exit status: 0 all went well, 1 something did not.
    """
    from app.console import console, fail, failures
    from app.record import stop_on_signals
    from devices.lsl_log import quiet_liblsl

    quiet_liblsl()
    folder = out or Path(tempfile.mkdtemp(prefix="earmark-demo-"))
    stop = stop_on_signals()
    with failures():
        folder.mkdir(parents=True, exist_ok=True)
        console.print(f"Everything goes to {folder}. The listener is simulated ({listener.value}).", markup=False)
        with _stage(folder, listener.value, device) as stage:
            _calibrate(stage, CALIBRATION * seconds, stop)
            _train(stage)
            _close_the_loop(stage, (1 - CALIBRATION) * seconds, stop)
        if stop.is_set():
            fail(f"ended early; what was recorded is in {folder}", 130)
        _finish(stage)


class _Stage:
    """What lasts through all parts of the demonstration."""

    def __init__(self, folder: Path, audio: AudioEngine, session: str) -> None:
        from devices.lsl import Outlet
        from pipeline.stream import StreamSpec

        self.folder, self.audio, self.session = folder, audio, session
        self.talkers = [talker.name for talker in audio.scene.talkers]
        self.events: list[str] = []
        self.cues = Outlet(StreamSpec(f"{PREFIX}-cues", 0.0, ("cue",), ("misc",), ("",)), "Markers", f"{PREFIX}-cues")

    def cue(self, name: str) -> None:
        """Say who is to be attended from now on."""
        import pylsl

        from pipeline.stream import Marker

        self.cues.push(Marker(pylsl.local_clock(), f"attend:{name}"))


#: What names of streams begin with.
PREFIX = "earmark-demo"


@contextlib.contextmanager
def _stage(folder: Path, listener: str, device: str) -> Iterator[_Stage]:
    from app.console import say
    from devices.audio.prepare import prepare
    from devices.audio.scene import Scene, Talker
    from devices.simulate import PRESETS
    from devices.simulate_live import ListenerProcess, LiveConfig

    speech = Path(__file__).parent / "speech"
    talkers = (Talker("Joe", str(speech / "joe.ogg"), -30.0, True), Talker("Ada", str(speech / "ada.ogg"), 30.0, True))
    audio, outlets = _start_sound(prepare(Scene(talkers)), folder, device)
    say(f"Sound goes to {audio.playing}.")
    stage = _Stage(folder, audio, SESSION.format(source_id=f"{PREFIX}-eeg", audio=PREFIX, cues=f"{PREFIX}-cues"))
    live = LiveConfig(
        tuple(talker.name for talker in talkers),
        f"{PREFIX}-envelopes",
        f"{PREFIX}-cues",
        name="simulated listener",
        source_id=f"{PREFIX}-eeg",
        listener=PRESETS[listener],
        delivery_s=0.12,
    )
    person = ListenerProcess(live)
    try:
        yield stage
    finally:
        person.stop()
        audio.stop()
        outlets.stop()


def _start_sound(prepared: Prepared, folder: Path, device: str) -> tuple[AudioEngine, SoundOutlets]:
    """On the device wanted; on the default one if there is one, else into a file at the pace of a device."""
    from app.console import say
    from devices.audio.engine import AudioEngine
    from devices.audio.outlets import SoundOutlets
    from devices.audio.scene import AudioError
    from devices.audio.sinks import DeviceSink, FileSink, NullSink
    from pipeline.envelope import EnvelopeConfig

    wanted = NullSink() if device == "null" else DeviceSink(device or None)
    for sink in (wanted, FileSink(folder / "sound.wav")):
        audio = AudioEngine(prepared, sink, say)
        outlets = SoundOutlets(audio, PREFIX, EnvelopeConfig())
        try:
            audio.start()
        except AudioError as error:
            outlets.stop()
            if device or isinstance(sink, FileSink):
                raise
            say(f"{error}. So what would be heard is written to {folder / 'sound.wav'}.")
        else:
            return audio, outlets
    raise AssertionError("the second sink either starts or raises")


def _loop(stage: _Stage, name: str, text: str, steer: bool) -> Loop:
    from app.config import parse_config
    from app.loop import Loop

    path = stage.folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    config = parse_config(text, str(path), stage.folder)
    return Loop(config, stage.audio, stage.folder / f"{name}.xdf", stage.events.append, steer)


def _run(stage: _Stage, loop: Loop, cues: list[tuple[float, str]], seconds: float, stop: threading.Event) -> None:
    """Give cues when they are due, and watch."""
    from app.console import fail, say

    loop.start()
    begun, due = time.monotonic(), list(cues)
    try:
        while (now := time.monotonic() - begun) < seconds and not stop.wait(0.1) and loop.engine.failure is None:
            while due and due[0][0] <= now:
                _, name = due.pop(0)
                stage.cue(name)
                say(f"Cue: attend to {name}." if name else "Cue: rest.")
            while stage.events:
                say(stage.events.pop(0))
            loop.watch()
    finally:
        wrong = loop.stop()
    if wrong:
        fail(wrong)


def _calibrate(stage: _Stage, seconds: float, stop: threading.Event) -> None:
    from app.console import console

    trial = seconds / N_TRIALS
    console.print(f"\nCalibration: {N_TRIALS} trials of {trial:.0f} s, told whom to attend to.", style="bold")
    cues = [(trial * i, stage.talkers[i % 2]) for i in range(N_TRIALS)]
    _run(stage, _loop(stage, "calibration", stage.session, steer=False), cues, seconds, stop)


def _train(stage: _Stage) -> None:
    from app.console import console, fail
    from app.train import train_and_save
    from devices.recorded_run import RunError
    from devices.session_run import read_session_runs
    from pipeline.decoders.decoder import DecoderError
    from pipeline.decoders.linear import LinearDecoder
    from pipeline.decoders.presets import EEG

    console.print("\nTraining a decoder on the calibration …", style="bold")
    try:
        runs = read_session_runs(stage.folder / "calibration.xdf", EEG, "eeg", "speech", "cues")
        train_and_save(runs, LinearDecoder, EEG, stage.folder / "decoder")
    except (RunError, DecoderError, ValueError) as error:
        fail(str(error))


def _close_the_loop(stage: _Stage, seconds: float, stop: threading.Event) -> None:
    from app.console import console

    console.print("\nClosed loop: the talker attended to is turned up, the other down.", style="bold")
    n = max(2, math.ceil(seconds / SWITCH_S))
    cues = [(seconds * i / n, stage.talkers[(i + 1) % 2]) for i in range(n)]
    text = stage.session + 'decoder = "decoder"\n'
    _run(stage, _loop(stage, "loop", text, steer=True), cues, seconds, stop)


def _finish(stage: _Stage) -> None:
    from app.console import console
    from app.replay import replay
    from app.report import report

    report(stage.folder)
    console.print("\nReplaying the recording, to see whether it gives the same decisions …", style="bold")
    replay(stage.folder / "loop.xdf", verify=True, out=None)


def main() -> None:
    """Run as a module."""
    typer.run(demo)


if __name__ == "__main__":
    main()
