"""Render the talkers' samples to two ears, block by block, inside the sound card's callback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.limiter import Limiter
from earmark.devices.audio.mask_link import MaskLink
from earmark.devices.audio.places import Places
from earmark.devices.audio.ramp import GainRamps, Switch
from earmark.devices.audio.scene import AudioError, Control, Prepared, Scene, Talker
from earmark.devices.audio.separation import is_embedded
from earmark.devices.audio.sources import PcmSource, Source
from earmark.devices.audio.space import Space

#: Maximum magnitude of a talker's sample, full scale being 1; larger values are errors, not loud sound, and
#: become silence.
LOUDEST = 64.0
#: Larger than any sum of talkers.
_UNHEARD_OF = 1e9
#: Range of the master gain, dB.
MASTER_DB = (-60.0, 0.0)
#: Durations of the fades at start, stop and mute, s.
START_S, STOP_S, MUTE_S = 0.2, 0.1, 0.008
#: Range of the operator's trim of a talker, dB, and the duration of its changes, s.
TRIM_DB, TRIM_S = (-40.0, 0.0), 0.05


class Targets:
    """The last valid value of every control.

    Each valid value is clipped to its range and taken over. A value that is not a finite number, or a list of the
    wrong length, is counted and leaves the control unchanged. Minus infinity is the lowest gain, which steering uses
    for silent talkers; an empty list asks for nothing.
    """

    def __init__(self, scene: Scene) -> None:
        n = len(scene.talkers)
        self._gain_range = (scene.min_gain_db, scene.max_gain_db)
        self._farthest = 90.0 if scene.microphones is None else 180.0
        self.gains_db = np.zeros(n).clip(*self._gain_range)
        self.azimuths = np.array([talker.azimuth for talker in scene.talkers])
        self.seek_s = np.full(n, np.nan)
        self.ramp_s, self.master_db, self.mute, self.seek_id = 0.1, 0.0, False, 0
        self.trims_db, self.mutes = np.zeros(n), np.zeros(n, bool)
        #: Number of invalid values.
        self.n_refused = 0

    def take(self, control: Control) -> bool:
        """Take over valid values; return whether talkers are to jump to :attr:`seek_s` (NaN: no jump)."""
        with np.errstate(invalid="ignore"):
            self._take_all(self.gains_db, control.gains_db, *self._gain_range)
            self._take_all(self.azimuths, control.azimuths, -self._farthest, self._farthest)
            self._take_all(self.trims_db, control.trims_db, *TRIM_DB)
            self._take_mutes(control.mutes)
            scalars = np.array([self.ramp_s, self.master_db])
            self._take_all(scalars[:1], (control.ramp_s,), 0.0, np.inf)
            self._take_all(scalars[1:], (control.master_db,), *MASTER_DB)
            self.ramp_s, self.master_db = float(scalars[0]), float(scalars[1])
            if isinstance(control.mute, int | np.bool_):
                self.mute = bool(control.mute)
            else:
                self.n_refused += 1
            if not isinstance(control.seek_id, int | np.integer):
                self.n_refused += 1
            elif control.seek_id != self.seek_id:
                self.seek_id = int(control.seek_id)
                self.seek_s[:] = np.nan
                self._take_all(self.seek_s, control.seek_s, 0.0, 1e9)
                return True
        return False

    def _take_mutes(self, mutes: object) -> None:
        if not isinstance(mutes, tuple) or len(mutes) not in (0, len(self.mutes)):
            self.n_refused += len(self.mutes)
            return
        for index, mute in enumerate(mutes):
            if isinstance(mute, int | np.bool_):
                self.mutes[index] = bool(mute)
            else:
                self.n_refused += 1

    def _take_all(self, into: NDArray[np.float64], values: object, low: float, high: float) -> None:
        try:
            found = np.asarray(values, np.float64)
        except (TypeError, ValueError, OverflowError):
            self.n_refused += len(into)
            return
        if not found.size:
            return
        if found.shape != into.shape:
            self.n_refused += len(into)
            return
        fine = np.isfinite(found) | (found == -np.inf)
        self.n_refused += len(into) - int(fine.sum())
        into[fine] = found[fine].clip(low, high)


def _live(live: Mapping[int, Source] | None, talker: Talker, index: int) -> Source:
    if live is None or index not in live:
        raise AudioError(
            f"talker {talker.name!r}: {talker.source} is live, but no source for it was handed to Renderer"
        )
    return live[index]


class Renderer:
    """Render a scene.

    The order is sources, gains, trims, space, sum, master gain, limiter, and last the switches for mute, start and
    stop, which therefore act at once. The output does not depend on how it is cut into blocks, as long as controls
    change at the same frames. :meth:`render` never reads a clock, waits, logs or raises.

    If the scene has microphones, a remix of what they hear takes the place of sources, gains and space, see
    :class:`earmark.devices.audio.places.Places`. With all gains, trims and the master gain at 0 dB, nobody muted, and
    every sample below the ceiling, the output after the fade-in is the microphones of the ears, ``delay`` frames late,
    to the last bit, whatever the separator does.

    Parameters
    ----------
    prepared : Prepared
    live : mapping from int to Source
        Sources of the talkers that have no samples in ``prepared``, by index; of live microphones, the source of all
        of them as number 0.
    frame : int
        First output frame.
    positions : sequence of int, or None
        Frame of its file at which each talker begins; None for the scene's ``start_s``.
    link : MaskLink, optional
        To the scene's separator, if that is in a process of its own.
    """

    def __init__(
        self,
        prepared: Prepared,
        live: Mapping[int, Source] | None = None,
        frame: int = 0,
        positions: tuple[int, ...] | None = None,
        link: MaskLink | None = None,
    ) -> None:
        scene = prepared.scene
        if positions is None:
            positions = tuple(round(talker.start_s * scene.sfreq) for talker in scene.talkers)
        self._prepared = prepared
        self._places: Places | None = None
        self._sources: list[Source]
        if scene.microphones is not None:
            self._places = Places(prepared, None if live is None else live.get(0), positions[0], link)
            self._sources = [self._places.source] * len(scene.talkers)
        else:
            self._sources = [
                _live(live, talker, index) if pcm is None else PcmSource(pcm, scene.sfreq, talker.loop, position)
                for index, (talker, pcm, position) in enumerate(
                    zip(scene.talkers, prepared.pcm, positions, strict=True)
                )
            ]
        n = len(scene.talkers)
        self._targets = Targets(scene)
        self._limiter = Limiter(scene)
        self._space = None if self._places else Space(prepared, self._targets.azimuths)
        self._ramps = GainRamps(scene.sfreq, np.zeros(2 * n + 1))  # gains, trims, master
        self._mutes = [Switch(round(MUTE_S * scene.sfreq), on=True) for _ in scene.talkers]
        self._start = Switch(round(START_S * scene.sfreq), on=False)
        self._start.on = True
        self._stop = Switch(round(STOP_S * scene.sfreq), on=True)
        self._mute = Switch(round(MUTE_S * scene.sfreq), on=True)
        self._last: Control | None = None
        self._begun = False
        self._heard = np.zeros((n, scene.block), np.float32)
        self._clean = np.zeros((len(prepared.clean), scene.block), np.float32)
        self._mics = np.zeros((0 if prepared.array is None else prepared.array.n_mics, scene.block), np.float32)
        #: Delay of the output in frames, from the limiter's look-ahead and the remix.
        self.delay = self._limiter.delay + (0 if self._places is None else self._places.delay)
        #: Next output frame.
        self.frame = frame
        #: Talkers' samples of the last call before gain, or their parts of a mixture, shape (n_talkers, n_frames),
        #: float32; the clean talkers of a room, shape (n_clean, n_frames); and what the microphones heard, shape
        #: (n_mics, n_frames); overwritten by the next call.
        self.pcm, self.clean, self.mics = self._heard[:, :0], self._clean[:, :0], self._mics[:, :0]
        #: Gains at the last frame in dB, trims included, shape (n_talkers,), minus infinity for muted talkers; and the
        #: master gain.
        self.gains_db, self.master_db = self._targets.gains_db.copy(), 0.0
        #: Levels in the last call, full scale being 1: of talkers after gain, shape (n_talkers,); of both channels,
        #: shape (2,).
        self.peak, self.rms = np.zeros(n), np.zeros(n)
        self.out_peak, self.out_rms = np.zeros(2), np.zeros(2)
        #: Maximum reduction by the limiter in the last call, dB.
        self.limiter_db = 0.0
        #: Number of samples silenced so far because they were not finite or too large.
        self.n_repaired = 0

    @property
    def positions(self) -> tuple[int, ...]:
        """Next frame of its file to be read, per talker."""
        return tuple(source.position for source in self._sources)

    @property
    def places(self) -> Places | None:
        """The talkers of the mixture, if the scene has microphones."""
        return self._places

    @property
    def n_refused(self) -> int:
        """Number of invalid control values, counted once per new control."""
        return self._targets.n_refused

    @property
    def finished(self) -> bool:
        """Whether the fade-out has ended; the output is silent from then on."""
        return self._stop.settled and not self._stop.on

    def stop(self) -> None:
        """Fade out, starting with the next frame."""
        self._stop.on = False

    def warm_up(self) -> None:
        """Run everything once on a copy with other sources, to load code and tables; the state does not change."""
        scene = self._prepared.scene
        noise = np.random.default_rng(0).standard_normal(4 * scene.block).astype(np.float32)
        n, mics = len(scene.talkers), None
        if self._prepared.array is not None:
            scene = scene if is_embedded(scene) else scene.embedded()
            mics = np.tile(noise, (self._prepared.array.n_mics + len(self._prepared.clean), 1))
        twin = Renderer(replace(self._prepared, scene=scene, pcm=(noise,) * n, mics=mics))
        for k in range(8):
            twin.render(scene.block, Control((-6.0 * k,) * n, azimuths=(10.0 * k,) * n, seek_id=k, seek_s=(0.0,) * n))

    def render(self, n_frames: int, control: Control) -> NDArray[np.float32]:
        """Render the next frames under one control, which is in force from the first of them.

        Returns
        -------
        array, shape (n_frames, 2)
            Left and right, float32.
        """
        if control is not self._last:
            self._last = control
            self._obey(control)
        if n_frames > self._heard.shape[1]:
            self._heard = np.zeros((len(self._sources), n_frames), np.float32)
            self._clean = np.zeros((len(self._clean), n_frames), np.float32)
            self._mics = np.zeros((len(self._mics), n_frames), np.float32)
        self.pcm, self.clean = self._heard[:, :n_frames], self._clean[:, :n_frames]
        self.mics = self._mics[:, :n_frames]
        out = np.empty((n_frames, 2), np.float32)
        self.peak[:] = self.out_peak[:] = self.rms[:] = self.out_rms[:] = self.limiter_db = 0
        with np.errstate(over="ignore", invalid="ignore"):  # repaired and counted
            for first in range(0, n_frames, self._prepared.scene.block):
                piece = slice(first, min(first + self._prepared.scene.block, n_frames))
                out[piece] = self._piece(self.pcm[:, piece], self.clean[:, piece], self.mics[:, piece]).T
        for total in (self.rms, self.out_rms):
            np.sqrt(total / max(n_frames, 1), out=total)
        now, n = self._ramps.gains_db, len(self._sources)
        self.gains_db, self.master_db = np.where(self._targets.mutes, -np.inf, now[:n] + now[n:-1]), float(now[-1])
        self.frame += n_frames
        return out

    def _obey(self, control: Control) -> None:
        targets = self._targets
        jump = targets.take(control)
        if not self._begun:  # nothing was heard yet, so there is no previous state to fade from
            self._begun = True
            sfreq = self._prepared.scene.sfreq
            self._ramps = GainRamps(sfreq, np.concatenate([targets.gains_db, targets.trims_db, [targets.master_db]]))
            self._place(at_once=True)
            self._mute = Switch(round(MUTE_S * sfreq), on=not targets.mute)
            self._mutes = [Switch(round(MUTE_S * sfreq), on=not mute) for mute in targets.mutes]
            return
        n = len(self._sources)
        for index, gain_db in enumerate((*targets.gains_db, *targets.trims_db, targets.master_db)):
            self._ramps.retarget(index, gain_db, TRIM_S if n <= index < 2 * n else targets.ramp_s)
        self._place()
        self._mute.on = not targets.mute
        for switch, mute in zip(self._mutes, targets.mutes, strict=True):
            switch.on = not mute
        if jump:
            done: list[Source] = []  # the talkers of a mixture have one source, which jumps once
            for source, seek_s in zip(self._sources, targets.seek_s, strict=True):
                if not np.isnan(seek_s) and source not in done:
                    source.seek(round(seek_s * self._prepared.scene.sfreq))
                    done.append(source)

    def _place(self, at_once: bool = False) -> None:
        if self._space is not None:
            self._space.place(self._targets.azimuths, at_once=at_once)
        if self._places is not None:
            self._places.place(self._targets.azimuths)

    def _piece(
        self, heard: NDArray[np.float32], clean: NDArray[np.float32], mics: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Render at most one block; return shape (2, n_frames)."""
        n = heard.shape[1]
        gains = self._ramps.read(n)
        factors = gains[: len(heard)] * gains[len(heard) : -1]
        for row, switch in zip(factors, self._mutes, strict=True):
            switch.apply(row)
        if self._places is not None:
            rows = self._places.source.read(n)
            self._repair(rows, LOUDEST)
            mics[:] = rows[: len(mics)]
            mix = self._places.remix(rows, factors, heard, clean).astype(np.float64)
        else:
            for row, source in zip(heard, self._sources, strict=True):
                row[:] = source.read(n)
        self._repair(heard, LOUDEST)
        talkers = heard * factors
        self._measure(talkers, self.peak, self.rms)
        if self._space is not None:
            mix = self._space.process(talkers)
        mix *= gains[-1]
        self._repair(mix, _UNHEARD_OF)
        out = self._limiter.process(mix)
        self.limiter_db = max(self.limiter_db, self._limiter.reduction_db)
        for switch in (self._mute, self._start, self._stop):
            switch.apply(out)
        self._measure(out, self.out_peak, self.out_rms)
        return out

    def _repair(self, x: NDArray, loudest: float) -> None:
        """Silence samples that are not finite or too large, and count them."""
        if np.abs(x).max(initial=0) <= loudest:
            return
        broken = ~(np.abs(x) <= loudest)
        x[broken] = 0
        self.n_repaired += int(np.count_nonzero(broken))

    def _measure(self, x: NDArray[np.float64], peak: NDArray[np.float64], square: NDArray[np.float64]) -> None:
        np.maximum(peak, np.abs(x).max(axis=1, initial=0), out=peak)
        square += np.einsum("ij,ij->i", x, x)
