"""How a session heeds Ctrl-C, Ctrl-Z, requests to end, and a terminal that is closed."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds between two looks at whether the end was asked for.
_LOOK_S = 0.1
_SUSPENDED = "\nCtrl-Z is ignored: it would stop the sound. Ctrl-C ends in good order.\n"


def stop_on_signals() -> threading.Event:
    """Return what is set by Ctrl-C, a request to end and a closed terminal; each ends what is under way in good order.

    From here on Ctrl-Z is ignored, since it would stop the sound process, too, and the command goes on where nobody
    reads what it says.
    """
    from earmark.app.terminal.console import console

    console.goes_on = True
    stop = threading.Event()

    def end(*_: object) -> None:
        if not stop.is_set() and os.isatty(2):  # what is under way may take a while to end
            os.write(2, b"\nEnding in good order ...\n")
        stop.set()

    for name in ("SIGINT", "SIGTERM"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)

    def hang_up(*_: object) -> None:
        for output in (1, 2):  # words to a terminal that is gone would be errors
            if stat.S_ISCHR(os.fstat(output).st_mode):
                os.dup2(os.open(os.devnull, os.O_WRONLY), output)
        stop.set()

    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, hang_up)
    if hasattr(signal, "SIGTSTP"):
        signal.signal(signal.SIGTSTP, lambda *_: os.write(2, _SUSPENDED.encode()))
    return stop


@contextmanager
def heeded(stop: threading.Event, end: Callable[[], None]) -> Iterator[None]:
    """Within this, have ``end`` called again and again once ``stop`` is set, whatever the caller waits for."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_S):
            if stop.is_set():
                end()

    thread = threading.Thread(target=look, name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
