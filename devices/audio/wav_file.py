"""Write a sound file that can be opened at any time while it is written."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.scene import AudioError

#: Bytes before the samples.
_HEADER = 80
#: Seconds between updates of the length in the header: the maximum that a reader misses.
_SYNC_S = 0.5


class WavFile:
    """WAV of 32-bit floats; frame ``n`` of the file is output frame ``n``; RF64 beyond 4 GiB (EBU Tech 3306).

    libsndfile writes the length only on close, so the file of a killed process would appear empty.

    Parameters
    ----------
    path : Path
        File; it must not exist yet, unless ``go_on``.
    sfreq : float
        Frames per second.
    go_on : bool
        Whether another process began this file.
    n_channels : int

    Raises
    ------
    AudioError
        If the file cannot be written.
    """

    def __init__(self, path: Path, sfreq: float, go_on: bool = False, n_channels: int = 2) -> None:
        self._path, self._sfreq, self._n_channels = path, round(sfreq), n_channels
        self._width = 4 * n_channels  # bytes of a frame
        try:
            self._file = open(path, "r+b" if go_on else "xb", buffering=0)  # noqa: SIM115 - closed by close()
        except FileExistsError:
            raise AudioError(f"{path} exists already, and sound files are never overwritten; name another") from None
        except OSError as error:
            raise self._cannot(error) from None
        self._frames = self._said = 0
        try:
            self._say()
        except AudioError:
            self._file.close()
            raise

    def _cannot(self, error: OSError) -> AudioError:
        return AudioError(f"cannot write {self._path}: {error.strerror}")

    def write(self, frame: int, samples: NDArray[np.float32]) -> None:
        """Write samples, shape (n_frames, n_channels), at a frame; frames never written are silent."""
        try:
            self._file.seek(_HEADER + self._width * frame)
            left = memoryview(samples.astype("<f4").tobytes())
            while left:  # a full disk takes a part, then raises an error
                left = left[self._file.write(left) :]
        except OSError as error:
            raise self._cannot(error) from None
        self._frames = frame + len(samples)
        if self._frames - self._said > _SYNC_S * self._sfreq:
            self._say()

    def _say(self) -> None:
        n_bytes = self._width * self._frames
        size = _HEADER - 8 + n_bytes
        long = size > 0xFFFF_FFFF
        sizes = struct.pack("<QQQI", size, n_bytes, self._frames, 0) if long else bytes(28)
        header = struct.pack("<4sI4s", b"RF64" if long else b"RIFF", min(size, 0xFFFF_FFFF), b"WAVE")
        header += struct.pack("<4sI", b"ds64" if long else b"JUNK", 28) + sizes
        layout = self._n_channels, self._sfreq, self._width * self._sfreq, self._width
        header += struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, *layout, 32)
        header += struct.pack("<4sI", b"data", min(n_bytes, 0xFFFF_FFFF))
        try:
            self._file.seek(0)
            self._file.write(header)
        except OSError as error:
            raise self._cannot(error) from None
        self._said = self._frames

    def close(self) -> None:
        """Write the length, and close."""
        self._say()
        self._file.close()
