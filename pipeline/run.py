"""A run: one continuous recording, ready for decoding, with what was heard and who was attended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError


class EvaluationError(EarmarkError, ValueError):
    """Raised when the runs that there are do not allow the training or evaluation asked for."""


@dataclass(frozen=True, slots=True)
class Run:
    """Neural features and talker features on one sample grid.

    Attributes
    ----------
    name, subject : str
        Which run of which listener.
    sfreq : float
        Rate of all features in Hz.
    ch_names : tuple of str
        Neural channels.
    neural : array, shape (n_samples, n_channels)
        Filtered by causal filters only.
    talker_names : tuple of str
        One per talker.
    talkers : array, shape (n_talkers, n_samples, n_features)
        Features of what each talker said, through the same causal band-pass as ``neural``.
    attended : array of int, shape (n_samples,)
        Index of the attended talker at each sample; -1 where nobody knows or samples are missing. A scorer never
        sees it.
    stimuli : tuple of str
        Identity of each talker's audio: runs that share one must not be on both sides of a split.
    features : str
        What the talker features are, as ``envelope``.
    """

    name: str
    subject: str
    sfreq: float
    ch_names: tuple[str, ...]
    neural: NDArray[np.float64]
    talker_names: tuple[str, ...]
    talkers: NDArray[np.float64]
    attended: NDArray[np.int64]
    stimuli: tuple[str, ...]
    features: str = "envelope"

    def __post_init__(self) -> None:
        n_samples, n_talkers = len(self.neural), len(self.talker_names)
        for what, found, wanted in (
            ("neural", self.neural.shape, (n_samples, len(self.ch_names))),
            ("talkers", self.talkers.shape[:2], (n_talkers, n_samples)),
            ("talkers", (self.talkers.ndim,), (3,)),
            ("attended", self.attended.shape, (n_samples,)),
            ("stimuli", (len(self.stimuli),), (n_talkers,)),
        ):
            if found != wanted:
                raise ValueError(f"run {self.name!r}: {what} has shape {found}, but must have {wanted}")
        if len(self.attended) and not -1 <= self.attended.min() <= self.attended.max() < n_talkers:
            raise ValueError(f"run {self.name!r}: attended must be -1 to {n_talkers - 1}")

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.neural) / self.sfreq

    def part(self, start: int, stop: int) -> Run:
        """Return samples ``start`` to ``stop`` as a run of its own, sharing memory."""
        return Run(
            f"{self.name}[{start}:{stop}]",
            self.subject,
            self.sfreq,
            self.ch_names,
            self.neural[start:stop],
            self.talker_names,
            self.talkers[:, start:stop],
            self.attended[start:stop],
            self.stimuli,
            self.features,
        )
