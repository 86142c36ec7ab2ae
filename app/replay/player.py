"""Replays a recorded run at its own pace: the graph that ran, on what it was fed then, compared while it goes on."""

from __future__ import annotations

import logging
import math
import re
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from earmark.app.config.modes import Mode
from earmark.app.config.session import Config, ConfigError, parse_config
from earmark.app.engine.events_file import parts, read_events
from earmark.app.engine.signals import EngineSignals
from earmark.app.engine.status import EngineMonitor
from earmark.app.replay.paced_recording import PacedClock, PacedRecording, Survey, survey
from earmark.app.replay.recorded_engine import RecordedEngine
from earmark.app.replay.sound import RecordedSound
from earmark.app.replay.verdict import CUT_SHORT, DIFFERENT, assess, changed
from earmark.app.replay.verify import Replay
from earmark.app.session.task import cue_words
from earmark.app.status import Trim
from earmark.devices.files.journal import HeardLine
from earmark.devices.files.session_file import Consumed, Event, Noted, SessionFile
from earmark.devices.files.session_run import CUES
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.attention.gain_control import FALLBACK_RAMP_S, LOST_S
from earmark.pipeline.graph import Graph
from earmark.pipeline.stream import Decision

log = logging.getLogger(__name__)


class PacedReplay(Replay):
    """A replay of a recording: only once its graph is open, time passes."""

    def graph(self) -> Graph:
        """Open the graph."""
        assert isinstance(self.session, PacedRecording)
        self.session.paced = False
        graph = super().graph()
        self.session.paced = True
        return graph


class RecordingPlayer:
    """Goes through a recording on a thread of its own, and has its talkers heard.

    Parameters
    ----------
    recording : Path
        A run's folder, or one of its files; to the first file belong those of engines that took over.
    on_event : callable
        Told in words what happens now, or happened then at an instant of the recording, which comes second.

    Raises
    ------
    EarmarkError, OSError
        If it is no recording of a run.
    """

    def __init__(self, recording: Path, on_event: Callable[[str, float | None], None]) -> None:
        self.path = recording / "loop.xdf" if recording.is_dir() else recording
        self._on_event = on_event
        if not self.path.is_file():
            raise ConfigError(f"{self.path}: no such file; name a recorded run, as DIR/run-1")
        files = [SessionFile(path) for path in parts(self.path)]
        #: What the recording says of itself, its configuration, the names of the talkers, and what decisions did.
        self.about, self.config = files[0].about, _decoding(files[0])
        self.talkers = list(self.about.talkers)
        self.mode = _mode(files[0])
        found = [survey(file, CUES) for file in files]
        self._parts = [(file.path, one) for file, one in zip(files, found, strict=True) if not math.isnan(one.begin)]
        if not self._parts:
            raise ConfigError(f"{self.path} holds nothing to replay: the recording ended as it began")
        #: First and last instant, cues, and the clock that passes from one to the other.
        self.begin, self.end = self._parts[0][1].begin, max(one.end for _, one in self._parts)
        self.cues = sorted(cue for one in found for cue in one.cues)
        self.clock = PacedClock(self.begin, self._jumped)
        home = self.path.resolve().parent
        heard = [line for one in found for line in one.heard]
        self.sound = RecordedSound(self.config.sound, (home, home.parent), heard, self._report)
        self._pending_events, self._events_lock = deque(_events(self.path, found)), threading.Lock()
        #: Of the engine that is replayed now: what it says of itself, and what the operator told it; None without one.
        self.monitor: EngineMonitor | None = None
        self.engine: RecordedEngine | None = None
        #: How many engines were replaced so far.
        self.replaced = 0
        #: Status of a command that ends now; why it is not 0; whether all of it was replayed, and whether it is over.
        self.status, self.failure = 0, ""
        self.complete = self.over = False
        self._ready = threading.Event()
        self._refused: Exception = EarmarkError()
        self._thread = threading.Thread(target=self._work, name="replay", daemon=True)
        self._report(f"Replay of {self.path}; nothing is recorded")
        for path, one in self._parts:
            for words in one.damage:
                self._report(f"ALARM: {path.name} is damaged: {words}")
            if not one.damage and not one.whole and path == self._parts[-1][0]:
                self._report(f"{path.name} was cut short: the replay ends where it does")

    def start(self) -> None:
        """Make graph and sound ready, and begin.

        Raises
        ------
        EarmarkError, OSError
            If the graph cannot be made.
        """
        self._thread.start()
        self._ready.wait()
        if self.over:
            raise self._refused
        self.sound.start()
        self.resume()

    def pause(self) -> None:
        """Hold, in silence."""
        self.clock.hold()
        self.sound.hold()

    def resume(self) -> None:
        """Go on."""
        self.sound.go(self.clock.now)
        self.clock.go()

    def stop(self) -> None:
        """End it now."""
        self.clock.stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.sound.stop()

    def log_events(self) -> None:
        """Log the events of the recording until now; to be called now and then."""
        self._log_events(self.clock.now)

    def _log_events(self, until: float) -> None:
        with self._events_lock:
            while self._pending_events and self._pending_events[0][0] <= until:
                at, words = self._pending_events.popleft()
                self._on_event(words, min(max(at, self.begin), self.end) + self.clock.behind)

    @property
    def cue(self) -> tuple[str, float | None, int]:
        """Who is to be attended now, seconds to the next cue, and how many were to be attended until now."""
        now = self.clock.now
        n = bisect_right(self.cues, now, key=lambda cue: cue[0])
        name = self.cues[n - 1][1] if n else ""
        left = self.cues[n][0] - now if n < len(self.cues) else None
        return name, left, sum(bool(who) for _, who in self.cues[:n])

    def _report(self, text: str) -> None:
        self._on_event(text, None)

    # On the thread of its own

    def _work(self) -> None:
        try:
            for number, (path, found) in enumerate(self._parts):
                self.replaced = number
                self._play(path)
                if self.clock.stop.is_set():
                    return
                if number + 1 < len(self._parts):
                    self._without_engine(found.end + LOST_S, self._parts[number + 1][1].begin)
            self.complete = True
        except (EarmarkError, OSError) as error:
            self._fail(error, str(error))
        except Exception as error:
            log.exception("the replay failed")
            self._fail(error, f"the replay failed: {error!r}")
        finally:
            self.clock.hold()
            self.over = True
            self._ready.set()
            self.sound.stop()

    def _fail(self, error: Exception, words: str) -> None:
        if self._ready.is_set():
            self.status, self.failure = DIFFERENT, words
            self._report(f"ALARM: {words}")
        else:
            self._refused = error

    def _without_engine(self, lost: float, next_begins: float) -> None:
        """Between an engine that died and the next: gains hold, and then go to neutral, as they did."""
        if next_begins > lost and self.clock.reach(lost):
            self.sound.set([0.0] * len(self.talkers), FALLBACK_RAMP_S)

    def _play(self, path: Path) -> None:
        recording = PacedRecording(path, self.clock)
        config, run = _decoding(recording), PacedReplay(recording)
        assert config.attention is not None
        neural = config.attention.neural
        engine = RecordedEngine(
            config, recording.streams, self.sound.follow if self.about.steered else _ignore
        )
        signals = EngineSignals(neural, recording.streams[neural].spec)
        monitor = EngineMonitor(engine, signals.ring, lambda: max(self.clock.now, engine.at))
        differ = _differing(run)

        def passed(event: Event, at: float) -> None:
            engine.handle_event(event, at)
            if isinstance(event, Noted) and isinstance(event.line, HeardLine) and event.line.trims_db:
                trims = zip(event.line.trims_db, event.line.mutes, strict=True)
                self.sound.trim([Trim(*one) for one in trims])
            elif isinstance(event, Consumed):
                signals.write(event.stream, event.item)
            self.engine, self.monitor = engine, monitor
            for words in next(differ):
                self._report(f"{words}, from {at - self.begin:.1f} s on")

        recording.begun, recording.passed = self._ready.set, passed
        try:
            run.run(engine.handle_output)
        finally:
            self.engine = self.monitor = None
            signals.close()
        stopped, last = self.clock.stop.is_set(), path == self._parts[-1][0]
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
        """The clock was set."""
        if seconds > 0:
            self._report(f"The replay was held up for {seconds:.1f} s, and goes on where it was")
        else:
            self._report(f"Nothing was recorded for {-seconds:.0f} s: left out")
        if not self.clock.held:
            self.sound.go(self.clock.now)


def _decoding(file: SessionFile) -> Config:
    """Configuration of a recording, in which there is something decided."""
    config = parse_config(file.about.config, f"configuration in {file.path}", live=False)
    if config.attention is None:
        raise ConfigError(f"{file.path} has no [attention], so nothing was decided: 'earmark replay' alone replays it")
    if config.decoder is None:
        raise ConfigError(f"{file.path} is no run, but a calibration, in which nothing was decided: choose a run")
    return config


def _mode(file: SessionFile) -> Mode:
    """Mode of a recorded run; the first recordings, all of closed loops, do not say it."""
    said = file.about.mode or Mode.CLOSED.value
    try:
        return Mode(said)
    except ValueError:
        known = ", ".join(Mode)
        raise ConfigError(
            f"{file.path} was recorded in mode {said!r}, but this version of Earmark knows {known}: replay it with the "
            "version that recorded it"
        ) from None


def _ignore(decision: Decision, number: int) -> None:
    """Decisions of an open loop were not heard."""


def _events(path: Path, found: list[Survey]) -> list[tuple[float, str]]:
    """What was said then: from the list beside the recording, else from what the recording itself holds; and cues."""
    first = path.with_stem(re.sub(r"-\d+$", "", path.stem))
    begin, end = found[0].begin, max(one.end for one in found)
    if path == first:  # of which the list tells what was before and after, but for a cut
        begin, end = -math.inf, math.inf if found[-1].whole else end
    kept = [one for one in read_events(path) or read_events(first) if begin <= one[0] <= end]
    cues = [(at, cue_words(name)) for one in found for at, name in one.cues]
    return sorted([*cues, *(kept or [event for one in found for event in one.said])])


def _differing(run: Replay) -> Iterator[list[str]]:
    """At every look, which outputs are from now on known to differ from what ran live, in words."""
    other, known = changed(run.session), set[str]()
    while True:
        new = []
        for name, one in run.outputs.items():
            wrong = one.n_wrong or one.difference or one.length_differs
            close = other and (one.close or not one.n_compared)
            kind = "close" if close else "far"
            if wrong and not {f"{name} {kind}", f"{name} far"} & known:
                known.add(f"{name} {kind}")
                because = f" ({'; '.join(other)}), but close" if close else ""
                new.append(f"{'' if close else 'ALARM: '}{name} is not bit for bit what ran live{because}")
        yield new
