"""Sends commands to the session on separate threads, so that the window never waits for an answer."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from earmark.app.dashboard.language import tr

logger = logging.getLogger(__name__)

#: Commands with a queue of their own, so that they never wait behind others.
URGENT = frozenset({"mute"})


class Sender(Protocol):
    """Sends a command and waits for its answer, as :class:`earmark.app.session.channel.Client` does."""

    def send(self, command: str, **args: Any) -> dict[str, Any]:
        """Return the answer.

        Raises
        ------
        earmark.kernels.errors.EarmarkError
            If the command was refused or the session cannot be reached.
        """


class Link(QObject):
    """Sends commands in order; urgent commands overtake the others.

    Parameters
    ----------
    connect : callable
        Returns a new sender. Called on the sending threads.
    refusal : type
        Exception that a sender raises when a command is refused.

    Attributes
    ----------
    answered : Signal(str, object)
        A command succeeded: the command and its answer.
    refused : Signal(str, str)
        A command failed: the command and the reason.
    """

    answered = Signal(str, object)
    refused = Signal(str, str)

    def __init__(self, connect: Callable[[], Sender], refusal: type[Exception], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._connect, self._refusal = connect, refusal
        self._queues: tuple[queue.SimpleQueue[tuple[str, dict[str, Any]] | None], ...] = (
            queue.SimpleQueue(),
            queue.SimpleQueue(),
        )
        self._closed = False
        for number in range(len(self._queues)):
            threading.Thread(target=self._work, args=(number,), name=f"commands-{number}", daemon=True).start()

    def send(self, command: str, args: dict[str, Any] | None = None) -> None:
        """Queue a command and return immediately."""
        self._queues[command in URGENT].put((command, args or {}))

    def close(self) -> None:
        """Stop sending, without waiting for a command that is being sent."""
        self._closed = True
        for one in self._queues:
            one.put(None)

    def _work(self, number: int) -> None:
        sender: Sender | None = None
        while (request := self._queues[number].get()) is not None:
            command, args = request
            try:
                sender = sender or self._connect()
                answer = sender.send(command, **args)
            except self._refusal as error:
                sender = None  # the session may be gone: connect again for the next command
                self._emit(self.refused, command, str(error))
            else:
                self._emit(self.answered, command, answer)

    def _emit(self, signal: Any, *outcome: Any) -> None:
        if not self._closed:
            command, answer = outcome
            logger.info("%s: %s", command, "done" if answer is None else _in_words(answer))
            signal.emit(*outcome)


def _in_words(answer: object) -> str:
    """Describe an answer: counts of passed checks, fractions in percent."""
    if isinstance(answer, list) and all(isinstance(one, list) for one in answer):
        return tr("{n_passed} of {n} passed", n_passed=sum(bool(one[1]) for one in answer), n=len(answer))
    return f"{100 * answer:.0f} %" if isinstance(answer, float) else str(answer)
