"""The engine process: owns the streams, the graph and the decoder, and sets gains. No other process can block it."""

from __future__ import annotations

import base64
import json
import logging
import multiprocessing
import os
import queue
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.devices.processes.spawn import leave_signals_to_parent
from earmark.kernels.errors import EarmarkError

if TYPE_CHECKING:
    from earmark.app.engine.engine import Engine
    from earmark.app.engine.status import EngineMonitor
    from earmark.app.status import EngineStatus, StatusBoard
    from earmark.devices.sources.source import Sender
    from earmark.pipeline.stream import Decision

log = logging.getLogger(__name__)

#: Duration of the gain ramp of a decision that does not specify one, s.
RAMP_S = 0.5
#: Seconds between updates of the board.
BOARD_S = 0.1
#: Maximum time at the end for handing pending data to the recorder, s.
FLUSH_S = 20.0
#: Requested real-time priority: below that of the sound.
PRIORITY = 10


@dataclass(frozen=True, slots=True)
class EngineJob:
    """The job of an engine process.

    Attributes
    ----------
    text, folder : str
        Configuration, and base folder of the relative paths in it.
    about : str
        Metadata of the recording, as :func:`earmark.devices.files.journal.about_text` returns it.
    gains : str
        Name of the shared memory for gains; empty to set no gains.
    board : str
        Name of the shared memory of the status board.
    senders : dict of str to Sender
        Previous sender of each stream; empty for the first engine of a recording.
    where : str
        Origin of the configuration, for messages.
    """

    text: str
    folder: str
    about: str
    gains: str
    board: str
    senders: dict[str, Sender]
    where: str = "the session"


class _Outbox:
    """Sends messages to the supervisor on a thread of its own, so that a busy supervisor does not block the graph."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._queue: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send_queued, name="to the supervisor", daemon=True)
        self._thread.start()

    def send(self, *message: str) -> None:
        self._queue.put([*message])

    def _send_queued(self) -> None:
        while (message := self._queue.get()) is not None:
            try:
                self._pipe.send_bytes(json.dumps(message).encode())
            except OSError:  # the supervisor is dead, which the main thread detects itself
                return

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(2.0)


def run(pipe: Connection) -> None:
    """Wait for a job, connect, work until asked to end or until the supervisor is dead, and exit the process.

    Imports take most of the start-up time. They are done before the job arrives, so that a replacement engine loses
    as few samples as possible.
    """
    leave_signals_to_parent()
    from earmark.app.terminal.warned import WARNING, forward_warnings
    from earmark.devices.sources.lsl_log import quiet_liblsl
    from earmark.devices.sources.source import Sender

    quiet_liblsl()
    message = _receive(pipe)
    if message is None or message[0] != "work":
        os._exit(0)
    given = message[1]
    job = EngineJob(**given | {"senders": {name: Sender(**one) for name, one in given["senders"].items()}})
    outbox = _Outbox(pipe)
    forward_warnings(lambda text: outbox.send("event", WARNING + text))
    try:
        outbox.send("ended", _work(job, pipe, outbox))
    except EarmarkError as error:
        outbox.send("refused", error.kind(), str(error))
    except Exception as error:
        log.exception("the engine failed")
        outbox.send("ended", f"the engine failed: {error!r}")
    outbox.close()
    os._exit(0)  # skip the clean-up of liblsl, which may hang if a sender has disappeared


def _work(job: EngineJob, pipe: Connection, outbox: _Outbox) -> str:
    """Do the job; return the failure, or an empty text."""
    from earmark.app.config.session import parse_config
    from earmark.app.engine.engine import Engine
    from earmark.app.engine.signals import EngineSignals
    from earmark.app.engine.status import EngineMonitor
    from earmark.app.status import EngineStatus, StatusBoard
    from earmark.devices.files.journal import read_about, read_line
    from earmark.devices.processes.recorder import SPILL_BYTES
    from earmark.devices.processes.ring import Ring, SpillingWriter
    from earmark.devices.sources.impedance import Impedances
    from earmark.pipeline.control import parse

    config = parse_config(job.text, job.where, Path(job.folder))
    board = StatusBoard(EngineStatus, job.board)
    set_gains = _gain_setter(job.gains) if job.gains else None
    engine = Engine(config, on_event=lambda text: outbox.send("event", text), on_decision=set_gains, before=job.senders)
    abandoned = threading.Event()
    threading.Thread(target=_set_when_abandoned, args=(abandoned,), name="supervisor", daemon=True).start()
    engine.connect(abandoned)
    senders = _send_senders(engine, {}, outbox)
    name = config.attention.neural if config.attention else next(iter(engine.descriptions))
    signals = EngineSignals(name, engine.descriptions[name].spec)
    engine.on_item = signals.write
    writer = engine.writer(read_about(job.about))
    outbox.send("connected", base64.b64encode(writer.headers).decode())
    message = _receive(pipe)
    if message is None or message[0] != "begin":
        engine.close()
        signals.close()
        return ""
    ring = out = impedances = None
    if message[1]:
        ring = Ring(message[1])
        out = SpillingWriter(ring, SPILL_BYTES)
        writer.begin(out.put)
        outbox.send("event", _ask_for_real_time())
        engine.start(writer)
    else:
        engine.start()  # only shows the signal
        impedances = Impedances(engine.descriptions[name])
    monitor, stop = EngineMonitor(engine, signals.ring, impedances=impedances), threading.Event()
    board.publish(monitor.status())
    publisher = threading.Thread(target=_publish, args=(monitor, board, stop), name="board", daemon=True)
    publisher.start()
    outbox.send("begun")
    while engine.failure is None:
        senders = _send_senders(engine, senders, outbox)
        if not pipe.poll(BOARD_S):
            continue
        message = _receive(pipe)
        if message is None or message[0] == "end":
            break
        if message[0] == "control":
            engine.control(parse(message[1]))
        elif message[0] == "note":
            engine.note(read_line(message[1]))
    engine.stop()
    stop.set()
    publisher.join()
    board.close()
    signals.close()
    if out is not None and ring is not None:
        end = time.monotonic() + FLUSH_S
        while out.spilled and time.monotonic() < end:
            out.pump()
            time.sleep(0.01)
        out.close()
        ring.close()
    return "" if engine.failure is None else f"the graph failed: {engine.failure}"


def _set_when_abandoned(event: threading.Event) -> None:
    """Wait until the supervisor is dead: the search for a stream that nobody sends would outlive it."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        event.set()


def _send_senders(engine: Engine, sent: dict[str, str], outbox: _Outbox) -> dict[str, str]:
    """Send the senders of the streams if they changed; a replacement engine looks for the same ones."""
    now = {name: sender.xml for name, sender in engine.senders.items()}
    if now != sent:
        outbox.send("senders", json.dumps(now))
    return now


def _receive(pipe: Connection) -> list[Any] | None:
    """Wait for the next message of the supervisor; None if it is dead."""
    try:
        message: list[Any] = json.loads(pipe.recv_bytes())
    except (EOFError, OSError):
        return None
    return message


class _gain_setter:
    """Writes the gains of decisions to the shared memory that the audio process reads; called on the graph's thread."""

    def __init__(self, name: str) -> None:
        from earmark.devices.audio.control_block import Gains, Seqlock

        self._gains: Seqlock[Gains] = Seqlock(Gains, name)
        self._last: tuple[float, ...] | None = None

    def __call__(self, decision: Decision, number: int) -> None:
        import pylsl

        from earmark.devices.audio.control_block import Gains, padded

        gains = tuple(float(gain) for gain in decision.gains)
        if gains != self._last:
            ramp_s = RAMP_S if decision.ramp_s is None else decision.ramp_s
            self._gains.write(Gains(padded(gains), ramp_s, number, pylsl.local_clock()))
            self._last = gains


def _ask_for_real_time() -> str:
    """Request real-time priority for all current and future threads; return an event text with the result."""
    try:
        for thread in os.listdir("/proc/self/task"):
            os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(PRIORITY))
    except (OSError, AttributeError):  # not permitted; not Linux
        return "The decoding process has normal priority: real-time priority is not permitted; see 'earmark doctor'"
    return "The decoding process has real-time priority"


def _publish(monitor: EngineMonitor, board: StatusBoard[EngineStatus], stop: threading.Event) -> None:
    while not stop.wait(BOARD_S):
        board.publish(monitor.status())
