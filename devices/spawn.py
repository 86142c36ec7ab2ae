"""Processes of this program: how they are born, and whose signals they heed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator

#: Numeric libraries get one thread each in processes that keep time.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

#: Signals that a terminal sends to every process in it.
_OF_TERMINALS = ("SIGINT", "SIGHUP", "SIGTSTP")

_spawning = threading.Lock()


@contextlib.contextmanager
def clean_birth() -> Iterator[None]:
    """Let a child be born deaf to Ctrl-C and Ctrl-Z, with one thread, and without what the main module imports."""
    with _spawning:
        before = {key: os.environ.get(key) for key in _ONE_THREAD}
        main = sys.modules["__main__"]
        blocked = None
        if hasattr(signal, "pthread_sigmask"):
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _numbers())
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
        sys.modules["__main__"] = types.ModuleType("__main__")  # spawn would run it again in the child
        try:
            yield
        finally:
            sys.modules["__main__"] = main
            if blocked is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value


def leave_signals_to_parent(*more: str) -> None:
    """Ignore what reaches every process of a terminal: the parent decides, and has to tell its children."""
    for name in (*_OF_TERMINALS, *more):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _numbers())


def _numbers() -> set[signal.Signals]:
    return {getattr(signal, name) for name in _OF_TERMINALS if hasattr(signal, name)}
