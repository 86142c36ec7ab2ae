"""Whether a machine was too busy for a test to be judged, by what its kernel counted for the processes concerned."""

import contextlib
import time
from pathlib import Path

import pytest

#: Share of its time that a process may have stood in line for a processor, of what any of its threads did.
LIMIT = 0.15


class _Line:
    """Seconds for which the threads of a process were ready to run, and did not: on a quiet machine about none."""

    def __init__(self, pid):
        self._tasks, self._began = Path(f"/proc/{pid}/task"), time.monotonic()
        self._before = self._waited()

    def _waited(self):
        found = {}
        for task in self._tasks.glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread that has ended
                found[task] = int(task.read_text().split()[1]) / 1e9
        return found

    @property
    def share(self):
        waits = [now - self._before.get(task, 0.0) for task, now in self._waited().items()]
        return max(waits, default=0.0) / max(time.monotonic() - self._began, 1e-3)


@contextlib.contextmanager
def judged_unless_starved(*pids):
    """What is asserted in here holds, or the test is skipped if one of these processes was starved meanwhile.

    To be used where time itself is what is tested. On a quiet machine it hides nothing: there a process that is ready
    runs, and what fails, fails.
    """
    lines = [_Line(pid) for pid in pids]
    try:
        yield
    except AssertionError:
        if (share := max(line.share for line in lines)) > LIMIT:
            pytest.skip(f"too busy: a process stood in line for a processor for {share:.0%} of the time")
        raise
