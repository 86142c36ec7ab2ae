"""A run: neural features, talker features and attention labels of one continuous recording, ready for decoding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError


class EvaluationError(EarmarkError, ValueError):
    """Raised when the available runs do not allow the requested training or evaluation."""


@dataclass(frozen=True, slots=True)
class Run:
    """Neural features and talker features on one sample grid.

    Attributes
    ----------
    name, subject : str
        Name of the run, and of its listener.
    sfreq : float
        Sampling rate of all features in Hz.
    ch_names : tuple of str
        Neural channels.
    neural : array, shape (n_samples, n_channels)
        Filtered with causal filters only.
    talker_names : tuple of str
        One per talker.
    talkers : array, shape (n_talkers, n_samples, n_features)
        Features of each talker's speech, filtered with the same causal band-pass as ``neural``.
    attended : array of int, shape (n_samples,)
        Index of the attended talker at each sample; -1 where it is unknown or samples are missing. Decoders do not
        get it when they compute scores.
    stimuli : tuple of str
        Identity of each talker's audio: runs that share audio must not be on both sides of a split.
    features : str
        Name of the talker features, such as ``envelope``.
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
        """Duration in seconds."""
        return len(self.neural) / self.sfreq

    def part(self, start: int, stop: int) -> Run:
        """Return samples ``start`` to ``stop`` as a new run that shares memory with this one."""
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
