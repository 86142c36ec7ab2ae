"""Replays a recorded run in real time: feeds the recorded input to the same graph and compares output while it runs."""

from __future__ import annotations

import logging
import math
import re
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from earmark.app.config.modes import Mode
from earmark.app.config.protocol import ParticipantTexts
from earmark.app.config.session import Config, ConfigError, parse_config
from earmark.app.engine.events_file import parts, read_events
from earmark.app.engine.signals import EngineSignals
from earmark.app.engine.status import EngineMonitor
from earmark.app.engine.timeline import cue_words
from earmark.app.replay.heard import sound_of
from earmark.app.replay.paced_recording import SOON_S, PacedClock, PacedRecording, Survey, survey
from earmark.app.replay.recorded_engine import RecordedEngine
from earmark.app.replay.sound import RecordedSound
from earmark.app.replay.verdict import CUT_SHORT, DIFFERENT, assess, changed
from earmark.app.replay.verify import Replay
from earmark.app.status import Trim
from earmark.devices.audio.heard_log import HeardSound
from earmark.devices.audio.scene import AudioError
from earmark.devices.files.journal import HeardLine
from earmark.devices.files.session_file import Consumed, Event, Noted, SessionFile
from earmark.devices.files.session_run import CUES
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.attention.gain_control import FALLBACK_RAMP_S, LOST_S
from earmark.pipeline.graph import Graph
from earmark.pipeline.stream import Decision

log = logging.getLogger(__name__)


class PacedReplay(Replay):
    """A replay of a recording in real time. Reading it to open the graph is not paced."""

    def graph(self) -> Graph:
        """Return the open graph of the recording."""
        assert isinstance(self.session, PacedRecording)
        self.session.paced = False
        graph = super().graph()
        self.session.paced = True
        return graph


class RecordingPlayer:
    """Replays a recording on a thread of its own, with its sound.

    Parameters
    ----------
    recording : Path
        Folder of a run, or one of its files; the first file includes those of replacement engines.
    on_event : callable
        Called with the text of an event, and its LSL time for an event of the recording, None for one that happens
        now.

    Raises
    ------
    EarmarkError, OSError
        If it is not a recording of a run.
    """

    def __init__(self, recording: Path, on_event: Callable[[str, float | None], None]) -> None:
        self.path = recording / "loop.xdf" if recording.is_dir() else recording
        self._on_event = on_event
        if not self.path.is_file():
            raise ConfigError(f"{self.path}: no such file; name a recorded run, as DIR/run-1")
        files = [SessionFile(path) for path in parts(self.path)]
        #: Metadata of the recording, its configuration, the names of the talkers, and the mode of the run.
        self.about, self.config = files[0].about, _decoding(files[0])
        self.talkers = list(self.about.talkers)
        self.mode = _mode(files[0])
        #: Texts of the participant's screen; empty in recordings that do not keep them.
        self.texts = _texts(files[0])
        found = [survey(file, CUES) for file in files]
        self._parts = [(file.path, one) for file, one in zip(files, found, strict=True) if not math.isnan(one.begin)]
        if not self._parts:
            raise ConfigError(f"{self.path} ended right after its start and holds no events: choose another run")
        #: First and last LSL time of the recording, its cues in order, and the clock of the replay.
        self.begin, self.end = self._parts[0][1].begin, max(one.end for _, one in self._parts)
        self.cues = sorted(cue for one in found for cue in one.cues)
        self.clock = PacedClock(self.begin, self._jumped)
        home = self.path.resolve().parent
        heard = [line for one in found for line in one.heard]
        self.sound = RecordedSound(self.config.sound, (home, home.parent), heard, self._report, self._recorded())
        self._events = _events(self.path, found)
        self._pending_events, self._events_lock = deque(self._events), threading.Lock()
        #: The engine that is being replayed, and the source of its status; None between engines.
        self.monitor: EngineMonitor | None = None
        self.engine: RecordedEngine | None = None
        #: Number of engines that were replaced so far.
        self.replaced = 0
        #: Exit status so far and the reason for it; whether everything was replayed, and whether the replay has ended.
        self.status, self.failure = 0, ""
        self.complete = self.over = False
        #: Whether to start again at the end; and what is called before the events up to an instant are reported anew.
        self.loop = False
        self.sought: Callable[[], None] = lambda: None
        self._sought = self.begin
        self._ready = threading.Event()
        self._refused: Exception = EarmarkError()
        self._thread = threading.Thread(target=self._work, name="replay", daemon=True)
        self._report(f"Replay of {self.path}; nothing is recorded")
        for path, one in self._parts:
            for words in one.damage:
                self._report(f"ALARM: {path.name} is damaged: {words}")
            if not one.damage and not one.whole and path == self._parts[-1][0]:
                self._report(f"{path.name} was cut short: the replay ends there")

    def _recorded(self) -> HeardSound | None:
        """Return what live talkers or microphones gave, if it was recorded."""
        try:
            return sound_of(self.path)
        except AudioError as error:
            self._report(f"{error}: recorded sound is not used")
            return None

    def start(self) -> None:
        """Prepare graph and sound, and start the replay.

        Raises
        ------
        EarmarkError, OSError
            If the graph cannot be opened.
        """
        self._thread.start()
        self._ready.wait()
        if self.over:
            raise self._refused
        self.sound.start()
        self.resume()

    def pause(self) -> None:
        """Pause the replay and mute its sound."""
        self.clock.hold()
        self.sound.hold()

    def resume(self) -> None:
        """Resume the replay."""
        self.clock.go()
        self._follow_clock()

    def set_speed(self, speed: float) -> None:
        """Let the recording pass with another speed; it is heard at speed 1 only."""
        self.clock.set_speed(speed)
        self._follow_clock()

    def seek(self, at: float) -> None:
        """Go to an LSL time of the recording. All that is recorded before it passes the graph, as fast as possible.

        The graph is the one of the whole recording, so what is decided there does not depend on where one came from.
        To an earlier time, the replay starts again.
        """
        at = max(self.begin, min(at, self.end - SOON_S))
        self.sound.hold()
        if at < self.clock.now or self.over:
            self._sought = at
            self.clock.again.set()
        else:
            self.clock.seek(at)

    def _follow_clock(self) -> None:
        """Play the sound from the time of the clock on, or mute it while the clock is no clock of sound."""
        if self.clock.held or self.clock.seeking or self.clock.speed != 1:
            self.sound.hold()
        else:
            self.sound.go(self.clock.now)

    def stop(self) -> None:
        """End the replay now."""
        self.clock.stop.set()
        self.clock.again.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.sound.stop()

    def log_events(self) -> None:
        """Report the events of the recording up to its current time; to be called repeatedly."""
        self._log_events(self.clock.now)

    def _log_events(self, until: float) -> None:
        if self.clock.seeking:
            return
        with self._events_lock:
            while self._pending_events and self._pending_events[0][0] <= until:
                at, words = self._pending_events.popleft()
                self._on_event(words, self.clock.replayed_at(min(max(at, self.begin), self.end)))

    @property
    def cue(self) -> tuple[str, float | None, int]:
        """Talker to attend to now, seconds to the next cue (None after the last), and number of trials started."""
        now = self.clock.now
        n = bisect_right(self.cues, now, key=lambda cue: cue[0])
        name = self.cues[n - 1][1] if n else ""
        left = self.cues[n][0] - now if n < len(self.cues) else None
        return name, left, sum(bool(who) for _, who in self.cues[:n])

    def _report(self, text: str) -> None:
        self._on_event(text, None)

    # The thread of the replay

    def _work(self) -> None:
        try:
            while not self.clock.stop.is_set():
                self._play_all()
                if not (self.clock.again.is_set() or self.loop):
                    self._rest()
                    self.clock.again.wait()
                if not self.clock.stop.is_set():
                    self._start_again()
        except (EarmarkError, OSError) as error:
            self._fail(error, str(error))
        except Exception as error:
            log.exception("the replay failed")
            self._fail(error, f"the replay failed: {error!r}")
        finally:
            self._rest()
            self._ready.set()

    def _play_all(self) -> None:
        """Replay all files once, or up to the point where the replay is stopped, or starts again."""
        for number, (path, found) in enumerate(self._parts):
            self.replaced = number
            self._play(path)
            if self.clock.again.is_set():
                return
            if number + 1 < len(self._parts):
                self._without_engine(found.end + LOST_S, self._parts[number + 1][1].begin)
        self.complete = True

    def _rest(self) -> None:
        self.clock.hold()
        self.over = True
        self.sound.stop()

    def _start_again(self) -> None:
        """Prepare to replay everything again, without waiting up to the instant that was sought."""
        self.clock.again.clear()
        self.clock.set(self.begin)
        self.clock.seek(self._sought)
        self._sought = self.begin
        self.status, self.failure, self.complete = 0, "", False
        if self.over:
            self.sound.start()
            self.clock.go()
            self.over = False

    def _fail(self, error: Exception, words: str) -> None:
        if self._ready.is_set():
            self.status, self.failure = DIFFERENT, words
            self._report(f"ALARM: {words}")
        else:
            self._refused = error

    def _without_engine(self, lost: float, next_begins: float) -> None:
        """Set gains to neutral between an engine that died and the next one, at the time at which it happened live."""
        if next_begins > lost and self.clock.reach(lost):
            self.sound.set([0.0] * len(self.talkers), FALLBACK_RAMP_S)

    def _play(self, path: Path) -> None:
        recording = PacedRecording(path, self.clock)
        config, run = _decoding(recording), PacedReplay(recording)
        assert config.attention is not None
        neural = config.attention.neural
        engine = RecordedEngine(config, recording.streams, self.sound.follow if self.about.steered else _ignore)
        signals = EngineSignals(neural, recording.streams[neural].spec)
        monitor = EngineMonitor(engine, signals.ring, lambda: max(self.clock.now, engine.at))
        differ = _differing(run)

        def begun() -> None:
            self.engine, self.monitor = engine, monitor
            self._ready.set()

        def passed(event: Event, at: float) -> None:
            engine.handle_event(event, at)
            if isinstance(event, Noted) and isinstance(event.line, HeardLine) and event.line.trims_db:
                trims = zip(event.line.trims_db, event.line.mutes, strict=True)
                self.sound.trim([Trim(*one) for one in trims])
            elif isinstance(event, Consumed):
                signals.write(event.stream, event.item)
            for words in next(differ):
                self._report(f"{words}, from {at - self.begin:.1f} s on")

        recording.begun, recording.passed = begun, passed
        try:
            run.run(engine.handle_output)
        finally:
            self.engine = self.monitor = None
            signals.close()
        stopped, last = self.clock.stop.is_set(), path == self._parts[-1][0]
        if self.clock.again.is_set() and not stopped:
            return
        self._log_events(math.inf if last and not stopped else self.clock.now)
        verdict = assess(run, stopped)
        alarm = verdict.status == DIFFERENT
        if alarm or (verdict.status == CUT_SHORT and last and not self.status):
            self.status = verdict.status
        self.failure = verdict.words if alarm else self.failure
        for line in verdict.details:
            self._report(f"Replay of {path.name}: {line}")
        self._report(f"{'ALARM: ' if alarm else ''}Replay of {path.name}: {verdict.words}")

    def _jumped(self, seconds: float) -> None:
        """Report that the clock was set, and move the sound to the new time."""
        if seconds == 0:
            with self._events_lock:
                self._pending_events = deque(self._events)
            self.sought()
            self.log_events()
            self._report(f"Replay from {self.clock.now - self.begin:.1f} s on")
        elif self.clock.speed > 1:
            return
        elif seconds > 0:
            self._report(f"The replay was delayed by {seconds:.1f} s and continues where it was")
        else:
            self._report(f"Skipped {-seconds:.0f} s in which nothing was recorded")
        self._follow_clock()


def _decoding(file: SessionFile) -> Config:
    """Return the configuration of a recording; refuse one without decisions."""
    config = parse_config(file.about.config, f"configuration in {file.path}", recorded=file.about.format)
    if config.attention is None:
        raise ConfigError(f"{file.path} has no [attention], so nothing was decided: 'earmark replay' alone replays it")
    if config.decoder is None:
        raise ConfigError(f"{file.path} is a calibration, in which nothing was decided: choose a run")
    return config


def _texts(file: SessionFile) -> dict[str, str]:
    """Return the recorded texts of the participant's screen."""
    found = file.about.protocol.get("participant")
    try:
        return {} if found is None else ParticipantTexts.model_validate(found).model_dump()
    except ValidationError as error:
        raise ConfigError(f"{file.path} has unusable texts for the participant's screen: {error}") from error


def _mode(file: SessionFile) -> Mode:
    """Return the mode of a recorded run; the oldest recordings do not hold it, but all of them are closed-loop runs."""
    mode = file.about.mode or Mode.CLOSED.value
    try:
        return Mode(mode)
    except ValueError:
        known = ", ".join(Mode)
        raise ConfigError(
            f"{file.path} was recorded in mode {mode!r}, but this version of Earmark knows {known}: replay it with the "
            "version that recorded it"
        ) from None


def _ignore(decision: Decision, number: int) -> None:
    """Do nothing: decisions of an open-loop run set no gains."""


def _events(path: Path, found: list[Survey]) -> list[tuple[float, str]]:
    """Return events and cues by time; events from the events file, or from the journal if there is none."""
    first = path.with_stem(re.sub(r"-\d+$", "", path.stem))
    begin, end = found[0].begin, max(one.end for one in found)
    if path == first:  # include events before and after the recording, unless it was cut short
        begin, end = -math.inf, math.inf if found[-1].whole else end
    kept = [one for one in read_events(path) or read_events(first) if begin <= one[0] <= end]
    cues = [(at, cue_words(name)) for one in found for at, name in one.cues]
    return sorted([*cues, *(kept or [event for one in found for event in one.events])])


def _differing(run: Replay) -> Iterator[list[str]]:
    """Yield, at every step, a message for each output that was newly found to differ from the live output."""
    other, known = changed(run.session), set[str]()
    while True:
        new = []
        for name, one in run.outputs.items():
            wrong = one.n_wrong or one.difference or one.length_differs
            close = other and (one.close or not one.n_compared)
            kind = "close" if close else "far"
            if wrong and not {f"{name} {kind}", f"{name} far"} & known:
                known.add(f"{name} {kind}")
                because = f" within the tolerance ({'; '.join(other)})" if close else ""
                new.append(f"{'' if close else 'ALARM: '}{name} differs from the live output{because}")
        yield new
