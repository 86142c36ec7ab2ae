"""Start child processes that ignore the terminal's signals and do not run this program's main module."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator, Mapping

from earmark.devices.processes.shared_memory import family_environment

#: Processes with real-time work use one thread in numeric libraries.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

#: Signals that only the parent handles.
_TO_PARENT = [getattr(signal, name) for name in ("SIGINT", "SIGHUP", "SIGTERM", "SIGTSTP") if hasattr(signal, name)]

_spawning = threading.RLock()


@contextlib.contextmanager
def born_deaf() -> Iterator[None]:
    """Block signals in children started meanwhile, and keep modules of the working folder out until they have our path.

    The child has to call :func:`leave_signals_to_parent`.
    """
    blocked = None
    if hasattr(signal, "pthread_sigmask"):
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _TO_PARENT)
    try:
        with _environment({"PYTHONSAFEPATH": "1"}):
            yield
    finally:
        if blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for children started meanwhile."""
    with _spawning:
        before = {key: os.environ.get(key) for key in variables}
        os.environ.update(variables)
        try:
            yield
        finally:
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value


@contextlib.contextmanager
def clean_birth() -> Iterator[None]:
    """Start children with signals blocked, one thread, and without the imports of this program's main module.

    The child has to call :func:`leave_signals_to_parent`.
    """
    with _spawning, born_deaf(), _environment(dict.fromkeys(_ONE_THREAD, "1") | family_environment()):
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")  # otherwise the child would run it again
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def leave_signals_to_parent() -> None:
    """Ignore signals that a terminal, a service manager or an out-of-memory guard sends to any process.

    The parent decides when its children end, and has to tell them; a child detects the parent's death itself.
    """
    for number in _TO_PARENT:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _TO_PARENT)
