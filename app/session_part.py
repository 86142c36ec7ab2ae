"""A calibration or a run under way: cues when they are due, questions after trials, and an end in good order."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

import pylsl

from app.loop import Loop
from app.protocol import Cue
from devices.lsl import Outlet
from devices.session_run import ATTEND
from pipeline.stream import Marker

#: What a marker begins with that holds an answer.
ANSWER = "answer:"
#: Seconds between looks at the recorder.
WATCH_S = 0.25


class Part:
    """Goes on by itself, on a thread of its own, from :meth:`start` on.

    Parameters
    ----------
    loop : Loop
        Started.
    cues : sequence of Cue
        Who is to be attended when.
    seconds : float
        How long it takes, pauses and questions not counted.
    questions : sequence of str
        Asked after each trial; whoever sees :attr:`question` has to :meth:`answer`.
    outlet : Outlet
        Where cues and answers go.
    on_event : callable
        Told in words what happens; it must not wait.
    on_end : callable
        Told on the thread that all has ended, the recording too.
    """

    def __init__(
        self,
        loop: Loop,
        cues: Sequence[Cue],
        seconds: float,
        questions: Sequence[str],
        outlet: Outlet,
        on_event: Callable[[str], None],
        on_end: Callable[[Part], None],
    ) -> None:
        self.loop, self.cues, self.seconds = loop, list(cues), seconds
        self._questions, self._outlet = questions, outlet
        self._on_event, self._on_end = on_event, on_end
        #: Seconds so far, and who is to be attended now.
        self.elapsed, self.attend = 0.0, ""
        #: What is asked now; nothing if it is empty.
        self.question = ""
        #: Whether cues and time stand still.
        self.paused = False
        #: Whether it came to its end by itself, and why it failed if it did.
        self.complete, self.failure = False, ""
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="session", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it now; the recording until then is whole."""
        self._stop.set()
        self._thread.join()

    def wait(self, timeout: float | None) -> bool:
        """Wait for the end; return whether it has come."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def answer(self, text: str) -> None:
        """Answer the question that is asked now; a marker keeps it."""
        if self.question:
            self._answers.put(text)

    def _work(self) -> None:
        wrong, whole = "", False
        try:
            whole = self._go_through()
        except Exception as error:
            wrong = f"the session failed: {error!r}"
            raise
        finally:
            self.failure = self.loop.stop() or wrong
            self.complete = whole and not self.failure
            self._on_end(self)

    def _go_through(self) -> bool:
        at = time.monotonic()
        while not self._stop.is_set() and self.loop.engine.failure is None:
            now = time.monotonic()
            if not self.paused:
                self.elapsed += now - at
            at = now
            while self.cues and self.cues[0][0] <= self.elapsed:
                self._cue(self.cues.pop(0)[1])
                at = time.monotonic()  # while questions are answered, time stands still
            if self.elapsed >= self.seconds:
                if self.attend:
                    self._cue("")  # whoever answers a question does not listen
                return True
            self.loop.watch()
            due = min([self.seconds, *(cue[0] for cue in self.cues[:1])]) - self.elapsed
            self._stop.wait(WATCH_S if self.paused else min(WATCH_S, due))
        return False

    def _cue(self, name: str) -> None:
        self._mark(ATTEND + name)
        before, self.attend = self.attend, name
        self._on_event(f"Cue: attend to {name}." if name else "Cue: rest.")
        if before and not name:
            self._ask()

    def _ask(self) -> None:
        for question in self._questions:
            self.question = question
            while not self._stop.is_set():
                try:
                    text = self._answers.get(timeout=WATCH_S)
                except queue.Empty:
                    self.loop.watch()
                else:
                    self._mark(f"{ANSWER}{question}: {text}")
                    break
            self.question = ""

    def _mark(self, text: str) -> None:
        self._outlet.push(Marker(pylsl.local_clock(), text))
