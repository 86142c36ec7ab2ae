"""An engine process, as the supervisor sees it: born clean, talked to without waiting, ended."""

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
    """Starts an engine process, which waits for :meth:`work`; messages to it never wait."""

    def __init__(self) -> None:
        self._pipe, there = mp.Pipe()
        super().__init__(run, (there,), "earmark engine")
        atexit.register(self.kill)  # it ignores how multiprocessing ends its children
        there.close()
        self._out: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._send, name="to the engine", daemon=True).start()

    def _send(self) -> None:
        """On a thread of its own: an engine that hangs must hold up nobody."""
        while (message := self._out.get()) is not None:
            try:
                self._pipe.send_bytes(json.dumps(message).encode())
            except OSError:  # it is dead, which the supervisor sees for itself
                return

    def receive(self, timeout_s: float = 0.0) -> list[Any] | None:
        """Return the next thing that it says, if it says something within so many seconds.

        Returns
        -------
        message : list or None
            ``["senders", xml]`` with where each stream comes from, in JSON; ``["connected", headers]`` with what a
            recording begins with, in base 64; ``["begun"]``; ``["refused", kind, words]``; ``["event", words]``;
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
        """Have it connect."""
        self._out.put(["work", dataclasses.asdict(job)])

    def begin(self, ring: str) -> None:
        """Have it work, and hand what is to be recorded to this ring."""
        self._out.put(["begin", ring])

    def control(self, control: Control) -> None:
        """Tell its graph what the operator wants."""
        self._out.put(["control", text(control)])

    def note(self, line: Line) -> None:
        """Have a line written into the journal."""
        self._out.put(["note", line_text(line)])

    def ask_to_end(self) -> None:
        """Have it finish in good order; it then says ``ended``."""
        self._out.put(["end"])

    def kill(self) -> None:
        """Kill it, whatever it is doing."""
        atexit.unregister(self.kill)
        super().kill()
        self._out.put(None)
        self._pipe.close()
