"""Signals during a session: Ctrl-C, Ctrl-Z, SIGTERM, and a terminal that is closed."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Interval of polling the stop event, s.
_POLL_S = 0.1
_SUSPENDED = "\nCtrl-Z is ignored: it would stop the sound. Ctrl-C ends the session cleanly.\n"


def stop_on_signals() -> threading.Event:
    """Return an event that Ctrl-C, SIGTERM and closing the terminal set, so that the caller can end cleanly.

    From here on Ctrl-Z is ignored, since it would stop the sound process, too, and the command continues when the
    reader of its output goes away.
    """
    from earmark.app.terminal.console import console

    console.ignores_broken_pipe = True
    stop = threading.Event()

    def end(*_: object) -> None:
        if not stop.is_set() and os.isatty(2):  # ending may take a while
            os.write(2, b"\nEnding, please wait ...\n")
        stop.set()

    for name in ("SIGINT", "SIGTERM"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)

    def hang_up(*_: object) -> None:
        for output in (1, 2):  # writing to a closed terminal would fail
            if stat.S_ISCHR(os.fstat(output).st_mode):
                os.dup2(os.open(os.devnull, os.O_WRONLY), output)
        stop.set()

    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, hang_up)
    if hasattr(signal, "SIGTSTP"):
        signal.signal(signal.SIGTSTP, lambda *_: os.write(2, _SUSPENDED.encode()))
    return stop


@contextmanager
def call_when_set(stop: threading.Event, end: Callable[[], None]) -> Iterator[None]:
    """Within this context, call ``end`` again and again once ``stop`` is set, while the caller waits."""
    over = threading.Event()

    def poll() -> None:
        while not over.wait(_POLL_S):
            if stop.is_set():
                end()

    thread = threading.Thread(target=poll, name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
