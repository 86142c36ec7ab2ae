"""Decide from the kernel's scheduling statistics whether a machine was too busy for a test."""

import contextlib
import time
from pathlib import Path

import pytest

#: Largest share of the time that a thread may have waited for a core.
LIMIT = 0.15


class Queueing:
    """Measures how long processes wait for a core, from now until :meth:`note`.

    On an idle machine a thread that is ready to run does so immediately; the kernel counts the time that it waits.
    """

    def __init__(self, *pids):
        self._pids, self._began, self._before = pids, time.monotonic(), {}
        self._before = self._waited()
        #: Longest wait of any thread as a share of the time.
        self.share = 0.0

    def _waited(self):
        found = {}
        for pid in self._pids:
            for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError):  # a thread that has ended
                    found[task] = int(task.read_text().split()[1]) / 1e9
        return found

    def note(self):
        """Read the statistics; call it while the processes still run."""
        waits = [now - self._before.get(task, 0.0) for task, now in self._waited().items()]
        self.share = max(waits, default=0.0) / max(time.monotonic() - self._began, 1e-3)

    @contextlib.contextmanager
    def excuses(self):
        """Skip the test instead of failing if an assertion inside fails and one of the processes was starved.

        The statistics are those of the last :meth:`note`, or of now without any.
        """
        try:
            yield
        except AssertionError:
            if not self.share:
                self.note()
            if self.share > LIMIT:
                pytest.skip(f"too busy: a process waited for a core for {self.share:.0%} of the time")
            raise
