"""The process of a separator in an ONNX file: the child, and its parent, which replaces it if it dies or hangs."""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from earmark.devices.audio.mask_link import SLOTS, MaskLink
from earmark.devices.audio.mask_model import Model, Network, read_model
from earmark.devices.audio.scene import AudioError, Scene
from earmark.devices.audio.separation import framing_of, link_for
from earmark.devices.processes.kept_alive import Child, KeptAlive, Limits
from earmark.devices.processes.spawn import leave_signals_to_parent
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.scene.transform import Framing

#: Seconds between two looks for a new hop: an eighth of a hop of 4 ms.
LOOK_S = 0.0005
#: Maximum seconds until a file is loaded.
OPEN_S = 30.0
#: A separator that does not answer for so long hangs; replacing it is not heard.
LIMITS = Limits(silent_s=2.0, most=5, within_s=60.0, rest_s=10.0)


@dataclass(frozen=True, slots=True)
class MaskJob:
    """Arguments of the process.

    Attributes
    ----------
    model : Model
        What was read of the file before.
    framing : Framing
    n_mics, n_places : int
        Numbers of microphones and talkers.
    link : str
        Name of the shared memory.
    """

    model: Model
    framing: Framing
    n_mics: int
    n_places: int
    link: str


def run(job: MaskJob, pipe: Connection) -> None:
    """Load the file and answer until the parent ends."""
    leave_signals_to_parent()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        network = _network(job)
        network.warm_up(job.n_places)
        pipe.send_bytes(json.dumps(["open", ""]).encode())
        link = MaskLink(job.link)
        done = link.sent
        while True:
            before, done = done, step(link, network, done)
            if done == before:
                time.sleep(LOOK_S)
    except EarmarkError as error:
        pipe.send_bytes(json.dumps(["failed", str(error)]).encode())
    except Exception as error:  # noqa: BLE001 - told to the parent, and shown
        pipe.send_bytes(json.dumps(["failed", f"{type(error).__name__}: {error}"]).encode())
        sys.excepthook(*sys.exc_info())
    os._exit(1)


def _end_with_parent() -> None:
    parent = mp.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _network(job: MaskJob) -> Network:
    model, data = read_model(Path(job.model.path), job.framing, job.n_mics, job.n_places)
    if model != job.model:
        raise AudioError(f"array: separator {model.path} has changed since sound began: start again")
    return Network(model, data, job.framing, flush=True)


def step(link: MaskLink, network: Network, number: int) -> int:
    """Answer the hop after ``number``, if there is one; return the number of the newest hop that was dealt with.

    Far behind, hops are skipped, and the newest one is answered.
    """
    link.alive()
    if link.sent == number:
        return number
    number += 1
    if link.sent - number > SLOTS // 2:
        number = link.sent
    taken = link.take(number)
    if taken is not None:
        spectra, directions, fresh = taken
        if fresh:
            network.reset()
        link.give(number, network.run(spectra, directions))
    return number


class MaskProcess(Child):
    """Start the process.

    Parameters
    ----------
    job : MaskJob
    """

    def __init__(self, job: MaskJob) -> None:
        self._pipe, there = mp.Pipe(duplex=False)
        super().__init__(run, (job, there), "earmark-separator")
        there.close()

    def said(self, patience_s: float = 0.0) -> tuple[str, str] | None:
        """Return ``open`` or ``failed``, with the reason, once; None if it has said nothing yet, or has died."""
        try:
            if self._pipe.poll(patience_s):
                event, text = json.loads(self._pipe.recv_bytes())
                return event, text
        except (EOFError, OSError):
            pass
        return None

    def kill(self) -> None:
        """Kill the process at once."""
        super().kill()
        self._pipe.close()


class MaskServer:
    """Keep the process of a separator alive; the sound process attaches by :attr:`name`.

    Parameters
    ----------
    scene : Scene
        Its separator is an ONNX file.
    model : Model
        What was read of it.
    say : callable
        Called with messages for the user.
    """

    def __init__(self, scene: Scene, model: Model, say: Callable[[str], None]) -> None:
        assert scene.microphones is not None
        self._say, self._model = say, model
        self._link = link_for(scene, model)
        n_mics, n_places = len(scene.microphones.positions), len(scene.talkers)
        self._job = MaskJob(model, framing_of(scene), n_mics, n_places, self._link.name)
        self._kept: KeptAlive[MaskProcess] = KeptAlive(LIMITS, lambda: self._link.beat)

    @property
    def name(self) -> str:
        """Name of the shared memory."""
        return self._link.name

    @property
    def pid(self) -> int | None:
        """Id of the process; None if there is none."""
        child = self._kept.child
        return None if child is None else child.pid

    def start(self) -> None:
        """Start the process, and wait until the file is loaded.

        Raises
        ------
        AudioError
            If it cannot be run.
        """
        child = MaskProcess(self._job)
        self._kept.started(child)
        event, text = child.said(OPEN_S) or ("failed", f"was not loaded within {OPEN_S:g} s, or its process died")
        if event != "open":
            self._kept.drop()
            raise AudioError(text if text.startswith("array: ") else f"array: separator {self._model.path} {text}")
        self._kept.works()
        self._say(f"separator {self._model.path} runs in a process of its own (sha256 {self._model.sha256[:12]})")

    def look(self) -> None:
        """Replace the process if needed; call it every tenth of a second or so. It never waits for the process."""
        kept = self._kept
        if kept.child is None:
            if kept.due:
                kept.started(MaskProcess(self._job))
            return
        said = None if kept.working else kept.child.said()
        if said is not None and said[0] == "open":
            kept.works()
            self._say(f"separator {self._model.path} is back")
        elif said is not None:
            self._lose(said[1])
        elif kept.ended:
            last = kept.child.said()
            self._lose(last[1] if last is not None else f"its process died (exit code {kept.child.exit_code})")
        elif kept.hangs or (not kept.working and kept.age_s > OPEN_S):
            self._lose("its process hangs")

    def _lose(self, reason: str) -> None:
        again = self._kept.lose()
        then = "it is started again" if again else f"it is tried again in {LIMITS.rest_s:g} s"
        self._say(f"separator {self._model.path}: {reason}; the embedded one takes its place, and {then}")
        if again:
            self._kept.started(MaskProcess(self._job))

    def close(self) -> None:
        """End the process, and remove the shared memory."""
        self._kept.drop()
        self._link.close()
