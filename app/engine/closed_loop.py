"""The closed loop of a calibration or run: an engine process that decides, a recorder, and a thread that watches both.

An engine or recorder that dies is replaced. A recording has one file per engine: ``loop.xdf``, ``loop-2.xdf``, ...
"""

from __future__ import annotations

import base64
import json
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pylsl

from earmark.app.config.session import Config
from earmark.app.engine.child import EngineJob
from earmark.app.engine.environment import environment
from earmark.app.engine.events_file import copied_decoders, events_file, heard_line, places_line
from earmark.app.engine.process import EngineProcess
from earmark.app.status import EngineProcessStatus, EngineStatus, RecordingStatus, StatusBoard, StatusError
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.heard_file import HeardFile
from earmark.devices.audio.rings import Entry
from earmark.devices.files.journal import About, EventLine, SoundCounters, SoundLine, about_text
from earmark.devices.files.subjects import whose
from earmark.devices.processes.kept_alive import KeptAlive, Limits
from earmark.devices.processes.recorder import Recorder, RecordingFailed
from earmark.devices.processes.shared_memory import discard
from earmark.devices.sources.source import Sender
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.attention.gain_control import FALLBACK_RAMP_S, LOST_S
from earmark.pipeline.control import Control

#: Seconds between checks of the engine, and of the recorder; and between records of the places of a mixture.
POLL_S, WATCH_S, PLACES_S = 0.05, 0.25, 1.0
#: Seconds that an engine may take to start and to connect, in addition to the search for its streams.
START_S = 60.0
#: Decisions older than LOST_S no longer steer, so an engine that is silent for longer is replaced. A new engine needs
#: seconds to fill its filters: after five replacements within a minute the mix stays neutral for a while instead.
LIMITS = Limits(silent_s=LOST_S, apart_s=1.0, most=5, within_s=60.0, rest_s=30.0)
#: Seconds of work after which a spare engine process is started, which has everything imported and waits.
SPARE_S = 5.0
#: Seconds until creating a file or starting an engine is tried again after it failed.
RETRY_S = 2.0
#: Maximum time in which an engine finishes its recording, s.
END_S = 30.0

log = logging.getLogger(__name__)


class ClosedLoop:
    """Decodes from live streams, steers a playing audio engine, and records everything.

    Parameters
    ----------
    config : Config
        Configuration with attention; without a decoder it only records.
    audio : AudioEngine
        It must be playing; the gains it applies are recorded.
    path : Path
        The recording. A copy of the decoder is put next to it, so that it can be replayed.
    on_event : callable
        Called with the text of every event; it must not block.
    steer : bool
        Whether decisions set gains, or are only recorded.
    about : About
        Further metadata of the recording: mode and protocol.
    """

    def __init__(
        self,
        config: Config,
        audio: AudioEngine,
        path: Path,
        on_event: Callable[[str], None],
        steer: bool = True,
        about: About = About(""),  # noqa: B008 - frozen
    ) -> None:
        self.path, self._about = path, about
        self._config, self._audio, self._steer = config, audio, steer
        self._on_event = on_event
        self._n_talkers = len(audio.scene.talkers)
        self._board: StatusBoard[EngineStatus] | None = None
        self._spare: EngineProcess | None = None
        self._spare_at = math.inf
        self._recorder: Recorder | None = None
        #: Last control message of each type, for a replacement engine.
        self._controls: dict[type, Control] = {}
        self._unsent_events: deque[str] = deque(maxlen=1000)
        self._engine_status: EngineStatus | None = None
        self._unreadable = ""
        self._kept: KeptAlive[EngineProcess] = KeptAlive(LIMITS, self._heartbeat)
        self._begun, self._lost_at, self._neutral = False, 0.0, False
        #: Sender of each stream, and the LSL time at which the engine reported it.
        self._senders: dict[str, str] = {}
        self._senders_at = 0.0
        #: Headers of the recording, while a connected engine waits for its recorder.
        self._headers: bytes | None = None
        #: Time from which nothing is recorded, and why no file could be created.
        self._unrecorded_since, self._file_error = 0.0, ""
        #: Error that the engine reported.
        self._refused: EarmarkError | None = None
        self._engine_lock = threading.Lock()
        self._last_sent: Entry | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_watch, name="loop", daemon=True)
        #: Files of the recording, in order.
        self.files: list[Path] = []
        #: How often the engine, and the recorder, were replaced.
        self.restarts = self.recorder_restarts = 0
        #: Error that ended the loop, and what is missing in the recording; empty if there is nothing to report.
        self.failure = self.lacking = ""
        self._finishing: list[threading.Thread] = []
        #: The file of what microphones or live talkers gave, if it is recorded.
        self._heard: HeardFile | None = None

    # Start

    def start(self) -> None:
        """Connect, and start to record and to decide.

        Raises
        ------
        EarmarkError
            If something is missing or does not fit; of the class that the engine raised.
        """
        self._prepare_about()
        self._board = StatusBoard(EngineStatus)
        self._audio.listen(self._applied)  # first, so that the engine receives everything that was played before
        try:
            self._spawn()
            while not self._poll_engine():
                if self._refused is not None or not self._alive() or self._overdue():
                    if self._refused is not None and str(self._refused):
                        raise self._refused
                    raise RecordingFailed(self._failure_reason())
                time.sleep(POLL_S)
            if self._config.sound is not None and self._config.sound.record_audio == "all":
                self._heard = HeardFile(self._audio, self.path, self._alarm)
        except BaseException:
            self._audio.unlisten(self._applied)
            self._release_engine()
            self._close()
            raise
        self._thread.start()

    def _prepare_about(self) -> None:
        """Complete the metadata of the recording, and copy the decoders next to it."""
        self._about = replace(
            self._about,
            config=self._config.text,
            environment=environment(),
            subject=self._about.subject or whose(self.path)[0],
            talkers=tuple(talker.name for talker in self._audio.scene.talkers),
            steered=self._steer,
            decoders=copied_decoders(self._config.decoders, self.path),
        )

    def _spawn(self) -> None:
        assert self._board is not None
        gains = self._audio.names.gains if self._steer else ""
        about = about_text(replace(self._about, part=len(self.files) + 1))
        folder = str(self._config.folder.resolve())
        job = EngineJob(
            self._config.text, folder, about, gains, self._board.name, self._last_senders(), self._config.where
        )
        self._refused = None
        engine, self._spare = self._spare, None
        if engine is None or not engine.alive:
            if engine is not None:
                engine.kill()
            engine = EngineProcess()
        engine.work(job)
        self._kept.started(engine)

    @property
    def _engine(self) -> EngineProcess | None:
        return self._kept.child

    def _last_senders(self) -> dict[str, Sender]:
        """Return the sender of each stream, with the LSL time of its last sample."""
        status, found = self.engine_status, {}
        for name, xml in self._senders.items():
            stream = None if status is None else status.stream(name)
            heard = math.nan if status is None or stream is None else status.time - stream.age_s
            found[name] = Sender(xml, self._senders_at if math.isnan(heard) else heard)
        return found

    def _poll_engine(self) -> bool:
        """Process the messages of the engine, and start it once it is connected; return whether it has started."""
        while self._engine is not None and (message := self._engine.receive()):
            match message:
                case ["event", words]:
                    self._report_event(words)
                case ["refused", kind, words]:
                    self._refused = EarmarkError.of_kind(kind, words)
                case ["ended", failure]:
                    self._refused = RecordingFailed(failure)
                case ["senders", xml]:
                    self._senders, self._senders_at = json.loads(xml), pylsl.local_clock()
                case ["connected", headers]:
                    self._headers = base64.b64decode(headers)
                case ["begun"]:
                    self._begun, self._neutral, self._lost_at = True, False, 0.0
                    self._kept.works()
                    self._spare_at = time.monotonic() + SPARE_S
        if self._headers is not None and not self._kept.resting:
            self._begin_recording(self._headers)
        return self._begun

    def _begin_recording(self, headers: bytes) -> None:
        """Start the connected engine with a recorder of its own, the sound log so far, and the last controls."""
        assert self._engine is not None
        number = len(self.files) + 1
        path = self.path if number == 1 else self.path.with_stem(f"{self.path.stem}-{number}")
        recorder = Recorder(path, headers)
        self.files.append(path)
        self._headers, self._unrecorded_since, self._file_error = None, 0.0, ""
        with self._engine_lock:
            self._engine.begin(recorder.ring_name)
            for entry in self._audio.applied():
                self._engine.note(heard_line(entry, math.nan))
                self._last_sent = entry
            for control in self._controls.values():
                self._engine.control(control)
            while self._unsent_events:
                self._engine.note(EventLine(self._unsent_events.popleft()))
            self._recorder = recorder

    # Messages to the engine

    def control(self, control: Control) -> None:
        """Send a control message of the operator to the graph; from any thread."""
        with self._engine_lock:
            self._controls[type(control)] = control
            if self._engine is not None and self._recorder is not None:
                self._engine.control(control)

    def _report_event(self, text: str) -> None:
        self._on_event(text)
        self._log_event(text)

    def _log_event(self, text: str) -> None:
        """Append an event to the events file next to the recording, which does not need an engine."""
        try:
            with events_file(self.path).open("a", encoding="utf-8") as file:
                file.write(json.dumps([pylsl.local_clock(), text]) + "\n")
        except OSError as error:
            log.error("event %r cannot be written to the events file: %s", text, error)

    def record_event(self, text: str) -> None:
        """Write an event to the recording of the current engine, or else of the next one; from any thread."""
        self._log_event(text)
        with self._engine_lock:
            if self._engine is not None and self._recorder is not None:
                self._engine.note(EventLine(text))
            else:
                self._unsent_events.append(text)

    def _alarm(self, text: str) -> None:
        self._on_event(text)
        self.record_event(text)

    def _applied(self, entry: Entry, lsl_time: float) -> None:
        """Record what was played; called on the audio engine's watchdog thread."""
        with self._engine_lock:  # an engine that is about to start receives the whole log
            if self._engine is not None and self._recorder is not None and entry is not self._last_sent:
                self._engine.note(heard_line(entry, lsl_time))

    # Status

    @property
    def engine_status(self) -> EngineStatus | None:
        """The newest status of the engine; None before the first."""
        self._read_status()
        return self._engine_status

    def _read_status(self) -> None:
        board = self._board
        if board is None:
            return
        try:
            self._engine_status = board.read()
        except StatusError as error:  # the heartbeat stays the same, so the engine is replaced like one that hangs
            if str(error) != self._unreadable:
                self._unreadable = str(error)
                log.error("status of the engine: %s", error)

    @property
    def engine_process(self) -> EngineProcessStatus:
        """Status of the engine process."""
        engine, board = self._engine, self._board
        return EngineProcessStatus(
            alive=engine is not None and not self._lost_at,
            pid=None if engine is None else engine.pid,
            restarts=self.restarts,
            board="" if board is None else board.name,
        )

    @property
    def recording(self) -> RecordingStatus:
        """Status of the newest file and of the process that writes it."""
        recorder = self._recorder
        return RecordingStatus(
            path=str(self.files[-1]) if self.files else "",
            pid=None if recorder is None else recorder.pid,
            bytes=(0 if recorder is None else recorder.bytes_written)
            + (0 if self._heard is None else self._heard.bytes_written),
            waiting=0 if recorder is None else recorder.waiting,
            restarts=self.recorder_restarts,
            alarm="" if recorder is None else recorder.alarm,
        )

    # Watching

    def _keep_watch(self) -> None:
        """Replace a dead engine or recorder, and keep the gains safe meanwhile; on a thread of its own."""
        watched = placed = 0.0
        while not self._stop.wait(POLL_S):
            now = time.monotonic()
            try:
                self._check_engine(now)
                if now - watched > WATCH_S and self._recorder is not None:
                    watched = now
                    self._watch_recorder(self._recorder)
                if now - placed > PLACES_S and self._recorder is not None:
                    placed = now
                    self._record_places()
            except (RecordingFailed, OSError) as error:  # no file could be created, or no process started
                self._kept.rest(RETRY_S)
                if str(error) != self._file_error:
                    self._file_error = str(error)
                    self._alarm(f"ALARM: {error}. NOTHING IS RECORDED OR DECODED until this is fixed; mix neutral")

    def _record_places(self) -> None:
        """Record where the talkers of a mixture are, and what is delivered of the gains."""
        line = places_line(self._audio.status(), len(self._audio.scene.talkers), pylsl.local_clock())
        with self._engine_lock:
            if line is not None and self._engine is not None and self._recorder is not None:
                self._engine.note(line)

    def _watch_recorder(self, recorder: Recorder) -> None:
        restarts, path = recorder.restarts, recorder.path
        for alarm in recorder.watch():
            self._alarm(f"ALARM: {alarm}")
        self.recorder_restarts += recorder.restarts - restarts
        if recorder.path != path:
            self.files[self.files.index(path)] = recorder.path

    def _check_engine(self, now: float) -> None:
        kept = self._kept
        ended = kept.ended  # read first: the engine sends its last messages before it ends
        if self._poll_engine():
            if ended:
                self._replace_engine(self._failure_reason())
            elif kept.hangs:
                self._replace_engine(f"the engine has not responded for {kept.silence_s:.1f} s")
            elif now > self._spare_at:
                self._spare_at = math.inf
                self._spare = EngineProcess()
            return
        if kept.child is None:
            if kept.due:
                self.restarts += 1
                self._spawn()
        elif not self._alive() or self._refused is not None or (self._headers is None and self._overdue()):
            why = self._failure_reason()
            self._release_engine()
            self._alarm(f"ALARM: no new engine yet: {why}")
        # An engine that was started sets gains itself.
        if not self._neutral and self._recorder is None and kept.silence_s > LOST_S:
            self._neutral = True
            if self._steer:
                self._audio.set_gains([0.0] * self._n_talkers, FALLBACK_RAMP_S)
                self._alarm("No engine: gains go to neutral")

    def _heartbeat(self) -> int:
        status = self.engine_status
        return 0 if status is None else status.beat

    def _alive(self) -> bool:
        return self._engine is not None and self._engine.alive

    def _overdue(self) -> bool:
        return self._kept.age_s > START_S + self._config.engine.resolve_s

    def _failure_reason(self) -> str:
        words = "" if self._refused is None else str(self._refused)
        code = None if self._engine is None else self._engine.exit_code
        return words or ("the engine does not answer" if self._alive() else f"the engine died (exit code {code})")

    def _replace_engine(self, why: str) -> None:
        """Replace an engine that is dead or hangs; its recording ends here."""
        self._lost_at = time.monotonic()
        self._release_engine()
        self._alarm(f"ALARM: {why}; gains hold, and a new engine is started")
        if not self._kept.lose():
            self._alarm(
                f"ALARM: the engine was replaced {LIMITS.most} times within {LIMITS.within_s:g} s. The mix is neutral "
                f"for {LIMITS.rest_s:g} s, then a new one is started"
            )

    def _release_engine(self) -> None:
        """End the engine and its recording; a thread completes the file, because disks may be slow."""
        with self._engine_lock:
            self._begun, self._headers = False, None
            recorder, self._recorder = self._recorder, None
        if self._engine is not None:
            self._kept.drop()
            status = self.engine_status
            discard("" if status is None else status.signals)
        if recorder is not None:
            self._unrecorded_since = time.monotonic()
            finish = threading.Thread(target=self._finish, args=(recorder,), name="end of a recording")
            finish.start()
            self._finishing.append(finish)

    def _finish(self, recorder: Recorder) -> None:
        while recorder.unwritten and not self._stop.wait(WATCH_S):  # the disk may stay full until the session ends
            self._watch_recorder(recorder)
        path = recorder.path
        try:
            recorder.close()
        except RecordingFailed as error:
            self.lacking = str(error)
            self._report_event(f"ALARM: {error}")
        self.files[self.files.index(path)] = recorder.path

    # The end

    def stop(self) -> str:
        """Stop decoding and complete the recording; return what is wrong with it, or an empty text.

        Gains return to neutral.
        """
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._board is None:
            return self.failure
        self._audio.unlisten(self._applied)
        if self._heard is not None and (words := self._heard.stop()):  # decisions do not need it
            self._alarm(f"ALARM: {words}")
        status = self._audio.status()
        if self._engine is not None and self._begun:
            counters = SoundCounters(
                self._audio.playing,
                xruns=int(status.xruns),
                late=int(status.late),
                missed=int(status.missed),
                lost=int(status.lost),
                refused=int(status.refused),
                repaired=int(status.repaired),
                replaced=self._audio.restarts,
            )
            self._engine.note(SoundLine(counters))
            self._engine.ask_to_end()
            self.failure = self._await_end() or self.failure
        elif self._unrecorded_since:
            since = time.monotonic() - self._unrecorded_since
            self.lacking = f"the last {since:.0f} s were not recorded: {self._file_error or self._failure_reason()}"
        self._read_status()
        self._release_engine()
        if self._steer:
            self._audio.set_gains([0.0] * self._n_talkers, FALLBACK_RAMP_S)
        self._close()
        return self.failure or self.lacking

    def _close(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.kill()
        for finish in self._finishing:
            finish.join()
        board, self._board = self._board, None
        if board is not None:
            board.close()

    def _await_end(self) -> str:
        """Wait for the engine to finish; return the failure that it reports, or an empty text."""
        assert self._engine is not None
        end = time.monotonic() + END_S
        while time.monotonic() < end:
            alive = self._alive()  # read first: the engine sends its last messages before it ends
            match self._engine.receive(POLL_S):
                case ["event", words]:
                    self._report_event(words)
                case ["ended", failure] | ["refused", _, failure]:
                    return str(failure)
                case None if not alive:
                    return self._failure_reason()
        return f"the engine did not end within {END_S:g} s"
