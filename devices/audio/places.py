"""The talkers of a mixture: microphones in, two ears and a part for each talker out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.limiter import smoothing_taps
from earmark.devices.audio.mask_link import MaskLink, RemoteMasks
from earmark.devices.audio.scene import AudioError, Prepared, Scene
from earmark.devices.audio.separation import framing_of, make_separator, separation_delay
from earmark.devices.audio.sources import PcmSource, Source
from earmark.pipeline.scene.guarded import Guarded
from earmark.pipeline.scene.howl import HowlGuard
from earmark.pipeline.scene.remix import Remix
from earmark.pipeline.scene.tracker import Tracker


def acoustic_delay(scene: Scene) -> tuple[int, int]:
    """Return by how many frames a scene with microphones delays them: separation, and look-ahead of the limiter."""
    return separation_delay(scene), len(smoothing_taps(scene)) - 1


class Places:
    """Follow the talkers of a mixture, and change their gains.

    Parameters
    ----------
    prepared : Prepared
        Scene with microphones.
    live : Source or None
        Live microphones, all together.
    position : int
        First frame of microphones that are not live.
    link : MaskLink, optional
        To a separator in a process of its own.

    Raises
    ------
    AudioError
        If live microphones have no source, or the separator cannot be made.
    """

    def __init__(
        self, prepared: Prepared, live: Source | None = None, position: int = 0, link: MaskLink | None = None
    ) -> None:
        scene, array, mics = prepared.scene, prepared.array, prepared.scene.microphones
        assert array is not None
        assert mics is not None
        if prepared.mics is not None:
            self.source: Source = PcmSource(prepared.mics, scene.sfreq, mics.loop or mics.room is not None, position)
        elif live is not None:
            #: The microphones, and below them the clean talkers of a room.
            self.source = live
        else:
            raise AudioError(f"array: {mics.source} is live, but no source for it was handed to Renderer")
        framing, n = framing_of(scene), len(scene.talkers)
        self._n_mics, self._hop = array.n_mics, framing.hop
        self._done, self._renewing = 0, False  # frames so far
        self._renew_at: tuple[float, ...] | None = None
        #: Frames, counted from the first one, at which :meth:`renew` took effect, and where the talkers were then.
        self.renewals: list[tuple[int, NDArray[np.float64]]] = []
        self._tracker = Tracker(array, framing, n)
        self._separator = separator = make_separator(scene, array, link)
        #: The separator, if it is not an embedded one.
        self.watched = separator if isinstance(separator, Guarded | RemoteMasks) else None
        #: Turns the output down while it howls; only live microphones can hear it.
        self._guard = HowlGuard(framing) if mics.is_live else None
        self._remix = Remix(framing, separator, self._tracker, array.ears, array.reference, self._guard)
        self._aimed = np.array([talker.azimuth for talker in scene.talkers])
        self.look(tuple(np.nan if at is None else at for at in mics.starts))

    @property
    def delay(self) -> int:
        """Frames from the microphones to the ears, and to the parts."""
        return self._remix.delay

    @property
    def azimuths(self) -> NDArray[np.float64]:
        """Where the talkers are, degrees, shape (n_places,); NaN where nobody was found yet."""
        return self._tracker.azimuths

    @property
    def delivered_db(self) -> NDArray[np.float64]:
        """Mean change of each talker's level against the others, dB, shape (n_places,)."""
        return self._remix.delivered.db

    @property
    def n_howls(self) -> int:
        """Number of times that the output was turned down because it howled."""
        return 0 if self._guard is None else self._guard.n_found

    def look(self, azimuths: tuple[float, ...]) -> None:
        """Look for talkers at azimuths in degrees; of places where they are NaN, anywhere."""
        for place, azimuth in enumerate(azimuths):
            if math.isfinite(azimuth):
                self._tracker.start(place, azimuth)

    def renew(self, azimuths: tuple[float, ...] | None = None) -> None:
        """Forget all that was heard but where the talkers are, from the next hop on: the ears hear nothing of it.

        From two hops later on, the parts follow from the microphones since a window before, and these azimuths: who
        has a recording of both can compute them again.

        Parameters
        ----------
        azimuths : tuple of float, optional
            Where the talkers are; by default, where they were found last.
        """
        self._renewing, self._renew_at = True, azimuths

    def _renew(self) -> None:
        azimuths = self.azimuths if self._renew_at is None else np.array(self._renew_at)
        self._tracker.reset()
        self._separator.reset()
        self.look(tuple(azimuths))
        self.renewals.append((self._done, azimuths))
        self._renewing = False

    def place(self, azimuths: NDArray[np.float64]) -> None:
        """Look for the talkers whose azimuth was changed there, from the next hop on."""
        for place in np.flatnonzero(azimuths != self._aimed):
            self._tracker.start(int(place), float(azimuths[place]))
        self._aimed[:] = azimuths

    def remix(
        self,
        rows: NDArray[np.float32],
        gains: NDArray[np.float64],
        parts: NDArray[np.float32],
        clean: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Remix the next frames.

        Parameters
        ----------
        rows : array, shape (n_mics + n_clean, n_frames)
            What :attr:`source` gave; finite.
        gains : array, shape (n_places, n_frames)
            Gains as factors.
        parts : array, shape (n_places, n_frames)
            Set to what each talker is at the reference.
        clean : array, shape (n_clean, n_frames)
            Set to the clean talkers of a room.

        Returns
        -------
        ears : array, shape (2, n_frames)
        """
        clean[:] = rows[self._n_mics :][: len(clean)]
        rows = rows[: self._n_mics]
        n = rows.shape[1]
        if not self._renewing or (left := -self._done % self._hop) >= n:
            self._done += n
            return self._remix.process(rows, gains, parts)
        first = self._remix.process(rows[:, :left], gains[:, :left], parts[:, :left])
        self._done += left
        self._renew()
        self._done += n - left
        return np.concatenate([first, self._remix.process(rows[:, left:], gains[:, left:], parts[:, left:])], axis=1)
