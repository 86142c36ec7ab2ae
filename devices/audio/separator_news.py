"""What a user is told of a separator that is not embedded."""

from __future__ import annotations

from collections.abc import Iterator

from earmark.devices.audio.control_block import Status
from earmark.devices.audio.scene import Scene

#: Seconds between two reports of late answers.
LATE_S = 60.0


class SeparatorNews:
    """Say once why a separator is not in use, when it is again, and once a minute how many of its answers were late.

    Parameters
    ----------
    scene : Scene
    """

    def __init__(self, scene: Scene) -> None:
        mics = scene.microphones
        #: The separator in words.
        self.name = "" if mics is None else f"separator {mics.separator}"
        self._fault, self._late, self._due = "", 0, 0.0

    def of(self, status: Status, now: float) -> Iterator[str]:
        """Yield what is new in a status, at a time in seconds that only ever grows."""
        fault, late = status.separator.decode(errors="replace"), int(status.masks_late)
        if fault and fault != self._fault:
            yield f"{self.name}: {fault}; the masks of the embedded one are used, and it is tried again"
        elif self._fault and not fault:
            yield f"{self.name} is in use again"
        self._fault = fault
        if late < self._late:  # a new sound process counts from zero
            self._late = 0
        if late > self._late and now >= self._due:
            self._due = now + LATE_S
            yield f"{self.name}: answers late: {late - self._late}; the masks before them were used instead"
            self._late = late
