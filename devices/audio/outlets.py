"""Publish the sound output on LSL: applied gains, markers, and envelopes of the talkers."""

from __future__ import annotations

import threading

import numpy as np
import pylsl

from earmark.devices.audio.control_block import Status
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.rings import Entry, PcmReader
from earmark.devices.audio.scene import Scene
from earmark.devices.sources.lsl import Outlet
from earmark.devices.sources.lsl_description import make_info
from earmark.pipeline.nodes.envelope import Envelope, EnvelopeConfig
from earmark.pipeline.stream import Block, ClockMap, Gap, Marker, StreamSpec

#: Suffixes of the names of the envelope stream, and of that of the clean talkers of a simulated room.
ENVELOPES, CLEAN = "-envelopes", "-room-envelopes"
#: Seconds of sound per envelope sample; seconds between gain samples, and between updates of the envelope's clock.
HOP_S, GAIN_S, CLOCK_S = 0.01, 0.05, 1.0


class GainOutlet:
    """Gains at the times at which they are heard, 20 times a second: one channel per talker, master, limiter.

    Parameters
    ----------
    engine : AudioEngine
        Engine whose gains are sent.
    name, source_id : str
        Stream name and identity.
    """

    def __init__(self, engine: AudioEngine, name: str, source_id: str) -> None:
        channels = (*(talker.name for talker in engine.scene.talkers), "master", "limiter")
        n = len(channels)
        spec = StreamSpec(name, 0.0, channels, ("misc",) * n, ("dB",) * n)
        self._n_talkers, self._frames = n - 2, -1
        self._outlet = pylsl.StreamOutlet(make_info(spec, "Gain", source_id, "float32"))

    def push(self, status: Status) -> None:
        """Send the gains of a status, unless they were sent already."""
        if status.frames == self._frames or not status.heartbeat:
            return
        self._frames = status.frames
        values = (*status.gains_db[: self._n_talkers], status.master_db, -status.limiter_db)
        self._outlet.push_sample([float(value) for value in values], status.clock.time(status.frames - 1))


class MarkerOutlet:
    """Send ``start``, ``stop``, ``lost``, ``restart``, ``seek``, ``mute``, ``unmute`` when they are heard.

    Parameters
    ----------
    engine : AudioEngine
        Engine whose events are sent.
    name, source_id : str
        Stream name and identity.
    """

    def __init__(self, engine: AudioEngine, name: str, source_id: str) -> None:
        self._talkers = [talker.name for talker in engine.scene.talkers]
        self._outlet = Outlet(StreamSpec(name, 0.0, ("marker",), ("misc",), ("",)), "Markers", source_id)
        self._last: Entry | None = None
        self._sink = b""
        engine.listen(self._heard)

    def _heard(self, entry: Entry, lsl_time: float) -> None:
        """Send what changed in an entry of the log."""
        now, before = entry.applied, self._last.applied if self._last is not None else None
        self._last = entry
        said = []
        if now.kind == "start":
            said.append("restart" if before else "start")
        elif now.kind in ("stop", "lost"):
            said.append(now.kind)
        muted = before is not None and before.control.mute
        if now.control.mute != muted:
            said.append("mute" if now.control.mute else "unmute")
        if before is not None and now.control.seek_id != before.control.seek_id:
            where = zip(self._talkers, now.control.seek_s, strict=True)
            said.append("seek " + ", ".join(f"{name} {second:g} s" for name, second in where if not np.isnan(second)))
        for text in said:
            self._outlet.push(Marker(lsl_time, text))

    def push(self, status: Status) -> None:
        """Send the name of the sound output, if it changed."""
        if status.heartbeat and status.sink != self._sink:
            self._sink = status.sink
            self._outlet.push(
                Marker(status.clock.time(status.first_frame), f"device {status.sink.decode(errors='replace')}")
            )


def envelopes(
    scene: Scene, name: str, config: EnvelopeConfig, talkers: tuple[str, ...] = ()
) -> tuple[Envelope, StreamSpec]:
    """Return an opened envelope node for a scene's or other talkers, and the spec of the stream ``name`` it makes."""
    names = talkers or tuple(talker.name for talker in scene.talkers)
    n = len(names)
    node = Envelope(config)
    spec = StreamSpec(name, scene.sfreq, names, ("misc",) * n, ("",) * n, hop=round(HOP_S * scene.sfreq))
    return node, node.open(spec).evolve(name=name)


class EnvelopeOutlet:
    """Envelopes of the talkers as played, before gain, or of the clean talkers of a room.

    Parameters
    ----------
    engine : AudioEngine
        Engine whose talkers are used.
    name, source_id : str
        Stream name and identity.
    config : EnvelopeConfig
        Settings of the envelopes.
    clean : bool
        Whether the talkers are those of a room.
    """

    def __init__(
        self, engine: AudioEngine, name: str, source_id: str, config: EnvelopeConfig, clean: bool = False
    ) -> None:
        scene = engine.scene
        self._states = None if clean else engine.envelope_states
        self._node, out = envelopes(scene, name, config, engine.clean if clean else ())
        self._outlet = Outlet(out, "Envelope", source_id)
        ring = engine.names.clean if clean else engine.names.pcm
        self._reader = PcmReader(ring, round(HOP_S * scene.sfreq))
        self._since = self._clock_frame = -1.0
        self._every = CLOCK_S * scene.sfreq

    def push(self, status: Status) -> None:
        """Send the envelopes of everything played since the last call."""
        if not status.heartbeat:
            return
        if status.clock_since != self._since or status.frames - self._clock_frame > self._every:
            self._since, self._clock_frame = status.clock_since, status.frames
            self._send(status.clock)
        while (item := self._reader.read()) is not None:
            self._send(item)
            if self._states is not None:
                self._states.offer(self._reader.cursor, self._node.state)

    def _send(self, item: Block | Gap | ClockMap) -> None:
        if isinstance(item, Block):
            fine = np.isfinite(item.data)
            item = Block(item.start, np.where(fine, item.data, 0.0).astype(np.float64), ~fine.all(axis=0))
        for out in self._node.process(item):
            if isinstance(out, Block | Gap | ClockMap):
                self._outlet.push(out)

    @property
    def cursor(self) -> int:
        """Next frame of the sound whose envelope is published."""
        return self._reader.cursor

    def close(self) -> None:
        """Detach from the talkers' samples."""
        self._reader.close()


class SoundOutlets:
    """Publish gains, markers and, if requested, envelopes, from a thread of its own.

    Make it before the engine starts, so that nothing is missed, and stop it after the engine.

    Parameters
    ----------
    engine : AudioEngine
        Engine to publish.
    name : str
        Prefix of the streams' names and identities.
    envelope : EnvelopeConfig or None
        Settings of the envelopes; None publishes none.
    """

    def __init__(
        self, engine: AudioEngine, name: str = "earmark-audio", envelope: EnvelopeConfig | None = None
    ) -> None:
        self._engine = engine
        self._gains = GainOutlet(engine, f"{name}-gains", f"{name}-gains")
        self._markers = MarkerOutlet(engine, f"{name}-markers", f"{name}-markers")
        title = name + ENVELOPES
        self._envelopes = [] if envelope is None else [EnvelopeOutlet(engine, title, title, envelope)]
        if envelope is not None and engine.clean:
            title = name + CLEAN
            self._envelopes.append(EnvelopeOutlet(engine, title, title, envelope, clean=True))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sound outlets", daemon=True)
        self._thread.start()

    @property
    def behind_s(self) -> float:
        """Seconds of sound that were played and whose envelopes are not yet published."""
        if not self._envelopes:
            return 0.0
        played = self._engine.status().frames
        return max(played - one.cursor for one in self._envelopes) / self._engine.scene.sfreq

    def _run(self) -> None:
        while not self._stopping.wait(GAIN_S):
            self._push()

    def _push(self) -> None:
        status = self._engine.status()
        self._gains.push(status)
        self._markers.push(status)
        for one in self._envelopes:
            one.push(status)

    def stop(self) -> None:
        """Send what is left, and withdraw the streams."""
        self._stopping.set()
        self._thread.join()
        self._push()
        for one in self._envelopes:
            one.close()
