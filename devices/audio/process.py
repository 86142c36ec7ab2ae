"""Start, await and end an audio process, on the side of its parent."""

from __future__ import annotations

import json
import multiprocessing as mp
import time
from multiprocessing.connection import wait

from earmark.devices.audio.child import Job, run
from earmark.devices.audio.scene import AudioError
from earmark.devices.processes.kept_alive import Child
from earmark.kernels.errors import EarmarkError

#: Seconds for fade-out and close before a process is killed: closing hangs when a JACK server has died.
STOP_S = 1.5


class AudioProcess(Child):
    """Start an audio process.

    Parameters
    ----------
    job : Job
        Its arguments.
    """

    def __init__(self, job: Job) -> None:
        self._sink = str(job.sink)
        self._pipe, there = mp.Pipe(duplex=False)
        super().__init__(run, (job, there), "earmark audio")
        there.close()

    def wait_until_playing(self, patience_s: float) -> tuple[str, list[str]]:
        """Wait for its first buffer.

        Returns
        -------
        sink : str
            Sound output that it plays on.
        problems : list of str
            Why it does not play on the requested one.

        Raises
        ------
        AudioError
            If it cannot play; the process has then ended. Other errors of its start are raised as they are.
        """
        end = time.monotonic() + patience_s
        problems: list[str] = []
        kind = ""
        while wait([self._pipe], max(0.0, end - time.monotonic())):
            event, text, kind = self._hear()
            if event == "open":
                return text, problems
            problems.append(text)
            if event != "cannot":
                break
        else:
            problems.append(f"{self._sink} did not begin to play within {patience_s:g} s")
        self.kill()
        raise EarmarkError.of_kind(kind, "; ".join(problems), AudioError)

    def last_words(self) -> str:
        """Return why it ended; an empty string if it reached its normal end."""
        event, text, _ = self._hear() if self._pipe.poll() else ("", "", "")
        if event in ("failed", "ended"):
            return text
        return f"the audio process died (exit code {self.exit_code})"

    def _hear(self) -> tuple[str, str, str]:
        try:
            event, text, kind = json.loads(self._pipe.recv_bytes())
        except EOFError:
            self.wait(1)
            return "died", f"the audio process died (exit code {self.exit_code})", ""
        return event, text, kind

    def kill(self) -> None:
        """Kill the process at once."""
        super().kill()
        self._pipe.close()
