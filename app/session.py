"""A session with a listener: one state machine for command line and window, from the first check to the last run."""

from __future__ import annotations

import dataclasses
import json
import queue
import re
import shutil
import threading
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pylsl

from app.config import Config, ConfigError, parse_config
from app.loop import Loop
from app.modes import Mode
from app.preflight import Check, preflight
from app.protocol import Calibration, Cue, RunPlan
from devices.audio.engine import AudioEngine
from devices.audio.outlets import SoundOutlets
from devices.audio.prepare import prepare
from devices.audio.scene import AudioError
from devices.lsl import Outlet
from devices.session_run import ATTEND
from pipeline.envelope import EnvelopeConfig
from pipeline.stream import Marker, StreamSpec

#: Stream of the configuration by which cues are given, and name of the decoder's folder.
CUES, DECODER = "cues", "decoder"
#: What a marker begins with that holds an answer.
ANSWER = "answer:"
#: Seconds between looks at the recorder.
WATCH_S = 0.25


class State(StrEnum):
    """Where a session stands."""

    IDLE = "idle"
    CHECKING = "checking"
    CALIBRATING = "calibrating"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    REVIEW = "review"


#: What may come after what. Ready means that there is a decoder and that it fits.
NEXT: dict[State, frozenset[State]] = {
    State.IDLE: frozenset({State.CHECKING}),
    State.CHECKING: frozenset({State.IDLE, State.CALIBRATING, State.READY}),
    State.CALIBRATING: frozenset({State.IDLE, State.READY}),
    State.READY: frozenset({State.IDLE, State.CHECKING, State.RUNNING}),
    State.RUNNING: frozenset({State.PAUSED, State.REVIEW}),
    State.PAUSED: frozenset({State.RUNNING, State.REVIEW}),
    State.REVIEW: frozenset({State.IDLE, State.CHECKING}),
}


class SessionError(RuntimeError):
    """The session cannot do this, or not now; the message says what it can."""


@dataclass
class _Part:
    """A calibration or a run, under way."""

    loop: Loop
    cues: list[Cue]
    seconds: float
    questions: list[str]
    #: Seconds since it began, pauses and questions not counted; and who is to be attended now.
    elapsed: float = 0.0
    attend: str = ""
    complete: bool = False


class Session:
    """Checks, calibrates, trains, runs. Every method may be called from any thread; those that are refused say why.

    Calibrations and runs go on by themselves on a thread of their own: :meth:`wait` for their end.

    Parameters
    ----------
    config : Config
        With attention, sound, and a stream of cues.
    out : Path
        Folder for recordings (``calibration-1.xdf``, ``run-1/loop.xdf``, ...) and decoder; made if it is not there.
    on_event : callable
        Told in words about everything that a person should know; it must not wait.
    on_state : callable
        Told every new state.
    ask : bool
        Whether somebody is there to answer the questions of a protocol, by :attr:`question` and :meth:`answer`.

    Raises
    ------
    ConfigError
        If the configuration lacks something.
    """

    def __init__(
        self,
        config: Config,
        out: Path,
        on_event: Callable[[str], None] = lambda text: None,
        on_state: Callable[[State], None] = lambda state: None,
        ask: bool = False,
    ) -> None:
        for table, there in (
            ("attention", config.attention),
            ("sound", config.sound),
            (f"streams.{CUES}", config.streams.get(CUES)),
        ):
            if there is None:
                raise ConfigError(f"a session needs the table [{table}]; 'earmark new' writes a file that has it")
        assert config.attention is not None
        assert config.sound is not None
        if not config.streams[CUES].name:
            raise ConfigError(f"[streams.{CUES}] needs a name: the session sends its cues by it")
        self.config, self.out = config, out
        self._attention, self._sound = config.attention, config.sound
        self._on_event, self._on_state, self._ask = on_event, on_state, ask
        self.talkers = [talker.name for talker in config.sound.talkers]
        self.state = State.IDLE
        #: Playing from the first check on.
        self.audio: AudioEngine | None = None
        #: The calibration or run, under way or the last one.
        self.part: _Part | None = None
        #: Why the last part ended, if it was an error.
        self.failure = ""
        #: What somebody is asked now.
        self.question = ""
        self.muted = False
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._lock, self._stop = threading.RLock(), threading.Event()
        self._thread: threading.Thread | None = None
        self._mode = Mode.CLOSED
        self._outlets: SoundOutlets | None = None
        self._cues: Outlet | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def trained(self) -> Path:
        """Where a calibration's decoder goes."""
        return self.out / DECODER

    @property
    def complete(self) -> bool:
        """Whether the last calibration or run came to its end."""
        return self.part is not None and self.part.complete

    @property
    def decoder(self) -> Path:
        """Folder of the decoder: the one that the configuration names, else that of the calibration."""
        return self.config.decoder or self.trained

    def _move(self, to: State) -> None:
        with self._lock:
            if to not in NEXT[self.state]:
                can = ", ".join(state for state in State if state in NEXT[self.state])
                raise SessionError(f"the session is {self.state} and cannot be {to} next; it can be {can}")
            self.state = to
        self._on_state(to)

    # Checking

    def check(self, seconds: float = 600.0) -> list[Check]:
        """Look at everything that a run of so many seconds needs; ready if all is well, else idle.

        Raises
        ------
        AudioError, SessionError, devices.recorder.RecordingFailed, OSError
            If sound cannot be played, or a session in this state cannot be checked.
        """
        decoding = None if self._has_no_decoder() else self._config(self._attention.settings.sham)
        self._move(State.CHECKING)
        checks = self._look(decoding, seconds)
        if decoding is None:
            words = f"there is none in {self.decoder}; 'earmark calibrate' makes one"
            checks.append(Check("decoder", False, words))
            self._on_event(str(checks[-1]))
        self._move(State.READY if all(check.ok for check in checks) else State.IDLE)
        return checks

    def _has_no_decoder(self) -> bool:
        return not self.decoder.is_dir()

    def _look(self, decoding: Config | None, seconds: float) -> list[Check]:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            audio = self._play()
            self._stop.clear()
            checks = preflight(self.config, decoding, audio, self.out, seconds, self._stop)
        except BaseException:
            self._move(State.IDLE)
            raise
        for check in checks:
            self._on_event(str(check))
        return checks

    def _play(self) -> AudioEngine:
        """Begin to play and to publish, if that was not done before."""
        if self.audio is not None and not self.audio.failure:
            return self.audio
        self._silence()
        scene = self._sound.scene(self.config.folder)
        audio = AudioEngine(prepare(scene), self._sound.sink(self.config.folder), self._on_event)
        outlets = SoundOutlets(audio, self._sound.publish, EnvelopeConfig())
        try:
            audio.start()
        except AudioError as error:
            outlets.stop()
            raise AudioError(f"{error}. See 'earmark devices', and 'device' in [sound]") from None
        name = self.config.streams[CUES].name
        self.audio, self._outlets = audio, outlets
        self._cues = Outlet(StreamSpec(name, 0.0, ("cue",), ("misc",), ("",)), "Markers", name)
        audio.mute(self.muted)
        return audio

    # Calibrating

    def calibrate(self, plan: Calibration) -> None:
        """Check, and begin to give cues and to record.

        Raises
        ------
        SessionError
            If something is wrong, naming it; or if there is a decoder already.
        app.protocol.ProtocolError, AudioError, devices.lsl_info.StreamError, ConfigError, RecordingFailed
            If the plan does not suit the talkers, or something is missing or does not fit.
        """
        cues = plan.cues(self.talkers)
        if self.trained.exists():
            raise SessionError(f"{self.trained} is there already: move it away, or choose another folder by --out")
        self._move(State.CHECKING)
        wrong = [str(check) for check in self._look(None, cues[-1][0]) if not check.ok]
        if wrong:
            self._move(State.IDLE)
            raise SessionError("\n".join(wrong))
        self._move(State.CALIBRATING)
        path = _free(self.out, "calibration-{}.xdf")
        about = {"mode": "calibration", "protocol": plan.model_dump(by_alias=True)}
        try:
            self._begin(self._config(None), path, False, about, cues, cues[-1][0], plan.questions)
        except BaseException:
            self._move(State.IDLE)
            raise

    def train(self) -> None:
        """Make a decoder of what was recorded, judged by cross-validation; ready if that succeeds, else idle.

        Raises
        ------
        SessionError
            If no calibration was brought to its end, or no decoder can be made of it.
        """
        from app.runs import DecoderKind, maker
        from app.train import train_and_save
        from devices.recorded_run import RunError
        from devices.session_run import read_session_runs
        from pipeline.decoders.decoder import DecoderError
        from pipeline.decoders.presets import PRESETS

        with self._lock:
            part = self.part
            if self.state is not State.CALIBRATING or part is None or not part.complete:
                raise SessionError(f"the session is {self.state}: there is no complete calibration to train on")
            self.part = None
        preset = PRESETS[self._attention.preset]
        try:
            runs = read_session_runs(
                part.loop.path, preset, self._attention.neural, self._attention.talkers, CUES
            )
            train_and_save(runs, maker(DecoderKind.LINEAR, preset), preset, self.trained)
        except (RunError, DecoderError, ValueError) as error:
            self._move(State.IDLE)
            raise SessionError(f"no decoder could be made of {part.loop.path}: {error}") from error
        self._move(State.READY)

    def refuse(self) -> None:
        """Throw the decoder of the calibration away; its recording stays."""
        self._move(State.IDLE)
        shutil.rmtree(self.trained)

    # Running

    def run(self, mode: Mode, plan: RunPlan, seconds: float | None = None) -> Path:
        """Begin to decode and to record, and to steer if the mode is to; return the folder.

        Raises
        ------
        SessionError
            If the session is not ready.
        app.protocol.ProtocolError, devices.lsl_info.StreamError, ConfigError, pipeline.stream.WiringError,
        RecordingFailed
            If the plan does not suit the talkers, or something is missing or does not fit.
        """
        length = plan.seconds if seconds is None else seconds
        cues, config = plan.cues(self.talkers, length), self._config(mode is Mode.SHAM)
        self._move(State.RUNNING)
        self._mode = mode
        about = {"mode": mode.value, "protocol": plan.model_dump(by_alias=True)}
        try:
            folder = _free(self.out, "run-{}")
            folder.mkdir()
            self._begin(config, folder / "loop.xdf", mode is not Mode.OPEN, about, cues, length, plan.questions)
        except BaseException:
            self._move(State.REVIEW)
            raise
        return folder

    def pause(self) -> None:
        """Stop to steer, cues included: the mix is neutral until :meth:`resume`."""
        self._move(State.PAUSED)
        self._tell("session paused")

    def resume(self) -> None:
        """Steer again."""
        self._move(State.RUNNING)
        self._tell("session running")

    def override(self, talker: int | Literal["equal"] | None) -> None:
        """Favour a talker (counted from 0) or none whatever is decoded; None gives way to decisions again.

        Raises
        ------
        SessionError
            If nothing is steered now.
        """
        if self.state not in (State.RUNNING, State.PAUSED) or self._mode is Mode.OPEN:
            raise SessionError("nothing is steered now, so there is nothing to override")
        if isinstance(talker, int) and not 0 <= talker < len(self.talkers):
            raise SessionError(f"there is no talker {talker + 1}: there are {len(self.talkers)}")
        self._tell(f"override {'none' if talker is None else talker + 1 if isinstance(talker, int) else talker}")

    def mute(self, on: bool = True) -> None:
        """Silence at once, in every state; or not any longer."""
        with self._lock:
            self.muted = on
            if self.audio is not None:
                self.audio.mute(on)
        if self.state in (State.RUNNING, State.PAUSED):
            self._tell(f"mute {'on' if on else 'off'}")

    def answer(self, text: str) -> None:
        """Answer the question that is asked now; a marker keeps it."""
        self._answers.put(text)

    def _tell(self, words: str) -> None:
        part = self.part
        if part is not None:
            part.loop.engine.control(words)

    # A part under way

    def _begin(
        self,
        config: Config,
        path: Path,
        steer: bool,
        about: dict[str, Any],
        cues: list[Cue],
        seconds: float,
        questions: list[str],
    ) -> None:
        assert self.audio is not None
        loop = Loop(config, self.audio, path, self._on_event, steer, about)
        loop.start()
        self._stop.clear()
        self.failure = ""
        self.part = part = _Part(loop, list(cues), seconds, questions if self._ask else [])
        if self.muted:
            self._tell("mute on")
        self._thread = threading.Thread(target=self._work, args=(part,), name="session", daemon=True)
        self._thread.start()

    def _work(self, part: _Part) -> None:
        """On a thread of its own: give cues when they are due, until the end."""
        loop, at = part.loop, time.monotonic()
        wrong = ""
        try:
            while not self._stop.is_set() and loop.engine.failure is None:
                now = time.monotonic()
                if self.state is not State.PAUSED:
                    part.elapsed += now - at
                at = now
                while part.cues and part.cues[0][0] <= part.elapsed:
                    self._cue(part, part.cues.pop(0)[1])
                    at = time.monotonic()  # while questions are answered, time stands still
                if part.elapsed >= part.seconds:
                    part.complete = True
                    break
                loop.watch()
                due = min([part.seconds, *(cue[0] for cue in part.cues[:1])]) - part.elapsed
                self._stop.wait(WATCH_S if self.state is State.PAUSED else min(WATCH_S, due))
            if part.complete and part.attend:
                self._questions(part)
        except Exception as error:
            wrong = f"the session failed: {error!r}"
            raise
        finally:
            self.failure = loop.stop() or wrong
            part.complete = part.complete and not self.failure
            if self.state is not State.CALIBRATING:
                self._move(State.REVIEW)
            elif not part.complete:
                self._move(State.IDLE)

    def _cue(self, part: _Part, name: str) -> None:
        self._mark(ATTEND + name)
        before, part.attend = part.attend, name
        self._on_event(f"Cue: attend to {name}." if name else "Cue: rest.")
        if before and not name:
            self._questions(part)

    def _questions(self, part: _Part) -> None:
        for question in part.questions:
            self.question = question
            while not self._stop.is_set():
                try:
                    text = self._answers.get(timeout=WATCH_S)
                except queue.Empty:
                    part.loop.watch()
                else:
                    self._mark(f"{ANSWER}{question}: {text}")
                    break
            self.question = ""

    def _mark(self, text: str) -> None:
        assert self._cues is not None
        self._cues.push(Marker(pylsl.local_clock(), text))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the calibration or run has ended; return whether it has."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return thread is None or not thread.is_alive()

    # The end

    def stop(self) -> None:
        """End what is under way, in good order; what was recorded until then is whole."""
        self._stop.set()
        self.wait()

    def close(self) -> None:
        """End everything and leave nothing behind but files."""
        self.stop()
        with self._lock:
            self._silence()
            if self.state is not State.IDLE:
                self._move(State.IDLE)

    def _silence(self) -> None:
        audio, self.audio = self.audio, None
        outlets, self._outlets, self._cues = self._outlets, None, None
        if audio is not None:
            audio.stop()
        if outlets is not None:
            outlets.stop()

    def _config(self, sham: bool | None) -> Config:
        """The configuration to calibrate by (None), or to run by."""
        if sham is None:
            return with_attention(self.config, {DECODER: None})
        if self._has_no_decoder():
            raise ConfigError(f"there is no decoder in {self.decoder}: 'earmark calibrate' makes one")
        if self.config.decoder is not None:
            return with_attention(self.config, {"sham": sham})
        return with_attention(dataclasses.replace(self.config, folder=self.out), {DECODER: DECODER, "sham": sham})


def with_attention(config: Config, changes: dict[str, str | bool | None]) -> Config:
    """Change keys of [attention], also in the text that goes into the recording; None leaves a key out.

    Raises
    ------
    ConfigError
        If the table is written in a way in which that cannot be done.
    """
    wanted = tomllib.loads(config.text)
    table = {key: value for key, value in wanted["attention"].items() if key not in changes}
    wanted["attention"] = table | {key: value for key, value in changes.items() if value is not None}
    lines, inside = [], False
    for line in config.text.splitlines():
        if re.match(r"\s*\[", line):
            inside = re.match(r"\s*\[\s*attention\s*\]", line) is not None
        if inside and re.match(rf"\s*({'|'.join(changes)})\s*=", line):
            continue
        lines.append(line)
        if inside and re.match(r"\s*\[", line):
            lines += [f"{key} = {json.dumps(value)}" for key, value in changes.items() if value is not None]
    text = "\n".join(lines) + "\n"
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        found = {}
    if found != wanted:
        raise ConfigError(f"[attention] must be a table of its own, and {', '.join(changes)} in a line each")
    return parse_config(text, "the session", config.folder)


def _free(folder: Path, pattern: str) -> Path:
    """The first name of a pattern that is not taken."""
    number = 1
    while (folder / pattern.format(number)).exists():
        number += 1
    return folder / pattern.format(number)
