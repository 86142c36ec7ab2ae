"""A rehearsal: a simulated listener and amplifier take the place of the real ones in a configured session."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path

import tomlkit

from earmark.app.config.protocol import Protocol
from earmark.app.config.session import COMMON, Config, ConfigError, StreamConfig, parse_config
from earmark.app.session.channel import Refused, is_served
from earmark.app.session.session import refuse_incomplete
from earmark.app.session.supervisor import Supervisor
from earmark.devices.audio.outlets import CLEAN, ENVELOPES
from earmark.devices.files.session_file import SessionFile
from earmark.devices.files.session_run import CUES
from earmark.devices.files.subjects import SIMULATED
from earmark.devices.simulate.amplifier import FAULTS, SPREAD, AmplifierConfig, Fault
from earmark.devices.simulate.electrodes import scalp_names, shafts
from earmark.devices.simulate.listener import PRESETS, check_listener
from earmark.devices.simulate.live import ListenerProcess, LiveConfig
from earmark.devices.sources.lsl_search import StreamSelector, find_streams
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.stream import StreamSpec

#: Rate of an amplifier whose rate neither the session nor a recording states, by the type of its electrodes, Hz.
RATES = {"eeg": 500.0, "seeg": 1000.0, "ecog": 1000.0}
#: Longest wait for the stream of the simulated amplifier, s.
START_S = 120.0
#: The keys of the faults, for a terminal.
FAULT_KEYS = " · ".join(f"{key} {name.lower()}" for key, name, _ in FAULTS.values())
_GLOB = re.compile(r"\*|\?|\[.[^\]]*\]")
#: Keys of [attention] that name decoders: a rehearsal trains its own.
_DECODERS = ("decoder", "fallback", "group", "backends")


def configured_amplifier(config: Config) -> AmplifierConfig:
    """Return the amplifier's stream of a session, as recorded beside it, or else as far as the session states it.

    Raises
    ------
    ConfigError
        If no electrode is left.
    """
    assert config.attention is not None
    name = config.attention.neural
    stream = config.streams[name]
    found = _recorded(config.folder, name) or _stated(stream, config.attention.preset)
    lsl = stream.kind == "lsl"
    spec = found.spec.evolve(
        name=(stream.name if lsl else "") or found.spec.name, sfreq=stream.sfreq or found.spec.sfreq
    )
    amplifier = AmplifierConfig(spec, (stream.type if lsl else "") or found.type, stream.unit)
    if not amplifier.electrodes:
        raise ConfigError(f"{config.where}: [streams.{name}] has no electrodes to rehearse with: see its ch_type")
    return amplifier


def _recorded(folder: Path, name: str) -> AmplifierConfig | None:
    """Return the stream of the newest recording of a session that has it; None if there is none."""
    paths = [*folder.glob("calibration-*.xdf"), *folder.glob("run-*/loop.xdf")]
    for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            stream = SessionFile(path).streams[name]
        except (EarmarkError, OSError, KeyError):  # that recording cannot be read, or has no such stream
            continue
        return AmplifierConfig(stream.sent, stream.type)
    return None


def _stated(stream: StreamConfig, preset: str) -> AmplifierConfig:
    """Make up a stream that fits what a session states of it."""
    kind = stream.ch_type or ("eeg" if preset == "eeg" else "seeg")
    cap = scalp_names() if kind == "eeg" else shafts().ch_names
    spread = [name for name in SPREAD if name in cap]
    kept = [pattern for pattern in stream.channels if not pattern.startswith("!")]
    others = [_example(pattern[1:]) for pattern in stream.channels if pattern.startswith("!")]
    n = (stream.n_channels or len(cap) + len(others)) - len(others)
    needed = [_example(pattern) for pattern in (*kept, *stream.bads) if _example(pattern) not in others]
    more = [_example(pattern, k) for k in range(2, n + 1) for pattern in kept if _GLOB.search(pattern)]
    if not kept or stream.n_channels:
        more += [*spread, *cap, *(f"{kind.upper()}{k}" for k in range(1, n + 1))]
    chosen = [*dict.fromkeys(name for name in (*needed, *more) if name not in others)][: max(n, len(needed))]
    names = sorted(chosen, key=lambda name: cap.index(name) if name in cap else len(cap))
    types = (kind,) * len(names) + ("misc",) * len(others)
    units = tuple("" if stream.unit or one == "misc" else "uV" for one in types)
    spec = StreamSpec(SIMULATED, RATES.get(kind, 500.0), (*names, *others), types, units)
    return AmplifierConfig(spec, kind.upper())


def _example(pattern: str, number: int = 1) -> str:
    """Return a name that a pattern fits."""
    return _GLOB.sub(lambda glob: str(number) if glob[0] in "*?" else glob[0][1], pattern)


def rehearsed(config: Config, source_id: str) -> Config:
    """Return a session that takes its signals from the simulated amplifier, and trains its own decoder.

    Everything else is as configured, except that streams which only the recording needs are left out.
    """
    assert config.attention is not None
    name = config.attention.neural
    document = tomlkit.parse(config.text)
    streams, attention = document["streams"], document["attention"]
    assert isinstance(streams, MutableMapping)
    assert isinstance(attention, MutableMapping)
    for other in [*streams]:
        if other not in (name, config.attention.talkers, CUES):
            del streams[other]
    table = streams[name]
    kept = {"name", "type", *COMMON} - {"source"} if config.streams[name].kind == "lsl" else {*COMMON} - {"source"}
    for key in [*table]:
        if key not in kept:
            del table[key]
    table["source_id"] = source_id  # nobody else has it, so the real amplifier is never connected
    for key in _DECODERS:
        attention.pop(key, None)
    return parse_config(tomlkit.dumps(document), f"the rehearsal of {config.where}", config.folder)


@dataclass
class Faults:
    """Switches of the faults of a rehearsal.

    Attributes
    ----------
    amplifier : AmplifierConfig
    person : ListenerProcess
    say : callable
        Called with a text about every change.
    on : tuple of str
        Those that are switched on.
    """

    amplifier: AmplifierConfig
    person: ListenerProcess
    say: Callable[[str], None]
    on: tuple[str, ...] = ()

    def switch(self, name: str, on: bool) -> None:
        """Switch a fault on or off.

        Raises
        ------
        Refused
            If there is no such fault, or the simulated listener has ended.
        """
        if name not in list(Fault):
            raise Refused(f"there is no fault {name!r}; choose from {', '.join(Fault)}")
        fault = Fault(name)
        with _refuse_if_ended():
            self.person.switch(fault, on)
        others = tuple(one for one in self.on if one != name)
        self.on = (*others, name) if on else others
        place = self.amplifier.place(fault)
        where = f" ({place})" if place else ""
        self.say(f"rehearsal: {FAULTS[fault][1]}{where} {'on' if on else 'off'}")

    def press(self, key: str) -> bool:
        """Switch the fault of a key to its other state; return whether the key has one."""
        fault = next((one for one, (own, _, _) in FAULTS.items() if own == key), None)
        if fault is not None:
            try:
                self.switch(fault, fault not in self.on)
            except Refused as error:
                self.say(str(error))
        return fault is not None


@contextlib.contextmanager
def _refuse_if_ended() -> Iterator[None]:
    """Refuse what a simulated listener that has ended cannot do."""
    try:
        yield
    except BrokenPipeError:
        raise Refused("the simulated listener has ended: end this rehearsal, and start another") from None


@contextlib.contextmanager
def rehearsal(
    config: Config, protocol: Protocol, out: Path, listener: str, *, ask: bool = False, watch: bool = False
) -> Iterator[Supervisor]:
    """Start a session in which a simulated listener takes the place of the participant.

    Parameters
    ----------
    config : Config
        The real session.
    protocol : Protocol
    out : Path
        Folder for all files.
    listener : str
        Preset of :mod:`earmark.devices.simulate.listener`; inside the head, the one that there is.
    ask, watch : bool
        See :class:`earmark.app.session.supervisor.Supervisor`.

    Yields
    ------
    Supervisor
        Of the rehearsal; its ``faults`` are :class:`Faults`.

    Raises
    ------
    ConfigError
        If the configuration lacks something, or its amplifier cannot be simulated.
    Refused
        If the real session is running.
    """
    refuse_incomplete(config)
    if is_served(config.folder):
        raise Refused(f"a session is running in {config.folder}: end it first, its streams have the same names")
    source_id = f"earmark-rehearsal-{os.getpid()}"
    changed, amplifier = rehearsed(config, source_id), configured_amplifier(config)
    assert config.sound is not None
    talkers = tuple(talker.name for talker in config.sound.talkers)
    room = config.sound.room
    people = (
        () if room is None else tuple(talker.name for talker in room.talkers)
    )  # a person hears them, not what is separated
    inside = {"seeg", "ecog"} & set(amplifier.spec.ch_types)
    person = replace(PRESETS["ieeg" if inside else listener], sfreq=amplifier.spec.sfreq)
    try:
        check_listener(person, len(talkers))
    except ValueError as error:
        raise ConfigError(f"{config.where} cannot be rehearsed: {error}") from None
    streams = LiveConfig(
        talkers,
        f"{config.sound.publish}{CLEAN if talkers == people else ENVELOPES}",
        config.streams[CUES].name,
        source_id=source_id,
        listener=person,
        delivery_s=0.12,
        amplifier=amplifier,
    )
    with contextlib.ExitStack() as stack:
        process = ListenerProcess(streams)
        stack.callback(process.stop)
        if not find_streams(StreamSelector(source_id=source_id), START_S, at_least=1):
            raise Refused(f"the simulated listener did not start within {START_S:g} s: close other programs")
        supervisor = stack.enter_context(Supervisor(changed, out, protocol, "rehearsal", ask=ask, watch=watch))
        supervisor.session.subject = SIMULATED

        def attend(name: str) -> None:
            with _refuse_if_ended():
                process.attend(name)

        supervisor.attend, supervisor.faults = attend, Faults(amplifier, process, supervisor.say)
        yield supervisor
