"""Render the next buffer for a sink: read the controls, render, and log what was played."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.audio.control_block import (
    ENDED,
    LAYOUTS,
    PLAYING,
    STOPPING,
    Gains,
    Operator,
    Seqlock,
    Status,
)
from earmark.devices.audio.dac_clock import DacClock
from earmark.devices.audio.heard import Renewals
from earmark.devices.audio.inputs import Microphone
from earmark.devices.audio.mask_link import MaskLink
from earmark.devices.audio.render import Renderer
from earmark.devices.audio.rings import AppliedLog, PcmRing
from earmark.devices.audio.scene import Applied, Control, Prepared
from earmark.devices.audio.sources import LiveSource
from earmark.pipeline.stream import ClockMap

#: Fall rate of the displayed peaks, and averaging time of levels.
PEAK_FALL_DB_S, RMS_S = 20.0, 0.3


@dataclass(frozen=True, slots=True)
class Names:
    """Names of shared memory segments: other processes attach to them, and never unlink them.

    Attributes
    ----------
    gains : str
        ``Seqlock(Gains, name)``; written by steering only.
    operator : str
        ``Seqlock(Operator, name)``; written by the supervisor.
    status : str
        ``Seqlock(Status, name)``; written by the audio process.
    applied : str
        ``AppliedLog``; read by the parent.
    pcm : str
        ``PcmReader(name, hop)``: talkers' samples before gain.
    live : tuple of str
        ``LiveRing`` per talker from LSL; empty for others.
    mics : str
        ``LiveRing`` of microphones from LSL; empty without.
    clean : str
        ``PcmReader(name, hop)``: the clean talkers of a room; empty without.
    masks : str
        ``MaskLink`` to a separator in a process of its own; empty without.
    heard, renewals : str
        ``PcmReader(name, hop)``: what the microphones heard; ``Renewals``. Empty if no file is made of them.
    """

    gains: str
    operator: str
    status: str
    applied: str
    pcm: str
    live: tuple[str, ...]
    mics: str = ""
    clean: str = ""
    masks: str = ""
    heard: str = ""
    renewals: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    """State from which a replacement process resumes.

    Attributes
    ----------
    frame : int
        Next output frame.
    positions : tuple of int
        Next frame of its file to be read, per talker.
    clock : ClockMap or None
        Clock map of the previous process; None ignores the time in between.
    azimuths : tuple of float
        Where the talkers of a mixture were, degrees, NaN where nobody was found; empty without.
    """

    frame: int
    positions: tuple[int, ...]
    clock: ClockMap | None
    azimuths: tuple[float, ...] = ()


def compose(gains: Gains, operator: Operator, n_talkers: int) -> Control:
    """Combine steering and operator into one control: the operator takes precedence, and trims are added."""
    wanted = operator.override_db if operator.override else gains.gains_db
    return Control(
        gains_db=tuple(float(gain) for gain in wanted[:n_talkers]),
        ramp_s=operator.ramp_s if operator.override else gains.ramp_s,
        master_db=operator.master_db,
        mute=bool(operator.mute),
        azimuths=tuple(float(azimuth) for azimuth in operator.azimuths[:n_talkers]),
        seek_id=operator.seek_id,
        seek_s=tuple(float(second) for second in operator.seek_s[:n_talkers]),
        trims_db=tuple(float(trim) for trim in operator.trims_db[:n_talkers]),
        mutes=tuple(bool(mute) for mute in operator.mutes[:n_talkers]),
    )


class Playback:
    """A scene rendered buffer by buffer, controlled by other processes.

    :meth:`buffer` never waits, logs or raises.

    Parameters
    ----------
    prepared : Prepared
    names : Names
    live : mapping from int to LiveSource
        Sources of live talkers, by index.
    microphone : Microphone
        Microphone that receives the sound input from the sink.
    resume : Resume or None
        Where to resume; None starts from the beginning.
    """

    def __init__(
        self,
        prepared: Prepared,
        names: Names,
        live: Mapping[int, LiveSource],
        microphone: Microphone,
        resume: Resume | None = None,
    ) -> None:
        self.scene, self.microphone = prepared.scene, microphone
        self._n = len(prepared.scene.talkers)
        self._live = live
        self._resume = resume
        positions = None if resume is None else resume.positions
        link = MaskLink(names.masks) if names.masks else None
        self._renderer = Renderer(prepared, live, 0 if resume is None else resume.frame, positions, link)
        if resume is not None and self._renderer.places is not None:
            self._renderer.places.look(resume.azimuths)
        self._gains, self._operator = Seqlock(Gains, names.gains), Seqlock(Operator, names.operator)
        self._status = Seqlock(Status, names.status)
        self._applied = AppliedLog(self._n, names.applied)
        self._pcm = PcmRing(name=names.pcm)
        self._clean = PcmRing(name=names.clean) if names.clean else None
        self._heard = PcmRing(name=names.heard) if names.heard else None
        self._renewals = Renewals(names.renewals) if names.renewals else None
        self._renewed, self._first = 0 if self._renewals is None else self._renewals.asked, 0
        self._clock = DacClock(prepared.scene.sfreq, prepared.scene.block)
        self._read = (-1, -1)
        self._control = compose(self._gains.read(), self._operator.read(), self._n)
        self._begun = self._stopped = False
        self._record: NDArray[Any] = np.zeros((), LAYOUTS[Status])
        self._say: dict[str, NDArray[Any]] = {key: self._record[key] for key in LAYOUTS[Status].names or ()}
        #: Set to fade out and end; any thread may.
        self.stopping = False
        self._renderer.warm_up()
        delay_s = 0.0 if self._renderer.places is None else self._renderer.delay / prepared.scene.sfreq
        for key, value in (
            ("pid", os.getpid()),
            ("decision", -1),
            ("positions", (*self._renderer.positions,)),
            ("acoustic_s", delay_s),
        ):
            self._set(key, value)

    def _set(self, key: str, value: Any) -> None:
        view = self._say[key]
        if view.ndim:
            view[: np.size(value)] = value
        else:
            view[...] = value

    @property
    def finished(self) -> bool:
        """Whether the fade-out has ended."""
        return self._stopped and self._renderer.finished

    @property
    def resumed(self) -> bool:
        """Whether this continues another process."""
        return self._resume is not None

    @property
    def frame(self) -> int:
        """Next frame."""
        return self._renderer.frame

    def describe(self, sink: str, latency_s: float) -> None:
        """Store the name and latency of the sound output, before the first buffer."""
        self._set("sink", sink.encode()[:128])
        self._set("latency_s", latency_s)

    def real_time(self) -> None:
        """Request real-time priority for the calling thread, and record whether it was granted."""
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))
        except (OSError, AttributeError):  # not permitted; not Linux
            return
        self._set("fifo", True)

    def buffer(self, n_frames: int, time_at_ear: float, underflow: bool = False) -> NDArray[np.float32]:
        """Render the next buffer.

        Parameters
        ----------
        n_frames : int
            Number of frames.
        time_at_ear : float
            Estimated LSL time at which the first frame is heard, from the driver.
        underflow : bool
            Whether the driver reports an underrun before this buffer.

        Returns
        -------
        array, shape (n_frames, 2)
        """
        began = time.perf_counter()
        time_at_ear += self.scene.extra_latency_s
        if not self._begun:
            self._begin(time_at_ear)
        self._look()
        frame = self._renderer.frame
        out = self._renderer.render(n_frames, self._control)
        self._keep_heard()
        for first in range(0, n_frames, self._pcm.n_frames):
            self._pcm.write(self._renderer.pcm[:, first : first + self._pcm.n_frames])
            if self._clean is not None:
                self._clean.write(self._renderer.clean[:, first : first + self._pcm.n_frames])
        self._clock.add(frame, n_frames, time_at_ear)
        self._tell(n_frames, underflow, began)
        return out

    def _begin(self, time_at_ear: float) -> None:
        self._begun = True
        if self._resume is not None and self._resume.clock is not None:
            self._renderer.frame = max(self._renderer.frame, round(self._resume.clock.index(time_at_ear)))
        self._set("first_frame", self._renderer.frame)
        self._pcm.begin(self._renderer.frame)
        if self._clean is not None:
            self._clean.begin(self._renderer.frame)
        self._first = self._renderer.frame
        if self._heard is not None:
            self._heard.begin(self._first)
        if self._renewals is not None:
            self._renewals.put(self._first, () if self._resume is None else self._resume.azimuths, start=True)

    def _keep_heard(self) -> None:
        """Pass on what the microphones heard; separate anew from here on if that was asked for."""
        if self._heard is None or self._renewals is None or self._renderer.places is None:
            return
        places = self._renderer.places
        while places.renewals:
            done, azimuths = places.renewals.pop(0)
            self._renewals.put(self._first + done, tuple(azimuths))
        for first in range(0, self._renderer.mics.shape[1], self._heard.n_frames):
            self._heard.write(self._renderer.mics[:, first : first + self._heard.n_frames])
        if self._renewed != self._renewals.asked:
            self._renewed = self._renewals.asked
            places.renew()

    def _look(self) -> None:
        """Read the controls, and log changes."""
        gains, operator = self._gains.read(), self._operator.read()
        now = (self._gains.seen, self._operator.seen)
        first = self._read == (-1, -1)
        if now != self._read:
            self._read = now
            self._control = compose(gains, operator, self._n)
            self._set("decision", gains.decision)
            positions = self._renderer.positions if first else ()
            applied = Applied(self._renderer.frame, self._control, "start" if first else "control", positions)
            self._applied.put(applied, gains.decision)
        if (self.stopping or operator.stop) and not self._stopped:
            self._stopped = True
            self._renderer.stop()
            self._applied.put(Applied(self._renderer.frame, self._control, "stop"), gains.decision)

    def _tell(self, n_frames: int, underflow: bool, began: float) -> None:
        renderer, clock, say = self._renderer, self._clock, self._say
        fall = 10 ** (-PEAK_FALL_DB_S / 20 * n_frames / self.scene.sfreq)
        keep = np.exp(-n_frames / (RMS_S * self.scene.sfreq))
        n = self._n
        for peak, new_peak in ((say["peak"][:n], renderer.peak), (say["out_peak"], renderer.out_peak)):
            np.maximum(peak * fall, new_peak, out=peak)
        for rms, new_rms in ((say["rms"][:n], renderer.rms), (say["out_rms"], renderer.out_rms)):
            np.sqrt(rms**2 * keep + new_rms**2 * (1 - keep), out=rms)
        say["limiter_db"][...] = max(float(say["limiter_db"]) - PEAK_FALL_DB_S * n_frames / self.scene.sfreq, 0.0)
        np.maximum(say["limiter_db"], renderer.limiter_db, out=say["limiter_db"])
        say["gains_db"][: self._n] = renderer.gains_db
        say["positions"][: self._n] = renderer.positions
        if renderer.places is not None:
            say["azimuths"][: self._n] = renderer.places.azimuths
            say["delivered_db"][: self._n] = renderer.places.delivered_db
            say["howls"][...] = renderer.places.n_howls
            if (watched := renderer.places.watched) is not None:
                say["masks_late"][...], say["masks_wrong"][...] = watched.n_late, watched.n_wrong
                say["separator"][...] = watched.fault.encode()[:200]
        for index, source in self._live.items():
            say["dry"][index], say["missing"][index] = source.n_dry, source.n_missing
        cost = time.perf_counter() - began
        block_s = n_frames / self.scene.sfreq
        say["late"] += clock.held_up_s + cost > block_s
        say["xruns"] += underflow
        for key, value in (
            ("state", (ENDED if renderer.finished else STOPPING) if self._stopped else PLAYING),
            ("frames", renderer.frame),
            ("clock_frame", renderer.frame),
            ("clock_time", clock.time(renderer.frame)),
            ("clock_period", clock.period),
            ("clock_since", clock.since),
            ("missed", max(0, round(clock.lost_s / (self.scene.block / self.scene.sfreq)))),
            ("torn", self._gains.torn + self._operator.torn),
            ("lost", self._applied.lost),
            ("refused", renderer.n_refused),
            ("repaired", renderer.n_repaired),
            ("master_db", renderer.master_db),
            ("cost_s", cost),
        ):
            say[key][...] = value
        say["heartbeat"] += 1
        self._status.write(self._record)
