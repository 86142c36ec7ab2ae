"""A session with a listener: one state machine for command line and window, from the first check to the last run."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from earmark.app.config.changes import DECODER, deciding, free, with_attention
from earmark.app.config.modes import Mode
from earmark.app.config.protocol import Calibration, Cue, RunPlan
from earmark.app.config.session import Config, ConfigError
from earmark.app.engine.closed_loop import ClosedLoop
from earmark.app.engine.events_file import NOTE, TRIM
from earmark.app.engine.status import why_unusable
from earmark.app.session.preflight import preflight
from earmark.app.session.sound import SessionSound
from earmark.app.session.states import NEXT, SessionError
from earmark.app.session.task import SessionTask
from earmark.app.session.training import refuse_short
from earmark.app.status import Check, State, Trim
from earmark.app.training.worth import decoder_words
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.files.decoder_folder import Facts
from earmark.devices.files.journal import About
from earmark.devices.files.session_run import CUES
from earmark.devices.sources.lsl import Outlet
from earmark.pipeline.attention.attend import steering_law
from earmark.pipeline.control import Control, Favoured, Mute, Override, SessionChanged
from earmark.pipeline.control import Session as ControlSession
from earmark.pipeline.stream import StreamSpec

#: Seconds in which gains follow the operator.
RAMP_S = 0.5


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
        Whether somebody is there to answer the questions of a protocol, by the task's ``question`` and ``answer``.

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
        if config.attention.settings.sham:
            raise ConfigError("[attention] says sham, which each run decides: remove it, and use --mode sham")
        self.config, self.out = config, out
        self._attention = config.attention
        self._on_event, self._on_state, self._ask = on_event, on_state, ask
        #: Playing from the first check on.
        self.sound = SessionSound(config.sound, config.folder, self._on_sound_event)
        self.talkers = self.sound.talkers
        self.state = State.IDLE
        #: The calibration or run, under way or the last one.
        self.task: SessionTask | None = None
        #: What the decoder of the last calibration is worth.
        self.facts: Facts | None = None
        #: What was looked at last.
        self.checks: list[Check] = []
        self._lock, self._stop = threading.RLock(), threading.Event()
        #: Of the last run; and what the operator put in the place of decisions.
        self.mode = Mode.CLOSED
        self.overridden: Favoured = None
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
        return self.task is not None and self.task.complete

    @property
    def failure(self) -> str:
        """Why the last calibration or run ended, if it was an error."""
        return "" if self.task is None else self.task.failure

    @property
    def decoder(self) -> Path:
        """Folder of the decoder: the one that the configuration names, else that of the calibration."""
        return self.config.decoder or self.trained

    def _on_sound_event(self, text: str) -> None:
        """On the sound's watching thread: something happened to the sound."""
        self._on_event(text)
        if self.task is not None:
            self.task.loop.record_event(text)

    def _set_state(self, to: State, leave: State | None = None) -> None:
        """Go to a state; if that is said, only from ``leave``."""
        with self._lock:
            if to not in NEXT[self.state] or (leave is not None and self.state is not leave):
                can = ", ".join(state for state in State if state in NEXT[self.state])
                first = "" if leave is None else f": it must be {leave} first"
                raise SessionError(f"the session is {self.state} and cannot be {to} next{first}; now it can be {can}")
            self.state = to
        self._on_state(to)

    # Checking

    def check(self, seconds: float = 600.0) -> list[Check]:
        """Look at everything that a run of so many seconds needs; ready if all is well, else idle.

        Raises
        ------
        AudioError, SessionError, earmark.devices.processes.recorder.RecordingFailed, OSError
            If sound cannot be played, or a session in this state cannot be checked.
        """
        decoding = deciding(self.config, self.out, False) if self.decoder.is_dir() else None
        self._set_state(State.CHECKING)
        checks = self._run_checks(decoding, seconds, [] if decoding is not None else [self._without_decoder()])
        self._set_state(State.READY if all(check.ok for check in checks) else State.IDLE)
        return checks

    def _without_decoder(self) -> Check:
        if self.config.decoder is None:
            return Check("decoder", False, "none yet: calibrate to make one", due=True)
        words = f"{self.decoder} is no folder, but 'decoder' in [attention] names it: correct that, or remove it"
        return Check("decoder", False, words)

    def _run_checks(self, decoding: Config | None, seconds: float, more: list[Check] | None = None) -> list[Check]:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            audio = self.play()
            self._stop.clear()
            checks = preflight(self.config, decoding, audio, self.out, seconds, self._stop) + (more or [])
        except BaseException:
            self._set_state(State.IDLE)
            raise
        self.checks = checks
        for check in checks:
            self._on_event(str(check))
        return checks

    def play(self) -> AudioEngine:
        """Begin to play and to publish, cues included, if that was not done before.

        Raises
        ------
        AudioError
            If sound cannot be played.
        """
        audio = self.sound.play()
        if self._cues is None:
            name = self.config.streams[CUES].name
            self._cues = Outlet(StreamSpec(name, 0.0, ("cue",), ("misc",), ("",)), "Markers", name)
        return audio

    # Calibrating

    def calibrate(self, plan: Calibration) -> None:
        """Check, and begin to give cues and to record.

        Raises
        ------
        SessionError
            If something is wrong, naming it, or if there is a decoder already.
        earmark.app.config.protocol.ProtocolError, AudioError, ConfigError, RecordingFailed,
        earmark.devices.sources.lsl_description.StreamError
            If the plan is too short or does not suit the talkers, or something is missing or does not fit.
        """
        cues = plan.cues(self.talkers)
        if self.trained.exists():
            raise SessionError(f"{self.trained} is there already: move it away, or choose another folder by --out")
        refuse_short(cues, self._attention)
        self._set_state(State.CHECKING)
        wrong = [str(check) for check in self._run_checks(None, cues[-1][0]) if not check.ok]
        if wrong:
            self._set_state(State.IDLE)
            raise SessionError("\n".join(wrong))
        self._set_state(State.CALIBRATING)
        path = free(self.out, "calibration-{}.xdf")
        about = About(self.config.text, mode="calibration", protocol=plan.model_dump(mode="json", by_alias=True))
        try:
            self._begin(
                with_attention(self.config, {DECODER: None}),
                path,
                False,
                about,
                cues,
                cues[-1][0],
                plan.questions,
                lambda name: self.sound.announce(name, plan.cue_sound_s),
                self._why_unusable,
            )
        except BaseException:
            self._set_state(State.IDLE)
            raise

    def _why_unusable(self) -> str:
        """Say why a trial would teach nothing now, or nothing."""
        if self.sound.muted:
            return "the sound is muted"
        if muted := [name for name, trim in zip(self.talkers, self.sound.trims, strict=True) if trim.mute]:
            return f"the operator muted {', '.join(muted)}"
        return why_unusable(self.task.loop.engine_status if self.task else None, self._attention.neural)

    def train(self) -> Facts:
        """Make a decoder of what was recorded, judged by cross-validation; ready if that succeeds, else idle.

        It takes a while, in which the session is training and can do nothing else.

        Raises
        ------
        SessionError
            If no calibration was brought to its end, or no decoder can be made of it.
        """
        from earmark.app.session.training import TrainingError, train

        with self._lock:
            task = self.task
            if self.state is not State.CALIBRATING or task is None or not task.complete:
                raise SessionError(f"the session is {self.state}: there is no complete calibration to train on")
            self._set_state(State.TRAINING)
        try:
            self.facts = train(task.loop.files, self._attention, CUES, self.trained)
        except TrainingError as error:
            self._set_state(State.IDLE)
            raise SessionError(str(error)) from error
        except BaseException:
            self._set_state(State.IDLE)
            raise
        self._set_state(State.READY)
        self._on_event(decoder_words(self.facts))
        return self.facts

    def refuse(self) -> None:
        """Throw the decoder of the calibration away; its recording stays."""
        self._set_state(State.IDLE, leave=State.READY)
        shutil.rmtree(self.trained)

    # Running

    def run(self, mode: Mode, plan: RunPlan, seconds: float | None = None) -> Path:
        """Begin to decode and to record, and to steer if the mode is to; return the folder.

        A session that is not ready, as after a run, is checked first: that takes some seconds.

        Raises
        ------
        SessionError
            If something is wrong, naming it, or if the session is busy with something else.
        earmark.app.config.protocol.ProtocolError, earmark.devices.sources.lsl_description.StreamError, ConfigError,
        earmark.pipeline.stream.WiringError, RecordingFailed
            If the plan does not suit the talkers, or something is missing or does not fit.
        """
        length = plan.seconds if seconds is None else seconds
        cues, config = plan.cues(self.talkers, length), deciding(self.config, self.out, mode is Mode.SHAM)
        if self.state in (State.IDLE, State.REVIEW):
            wrong = [str(check) for check in self.check(length) if not check.ok]
            if wrong:
                raise SessionError("\n".join(wrong))
            if self._stop.is_set():
                raise SessionError("stopped before anything was recorded")
        self._set_state(State.RUNNING, leave=State.READY)
        self._stop.clear()
        self.mode = mode
        about = About(config.text, mode=mode.value, protocol=plan.model_dump(mode="json", by_alias=True))
        try:
            folder = free(self.out, "run-{}")
            folder.mkdir()
            self._begin(config, folder / "loop.xdf", mode is not Mode.OPEN, about, cues, length, plan.questions)
        except BaseException:
            self._set_state(State.REVIEW)
            raise
        return folder

    def pause(self) -> None:
        """Stop to steer, cues included: the mix is neutral until :meth:`resume`."""
        self._set_state(State.PAUSED)
        self._hold(True)
        self._control(SessionChanged(ControlSession.PAUSED))
        self._log_action("paused: the mix is neutral")

    def resume(self) -> None:
        """Steer again."""
        self._set_state(State.RUNNING, leave=State.PAUSED)
        self._hold(False)
        self._control(SessionChanged(ControlSession.RUNNING))
        self._log_action("going on")

    def _hold(self, on: bool) -> None:
        if self.task is not None:
            self.task.paused = on

    def override(self, talker: Favoured) -> None:
        """Favour a talker (counted from 0) or none whatever is decoded; None gives way to decisions again.

        Raises
        ------
        SessionError
            If nothing is steered now.
        """
        if self.state not in (State.RUNNING, State.PAUSED) or self.mode is Mode.OPEN:
            raise SessionError("nothing is steered now, so there is nothing to override")
        if isinstance(talker, int) and not 0 <= talker < len(self.talkers):
            raise SessionError(f"there is no talker {talker + 1}: there are {len(self.talkers)}")
        self.overridden = talker
        # At once, whatever the engine is doing.
        self.sound.override(None if talker is None else self._favour(talker), RAMP_S)
        who = "decisions again" if talker is None else "all alike" if talker == "equal" else self.talkers[talker]
        self._log_action(f"operator: {who}")
        self._control(Override(talker))

    def _favour(self, talker: int | Literal["equal"]) -> list[float]:
        """Gains in dB, by the law that decisions follow."""
        settings = self._attention.settings
        law = steering_law(settings, len(self.talkers))
        return [float(gain) for gain in (law.neutral if talker == "equal" else law.favour(talker))]

    def mute(self, on: bool = True) -> None:
        """Silence at once, in every state; or not any longer."""
        self.sound.mute(on)
        self._log_action("MUTED" if on else "unmuted")
        if self.state in (State.RUNNING, State.PAUSED):
            self._control(Mute(on))

    def trim(self, talker: int, db: float | None = None, mute: bool | None = None) -> None:
        """Turn a talker (counted from 0) down by some dB, or off, in every state; None leaves that as it is.

        It comes on top of whatever steering and overrides do, and changes nothing of what is decoded.
        """
        with self._lock:
            before = self.sound.trims[talker]
            trim = Trim(before.db if db is None else db, before.mute if mute is None else mute)
            self.sound.trim(talker, trim)
        if trim != before:
            self._log_action(self._trim_text(talker))

    def _trim_text(self, talker: int) -> str:
        trim = self.sound.trims[talker]
        return f"{TRIM}{self.talkers[talker]} {'muted' if trim.mute else f'{round(trim.db, 1) + 0:g} dB'}"

    def _log_action(self, text: str) -> None:
        """Say what the operator did, whoever that was and from where, and keep it in the recording."""
        self._on_event(text)
        if self.task is not None and not self.task.wait(0):
            self.task.loop.record_event(text)

    def _control(self, control: Control) -> None:
        task = self.task
        if task is not None:
            task.loop.control(control)

    # A task under way

    def _begin(
        self,
        config: Config,
        path: Path,
        steer: bool,
        about: About,
        cues: list[Cue],
        seconds: float,
        questions: list[str],
        on_cue: Callable[[str], None] = lambda name: None,
        gate: Callable[[], str] | None = None,
    ) -> None:
        assert self._cues is not None
        loop = ClosedLoop(config, self.play(), path, self._on_event, steer, about)
        loop.start()
        asked = questions if self._ask else []
        self.task = SessionTask(loop, cues, seconds, asked, self._cues, self._on_event, self._ended, on_cue, gate)
        if self.sound.muted:
            self._control(Mute(True))
        for talker, trim in enumerate(self.sound.trims):
            if trim != Trim():
                loop.record_event(f"{self._trim_text(talker)}, since before")
        self.task.start()
        if self._stop.is_set():  # meanwhile
            self.task.stop()

    def redo(self) -> None:
        """Give up the trial under way, or else the last one: it does not count, and is repeated in the end.

        Raises
        ------
        SessionError
            If there is none.
        """
        task = self.task
        if self.state is not State.CALIBRATING or task is None or task.complete or not task.redo():
            raise SessionError("no trial was begun that could be repeated")

    def note(self, text: str) -> None:
        """Keep words of the operator in the recording.

        Raises
        ------
        SessionError
            If nothing is recorded.
        """
        task = self.task
        if task is None or task.wait(0):
            raise SessionError("nothing is recorded now, so nothing can be noted")
        task.note(text)
        self._log_action(f"{NOTE} {text}")

    def _ended(self, task: SessionTask) -> None:
        """On the thread of a task."""
        self.sound.override(None, RAMP_S)
        self.overridden = None
        if self.state is not State.CALIBRATING:
            self._set_state(State.REVIEW)
        elif not task.complete:
            self._set_state(State.IDLE)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the calibration or run has ended; return whether it has."""
        task = self.task
        return task is None or task.wait(timeout)

    # The end

    def stop(self) -> None:
        """End what is under way, in good order; what was recorded until then is whole."""
        self._stop.set()
        task = self.task
        if task is not None:
            task.stop()

    def close(self) -> None:
        """End everything and leave nothing behind but files."""
        self.stop()
        with self._lock:
            self.sound.stop()
            self._cues = None
            if self.state is not State.IDLE:
                self._set_state(State.IDLE)
