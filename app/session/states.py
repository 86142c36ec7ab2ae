"""The transitions between the states of a session."""

from __future__ import annotations

from earmark.app.status import State
from earmark.kernels.errors import EarmarkError

#: Possible next states of each state. Ready means that there is a decoder and that it fits the streams.
NEXT: dict[State, frozenset[State]] = {
    State.IDLE: frozenset({State.CHECKING}),
    State.CHECKING: frozenset({State.IDLE, State.CALIBRATING, State.READY}),
    State.CALIBRATING: frozenset({State.IDLE, State.TRAINING}),
    State.TRAINING: frozenset({State.IDLE, State.READY}),
    State.READY: frozenset({State.IDLE, State.CHECKING, State.RUNNING}),
    State.RUNNING: frozenset({State.PAUSED, State.REVIEW}),
    State.PAUSED: frozenset({State.RUNNING, State.REVIEW}),
    State.REVIEW: frozenset({State.IDLE, State.CHECKING}),
}


class SessionError(EarmarkError):
    """Raised when a session cannot do what is requested, or not in its current state."""
