"""Live talkers and microphones from the sound input."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.scene import AudioError, Scene


class Microphone:
    """Samples of the sound input during the last buffer, by channel.

    Parameters
    ----------
    scene : Scene
        Scene whose talkers from ``input:N``, or microphones from ``input:1-6``, are served.
    """

    def __init__(self, scene: Scene) -> None:
        channels = [_channel(talker.source) for talker in scene.talkers if talker.source.startswith("input:")]
        mics = scene.microphones
        self._span = None
        if mics is not None and mics.source.startswith("input:"):
            self._span = input_span(mics.source)
            channels.append(self._span[1])
        #: Number of channels that the input must have; 0 if it is not used.
        self.n_channels = max(channels, default=0)
        self._heard = np.zeros((0, self.n_channels), np.float32)
        self._at = dict.fromkeys(channels, 0)  # of microphones, the last one stands for all

    def hear(self, frames: NDArray[np.float32]) -> None:
        """Store the newest input buffer, shape (n_frames, n_channels)."""
        self._heard = frames
        for channel in self._at:
            self._at[channel] = 0

    def channel(self, source: str) -> Callable[[int], NDArray[np.float32]]:
        """Return the function that delivers the next samples of a talker."""
        channel = _channel(source)

        def pull(n: int) -> NDArray[np.float32]:
            at = self._at[channel]
            samples = self._heard[at : at + n, channel - 1]
            self._at[channel] = at + len(samples)
            return samples

        return pull

    def array(self, n: int) -> NDArray[np.float32]:
        """Return the next samples of the scene's microphones, shape (n_mics, n) or fewer."""
        assert self._span is not None
        first, last = self._span
        at = self._at[last]
        samples = self._heard[at : at + n, first - 1 : last].T
        self._at[last] = at + samples.shape[1]
        return samples


def input_span(source: str) -> tuple[int, int]:
    """Return the first and the last channel of ``input:1-6``, from 1.

    Raises
    ------
    AudioError
        If it is not written so.
    """
    found = re.fullmatch(r"input:([1-9]\d?)-([1-9]\d?)", source)
    if not found or int(found[2]) <= int(found[1]):
        raise AudioError(f"array: microphones {source!r} are not input:FIRST-LAST with channels from 1, as input:1-6")
    return int(found[1]), int(found[2])


def _channel(source: str) -> int:
    found = re.fullmatch(r"input:([1-9]\d?)", source)
    if not found:
        raise AudioError(f"talker source {source!r} is not input:N with N from 1 to 99, as input:1")
    return int(found[1])
