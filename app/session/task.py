"""A calibration or run in progress: gives cues on time, asks questions after trials, and ends the recording."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import pylsl

from earmark.app.config.protocol import Cue, QuestionConfig
from earmark.app.engine.closed_loop import ClosedLoop
from earmark.app.engine.timeline import ANSWER, NOTE, cue_words
from earmark.app.status import TaskStatus
from earmark.devices.files.session_run import ATTEND, DISCARD
from earmark.devices.sources.lsl import Outlet
from earmark.pipeline.stream import Marker

#: Longest wait between two checks of the clock, s.
WATCH_S = 0.1
#: Seconds for which the signals may be unusable before a trial is discarded.
PATIENCE_S = 2.0
#: Who answers a question, unless it is the participant on a screen of their own.
OPERATOR: Final = "operator"


@dataclass(slots=True)
class Trial:
    """A period of attention to one talker: its start and end in seconds of the task."""

    name: str
    start: float
    end: float


class SessionTask:
    """A calibration or run, on a thread of its own from :meth:`start` on.

    Parameters
    ----------
    loop : ClosedLoop
        It must be started.
    cues : sequence of Cue
        Times in s, and talkers to attend to.
    seconds : float
        Total duration without pauses and questions, s.
    questions : sequence of QuestionConfig
        Asked after each trial: :attr:`question` is set until :meth:`answer` is called.
    outlet : Outlet
        Publishes cues and answers as markers.
    on_event : callable
        Called with the text of every event; it must not block.
    on_end : callable
        Called on the task's thread after everything has ended, including the recording.
    on_cue : callable
        Called with the talker's name at every cue.
    gate : callable
        Returns why the signals are unusable now, or an empty text. Meanwhile trials wait, and the current one is
        repeated. None accepts all signals.
    """

    def __init__(
        self,
        loop: ClosedLoop,
        cues: Sequence[Cue],
        seconds: float,
        questions: Sequence[QuestionConfig],
        outlet: Outlet,
        on_event: Callable[[str], None],
        on_end: Callable[[SessionTask], None],
        on_cue: Callable[[str], None] = lambda name: None,
        gate: Callable[[], str] | None = None,
    ) -> None:
        self.loop, self.cues, self.seconds = loop, list(cues), seconds
        self._questions, self._outlet = questions, outlet
        self._on_event, self._on_end, self._on_cue = on_event, on_end, on_cue
        self._gate, self._usable_at = gate, 0.0
        #: Elapsed seconds, and the talker to attend to now.
        self.elapsed, self.attend = 0.0, ""
        #: Number of trials started and not discarded, and total number of trials.
        self.block, self.n_blocks = 0, sum(bool(name) for _, name in cues)
        self._n_repeats_left = self.n_blocks
        self._trial: Trial | None = None
        #: Trials that were started and not discarded.
        self.trials: list[Trial] = []
        #: The question to answer now, empty if there is none; its answers to choose from; number of questions so far.
        self.question, self.n_asked = "", 0
        self.options: tuple[str, ...] = ()
        #: Why the next trial waits; empty if it does not.
        self.waiting = ""
        #: Whether cues and elapsed time are paused.
        self.paused = False
        #: Whether it reached its planned end without error; and the error, if there was one.
        self.complete, self.failure = False, ""
        #: Whether it has ended and only the recording is still being completed.
        self.ending = False
        self._answers: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._answered, self._asking = False, threading.Lock()
        self._asked_for: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stop, self._redo, self._finish = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="session", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the task now, and wait until the recording up to now is completed."""
        self._stop.set()
        if self._begun:
            self._thread.join()

    def wait(self, timeout: float | None) -> bool:
        """Wait for the end; return whether the task has ended, which is false before it has started."""
        if not self._begun:
            return False
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def _begun(self) -> bool:
        """Whether the thread was started; other threads can see the task shortly before."""
        return self._thread.ident is not None

    def answer(self, text: str, by: str = OPERATOR, asked: int | None = None) -> str:
        """Answer the current question; the answer becomes a marker.

        Parameters
        ----------
        text : str
            The answer.
        by : str
            Who answers.
        asked : int or None
            Number of the question that is answered, as :attr:`n_asked`; None for the current one.

        Returns
        -------
        str
            Why the answer is refused; empty if it is taken.
        """
        with self._asking:
            if self.question and not self._answered and asked in (None, self.n_asked):
                self._answered = True
                self._answers.put((text, by))
                return ""
        if self.question or asked is not None:
            return "this question was answered already, or its recording has ended: the first answer counts"
        return "there is no question to answer now"

    def note(self, text: str) -> None:
        """Record a note of the operator as a marker with the current time."""
        self._send_marker(NOTE + text)

    def cue(self, name: str) -> None:
        """Give a cue now, in addition to those of the plan."""
        self._asked_for.put(name)

    def redo(self) -> bool:
        """Discard the current trial, or else the last one, and repeat it at the end; return whether there is one."""
        if self._trial is None:
            return False
        self._redo.set()
        return True

    def finish(self) -> None:
        """End after the current trial, or now if there is none, as if all trials had been given."""
        self._finish.set()

    def status(self) -> TaskStatus:
        """Return the current status of the task."""
        under_way = not self.wait(0)
        return TaskStatus(
            elapsed=self.elapsed,
            seconds=self.seconds,
            attend=self.attend,
            next_cue_s=next((at - self.elapsed for at, _ in self.cues[:1]), math.nan),
            block=self.block,
            n_blocks=self.n_blocks,
            waiting=self.waiting,
            question=self.question,
            options=self.options,
            n_asked=self.n_asked,
            complete=self.complete,
            failure=self.failure,
            recording_now=under_way,
            ending=under_way and self.ending,
        )

    def _work(self) -> None:
        wrong, whole = "", False
        try:
            whole = self._run_cues()
        except Exception as error:
            wrong = f"the session failed: {error!r}"
            raise
        finally:
            self.ending = True
            self.failure = self.loop.stop() or wrong
            self.complete = whole and not self.failure
            self._on_end(self)

    def _run_cues(self) -> bool:
        at = time.monotonic()
        while not self._stop.is_set() and not self.loop.failure:
            now = time.monotonic()
            if not self.paused and not self.waiting:
                self.elapsed += now - at
            at = now
            self._check_signals(now)
            if self._redo.is_set():
                self._redo.clear()
                self._repeat("repeated at the end, as requested")
            if self._finish.is_set():
                self._finish.clear()
                self._leave_out_rest()
            while not self._asked_for.empty():
                self.n_blocks += 1
                self._give_cue(self._asked_for.get())
            while self.cues and self.cues[0][0] <= self.elapsed and not self._must_wait(self.cues[0][1]):
                self._give_cue(self.cues.pop(0)[1])
                at = time.monotonic()  # the time for answers does not count
            if self.elapsed >= self.seconds and not self.waiting:
                if self.attend:
                    self._give_cue("")  # the listener does not attend while answering questions
                return True
            due = min([self.seconds, *(cue[0] for cue in self.cues[:1])]) - self.elapsed
            self._stop.wait(WATCH_S if self.paused or self.waiting else min(WATCH_S, max(due, 0.0)))
        return False

    # Signals

    def _must_wait(self, name: str) -> bool:
        """Whether a trial must wait because the signals are unusable now."""
        why = self._gate() if self._gate is not None and name else ""
        if why and not self.waiting:
            self._on_event(f"The next trial waits: {why}")
        self.waiting = why
        return bool(why)

    def _check_signals(self, now: float) -> None:
        """Discard the current trial if the signals have been unusable for too long."""
        if self._gate is None or not self.attend or not (why := self._gate()):
            self._usable_at = now
        elif now - self._usable_at > PATIENCE_S:
            self._usable_at = now
            if self._n_repeats_left:
                self._n_repeats_left -= 1
                self._repeat(f"repeated at the end: {why}")

    def _repeat(self, why: str) -> None:
        trial, self._trial = self._trial, None
        if trial is None:
            return
        self.trials.remove(trial)
        self._send_marker(DISCARD)
        self._on_event(f"The trial with {trial.name} does not count; it is {why}")
        self.block -= 1
        if self.attend:  # skip the rest of the trial
            left = trial.end - self.elapsed
            self.cues = [(at - left, name) for at, name in self.cues]
            self.seconds -= left
        length = trial.end - trial.start
        if not self.cues or self.cues[-1][1]:
            self.cues.append((self.seconds, ""))
        self.cues += [(self.seconds, trial.name), (self.seconds + length, "")]
        self.seconds += length

    def _leave_out_rest(self) -> None:
        """Leave out all trials after the current one."""
        self.seconds = self._trial.end if self.attend and self._trial is not None else self.elapsed
        self.cues, self.waiting, self.n_blocks = [], "", self.block

    # Cues and questions

    def _give_cue(self, name: str) -> None:
        self._send_marker(ATTEND + name)
        before, self.attend = self.attend, name
        if name:
            self.block += 1
            end = self.cues[0][0] if self.cues else self.seconds
            self._trial = Trial(name, self.elapsed, end)
            self.trials.append(self._trial)
        self._on_event(cue_words(name))
        self._on_cue(name)
        if before and not name:
            self._ask()

    def _ask(self) -> None:
        for question in self._questions:
            with self._asking:
                self.question, self.options, self._answered = question.text, question.answers, False
                self.n_asked += 1
            while not self._stop.is_set():
                try:
                    text, by = self._answers.get(timeout=WATCH_S)
                except queue.Empty:
                    continue
                self._send_marker(f"{ANSWER}{question.text}: {text}")
                who = "" if by == OPERATOR else f" ({by})"
                self._on_event(words := f"{ANSWER} {question.text} {text}{who}")
                self.loop.record_event(words)
                break
            self.question, self.options = "", ()

    def _send_marker(self, text: str) -> None:
        self._outlet.push(Marker(pylsl.local_clock(), text))
