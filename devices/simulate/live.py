"""Run a simulated listener live: receive envelopes from LSL, and send EEG to LSL."""

from __future__ import annotations

import json
import logging
import multiprocessing
import queue
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection

import numpy as np
import pylsl
from numpy.typing import NDArray

from earmark.devices.files.subjects import SIMULATED
from earmark.devices.processes.spawn import clean_birth, leave_signals_to_parent
from earmark.devices.simulate.amplifier import Amplifier, AmplifierConfig, Fault, wiring
from earmark.devices.simulate.listener import ONSET_S, PRESETS, Listener, ListenerConfig
from earmark.devices.sources.lsl import Inlet, Outlet, open_lsl
from earmark.devices.sources.lsl_description import StreamError
from earmark.devices.sources.lsl_log import quiet_liblsl
from earmark.devices.sources.source import Arrival
from earmark.pipeline.stream import Block, ClockMap, Marker

log = logging.getLogger(__name__)

#: A cue to attend to a talker, or with an empty name to none: ``attend:NAME``, as in runs, or ``attend NAME``.
CUE = re.compile(r"attend[: ](.*)", re.DOTALL)
#: Seconds that the outlet stays open after the last sample, so that liblsl can send its buffer.
_LINGER_S = 0.2
#: Duration of one search for a stream in seconds, and therefore the longest wait until threads end.
_SEARCH_S = 1.0


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """A simulated listener and its streams.

    Attributes
    ----------
    talkers : tuple of str
        Names of the talkers: channels of the envelope stream.
    envelopes : str
        Name of that stream. The listener searches for it, also after it was lost; without it there is EEG, but no
        response.
    cues : str
        Name of a marker stream with ``attend:NAME``; empty for none.
    script : tuple of (float, str)
        Times in seconds from the first sample, and the talker to attend to from then on; ``""`` is none.
    name, source_id : str
        Name and identity of the EEG stream.
    listener : ListenerConfig
    seed : int
    delivery_s : float
        Seconds after its instant that a sample is sent, as the delay of an amplifier and its driver. Envelopes may
        arrive up to this late, plus 20 ms, without loss; for later ones, the first part of the response is missing.
    amplifier : AmplifierConfig or None
        Stream that is sent instead of the listener's own electrodes; its name and rate count, and faults can be
        switched on.
    """

    talkers: tuple[str, ...]
    envelopes: str
    cues: str = ""
    script: tuple[tuple[float, str], ...] = ()
    name: str = "simulated listener"
    source_id: str = "earmark-simulated-listener"
    listener: ListenerConfig = field(default_factory=lambda: PRESETS["typical"])
    seed: int = 0
    delivery_s: float = 0.04
    amplifier: AmplifierConfig | None = None


class SimulatedListener:
    """Publish an EEG stream from construction on, and feed it while :meth:`run` runs.

    Script, cue stream and :meth:`attend` can each move attention; the newest counts.

    Raises
    ------
    ValueError
        If a setting is out of bounds, or the script names an unknown talker.
    """

    def __init__(self, config: LiveConfig) -> None:
        self.config = config
        self._names = {"": None, **{name: k for k, name in enumerate(config.talkers)}}
        self._script = sorted(config.script, key=lambda event: event[0])
        for _, name in self._script:
            self._talker(name)
        # Design the filters now: the first sample is due on time.
        self._amplifier: Amplifier | None = None
        if config.amplifier is None:
            self._listener = Listener(config.listener, len(config.talkers), seed=config.seed)
            self._spec, self._type = self._listener.spec.evolve(name=config.name), config.listener.ch_type.upper()
        else:
            self._spec, self._type = config.amplifier.spec, config.amplifier.type
            channels = [self._spec.ch_names[i] for i in config.amplifier.electrodes]
            electrodes, order = wiring(channels, config.listener.ch_type)
            person = replace(config.listener, ch_names=electrodes, sfreq=self._spec.sfreq)
            self._listener = Listener(person, len(config.talkers), seed=config.seed)
            self._amplifier = Amplifier(config.amplifier, self._listener.electrodes, order, config.seed)
        self._outlet: Outlet | None = self._open()
        self._heard: queue.SimpleQueue[tuple[NDArray[np.float64], NDArray[np.float64]]] = queue.SimpleQueue()
        self._cued: queue.SimpleQueue[tuple[float, int | None]] = queue.SimpleQueue()
        self._switched: queue.SimpleQueue[tuple[Fault, bool]] = queue.SimpleQueue()
        self._last_cue = self._last_heard = -np.inf
        self._cue: int | None = None
        self._begun = self._stopping = False
        self._ended = threading.Event()
        self._failure: Exception | None = None

    def attend(self, name: str) -> None:
        """Attend to a talker from now on, or with ``""`` to none; may be called from any thread.

        Raises
        ------
        ValueError
            If there is no such talker.
        """
        self._cued.put((pylsl.local_clock(), self._talker(name)))

    def switch(self, fault: Fault, on: bool) -> None:
        """Switch a fault of the amplifier or the listener on or off; may be called from any thread.

        Raises
        ------
        ValueError
            If no amplifier is simulated.
        """
        if self._amplifier is None:
            raise ValueError("faults need an amplifier that is simulated")
        self._switched.put((fault, on))

    def stop(self) -> None:
        """Make :meth:`run` return; may be called from any thread or signal handler."""
        self._stopping = True  # not an Event: a signal handler must not take its lock; the flag is checked in every hop

    def run(self) -> None:
        """Send EEG until stopped, then withdraw the stream; can be called once.

        Raises
        ------
        StreamError
            If the envelope stream does not have these talkers.
        """
        if self._begun:
            raise StreamError(f"stream {self._spec.name!r} has ended: make a new listener")
        self._begun = True
        receivers = [threading.Thread(target=self._hear_stream, name="envelopes", daemon=True)]
        if self.config.cues:
            receivers.append(threading.Thread(target=self._obey_cues, name="cues", daemon=True))
        for receiver in receivers:
            receiver.start()
        try:
            self._send()
        finally:
            self._stopping = True
            self._ended.set()
            for receiver in receivers:
                receiver.join()
            time.sleep(_LINGER_S)
            self._outlet = None  # pylsl withdraws an outlet when its last reference is dropped
        if self._failure is not None:
            raise self._failure

    def _talker(self, name: str) -> int | None:
        if name not in self._names:
            raise ValueError(f"there is no talker {name!r} to attend to: {', '.join(self.config.talkers)}")
        return self._names[name]

    # The sending thread

    def _open(self) -> Outlet:
        model = SIMULATED if self._amplifier is not None else ""
        return Outlet(self._spec, self._type, self.config.source_id, model)

    def _send(self) -> None:
        listener = self._listener
        listener.start = start = pylsl.local_clock()
        clock = ClockMap(0.0, start, listener.period)
        assert self._outlet is not None
        self._outlet.push(clock)
        while not self._stopping:
            index = listener.n_samples
            left = listener.time(index + listener.hop - 1) + self.config.delivery_s - pylsl.local_clock()
            if left > 0:
                time.sleep(left)
            self._take_in(start)
            self._deliver(Block(index, listener.listen(listener.hop)), clock)

    def _deliver(self, block: Block, clock: ClockMap) -> None:
        sent: Block | None = block
        if self._amplifier is not None:
            sent = self._amplifier.send(block)
            if Fault.CABLE in self._amplifier.faults:
                self._outlet = None  # receivers lose the stream
        if sent is None:
            return
        if self._outlet is None:
            self._outlet = self._open()
            self._outlet.push(clock)
        self._outlet.push(sent)

    def _take_in(self, start: float) -> None:
        while not self._heard.empty():
            times, envelopes = self._heard.get()
            rising = times > self._last_heard  # a stream that returned may overlap with itself
            if rising.any():
                self._last_heard = float(times[-1])
                self._listener.hear(times[rising], envelopes[:, rising])
        cues = []
        while self._script and start + self._script[0][0] <= pylsl.local_clock():
            seconds, name = self._script.pop(0)
            cues.append((start + seconds, self._talker(name)))
        while not self._cued.empty():
            cues.append(self._cued.get())
        for at, talker in sorted(cues, key=lambda cue: cue[0]):
            self._last_cue, self._cue = max(self._last_cue, at), talker
            if self._amplifier is None or Fault.ABSENT not in self._amplifier.faults:
                self._listener.attend(talker, self._last_cue)
        while self._amplifier is not None and not self._switched.empty():
            fault, on = self._switched.get()
            (self._amplifier.faults.add if on else self._amplifier.faults.discard)(fault)
            if fault is Fault.ABSENT:
                self._last_cue = max(self._last_cue, pylsl.local_clock())
                self._listener.attend(None if on else self._cue, self._last_cue)

    # The receiving threads

    def _hear_stream(self) -> None:
        clock: ClockMap | None = None
        order: list[int] = []
        warned = False

        def sink(arrival: Arrival) -> None:
            nonlocal clock, warned
            item = arrival.item
            if isinstance(item, ClockMap):
                clock = item
            elif isinstance(item, Block) and clock is not None:
                index = np.arange(item.start, item.stop, dtype=np.float64)
                times = clock.time0 + (index - clock.index0) * clock.period
                envelopes = np.asarray(item.data, dtype=np.float64).T[order]
                self._heard.put((times, np.where(np.isfinite(envelopes), envelopes, 0.0)))  # NaN counts as silence
                late = arrival.time - times[0] - ONSET_S - self.config.delivery_s
                if late > 0 and not warned:
                    warned = True
                    log.warning(
                        "stream %r: envelopes come %.0f ms too late for the first part of the response: "
                        "send them in smaller chunks, or give the listener a longer delivery_s",
                        self.config.envelopes,
                        1e3 * late,
                    )

        def check(inlet: Inlet) -> None:
            spec = inlet.description.spec
            missing = [name for name in self.config.talkers if name not in spec.ch_names]
            if missing or not spec.sfreq:
                raise StreamError(
                    f"stream {spec.name!r} at {spec.sfreq:g} Hz has channels {', '.join(spec.ch_names)}, but must "
                    f"have a regular rate and a channel for each talker; {', '.join(missing) or 'nobody'} is missing"
                )
            order.extend(spec.ch_names.index(name) for name in self.config.talkers)

        self._receive(self.config.envelopes, sink, check)

    def _obey_cues(self) -> None:
        def sink(arrival: Arrival) -> None:
            if isinstance(arrival.item, Marker):
                match = CUE.fullmatch(arrival.item.value)
                if match and match[1] in self._names:
                    self._cued.put((arrival.item.time, self._names[match[1]]))
                elif match:
                    log.warning("cue %r names none of %s", arrival.item.value, ", ".join(self.config.talkers))

        def check(inlet: Inlet) -> None:
            if inlet.description.spec.sfreq:
                raise StreamError(f"stream {self.config.cues!r} is not a marker stream")

        self._receive(self.config.cues, sink, check)

    def _receive(self, name: str, sink: Callable[[Arrival], None], check: Callable[[Inlet], None]) -> None:
        """Find a stream and receive it until the end; an inlet reconnects by itself to a stream that was lost."""
        told = ""
        try:
            while not self._stopping:
                try:
                    inlet = open_lsl(name, sink, _SEARCH_S)
                except StreamError as error:
                    if str(error) != told:
                        told = str(error)
                        log.info("%s; still looking", error)
                    continue
                try:
                    check(inlet)
                    inlet.start()
                    self._ended.wait()
                finally:
                    inlet.stop()
        except Exception as error:  # noqa: BLE001 - raised by run
            self._failure = error
            self.stop()


class ListenerProcess:
    """A simulated listener in a process of its own, which always ends with this process.

    Parameters
    ----------
    config : LiveConfig
    """

    def __init__(self, config: LiveConfig) -> None:
        spawn = multiprocessing.get_context("spawn")
        theirs, self._commands = spawn.Pipe(duplex=False)
        self.process = spawn.Process(target=_main, args=(config, theirs), name="simulated listener", daemon=True)
        with clean_birth():
            self.process.start()
        theirs.close()  # otherwise the end of the process would not be noticed

    def attend(self, name: str) -> None:
        """Attend to a talker from now on, or with ``""`` to none.

        Raises
        ------
        BrokenPipeError
            If the process has ended.
        """
        self._commands.send_bytes(json.dumps(["attend", name]).encode())

    def switch(self, fault: Fault, on: bool) -> None:
        """Switch a fault on or off; the configuration must have an amplifier.

        Raises
        ------
        BrokenPipeError
            If the process has ended.
        """
        self._commands.send_bytes(json.dumps(["switch", fault.value, on]).encode())

    def stop(self, timeout: float = 5.0) -> None:
        """End the process, by force after ``timeout`` seconds."""
        self._commands.close()
        self.process.join(timeout)
        if self.process.is_alive():
            log.warning("the simulated listener did not end within %g s: killed", timeout)
            self.process.kill()
            self.process.join()


def _main(config: LiveConfig, commands: Connection) -> None:
    quiet_liblsl()
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    listener = SimulatedListener(config)
    leave_signals_to_parent()
    signal.signal(signal.SIGTERM, lambda number, frame: listener.stop())

    def obey() -> None:
        while True:
            try:
                command, *arguments = json.loads(commands.recv_bytes())
            except (EOFError, OSError):  # asked to stop, or the parent process has died
                listener.stop()
                return
            try:
                if command == "attend":
                    listener.attend(*arguments)
                else:
                    listener.switch(Fault(arguments[0]), arguments[1])
            except ValueError as error:
                log.warning("%s", error)

    threading.Thread(target=obey, name="listener commands", daemon=True).start()
    listener.run()
