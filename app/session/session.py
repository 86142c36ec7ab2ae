"""A session with a listener: the state machine behind command line and window, from the first check to the last run."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from earmark.app.config.changes import DECODER, deciding, free, with_attention, with_bads
from earmark.app.config.modes import Mode
from earmark.app.config.protocol import Calibration, Cue, QuestionConfig, RunPlan
from earmark.app.config.session import Config, ConfigError
from earmark.app.config.validation import nearest
from earmark.app.engine.closed_loop import ClosedLoop
from earmark.app.engine.monitor import Monitor, watching
from earmark.app.engine.status import why_unusable
from earmark.app.engine.timeline import FOLLOW, NOTE, OVERRIDE, TRIM
from earmark.app.session.learning import LearningJob, LearningWatch
from earmark.app.session.preflight import preflight
from earmark.app.session.sound import SessionSound
from earmark.app.session.states import NEXT, SessionError
from earmark.app.session.task import SessionTask
from earmark.app.session.training import refuse_few, refuse_short
from earmark.app.status import Check, EngineProcessStatus, LearningStatus, State, Trim
from earmark.app.training.group import read_lent
from earmark.app.training.worth import decoder_words, learning_words
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.scene import AudioError
from earmark.devices.files.decoder_folder import Facts
from earmark.devices.files.journal import About
from earmark.devices.files.session_run import CUES
from earmark.devices.sources.lsl import Outlet
from earmark.pipeline.attention.attend import steering_law
from earmark.pipeline.control import Control, Favoured, Mute, Override, SessionChanged
from earmark.pipeline.control import Session as ControlSession
from earmark.pipeline.decoders.presets import PRESETS
from earmark.pipeline.stream import StreamSpec

#: Duration of the gain ramp after an override, s.
RAMP_S = 0.5


class Session:
    """Checks, calibrates, trains and runs.

    Every method may be called from any thread. A method that is not possible in the current state raises
    :class:`SessionError` with the reason. Calibrations and runs proceed on a thread of their own; :meth:`wait` waits
    for their end.

    Parameters
    ----------
    config : Config
        Configuration with attention, sound, and a stream of cues.
    out : Path
        Folder for recordings (``calibration-1.xdf``, ``run-1/loop.xdf``, ...) and decoder; created if it is missing.
    on_event : callable
        Called with the text of every event; it must not block.
    on_state : callable
        Called with every new state.
    ask : bool
        Whether the questions of the protocol are asked, by the task's ``question`` and ``answer``.
    watch : bool
        Whether the signal of the electrodes is shown while nothing is recorded.

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
        watch: bool = False,
    ) -> None:
        refuse_incomplete(config)
        assert config.attention is not None
        assert config.sound is not None
        self.config, self.out = config, out
        self._attention = config.attention
        self._on_event, self._on_state, self._ask = on_event, on_state, ask
        #: Listener that recordings state; if empty, that of the folder. Whether the listener hears the sound output: a
        #: simulated one may hear the published envelopes instead, which muting does not change.
        self.subject, self.hears_sound = "", True
        #: Texts of the participant's screen, which recordings keep.
        self.texts: dict[str, str] = {}
        #: Plays from the first check on.
        self.sound = SessionSound(config.sound, config.folder, self._on_sound_event)
        self.talkers = self.sound.talkers
        self.state = State.IDLE
        #: The current or last calibration or run.
        self.task: SessionTask | None = None
        #: Cross-validated performance of the decoder of the last calibration.
        self.facts: Facts | None = None
        #: Accuracy so far in the last calibration, one entry after each trial.
        self.learning: list[LearningStatus] = []
        self._watch: LearningWatch | None = None
        #: Results of the last checks.
        self.checks: list[Check] = []
        self._lock, self._stop = threading.RLock(), threading.Event()
        #: Mode of the last run; and the operator's override of decisions.
        self.mode = Mode.CLOSED
        self.overridden: Favoured = None
        self._cues: Outlet | None = None
        self._monitor = Monitor(watching(config), self._on_event) if watch else None
        self._show_signal()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def trained(self) -> Path:
        """Folder of the decoder of a calibration."""
        return self.out / DECODER

    @property
    def complete(self) -> bool:
        """Whether the last calibration or run was completed."""
        return self.task is not None and self.task.complete

    @property
    def failure(self) -> str:
        """Error that ended the last calibration or run; empty if there was none."""
        return "" if self.task is None else self.task.failure

    @property
    def decoder(self) -> Path:
        """Folder of the decoder in the configuration, or else of the decoder of the calibration."""
        return self.config.decoder or self.trained

    def _on_sound_event(self, text: str) -> None:
        """Report and record an event of the sound; called on the sound's watchdog thread."""
        self._on_event(text)
        if self.task is not None:
            self.task.loop.record_event(text)

    def _set_state(self, to: State, leave: State | None = None) -> None:
        """Enter a state; with ``leave``, only from that state."""
        with self._lock:
            if to not in NEXT[self.state] or (leave is not None and self.state is not leave):
                can = ", ".join(state for state in State if state in NEXT[self.state])
                first = "" if leave is None else f": it must be {leave} first"
                raise SessionError(f"the session is {self.state} and cannot be {to} next{first}; now it can be {can}")
            self.state = to
            self._show_signal()
        self._on_state(to)

    def _show_signal(self) -> None:
        if self._monitor is not None:
            self._monitor.active = self.state in (State.IDLE, State.READY, State.REVIEW)

    @property
    def bads(self) -> tuple[str, ...]:
        """Names, or patterns of names, of the electrodes that are marked as bad."""
        return self.config.streams[self._attention.neural].bads

    @property
    def engine_process(self) -> EngineProcessStatus | None:
        """The process that decodes or, while nothing is recorded, the one that shows the signal; None before both."""
        if self._monitor is not None and self._monitor.active:
            return self._monitor.process
        return None if self.task is None else self.task.loop.engine_process

    # Checking

    def check(self, seconds: float = 600.0) -> list[Check]:
        """Check everything that a run of this many seconds needs; the session is then ready, or idle if a check failed.

        Raises
        ------
        SessionError, earmark.devices.processes.recorder.RecordingFailed, OSError
            If the session cannot be checked in its current state.
        """
        decoding = deciding(self.config, self.out, False) if self.decoder.is_dir() else None
        self._set_state(State.CHECKING)
        checks = self._run_checks(decoding, seconds, [] if decoding is not None else [self._without_decoder()])
        self._set_state(State.READY if all(check.ok for check in checks) else State.IDLE)
        return checks

    def _without_decoder(self) -> Check:
        if self.config.decoder is None:
            return Check("decoder", False, "none yet: calibrate to make one", due=True)
        words = f"{self.decoder}, which 'decoder' in [attention] names, is not a folder: correct the key, or remove it"
        return Check("decoder", False, words)

    def _run_checks(self, decoding: Config | None, seconds: float, more: list[Check] | None = None) -> list[Check]:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            try:
                audio: AudioEngine | AudioError = self.play()
            except AudioError as error:
                audio = error  # one of the failed checks; the others are made all the same
            self._stop.clear()
            checks = preflight(self.config, decoding, audio, self.out, seconds, self._stop, self.hears_sound)
            checks += more or []
        except BaseException:
            self._set_state(State.IDLE)
            raise
        self.checks = checks
        for check in checks:
            self._on_event(str(check))
        return checks

    def play(self) -> AudioEngine:
        """Start to play sound and to publish streams, cues included, if not yet started.

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

    def _recorded(self, plan: Calibration | RunPlan) -> dict[str, Any]:
        """Return what a recording keeps of a plan."""
        return plan.model_dump(mode="json", by_alias=True) | {"participant": self.texts}

    def calibrate(self, plan: Calibration) -> None:
        """Run the checks, then start to give cues and to record.

        Raises
        ------
        SessionError
            If a check fails, with its result, or if there is already a decoder.
        earmark.app.config.protocol.ProtocolError, AudioError, ConfigError, RecordingFailed,
        earmark.devices.sources.lsl_description.StreamError, earmark.pipeline.decoders.decoder.DecoderError
            If the plan is too short or does not match the talkers, or something is missing or does not fit.
        """
        cues = plan.cues(self.talkers)
        if self.trained.exists():
            raise SessionError(f"{self.trained} already exists: move it, or choose another folder with --out")
        refuse_short(cues, self._attention)
        if self.config.group is not None:
            read_lent(self.config.group, PRESETS[self._attention.preset])  # refuses it before the calibration
        self._set_state(State.CHECKING)
        wrong = [str(check) for check in self._run_checks(None, cues[-1][0]) if not check.ok]
        if wrong:
            self._set_state(State.IDLE)
            raise SessionError("\n".join(wrong))
        if self._stop.is_set():
            self._set_state(State.IDLE)
            raise SessionError("stopped before anything was recorded")
        self._set_state(State.CALIBRATING)
        path = free(self.out, "calibration-{}.xdf")
        plain = self._recorded(plan)
        about = About(self.config.text, subject=self.subject, mode="calibration", protocol=plain)
        attention, group = self._attention, self.config.group
        job = LearningJob(attention.preset, attention.neural, attention.talkers, CUES, str(group or ""))
        self.learning = []
        try:
            self._watch = LearningWatch(job, self._learned, self._on_event)
            self._begin(
                with_attention(self.config, {DECODER: None}),
                path,
                False,
                about,
                cues,
                cues[-1][0],
                plan.questions,
                lambda name: self._cue_given(name, plan.cue_sound_s),
                self._why_unusable,
            )
        except BaseException:
            self._end_watch()
            self._set_state(State.IDLE)
            raise

    def _cue_given(self, name: str, seconds: float) -> None:
        """Announce a cue, and measure the accuracy so far, because a trial has ended; called on the task's thread."""
        self.sound.announce(name, seconds)
        if self._watch is not None and self.task is not None:
            self._watch.trial_ended(self.task.loop.files)

    def _learned(self, point: LearningStatus) -> None:
        self.learning.append(point)
        self._on_event(learning_words(point))

    def _end_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    def finish(self) -> None:
        """End the calibration after the current trial; a decoder can be trained on the trials so far.

        Raises
        ------
        SessionError
            If no calibration is in progress, or its trials do not suffice.
        """
        task = self.task
        if self.state is not State.CALIBRATING or task is None or task.complete:
            raise SessionError("there is nothing to finish: finish works during a calibration")
        refuse_few([(trial.start, trial.end) for trial in task.trials], self._attention)
        task.finish()
        self._log_action("operator: the calibration ends after this trial")

    def _why_unusable(self) -> str:
        """Return why a trial cannot be used for training now; empty if it can."""
        if self.hears_sound and self.sound.muted:
            return "the sound is muted"
        trims = zip(self.talkers, self.sound.trims, strict=True)
        if self.hears_sound and (muted := [name for name, trim in trims if trim.mute]):
            return f"the operator muted {', '.join(muted)}"
        return why_unusable(self.task.loop.engine_status if self.task else None, self._attention.neural)

    def train(self) -> Facts:
        """Train a decoder on the calibration and cross-validate it; the session is then ready, or idle if that failed.

        This takes some seconds; until it returns, the state is ``training`` and nothing else is possible.

        Raises
        ------
        SessionError
            If no calibration was completed, or no decoder can be trained on it.
        """
        from earmark.app.session.training import TrainingError, train

        with self._lock:
            task = self.task
            if self.state is not State.CALIBRATING or task is None or not task.complete:
                raise SessionError(
                    f"the session is {self.state}: there is no complete calibration to train on; calibrate first"
                )
            self._set_state(State.TRAINING)
        self._end_watch()
        try:
            self.facts = train(task.loop.files, self._attention, CUES, self.trained, self.config.group)
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
        """Delete the decoder that this session has trained; its recording stays.

        Raises
        ------
        SessionError
            If this session has trained none: a decoder of an earlier session is not deleted.
        """
        with self._lock:
            if self.state is State.READY and self.facts is None:
                raise SessionError(
                    f"this session has trained no decoder. If {self.trained} is not wanted, move it out of the folder"
                )
            self._set_state(State.IDLE, leave=State.READY)
            self.facts = None
        shutil.rmtree(self.trained)

    def mark_bad(self, channel: str, on: bool = True) -> None:
        """Mark an electrode as bad, so that it is masked from the next check on, or as good again.

        The session file keeps it in ``bads`` of the stream of electrodes.

        Raises
        ------
        SessionError
            If something is being recorded or checked, there is no such electrode, or nothing would change.
        ConfigError, OSError
            If the session file has changed since it was read, or cannot be written.
        """
        name = self._attention.neural
        with self._lock:
            if self.state not in (State.IDLE, State.READY, State.REVIEW):
                raise SessionError(f"the session is {self.state}: bad channels can be changed when that has ended")
            known = () if self._monitor is None else self._monitor.ch_names
            if known and channel not in known:
                raise SessionError(f"there is no electrode {channel!r}{nearest(channel, known)}")
            bads = self.bads
            if on == (channel in bads):
                where = f"'bads' of [streams.{name}]"
                raise SessionError(
                    f"{channel} is in {where} already"
                    if on
                    else f"{channel} is not in {where}: the signal itself is bad, or a pattern there matches its name"
                )
            self.config = with_bads(self.config, name, [*bads, channel] if on else [b for b in bads if b != channel])
            self.checks = []  # they were made with other channels
            if self.state is State.READY:
                self._set_state(State.IDLE)
        self._log_action(f"operator: channel {channel} is {'bad' if on else 'good again'}")

    # Running

    def run(self, mode: Mode, plan: RunPlan, seconds: float | None = None) -> Path:
        """Start to decode and to record, and to steer unless the mode is open; return the folder of the run.

        A session that is not ready, as after a run, is checked first, which takes some seconds.

        Raises
        ------
        SessionError
            If a check fails, with its result, or if the session is busy with something else.
        earmark.app.config.protocol.ProtocolError, earmark.devices.sources.lsl_description.StreamError, ConfigError,
        earmark.pipeline.stream.WiringError, RecordingFailed
            If the plan does not match the talkers, or something is missing or does not fit.
        """
        length = plan.seconds if seconds is None else seconds
        cues, config = plan.cues(self.talkers, length), deciding(self.config, self.out, mode is Mode.SHAM)
        if self.state in (State.IDLE, State.REVIEW):
            wrong = [str(check) for check in self.check(length) if not check.ok]
            if wrong:
                raise SessionError("\n".join(wrong))
            if self._stop.is_set():
                raise SessionError("stopped before anything was recorded")
        else:
            self._stop.clear()
        self._set_state(State.RUNNING, leave=State.READY)
        self.mode = mode
        plain = self._recorded(plan)
        about = About(config.text, subject=self.subject, mode=mode.value, protocol=plain)
        try:
            folder = free(self.out, "run-{}")
            folder.mkdir()
            self._begin(config, folder / "loop.xdf", mode is not Mode.OPEN, about, cues, length, plan.questions)
        except BaseException:
            self._set_state(State.REVIEW)
            raise
        return folder

    def pause(self) -> None:
        """Pause steering and cues: the mix is neutral until :meth:`resume`."""
        self._set_state(State.PAUSED)
        self._hold(True)
        self._control(SessionChanged(ControlSession.PAUSED))
        self._log_action("paused: the mix is neutral")

    def resume(self) -> None:
        """Resume steering and cues."""
        self._set_state(State.RUNNING, leave=State.PAUSED)
        self._hold(False)
        self._control(SessionChanged(ControlSession.RUNNING))
        self._log_action("resumed")

    def _hold(self, on: bool) -> None:
        if self.task is not None:
            self.task.paused = on

    def override(self, talker: Favoured) -> None:
        """Favour a talker (counted from 0), or no talker (``"equal"``), regardless of decisions; None ends this.

        Raises
        ------
        SessionError
            If no closed-loop or sham run is in progress, or there is no such talker.
        """
        if self.state not in (State.RUNNING, State.PAUSED) or self.mode is Mode.OPEN:
            raise SessionError("nothing is steered now, so there is nothing to override: start a closed or sham run")
        if isinstance(talker, int) and not 0 <= talker < len(self.talkers):
            known = ", ".join(f"{k} ({name})" for k, name in enumerate(self.talkers))
            raise SessionError(f"there is no talker {talker}; choose from {known}")
        self.overridden = talker
        # Directly, so that it works even if the engine hangs.
        self.sound.override(None if talker is None else self._favour(talker), RAMP_S)
        who = "all equal" if talker == "equal" else "" if talker is None else self.talkers[talker]
        self._log_action(f"{OVERRIDE}{who}" if who else FOLLOW)
        self._control(Override(talker))

    def _favour(self, talker: int | Literal["equal"]) -> list[float]:
        """Return the gain of each talker in dB, shape (n_talkers,), by the gain law that decisions use."""
        settings = self._attention.settings
        law = steering_law(settings, len(self.talkers))
        return [float(gain) for gain in (law.neutral if talker == "equal" else law.favour(talker))]

    def mute(self, on: bool = True) -> None:
        """Mute or unmute all sound at once, in any state."""
        self.sound.mute(on)
        self._log_action("MUTED" if on else "unmuted")
        if self.state in (State.RUNNING, State.PAUSED):
            self._control(Mute(on))

    def trim(self, talker: int, db: float | None = None, mute: bool | None = None) -> None:
        """Set gain (dB, at most 0) and mute of a talker (counted from 0), in any state; None leaves a value unchanged.

        The trim adds to the gains of steering and overrides. It does not affect decoding.
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

    def place(self, talker: int, azimuth: float) -> None:
        """Look for a talker of a mixture (counted from 0) at an azimuth, degrees to the right, in any state.

        Raises
        ------
        SessionError
            If the sound is no mixture, or talkers are not looked for there.
        """
        array = self.config.sound.array if self.config.sound is not None else None
        if array is None:
            raise SessionError("talkers are placed by 'azimuth' in [[sound.talkers]]: only those of an array move")
        low, high = array.array.span
        if not low <= azimuth <= high:
            raise SessionError(f"the array looks for talkers from {low:g} to {high:g} degrees: {azimuth:g} is beyond")
        self.sound.place(talker, azimuth)
        self._log_action(f"operator: {self.talkers[talker]} is at {azimuth:.0f} degrees")

    def _log_action(self, text: str) -> None:
        """Report an action of the operator, and write it to the recording if there is one."""
        self._on_event(text)
        if self.task is not None and not self.task.wait(0):
            self.task.loop.record_event(text)

    def _control(self, control: Control) -> None:
        task = self.task
        if task is not None:
            task.loop.control(control)

    # The current task

    def _begin(
        self,
        config: Config,
        path: Path,
        steer: bool,
        about: About,
        cues: list[Cue],
        seconds: float,
        questions: list[QuestionConfig],
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
                loop.record_event(f"{self._trim_text(talker)}, already active")
        self.task.start()
        if self._stop.is_set():  # stop() was called before the task was set
            self.task.stop()

    def redo(self) -> None:
        """Discard the current trial, or the last one if none is in progress, and repeat it at the end.

        Raises
        ------
        SessionError
            If there is no trial to repeat.
        """
        task = self.task
        if self.state is not State.CALIBRATING or task is None or task.complete or not task.redo():
            raise SessionError("there is no trial to repeat: redo works during a calibration, once for each trial")

    def note(self, text: str) -> None:
        """Write a note of the operator to the recording.

        Raises
        ------
        SessionError
            If nothing is being recorded.
        """
        task = self.task
        if task is None or task.wait(0):
            raise SessionError("nothing is being recorded, so a note cannot be kept: start a calibration or run first")
        task.note(text)
        self._log_action(f"{NOTE} {text}")

    def _ended(self, task: SessionTask) -> None:
        """Change state after a task has ended; called on its thread."""
        self.sound.override(None, RAMP_S)
        self.overridden = None
        if self.state is not State.CALIBRATING:
            self._set_state(State.REVIEW)
        elif not task.complete:
            self._end_watch()
            self._set_state(State.IDLE)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the calibration or run has ended; return whether it has."""
        task = self.task
        return task is None or task.wait(timeout)

    # The end

    def stop(self) -> None:
        """Stop checks, calibration or run; the recording up to now is completed."""
        self._stop.set()
        task = self.task
        if task is not None:
            task.stop()

    def close(self) -> None:
        """Stop everything; only files remain."""
        self.stop()
        self._end_watch()
        with self._lock:
            self.sound.stop()
            self._cues = None
            if self.state is not State.IDLE:
                self._set_state(State.IDLE)
        if self._monitor is not None:
            self._monitor.close()


def refuse_incomplete(config: Config) -> None:
    """Refuse a configuration that lacks what a session needs.

    Raises
    ------
    ConfigError
        With what is missing.
    """
    for table, there in (
        ("attention", config.attention),
        ("sound", config.sound),
        (f"streams.{CUES}", config.streams.get(CUES)),
    ):
        if there is None:
            raise ConfigError(f"a session needs the table [{table}]; 'earmark new' writes a file that has it")
    if not config.streams[CUES].name:
        raise ConfigError(f"[streams.{CUES}] needs a name: the session publishes its cues under it")
    if config.attention is not None and config.attention.settings.sham:
        raise ConfigError("[attention] sets sham, which is chosen for each run: remove it, and use --mode sham")
