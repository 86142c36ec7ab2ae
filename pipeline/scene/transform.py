"""Causal short-time Fourier transform, hop by hop, with perfect reconstruction."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.scene.errors import SceneError

#: Shortest window in samples; a shorter one has too few bins to tell anybody apart.
MIN_WINDOW = 16


@dataclass(frozen=True)
class Framing:
    """Window and hop of the transform at a sampling rate.

    The window is the root of a Hann window, for analysis and for synthesis; the hop is half of it.

    Parameters
    ----------
    sfreq : float
        Sampling rate in Hz.
    window_s : float
        Length of the window in seconds, rounded to an even number of samples. 8 ms suit live microphones; 16 ms
        separate slightly better and are heard 8 ms later.

    Raises
    ------
    SceneError
        If the window has fewer than 16 samples, or a value is not finite.
    """

    sfreq: float
    window_s: float = 0.008

    def __post_init__(self) -> None:
        fine = math.isfinite(self.sfreq) and math.isfinite(self.window_s)
        if not fine or min(self.sfreq, self.window_s) <= 0 or self.window < MIN_WINDOW:
            raise SceneError(
                f"transform: a window of {self.window_s} s at {self.sfreq} Hz has fewer than {MIN_WINDOW} samples: "
                "give a longer window or a higher rate"
            )

    @property
    def window(self) -> int:
        """Length of the window in samples; even."""
        return 2 * round(self.window_s * self.sfreq / 2)

    @property
    def hop(self) -> int:
        """Samples from one window to the next."""
        return self.window // 2

    @property
    def n_bins(self) -> int:
        """Number of frequencies."""
        return self.hop + 1

    @property
    def delay(self) -> int:
        """Samples by which analysis, synthesis and the cutting into hops delay together."""
        return self.window

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Frequency of each bin in Hz, shape (n_bins,)."""
        return np.arange(self.n_bins) * self.sfreq / self.window

    @property
    def taper(self) -> NDArray[np.float32]:
        """The window, shape (window,): its square and that of its neighbour sum to one."""
        return np.sin(np.pi * (np.arange(self.window) + 0.5) / self.window).astype(np.float32)


class Hops:
    """Divide chunks of any size into hops.

    Parameters
    ----------
    hop : int
        Number of samples in a hop.
    """

    def __init__(self, hop: int) -> None:
        self._hop, self._at = hop, 0

    def cut(self, n: int) -> Iterator[tuple[slice, slice, bool]]:
        """Divide the next ``n`` samples.

        Yields
        ------
        chunk : slice
            Samples of the chunk.
        hop : slice
            Where they are in the hop that they belong to.
        whole : bool
            Whether they complete the hop.
        """
        done = 0
        while done < n:
            take = min(n - done, self._hop - self._at)
            at, end = self._at, self._at + take
            self._at = end % self._hop
            yield slice(done, done + take), slice(at, end), end == self._hop
            done += take

    def reset(self) -> None:
        """Start a new hop."""
        self._at = 0


class Analysis:
    """Spectra of the newest window of each channel.

    Parameters
    ----------
    framing : Framing
    n_channels : int
    """

    def __init__(self, framing: Framing, n_channels: int) -> None:
        self._hop, self._taper = framing.hop, framing.taper
        #: The newest samples, shape (n_channels, window), oldest first: the first hop of them is what leaves now.
        self.past = np.zeros((n_channels, framing.window), np.float32)
        self._tapered = np.zeros_like(self.past)
        self._spectra = np.zeros((n_channels, framing.n_bins), np.complex64)

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Append one hop, shape (n_channels, hop); return spectra, shape (n_channels, n_bins), until the next call."""
        self.past[:, : self._hop] = self.past[:, self._hop :]
        self.past[:, self._hop :] = samples
        np.multiply(self.past, self._taper, out=self._tapered)
        np.fft.rfft(self._tapered, out=self._spectra)  # type: ignore[arg-type]  # the stubs know float64 only
        return self._spectra

    def reset(self) -> None:
        """Forget all samples."""
        self.past[:] = 0


class Synthesis:
    """Samples from spectra, by overlap and addition.

    Parameters
    ----------
    framing : Framing
    n_channels : int
    """

    def __init__(self, framing: Framing, n_channels: int) -> None:
        self._hop, self._taper = framing.hop, framing.taper
        self._wave = np.zeros((n_channels, framing.window), np.float32)
        self._tail = np.zeros((n_channels, framing.hop), np.float32)
        self._out = np.zeros_like(self._tail)

    def push(self, spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Add one window, shape (n_channels, n_bins); return the hop that it completes, until the next call.

        With the spectra of :class:`Analysis` it is the hop that was appended one before the newest.
        """
        np.fft.irfft(spectra, self._wave.shape[1], out=self._wave)  # type: ignore[arg-type]
        self._wave *= self._taper
        np.add(self._tail, self._wave[:, : self._hop], out=self._out)
        self._tail[:] = self._wave[:, self._hop :]
        return self._out

    def end(self) -> NDArray[np.float32]:
        """Return the hop that a window of zeros would complete; after it nothing sounds."""
        self._out[:] = self._tail
        self._tail[:] = 0
        return self._out
