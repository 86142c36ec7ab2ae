"""The error of this package."""

from __future__ import annotations

from earmark.kernels.errors import EarmarkError


class SceneError(EarmarkError):
    """Raised when a microphone array, a transform or a number of talkers cannot be used for separating talkers."""
