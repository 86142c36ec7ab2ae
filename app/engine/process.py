"""The supervisor's side of an engine process: starts it, sends and receives messages without blocking, ends it."""

from __future__ import annotations

import atexit
import dataclasses
import json
import multiprocessing as mp
import queue
import threading
from typing import Any

from earmark.app.engine.child import EngineJob, run
from earmark.devices.files.journal import Line, line_text
from earmark.devices.processes.kept_alive import Child
from earmark.pipeline.control import Control, text


class EngineProcess(Child):
    """Starts an engine process, which waits for :meth:`work`; sending messages to it never blocks."""

    def __init__(self) -> None:
        self._pipe, there = mp.Pipe()
        super().__init__(run, (there,), "earmark engine")
        atexit.register(self.kill)  # it ignores the signal by which multiprocessing ends its children
        there.close()
        self._out: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._send, name="to the engine", daemon=True).start()

    def _send(self) -> None:
        """Send queued messages; on a thread of its own, so that an engine that hangs does not block the supervisor."""
        while (message := self._out.get()) is not None:
            try:
                self._pipe.send_bytes(json.dumps(message).encode())
            except OSError:  # it is dead, which the supervisor detects itself
                return

    def receive(self, timeout_s: float = 0.0) -> list[Any] | None:
        """Return the next message of the engine, or None if there is none within ``timeout_s`` seconds.

        Returns
        -------
        message : list or None
            ``["senders", xml]`` with the sender of each stream, in JSON; ``["connected", headers]`` with the headers of
            the recording, in base 64; ``["begun"]``; ``["refused", kind, words]``; ``["event", words]``;
            ``["ended", failure]``.
        """
        try:
            if not self._pipe.poll(timeout_s):
                return None
            message: list[Any] = json.loads(self._pipe.recv_bytes())
        except (EOFError, OSError):
            return None
        return message

    def work(self, job: EngineJob) -> None:
        """Make it connect to the streams of a job."""
        self._out.put(["work", dataclasses.asdict(job)])

    def begin(self, ring: str) -> None:
        """Make it start, and write the recording to this ring; an empty name records nothing."""
        self._out.put(["begin", ring])

    def control(self, control: Control) -> None:
        """Send a control message of the operator to its graph."""
        self._out.put(["control", text(control)])

    def note(self, line: Line) -> None:
        """Make it write a line to the journal."""
        self._out.put(["note", line_text(line)])

    def ask_to_end(self) -> None:
        """Ask it to finish its recording; it then sends ``ended``."""
        self._out.put(["end"])

    def kill(self) -> None:
        """Kill the process."""
        atexit.unregister(self.kill)
        super().kill()
        self._out.put(None)
        self._pipe.close()
