"""Whether a machine was too busy for a test to be judged, by what its kernel counted for the processes concerned."""

import contextlib
import time
from pathlib import Path

import pytest

#: Share of the time for which a thread may have stood in line for a processor.
LIMIT = 0.15


class Queueing:
    """How long processes stood in line for a processor, from now on until :meth:`note`.

    A thread that is ready to run does so at once on a quiet machine; what it waited, the kernel counts.
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
        """Look while the processes are still there."""
        waits = [now - self._before.get(task, 0.0) for task, now in self._waited().items()]
        self.share = max(waits, default=0.0) / max(time.monotonic() - self._began, 1e-3)

    @contextlib.contextmanager
    def excuses(self):
        """What is asserted in here holds, or the test is skipped if one of the processes was starved."""
        try:
            yield
        except AssertionError:
            if self.share > LIMIT:
                pytest.skip(f"too busy: a process stood in line for a processor for {self.share:.0%} of the time")
            raise
