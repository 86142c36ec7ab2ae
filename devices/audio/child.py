"""The audio process: owns the sound device and renders for it. Imports only NumPy and sounddevice."""

from __future__ import annotations

import gc
import json
import multiprocessing as mp
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.inputs import Microphone
from earmark.devices.audio.playback import Names, Playback, Resume
from earmark.devices.audio.rings import LiveRing
from earmark.devices.audio.scene import AudioError, Prepared
from earmark.devices.audio.shared import PreparedAt, SharedPrepared
from earmark.devices.audio.sinks import DeviceSink, NullSink, Sink, other_outputs
from earmark.devices.audio.sources import LiveSource
from earmark.devices.processes.spawn import leave_signals_to_parent
from earmark.kernels.errors import EarmarkError

#: Seconds that a process whose parent died has to fade out before it exits.
ORPHAN_S = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """Arguments of an audio process.

    Attributes
    ----------
    prepared : PreparedAt
        The prepared scene.
    names : Names
        Names of the shared memory segments.
    sink : Sink
        Sound output.
    offset : float
        LSL time minus ``time.monotonic()``, s.
    resume : Resume or None
        Where to resume; None to start from the beginning.
    others : bool
        Whether to try other devices if this one cannot be opened.
    nowhere : bool
        Whether to run without sound if no device can be opened.
    """

    prepared: PreparedAt
    names: Names
    sink: Sink
    offset: float
    resume: Resume | None = None
    others: bool = False
    nowhere: bool = False


def run(job: Job, pipe: Connection) -> None:
    """Play a scene until asked to stop, or until the parent or the device is gone; then exit the process."""
    leave_signals_to_parent()

    def say(event: str, text: str, kind: str = "") -> None:
        try:
            pipe.send_bytes(json.dumps([event, text, kind]).encode())
        except OSError:
            print(f"audio process: {text}", file=sys.stderr)  # noqa: T201 - the parent is gone

    try:
        shared = SharedPrepared(job.prepared)
        play = _playback(job, shared.prepared)
        threading.Thread(target=_end_with_parent, args=(play,), daemon=True).start()
        gc.collect()
        gc.freeze()
        gc.disable()
        _play(job, play, say)
        say("ended", "")
        code = 0
    except EarmarkError as error:
        say("failed", str(error), error.kind())
        code = 1
    except Exception as error:  # noqa: BLE001 - told to the parent, and shown
        say("failed", f"the audio process failed: {error!r}")
        code = 1
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # skips PortAudio's termination, which hangs when a JACK server has died


def _playback(job: Job, prepared: Prepared) -> Playback:
    microphone = Microphone(prepared.scene)
    live: dict[int, LiveSource] = {}
    for index, talker in enumerate(prepared.scene.talkers):
        if talker.source.startswith("input:"):
            live[index] = LiveSource(microphone.channel(talker.source), prepared.scene.sfreq)
        elif talker.is_live:
            ring = LiveRing(name=job.names.live[index])
            ring.skip_to_newest()
            live[index] = LiveSource(ring.pull, prepared.scene.sfreq)
    mics, array = prepared.scene.microphones, prepared.array
    if mics is not None and array is not None and mics.is_live:
        pull: Callable[[int], NDArray[np.float32]] = microphone.array
        if job.names.mics:
            several = LiveRing(name=job.names.mics)
            several.skip_to_newest()
            pull = lambda n: several.pull(n).T  # noqa: E731
        live[0] = LiveSource(pull, prepared.scene.sfreq, array.n_mics)
    return Playback(prepared, job.names, live, microphone, job.resume)


def _end_with_parent(play: Playback) -> None:
    parent = mp.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        play.stopping = True
        time.sleep(ORPHAN_S)
        os._exit(1)


def _play(job: Job, play: Playback, say: Callable[[str, str], None]) -> None:
    sinks: list[Sink] = [job.sink]
    while sinks:
        sink = sinks.pop(0)
        opened = False

        def tell(sink: Sink = sink) -> None:
            nonlocal opened
            opened = True
            say("open", str(sink))

        if not isinstance(sink, DeviceSink) and sink.realtime:  # devices have a thread of their own for it
            play.real_time()
        try:
            sink.run(play, job.offset, tell)
        except AudioError as error:
            if sink is job.sink and not opened:
                sinks += other_outputs(sink, play.scene.sfreq) if job.others and isinstance(sink, DeviceSink) else []
                sinks += [NullSink()] if job.nowhere else []
            if opened or not sinks:
                raise
            say("cannot", str(error))
        else:
            return
