"""Live sound for the rest of the program: set gains, and learn what was played."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import pylsl

from earmark.devices.audio.child import Job
from earmark.devices.audio.control_block import Gains, Operator, Seqlock, Status, padded
from earmark.devices.audio.feeds import Feed, LslFeed
from earmark.devices.audio.heard import EnvelopeStates, Renewals
from earmark.devices.audio.mask_process import MaskServer
from earmark.devices.audio.playback import Names, Resume
from earmark.devices.audio.prepare import prepare
from earmark.devices.audio.process import STOP_S, AudioProcess
from earmark.devices.audio.rings import PCM_S, AppliedLog, Entry, LiveRing, PcmRing
from earmark.devices.audio.scene import Applied, AudioError, Prepared, Scene
from earmark.devices.audio.separation import is_foreign, model_of
from earmark.devices.audio.separator_news import SeparatorNews
from earmark.devices.audio.shared import SharedPrepared
from earmark.devices.audio.sinks import DeviceSink, NullSink, Sink
from earmark.devices.processes.kept_alive import KeptAlive, Limits
from earmark.kernels.errors import EarmarkError

log = logging.getLogger(__name__)

#: Seconds between checks of the audio process.
LOOK_S = 0.1
#: Maximum seconds until the first buffer of an audio process, at first and when it replaces another.
START_S, RESTART_S = 20.0, 15.0
#: An audio process has one heartbeat per buffer, so 0.3 s of silence are tens of buffers, or four if they are long.
#: Each replacement is heard as a gap: after five within 20 s, the cause will not go away at once.
LIMITS = Limits(silent_s=0.3, most=5, within_s=20.0, rest_s=10.0)
#: Makes what fills the ring of a live talker or of microphones, of the source after ``lsl:``, rate, ring and listener.
Feeds = Callable[[str, float, LiveRing, Callable[[str], None]], Feed]
#: Number of entries of the log of applied controls that are kept.
KEPT_ENTRIES = 100_000


class AudioEngine:
    """Play a scene in a process of its own, and replace that process if it dies or stalls.

    A thread of this object watches it, because the owner may be busy for seconds. A replacement begins where sound was
    lost, with a fade: on the same device, else on the next one, else without sound at a steady pace. It stays there, so
    that sound does not come and go by itself: :meth:`switch` goes back.

    Only one process writes gains: this one by :meth:`set_gains`, or another through :attr:`names`.

    Parameters
    ----------
    scene : Scene or Prepared
        Scene to play.
    sink : Sink
        Sound output.
    on_event : callable
        Called from the watching thread with messages for the user.
    heard : bool
        Whether what microphones hear is kept for a :class:`earmark.devices.audio.heard_file.HeardFile`.
    feeds : callable
        What sources ``lsl:NAME`` are: streams, or recordings of them.

    Raises
    ------
    AudioError, SharedMemoryError
        If files, memory or device cannot be used; names the fix.
    """

    def __init__(
        self,
        scene: Scene | Prepared,
        sink: Sink | None = None,
        on_event: Callable[[str], None] = lambda text: None,
        heard: bool = False,
        feeds: Feeds = LslFeed,
    ) -> None:
        prepared = scene if isinstance(scene, Prepared) else prepare(scene)
        self.scene = prepared.scene
        self._sink: Sink = sink or DeviceSink()
        self._on_event = on_event
        self._n = len(self.scene.talkers)
        self._offset = _lsl_offset()
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._change, self._telling = threading.RLock(), threading.Lock()
        self._stopping = threading.Event()
        self._closed = False
        self._watcher: threading.Thread | None = None
        #: Description of the sound output.
        self.playing = ""
        #: Number of replacements of a dead or stalled audio process.
        self.restarts = 0
        self._howls = 0
        #: Talkers of a mixture who were found, or whose direction was given.
        self._found = {k for k, at in enumerate(_starts(self.scene)) if at is not None}
        #: Why there is no audio process now; empty if there is one.
        self.failure = ""
        self._over = threading.Event()
        self._feeds: list[Feed] = []
        self._listeners: list[Callable[[Entry, float], None]] = []
        model = None if self.scene.microphones is None else model_of(self.scene)
        #: The process of a separator in an ONNX file.
        self.separator: MaskServer | None = None
        self._news = SeparatorNews(self.scene)
        with contextlib.ExitStack() as made:
            self._prepared = made.enter_context(contextlib.closing(SharedPrepared(prepared)))
            self._at = self._prepared.at
            self._gains = made.enter_context(contextlib.closing(Seqlock(Gains)))
            self._operator_lock = made.enter_context(contextlib.closing(Seqlock(Operator)))
            self._status = made.enter_context(contextlib.closing(Seqlock(Status)))
            self._log = made.enter_context(contextlib.closing(AppliedLog(self._n)))
            frames = max(round(PCM_S * self.scene.sfreq), 4 * self.scene.block)
            self._pcm = made.enter_context(contextlib.closing(PcmRing(self._n, frames)))
            rings = []
            for talker in self.scene.talkers:
                if talker.source.startswith("lsl:"):
                    ring = made.enter_context(contextlib.closing(LiveRing.of(self.scene.sfreq)))
                    feed = feeds(talker.source.removeprefix("lsl:"), self.scene.sfreq, ring, on_event)
                    made.callback(feed.stop)
                    self._feeds.append(feed)
                    rings.append(ring.name)
                else:
                    rings.append("")
            several = clean = ""
            mics = self.scene.microphones
            if mics is not None and mics.source.startswith("lsl:") and prepared.array is not None:
                ring = made.enter_context(contextlib.closing(LiveRing.of(self.scene.sfreq, prepared.array.n_mics)))
                feed = feeds(mics.source.removeprefix("lsl:"), self.scene.sfreq, ring, on_event)
                made.callback(feed.stop)
                self._feeds.append(feed)
                several = ring.name
            #: Names of the clean talkers of a room.
            self.clean = prepared.clean
            if self.clean:
                clean = made.enter_context(contextlib.closing(PcmRing(len(self.clean), frames))).name
            if model is not None:
                self.separator = made.enter_context(contextlib.closing(MaskServer(self.scene, model[0], self._say)))
            #: Requests for renewals, if microphones are kept; states of the published envelopes.
            self.renewals: Renewals | None = None
            self.envelope_states = EnvelopeStates()
            kept = renewals = ""
            if heard and prepared.array is not None:
                kept = made.enter_context(contextlib.closing(PcmRing(prepared.array.n_mics, frames))).name
                self.renewals = made.enter_context(contextlib.closing(Renewals()))
                renewals = self.renewals.name
            #: Names of the shared memory, for other processes.
            self.names = Names(
                self._gains.name,
                self._operator_lock.name,
                self._status.name,
                self._log.name,
                self._pcm.name,
                tuple(rings),
                several,
                clean,
                "" if self.separator is None else self.separator.name,
                kept,
                renewals,
            )
            self._made = made.pop_all()
        patience = max(LIMITS.silent_s, 4 * self.scene.block / self.scene.sfreq)
        self._kept: KeptAlive[AudioProcess] = KeptAlive(
            dataclasses.replace(LIMITS, silent_s=patience), lambda: self._status.read().heartbeat
        )
        self._operator = Operator(
            azimuths=padded([talker.azimuth for talker in self.scene.talkers]),
            override_db=padded([0.0] * self._n),
            seek_s=padded([math.nan] * self._n),
            trims_db=padded([0.0] * self._n),
            mutes=padded([False] * self._n),
        )
        self._operator_lock.write(self._operator)
        self.set_gains([0.0] * self._n)

    # Start and stop

    def __enter__(self) -> AudioEngine:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start to play.

        Raises
        ------
        AudioError
            If the sink cannot be opened.
        """
        atexit.register(self.stop)  # fades out if the process exits without stop()
        try:
            for feed in self._feeds:
                feed.start()
            if self.separator is not None:
                self.separator.start()
            self._spawn(self._sink, START_S)
        except BaseException:
            self.stop()
            raise
        self._watcher = threading.Thread(target=self._watch, name="audio watchdog", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Fade out, end the process and remove the shared memory; a second call does nothing."""
        if self._closed:
            return
        atexit.unregister(self.stop)
        self._over.set()
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
        with self._change:
            self._end()
        self._take_entries()
        with self._telling:
            self._closed = True
            self._status.read()  # keeps the last status readable
            self._made.close()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until sound has ended or failed; return whether it has."""
        return self._over.wait(timeout)

    def switch(self, sink: Sink) -> None:
        """Fade out, and continue at the same position on another sink, or on one that was lost.

        Raises
        ------
        AudioError
            If it cannot be opened. Playing then continues on the previous one.
        """
        with self._change:
            self._end()
            self._take_entries()
            self._at, self._news = self._prepared.at, SeparatorNews(self.scene)
            try:
                self._spawn(sink, START_S, self._resume())
            except EarmarkError:
                self._spawn(self._sink, START_S, self._resume(), others=True, nowhere=True)
                raise
            self._sink = sink

    def _spawn(
        self, sink: Sink, patience_s: float, resume: Resume | None = None, others: bool = False, nowhere: bool = False
    ) -> None:
        self._tell(stop=False)
        job = Job(self._at, self.names, sink, self._offset, resume, others, nowhere)
        process = AudioProcess(job)
        self._kept.started(process)
        try:
            self.playing, problems = process.wait_until_playing(patience_s)
        except BaseException:
            self._kept.drop()
            raise
        self._kept.works()
        self._take_entries()
        for problem in problems:
            self._say(problem)

    def _end(self) -> None:
        if self._kept.child is not None:
            self._tell(stop=True)
            self._kept.end(STOP_S)

    # Control

    def set_gains(self, gains_db: Sequence[float], ramp_s: float = 0.1, decision: int = -1) -> None:
        """Set the gain of each talker, dB; to be called only where nobody else writes gains.

        Parameters
        ----------
        gains_db : sequence of float
            One per talker; the scene's bounds apply.
        ramp_s : float
            Duration of the change, s.
        decision : int
            Number of the decision that led to it.
        """
        if len(gains_db) != self._n:
            raise ValueError(f"gains_db has {len(gains_db)} values, but there are {self._n} talkers")
        self._gains.write(Gains(padded(gains_db), ramp_s, decision, pylsl.local_clock()))

    def mute(self, on: bool = True) -> None:
        """Silence everything, or end the silence."""
        self._tell(mute=on)

    def master(self, master_db: float) -> None:
        """Set the master gain, dB, at most 0."""
        self._tell(master_db=master_db)

    def override(self, gains_db: Sequence[float] | None, ramp_s: float = 0.1) -> None:
        """Use these gains instead of steering's; None returns to steering."""
        kept = self._operator.override_db if gains_db is None else padded(gains_db)
        self._tell(override=gains_db is not None, override_db=kept, ramp_s=ramp_s)

    def trim(self, trims_db: Sequence[float], mutes: Sequence[bool]) -> None:
        """Set trims, dB of at most 0, and mutes per talker, in addition to the gains of steering or an override."""
        self._tell(trims_db=padded(trims_db), mutes=padded(mutes))

    def move(self, azimuths: Sequence[float]) -> None:
        """Move the talkers to other azimuths, degrees to the right."""
        self._tell(azimuths=padded(azimuths))

    def seek(self, seconds: Sequence[float]) -> None:
        """Make each file talker jump to a position in its file, s; NaN for no jump."""
        self._tell(seek_id=self._operator.seek_id + 1, seek_s=padded(seconds, math.nan))

    def _tell(self, **changes: object) -> None:
        with self._telling:
            if self._closed:
                raise AudioError("the audio engine has stopped; make another one")
            self._operator = self._operator._replace(**changes)  # type: ignore[arg-type]
            self._operator_lock.write(self._operator)

    # What is played

    def status(self) -> Status:
        """Return the latest status of the audio process."""
        return self._status.value if self._closed else self._status.read()

    def applied(self) -> list[Entry]:
        """Return which control was in force from each frame on (the last 100,000 entries).

        In addition to the renderer's entries, an entry of kind ``lost`` says that nothing was played from its frame to
        the next start.
        """
        return list(self._entries)

    def listen(self, listener: Callable[[Entry, float], None]) -> None:
        """Call ``listener`` with every entry of :meth:`applied` and its LSL time, within about a tenth of a second."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[Entry, float], None]) -> None:
        """No longer call ``listener``."""
        self._listeners.remove(listener)

    def _take_entries(self) -> None:
        clock = self._status.read().clock
        for entry in self._log.take():
            self._note(entry, clock.time(entry.applied.frame))

    def _note(self, entry: Entry, lsl_time: float) -> None:
        self._entries.append(entry)
        for listener in list(self._listeners):
            _tell(listener, entry, lsl_time)

    # Watching

    def _say(self, text: str) -> None:
        log.info("audio: %s", text)
        _tell(self._on_event, text)

    def _watch(self) -> None:
        kept = self._kept
        while not self._stopping.wait(LOOK_S):
            with self._change:
                self._take_entries()
                self._tell_mixture()
                for text in self._news.of(self._status.read(), time.monotonic()):
                    self._say(text)
                if self.separator is not None:
                    self.separator.look()
                if kept.child is None:  # it failed, and is retried after a rest
                    if kept.due:
                        self._start_again(self.failure, time.monotonic())
                elif kept.ended:
                    reason = kept.child.last_words()
                    if not reason:
                        kept.drop()
                        self._over.set()
                        self._say("sound has ended")
                        return
                    if kept.child.exit_code not in (0, 1):
                        reason += self._without_foreign()
                    self._replace(reason)
                elif kept.hangs:
                    silence_s = kept.silence_s
                    self._replace(f"no sound was asked for in {silence_s:.1f} s{self._without_foreign()}")

    def _without_foreign(self) -> str:
        """Use the embedded separator from now on, if that of another package may have hung or died; say so."""
        if not is_foreign(self._at.scene):
            return ""
        name = self._news.name
        self._at = dataclasses.replace(self._at, scene=self._at.scene.embedded())
        self._news = SeparatorNews(self._at.scene)
        return f"; {name} may be why: the embedded one takes its place until another output is chosen"

    def _tell_mixture(self) -> None:
        """Report talkers of a mixture who were found, and howls."""
        status = self._status.read()
        if not status.acoustic_s:
            return
        for place, azimuth in enumerate(status.azimuths[: self._n].tolist()):
            if math.isfinite(azimuth) and place not in self._found:
                self._found.add(place)
                side = "right" if azimuth > 0 else "left"
                self._say(f"{self.scene.talkers[place].name} was found {abs(azimuth):.0f} degrees to the {side}")
        howls = int(status.howls)
        if howls > self._howls:
            self._say("HOWLING: the microphones hear the output, which was turned down; lower the gain, or the ceiling")
        self._howls = howls  # a new process counts from zero

    def _replace(self, reason: str) -> None:
        lost_at = time.monotonic()
        again = self._kept.lose()
        self._take_entries()
        resume = self._resume()
        if resume is not None and self._entries:
            last = self._entries[-1]
            entry = Entry(Applied(resume.frame, last.applied.control, "lost"), last.decision)
            self._note(entry, self._status.read().clock.time(resume.frame))
        if again:
            self._start_again(reason, lost_at)
        else:
            self._fail(f"{reason}; the audio process was replaced {LIMITS.most} times within {LIMITS.within_s:g} s")

    def _start_again(self, reason: str, lost_at: float) -> None:
        try:
            try:
                self._spawn(self._sink, RESTART_S, self._resume(), others=True)
            except EarmarkError as error:
                self._say(str(error))
                self._spawn(self._sink, RESTART_S, self._resume(), others=True, nowhere=True)
        except (EarmarkError, OSError) as error:
            self._fail(f"{reason}; {error}")
            return
        self.restarts += 1
        self.failure = ""
        self._over.clear()
        back = f"after {time.monotonic() - lost_at:.1f} s"
        silent = self.playing == str(NullSink())
        self._say(f"{reason}; " + (f"GOING ON WITHOUT SOUND {back}" if silent else f"back {back} on {self.playing}"))

    def _fail(self, reason: str) -> None:
        self.failure = f"SOUND HAS ENDED: {reason.removeprefix('SOUND HAS ENDED: ')}"
        self._kept.rest(LIMITS.rest_s)
        self._over.set()
        self._say(f"{self.failure}; it is tried again in {LIMITS.rest_s:g} s")

    def _resume(self) -> Resume | None:
        """Return where a replacement process resumes; None if the last one never began."""
        status = self._status.read()
        if not status.heartbeat:
            return None
        positions = [int(position) for position in status.positions[: self._n]]
        done = self._entries[-1].applied.control.seek_id if self._entries else self._operator.seek_id
        if done != self._operator.seek_id:  # a jump that no process made
            for index, second in enumerate(self._operator.seek_s[: self._n]):
                if not math.isnan(second):
                    positions[index] = round(second * self.scene.sfreq)
        clock = status.clock if getattr(self._sink, "realtime", True) else None
        azimuths = () if self.scene.microphones is None else tuple(status.azimuths[: self._n])
        return Resume(max(status.frames, self._pcm.written), tuple(positions), clock, azimuths)


def _tell(listener: Callable[..., None], *what: object) -> None:
    try:
        listener(*what)
    except Exception:
        log.exception("audio: a listener failed, and sound goes on")


def _lsl_offset() -> float:
    """LSL time minus ``time.monotonic()``, which is 0 where both read the same clock."""
    found = []
    for _ in range(9):
        before, lsl, after = time.monotonic(), pylsl.local_clock(), time.monotonic()
        found.append((after - before, lsl - (before + after) / 2))
    return float(min(found)[1])


def _starts(scene: Scene) -> tuple[float | None, ...]:
    return () if scene.microphones is None else scene.microphones.starts
