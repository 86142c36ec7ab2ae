"""Sound outputs: a sound device, none, or a file. Each asks one function for one buffer after another."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.playback import Playback
from earmark.devices.audio.scene import AudioError
from earmark.devices.audio.wav_file import WavFile

#: Seconds within which an opened device must ask for its first buffer.
OPEN_S = 3.0
#: Rates to try when a device refuses the requested one, Hz.
RATES = (16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)
#: Maximum number of other devices to try when one is lost: some systems list dozens of names for one card.
MAX_OTHERS = 4
#: Meaning of PortAudio's error codes here.
_BAD_CHANNELS, _BAD_RATE, _BAD_PAIR, _BUSY = -9998, -9997, -9993, -9985


@dataclass(frozen=True, slots=True)
class NullSink:
    """No output; runs by a clock of its own.

    Attributes
    ----------
    realtime : bool
        Whether to keep pace with time, by absolute deadlines; otherwise run as fast as possible, with the clock ahead.
    n_frames : int or None
        Frame at which to end; None runs until stopped.
    """

    realtime: bool = True
    n_frames: int | None = None

    def __str__(self) -> str:
        return "the null device (no sound)"

    def run(self, play: Playback, offset: float, opened: Callable[[], None]) -> None:
        """Play to the end."""
        play.describe(str(self), 0.0)
        _by_the_clock(play, self, offset, opened, lambda frame, samples: None)


@dataclass(frozen=True, slots=True)
class FileSink:
    """A stereo WAV file of 32-bit floats.

    Attributes
    ----------
    path : Path
        File to create; it must not exist.
    realtime, n_frames
        As for :class:`NullSink`.
    """

    path: Path
    realtime: bool = True
    n_frames: int | None = None

    def __str__(self) -> str:
        return f"the file {self.path}"

    def run(self, play: Playback, offset: float, opened: Callable[[], None]) -> None:
        """Play to the end."""
        with contextlib.closing(WavFile(self.path, play.scene.sfreq, go_on=play.resumed)) as file:
            play.describe(str(self), 0.0)
            _by_the_clock(play, self, offset, opened, file.write)


def _by_the_clock(
    play: Playback,
    sink: NullSink | FileSink,
    offset: float,
    opened: Callable[[], None],
    write: Callable[[int, NDArray[np.float32]], None],
) -> None:
    start, n_played, block = time.monotonic(), 0, play.scene.block
    while not play.finished and (sink.n_frames is None or play.frame < sink.n_frames):
        at = start + n_played / play.scene.sfreq
        if sink.realtime:
            time.sleep(max(0.0, at - time.monotonic()))
        n = block if sink.n_frames is None else min(block, sink.n_frames - play.frame)
        samples = play.buffer(n, at + offset)
        write(play.frame - n, samples)
        if not n_played:
            opened()
        n_played += n


@dataclass(frozen=True, slots=True)
class DeviceSink:
    """A sound device, through PortAudio; with an input if talkers use it.

    Attributes
    ----------
    device : str, int or None
        Name, part of a name, or number of the output; None for the system's default.
    input_device : str, int or None
        The same for the input, for talkers from ``input:N``.
    latency_s : float
        Requested latency, s; drivers round it.
    """

    device: str | int | None = None
    input_device: str | int | None = None
    latency_s: float = 0.03

    def __str__(self) -> str:
        return "the default sound device" if self.device is None else f"sound device {self.device!r}"

    def run(self, play: Playback, offset: float, opened: Callable[[], None]) -> None:
        """Play to the end.

        Raises
        ------
        AudioError
            If the device cannot be opened, or stops playing.
        """
        sd = portaudio()
        began, ended = threading.Event(), threading.Event()
        abandoned = False
        failure: list[Exception] = []
        silence_left = 2 * play.scene.block  # frames between the end of the fade and that of the stream

        def deliver(out: NDArray[np.float32], n: int, times: Any, flags: Any) -> None:
            nonlocal silence_left
            if abandoned:
                out[:] = 0
                return
            now = time.monotonic() + offset
            if not began.is_set():
                play.real_time()
            ahead = times.outputBufferDacTime - times.currentTime
            if not 0 < ahead < 5:  # some drivers do not report it
                ahead = stream_latency
            try:
                out[:] = play.buffer(n, now + ahead, bool(flags.output_underflow))
            except Exception as error:
                failure.append(error)
                raise sd.CallbackAbort from error
            began.set()
            if play.finished:  # some drivers drop unplayed buffers when they stop
                silence_left -= n
                if silence_left < 0:
                    raise sd.CallbackStop

        def duplex(heard: NDArray[np.float32], out: NDArray[np.float32], n: int, times: Any, flags: Any) -> None:
            play.microphone.hear(heard)
            deliver(out, n, times, flags)

        def finish() -> None:
            ended.set()
            began.set()

        n_inputs = play.microphone.n_channels
        stream_latency = self.latency_s
        settings = {
            "samplerate": play.scene.sfreq,
            "blocksize": play.scene.block,
            "dtype": "float32",
            "latency": self.latency_s,
            "finished_callback": finish,
        }
        try:
            if n_inputs:
                pair = (self.input_device, self.device)
                stream = sd.Stream(device=pair, channels=(n_inputs, 2), callback=duplex, **settings)
                stream_latency = stream.latency[1]
            else:
                stream = sd.OutputStream(device=self.device, channels=2, callback=deliver, **settings)
                stream_latency = stream.latency
        except (sd.PortAudioError, ValueError) as error:
            raise self._cannot(sd, error, play.scene.sfreq, n_inputs) from None
        silence_left += round(2 * stream_latency * play.scene.sfreq)
        play.describe(sd.query_devices(stream.device[1] if n_inputs else stream.device)["name"], stream_latency)
        try:
            stream.start()
        except sd.PortAudioError as error:
            raise self._cannot(sd, error, play.scene.sfreq, n_inputs) from None
        if not began.wait(OPEN_S):
            abandoned = True
            raise AudioError(f"{self} was opened but asks for no sound; choose another, or restart its sound server")
        if not ended.is_set():
            opened()
        ended.wait()
        if failure:
            raise failure[0]
        if not play.finished:
            raise AudioError(f"{self} has stopped playing: it was unplugged, or its sound server has ended")
        stream.close()

    def _cannot(self, sd: Any, error: Exception, sfreq: float, n_inputs: int) -> AudioError:
        code = error.args[1] if isinstance(error, sd.PortAudioError) and len(error.args) > 1 else 0
        outputs = [d["name"] for d in sd.query_devices() if d["max_output_channels"] >= 2]
        if not outputs:
            why = "there is no sound output; plug one in, or start the sound server (see 'earmark devices')"
        elif isinstance(error, ValueError) or code == -9996:
            why = f"{error}; outputs are {', '.join(outputs)}"
        elif code == _BAD_RATE:
            fine = ", ".join(f"{rate}" for rate in RATES if _accepts(sd, self.device, rate)) or "none of the usual"
            why = f"it does not play {sfreq:g} Hz, but accepts {fine}; set sfreq in [sound], or give --sfreq"
        elif code == _BAD_CHANNELS:
            why = f"it lacks channels: 2 to play and {n_inputs} to record are needed; choose another"
        elif code == _BAD_PAIR:
            why = "its output and this input do not work together; choose two of one card or of one sound server"
        elif code == _BUSY:
            why = "it is busy; close the program that uses it, or play through the sound server"
        else:
            why = str(error)
        return AudioError(f"cannot open {self}: {why}")


def _accepts(sd: Any, device: str | int | None, rate: float) -> bool:
    try:
        sd.check_output_settings(device, 2, "float32", samplerate=rate)
    except sd.PortAudioError:
        return False
    return True


def portaudio() -> Any:
    """Return the module ``sounddevice``.

    Raises
    ------
    AudioError
        If PortAudio is missing.
    """
    try:
        import sounddevice
    except OSError as error:
        raise AudioError(f"{error}: apt-get install libportaudio2, or brew install portaudio") from None
    return sounddevice


def other_outputs(wanted: DeviceSink, sfreq: float) -> list[DeviceSink]:
    """Return the next best output devices, the system's default first, without the requested one."""
    sd = portaudio()
    found = [d for d in sd.query_devices() if d["max_output_channels"] >= 2]
    default = sd.default.device[1]
    found.sort(key=lambda d: d["index"] != default)
    lost = default if wanted.device is None else wanted.device
    names = {d["index"]: d["name"] for d in found}
    others = [
        d["index"]
        for d in found
        if d["index"] != lost and not (isinstance(lost, str) and lost.lower() in names[d["index"]].lower())
    ]
    return [DeviceSink(index, wanted.input_device, wanted.latency_s) for index in others if _accepts(sd, index, sfreq)][
        :MAX_OTHERS
    ]


Sink = DeviceSink | NullSink | FileSink
