"""Prepared scenes in shared memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earmark.devices.audio.scene import Prepared, Scene
from earmark.devices.processes.shared_memory import Segment
from earmark.pipeline.scene.array import Array


@dataclass(frozen=True, slots=True)
class PreparedAt:
    """Location of a prepared scene in shared memory.

    Attributes
    ----------
    name : str
        Segment name.
    scene : Scene
    n_frames : tuple of int
        Number of frames of each talker; 0 for live ones.
    hrir_shape : tuple of int
        Numbers of azimuths, ears, taps.
    array : Array or None
        The scene's microphones.
    mics_shape : tuple of int
        Numbers of microphones, clean talkers included, and of frames; 0 for live ones.
    """

    name: str
    scene: Scene
    n_frames: tuple[int, ...]
    hrir_shape: tuple[int, int, int]
    array: Array | None = None
    mics_shape: tuple[int, int] = (0, 0)


class SharedPrepared:
    """A prepared scene in shared memory, so that a replaced audio process need not read files again.

    Parameters
    ----------
    prepared : Prepared or PreparedAt
        Scene to store, or location of a stored one.
    """

    def __init__(self, prepared: Prepared | PreparedAt) -> None:
        if isinstance(prepared, PreparedAt):
            self.at = prepared
            self._segment = Segment(prepared.name)
            self._map()
            return
        lengths = tuple(0 if pcm is None else len(pcm) for pcm in prepared.pcm)
        shape = prepared.hrir.shape
        mics = (0, 0) if prepared.mics is None else (len(prepared.mics), prepared.mics.shape[1])
        n_samples = sum(lengths) + mics[0] * mics[1]
        self._segment = Segment(None, 8 * (shape[0] + prepared.hrir.size) + 4 * n_samples or 8)
        self.at = PreparedAt(
            self._segment.name, prepared.scene, lengths, (shape[0], shape[1], shape[2]), prepared.array, mics
        )
        self._map()
        for here, there in zip(self.prepared.pcm, prepared.pcm, strict=True):
            if here is not None:
                here[:] = there
        if self.prepared.mics is not None and prepared.mics is not None:
            self.prepared.mics[:] = prepared.mics
        self.prepared.hrir_azimuths[:], self.prepared.hrir[:] = prepared.hrir_azimuths, prepared.hrir

    def _map(self) -> None:
        at, segment = self.at, self._segment
        azimuths = segment.array(at.hrir_shape[0], np.float64)
        hrir = segment.array(at.hrir_shape, np.float64, azimuths.nbytes)
        offset, pcm = azimuths.nbytes + hrir.nbytes, []
        for n in at.n_frames:
            pcm.append(segment.array(n, np.float32, offset) if n else None)
            offset += 4 * n
        mics = segment.array(at.mics_shape, np.float32, offset) if all(at.mics_shape) else None
        #: The scene; its arrays are in shared memory.
        self.prepared = Prepared(at.scene, tuple(pcm), azimuths, hrir, at.array, mics)

    def close(self) -> None:
        """Detach from the segment; its creator removes it."""
        del self.prepared
        self._segment.close()
