"""The session configuration: reads TOML, and returns a checked description of streams, nodes and outputs."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, create_model

from earmark.app.config.array import ArrayConfig, RoomConfig, check_array
from earmark.app.config.backends import BackendName, PrecisionName
from earmark.app.config.sound import SoundConfig
from earmark.app.config.toml_file import ConfigError as ConfigError  # noqa: PLC0414 - exported again for callers
from earmark.app.config.toml_file import parse, read_text
from earmark.app.config.validation import explain, nearest
from earmark.devices.audio.scene import GAIN_DB, ONNX, SEPARATORS, SPACES
from earmark.devices.files.journal import JOURNAL
from earmark.devices.sources.lsl_search import StreamSelector
from earmark.devices.sources.overrides import OverrideError, Overrides
from earmark.devices.sources.source import SOURCES
from earmark.kernels.errors import EarmarkError
from earmark.kernels.words import counted
from earmark.pipeline.attention.attend import AttendConfig, LawChoice, steering_law
from earmark.pipeline.attention.emissions import N_TALKERS, TALKERS, Emissions
from earmark.pipeline.attention.steering import LAWS, check_gains
from earmark.pipeline.decoders.decoder import DecoderError
from earmark.pipeline.node import NODES
from earmark.pipeline.registry import Part, Registry, RegistryError
from earmark.pipeline.stream import StreamSpec, WiringError

if typing.TYPE_CHECKING:
    from earmark.pipeline.decoders.decoder import Decoder
    from earmark.pipeline.decoders.presets import Preset
    from earmark.pipeline.graph import Graph


#: Keys of [attention] that choose a model of switches; first format of recordings in which neither key means a law of
#: the dwell; and the rate that it meant before.
SWITCHES, DWELLS, OLD_RATE = ("switch_rate", "expected_dwell_s"), 2, 0.02
#: Table of the steering law in [attention], and settings of the default law, which has no table.
LAW, PROPORTIONAL = "law", ("boost_db", "cut_db", "dead_band_db", "hold_s")
#: First format of recordings whose signals are tilted by default.
TILTED = 2


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class StreamConfig(_Strict):
    """An input stream: from LSL, by name, type, source_id or host; from a FieldTrip buffer; or from another source.

    A source of another package has its own keys, the fields of its ``Config``, instead of those of LSL.
    """

    source: str = Field(default="", description="kind of source: lsl, fieldtrip, or a source of another package")
    name: str = ""
    type: str = ""
    source_id: str = ""
    host: str = Field(default="", description="computer that sends it, as 'earmark streams' lists it")
    fieldtrip: str = Field(default="", pattern=r"^$|^[^:\s]+:\d{1,5}$", description="a FieldTrip buffer, host:port")
    ch_type: str = Field(
        default="", description="type of channels that state none, or wrongly EEG: eeg, seeg, ecog, misc"
    )
    unit: str = Field(
        default="",
        description="unit of electrode channels that state none: V, mV, uV, nV; or a value per step, as 0.0488 uV",
    )
    channels: tuple[str, ...] = Field(
        default=(), strict=False, description="names or patterns of channels to keep; !NAME leaves one out"
    )
    bads: tuple[str, ...] = Field(
        default=(), strict=False, description="names or patterns of bad channels, which are masked"
    )
    sfreq: float | None = Field(default=None, description="sample rate, Hz, if none or a slightly wrong one is stated")
    max_impedance_kohm: float | None = Field(
        default=None,
        gt=0,
        description="impedance above which an electrode needs work, kOhm, where the stream states impedances",
    )
    n_channels: int | None = Field(default=None, gt=0, description="expected number of channels; any other is refused")

    _place: Any = PrivateAttr(default=None)

    @property
    def kind(self) -> str:
        """Name of its source in the registry."""
        return self.source or ("fieldtrip" if self.fieldtrip else "lsl")

    @property
    def place(self) -> Any:
        """Address by which its source finds it: an instance of the source's ``Config``."""
        if self.kind == "lsl":
            return StreamSelector(self.name, self.type, self.source_id, self.host)
        if self.kind == "fieldtrip":
            from earmark.devices.sources.fieldtrip_inlet import FieldTripConfig

            return FieldTripConfig(self.fieldtrip)
        return self._place

    def at(self, place: Any) -> StreamConfig:
        """Return a copy with the address by which a source of another package finds it."""
        found = self.model_copy()
        found._place = place
        return found

    @property
    def overrides(self) -> Overrides:
        """Properties that replace or complete those that the stream states."""
        return Overrides(self.unit, self.ch_type, self.channels, self.bads, self.sfreq)


#: Sources whose keys are those of :class:`StreamConfig`, and the keys that every source has.
OWN_SOURCES = ("", "lsl", "fieldtrip")
COMMON = ("source", "ch_type", "unit", "channels", "bads", "sfreq", "n_channels")


class OutputConfig(_Strict):
    """A node whose output leaves the graph."""

    node: str
    record: bool = Field(default=True, description="write it into the recording")
    publish: str = Field(default="", description="publish it as an LSL stream of this name")


class EngineConfig(_Strict):
    """Time limits of running the graph."""

    resolve_s: float = Field(default=10.0, gt=0, description="longest wait for a stream at the start, s")
    max_lag_s: float = Field(default=1.0, gt=0, description="chunks that waited longer are skipped as a gap, s")
    budget_s: float | None = Field(
        default=None, gt=0, description="deadline from arrival to output, s; by default, one hop"
    )


class AttentionConfig(_Strict):
    """Decoding of attention: the decoder, and the streams that it uses."""

    decoder: str = Field(default="", description="folder of the decoder, relative to this file; empty to calibrate")
    fallback: str = Field(default="", description="folder of a faster decoder, used while the first is too slow")
    group: str = Field(
        default="", description="folder of a decoder that was trained on other listeners, mixed into a calibration"
    )
    backends: tuple[Annotated[BackendName, Field(strict=False)], ...] = Field(
        default=(), description="backends that run a network, the fastest first; each must be compiled"
    )
    precision: PrecisionName = Field(
        default=PrecisionName.FLOAT32, strict=False, description="numeric precision of these backends"
    )
    preset: str = Field(
        default="eeg", pattern="^(eeg|ieeg)$", description="preprocessing of signals while there is no decoder"
    )
    neural: str = Field(default="eeg", description="stream of the electrode signals")
    talkers: str = Field(default="speech", description="stream of the talkers' envelopes, one channel each")
    max_wait_s: float = Field(default=2.0, gt=0, description="longest wait for the slower of the two streams, s")
    deadline_s: float = Field(default=0.25, gt=0, description="decisions later than this are dropped, s")
    settings: AttendConfig = AttendConfig()


class _Node(_Strict):
    type: str
    name: str = ""
    input: str = ""
    inputs: list[str] = []


class _File(_Strict):
    streams: dict[str, StreamConfig]
    nodes: list[dict[str, Any]] = []
    attention: dict[str, Any] | None = None
    outputs: list[OutputConfig] = []
    engine: EngineConfig = EngineConfig()
    sound: SoundConfig | None = None
    array: ArrayConfig | None = None
    room: RoomConfig | None = None


@dataclasses.dataclass(frozen=True)
class Config:
    """A checked configuration.

    Attributes
    ----------
    text : str
        The TOML text as it was written; every recording contains it.
    streams : dict of str to StreamConfig
        By the name used inside the graph.
    steps : tuple of (name, type, settings, inputs)
        Nodes in order.
    outputs : tuple of OutputConfig
        What leaves the graph; the last node if none is named.
    engine : EngineConfig
        How the graph is run.
    attention : AttentionConfig or None
        If not None, the nodes are those of the decoder's preset, and ``steps`` is empty.
    folder : Path
        Folder to which paths are relative.
    sound : SoundConfig or None
        Talkers and sound output.
    recorded : int or None
        Format of the recording that contains it; None for a live session.
    where : str
        File or other origin of the configuration, for messages.
    """

    text: str
    streams: dict[str, StreamConfig]
    steps: tuple[tuple[str, str, Any, tuple[str, ...]], ...]
    outputs: tuple[OutputConfig, ...]
    engine: EngineConfig
    attention: AttentionConfig | None = None
    folder: Path = Path()
    sound: SoundConfig | None = None
    recorded: int | None = None
    where: str = dataclasses.field(default="", compare=False)

    @property
    def decoders(self) -> list[Path]:
        """Folders of the decoder and of its fallback; empty if there is no decoder."""
        if self.attention is None or not self.attention.decoder:  # before the calibration
            return []
        return [self.folder / name for name in (self.attention.decoder, self.attention.fallback) if name]

    @property
    def group(self) -> Path | None:
        """Folder of the decoder of other listeners, if there is one."""
        return self.folder / self.attention.group if self.attention is not None and self.attention.group else None

    @property
    def decoder(self) -> Path | None:
        """Folder of the decoder, if there is one."""
        return next(iter(self.decoders), None)

    def sources(self, specs: Mapping[str, StreamSpec]) -> dict[str, StreamSpec]:
        """Return all inputs of the graph: the streams, and control if attention is decoded."""
        from earmark.pipeline.attention.decoding_graph import CONTROL

        return {
            **specs,
            **({CONTROL: StreamSpec(CONTROL, 0.0, (CONTROL,), ("misc",), ("",))} if self.attention else {}),
        }

    def parts(self) -> list[Part]:
        """Return the parts of other packages that this session uses, except decoders, whose folders name theirs."""
        named: list[tuple[Registry[Any], str]] = [(NODES, kind) for _, kind, _, _ in self.steps]
        named += [(SOURCES, stream.kind) for stream in self.streams.values()]
        if self.attention is not None and self.attention.settings.law is not None:
            named.append((LAWS, self.attention.settings.law.name))
        if self.sound is not None:
            array = self.sound.array
            if array is None:
                named.append((SPACES, self.sound.space))
            elif not array.separator.startswith(ONNX):
                named.append((SEPARATORS, array.separator))
        found = [registry.part(name) for registry, name in dict.fromkeys(named)]
        return [part for part in found if part.package]

    def graph(self, decoders: Sequence[Path] | None = None) -> Graph:
        """Build the graph, not yet open; ``decoders`` are the decoders' folders if they are elsewhere now.

        Raises
        ------
        ConfigError
            If the decoder cannot be read or used live.
        """
        if self.attention is not None:
            preset = _preset(self.attention.preset, self.recorded)
            return _attention_graph(self.attention, preset, self.decoders if decoders is None else decoders)
        from earmark.pipeline.graph import Graph, Step  # imports compiled filters, which takes a second

        steps = [Step(name, NODES.get(kind)(settings), inputs) for name, kind, settings, inputs in self.steps]
        return Graph(steps, [output.node for output in self.outputs])

    def open(self, graph: Graph, specs: Mapping[str, StreamSpec]) -> dict[str, StreamSpec]:
        """Open a graph that :meth:`graph` built, see :meth:`earmark.pipeline.graph.Graph.open`.

        Raises
        ------
        earmark.pipeline.stream.WiringError
            If it does not fit the streams; the message begins with the file.
        """
        try:
            return graph.open(specs)
        except WiringError as error:
            raise WiringError(f"{self.where}: {error}" if self.where else str(error)) from None

    def block_outputs(self) -> list[str]:
        """Return the outputs that are plain signals; epochs and pairs consist of what is recorded anyway."""
        kinds = {name: kind for name, kind, _, _ in self.steps}
        return [o.node for o in self.outputs if kinds.get(o.node, o.node) not in ("epochs", "align")]


def load_config(path: Path) -> Config:
    """Read a configuration file.

    Parameters
    ----------
    path : Path
        A session file, in TOML.

    Returns
    -------
    Config
        The checked configuration.

    Raises
    ------
    ConfigError
        If it cannot be read or used.
    """
    return parse_config(read_text(path), str(path), path.parent)


def load_sound(path: Path) -> SoundConfig:
    """Read the table ``[sound]`` of a configuration file; other tables may be absent, but must be valid.

    Raises
    ------
    ConfigError
        If it cannot be read or used.
    """
    where = str(path)
    raw = parse(read_text(path), where)
    _must_be_session(raw, where)
    if "sound" not in raw:
        found = ", ".join(f"[{key}]" for key in raw) or "nothing"
        raise ConfigError(f"{where}: there is no table [sound] with [[sound.talkers]], but {found}: add it")
    for key in raw:
        if key not in _File.model_fields:
            raise ConfigError(f"{where}: unknown table [{key}]{nearest(key, _File.model_fields)}")
    _places(raw, where, live=False)  # a sound check needs no amplifier
    file = _validate(_File, {"streams": {}, **raw}, where)
    _steps(file, where)
    if file.attention is not None:
        _attention(file.attention, where)
    sound = _sound(file, where, live=True)
    assert sound is not None
    return sound


def _must_be_session(raw: Mapping[str, Any], where: str) -> None:
    """Refuse an empty file, and files that go with a session."""
    if not raw:
        raise ConfigError(
            f"{where} is empty, but must be a session, with a table [streams.eeg]: 'earmark new' writes one"
        )
    if raw.keys() <= {"calibration", "run"}:
        raise ConfigError(f"{where} is a protocol, not a session: name the file of the session beside it, session.toml")
    if "weights_sha256" in raw:
        raise ConfigError(f"{where} belongs to a decoder and is not a session: name the file of the session")


def parse_config(text: str, where: str, folder: Path = Path(), *, recorded: int | None = None) -> Config:
    """Check a configuration.

    Parameters
    ----------
    text : str
        TOML.
    where : str
        Origin of the text, named in errors.
    folder : Path
        Folder to which paths in it are relative.
    recorded : int, optional
        Format of the recording that contains the text: what it does not state is as it was for that format, and the
        packages of its sources are not needed. Without it, the configuration is for a live session.

    Returns
    -------
    Config
        The checked configuration.

    Raises
    ------
    ConfigError
        If it cannot be used.
    """
    raw, live = parse(text, where), recorded is None
    _must_be_session(raw, where)
    places = _places(raw, where, live)
    file = _validate(_File, raw, where)
    if not file.streams:
        raise ConfigError(f"{where}: [streams] is empty, but must name at least one stream, such as [streams.eeg]")
    for name, stream in file.streams.items():
        _check_stream(stream, f"{where}: [streams.{name}]")
    file = file.model_copy(update={"sound": _sound(file, where, live)})
    file.streams.update({name: file.streams[name].at(place) for name, place in places.items()})
    if file.attention is not None:
        return _with_attention(file, text, where, folder, recorded)
    if not file.nodes:
        raise ConfigError(f"{where}: there is no [[nodes]] table: add at least one, or [attention]")
    steps = _steps(file, where)
    outputs = tuple(file.outputs) or (OutputConfig(node=steps[-1][0]),)
    doubled = [o.node for i, o in enumerate(outputs) if o.node in {p.node for p in outputs[:i]}]
    published = [o.publish for o in outputs if o.publish]
    if len(set(published)) < len(published):
        raise ConfigError(f"{where}: [[outputs]] publish two streams of the same name: give each its own name")
    taken = [name for name in (*file.streams, *(step[0] for step in steps)) if name == JOURNAL]
    if taken:
        raise ConfigError(f"{where}: the name {JOURNAL!r} is taken by the recording: choose another")
    if doubled:
        raise ConfigError(f"{where}: [[outputs]] names node {doubled[0]!r} twice: name it once")
    return Config(text, file.streams, steps, outputs, file.engine, sound=file.sound, where=where)


def _sound(file: _File, where: str, live: bool) -> SoundConfig | None:
    """Return the checked table [sound], which knows [array] and [room]; ``live`` if it is to be played."""
    check_array(file.array, file.room, where, live)
    if file.sound is None:
        if file.array is not None:
            raise ConfigError(f"{where}: [array] needs [sound] with a talker for each place: add it")
        return None
    if live:
        try:
            SPACES.part(file.sound.space)
        except RegistryError as error:
            raise ConfigError(f"{where}: sound.space: {error}") from None
    sound = file.sound.hearing(file.array, file.room)
    try:
        sound.check()
    except EarmarkError as error:
        raise ConfigError(f"{where}: {error}") from None
    return sound


def _places(raw: dict[str, Any], where: str, live: bool) -> dict[str, Any]:
    """Remove from the tables of streams the keys of other packages' sources; return them checked, by stream."""
    found = {}
    tables = raw.get("streams")
    if not isinstance(tables, dict):
        return {}
    for name, table in list(tables.items()):
        kind = table.get("source") if isinstance(table, dict) else None
        if isinstance(kind, str) and kind not in OWN_SOURCES:
            own = {key: value for key, value in table.items() if key not in COMMON}
            place = f"{where}: [streams.{name}]"
            found[name] = _settings(SOURCES, kind, own, place, set(COMMON), "source") if live else None
            tables[name] = {key: value for key, value in table.items() if key in COMMON}
    return found


def _check_stream(stream: StreamConfig, place: str) -> None:
    by_lsl = stream.name or stream.type or stream.source_id
    if stream.kind == "lsl" and stream.fieldtrip:
        raise ConfigError(f"{place} names a FieldTrip buffer, but source is 'lsl': leave one out")
    if stream.kind == "lsl" and not by_lsl:
        raise ConfigError(f"{place} does not say how to find the stream: set name, type or source_id")
    if stream.kind == "fieldtrip" and by_lsl:
        raise ConfigError(f"{place} names both an LSL stream and a FieldTrip buffer: choose one")
    if stream.kind == "fieldtrip" and not stream.fieldtrip:
        raise ConfigError(f"{place} names no FieldTrip buffer: set fieldtrip to its host:port")
    if stream.kind == "fieldtrip" and not stream.unit:
        raise ConfigError(f"{place} needs 'unit' (V, mV, uV or nV): a FieldTrip buffer has none")
    try:
        stream.overrides  # noqa: B018 - the property checks the values
    except OverrideError as error:
        raise ConfigError(f"{place} {error}") from None


def _attention(table: dict[str, Any], where: str, recorded: int | None = None) -> AttentionConfig:
    own, place = set(AttentionConfig.model_fields) - {"settings"}, f"{where}: [attention]"
    chosen = [key for key in SWITCHES if key in table]
    if len(chosen) > 1:
        raise ConfigError(f"{place} has {' and '.join(chosen)}: leave out one of them, each is a model of switches")
    if not chosen and recorded is not None and recorded < DWELLS:
        table = {**table, "switch_rate": OLD_RATE}
    model = _model(AttendConfig)
    checked = _validate(model, {k: v for k, v in table.items() if k not in (*own, LAW)}, place, also=own)
    values = {field: getattr(checked, field) for field in model.model_fields} | {LAW: _law(table, where)}
    settings = {**{k: v for k, v in table.items() if k in own}, "settings": AttendConfig(**values)}
    return _validate(AttentionConfig, settings, place)


def _with_attention(file: _File, text: str, where: str, folder: Path, recorded: int | None) -> Config:
    place = f"{where}: [attention]"
    if file.nodes or file.outputs:
        raise ConfigError(f"{place} has its own nodes: remove [[nodes]] and [[outputs]], or [attention]")
    attention = _attention(file.attention or {}, where, recorded)
    for key, name in (("neural", attention.neural), ("talkers", attention.talkers)):
        if name not in file.streams:
            raise ConfigError(f"{place}: {key} is {name!r}, but must be one of [streams]{nearest(name, file.streams)}")
    if file.sound is not None and len(file.sound.talkers) not in TALKERS:
        n = len(file.sound.talkers)
        raise ConfigError(f"{where}: [sound] has {counted(n, 'talker')}, but [attention] needs {N_TALKERS}")
    if file.sound is not None:
        _check_law(attention.settings, len(file.sound.talkers), where, recorded is None)
    if len(set(attention.backends)) < len(attention.backends):
        raise ConfigError(f"{place}: backends names one twice: name each once")
    outputs = (OutputConfig(node="attend" if attention.decoder else "align"),)
    return Config(text, file.streams, (), outputs, file.engine, attention, folder, file.sound, recorded, where)


def _check_law(settings: AttendConfig, n_talkers: int, where: str, live: bool) -> None:
    """Refuse settings that the law does not support, and gains that the sound process would clip."""
    try:
        law = steering_law(settings, n_talkers)
        if live:  # a recording is replayed with the gains that it was made with
            check_gains(law, n_talkers, *GAIN_DB)
    except ValueError as error:
        chosen = settings.law
        place = "[attention]" if chosen is None else f"[attention.law] ({chosen.name})"
        raise ConfigError(f"{where}: {place}: {error}") from None


def _law(table: dict[str, Any], where: str) -> LawChoice | None:
    """Return the steering law of [attention.law], or None for the default law, whose settings are in [attention]."""
    law, place = table.get(LAW), f"{where}: [attention.law]"
    if law is None:
        return None
    if not isinstance(law, dict) or not isinstance(law.get("type"), str):
        raise ConfigError(f"{place} must be a table with 'type', one of {', '.join(LAWS.names())}, and its settings")
    if both := [key for key in PROPORTIONAL if key in table]:
        raise ConfigError(f"{place} chooses a law and has its settings: remove {' and '.join(both)} from [attention]")
    settings = {key: value for key, value in law.items() if key != "type"}
    return LawChoice(law["type"], _settings(LAWS, law["type"], settings, place, {"type"}))


def _preset(name: str, recorded: int | None) -> Preset:
    """Return a preset by name, as it was in the format of a recording."""
    from earmark.pipeline.decoders.presets import PRESETS, UNTILTED

    return (UNTILTED if recorded is not None and recorded < TILTED else PRESETS)[name]


def _attention_graph(attention: AttentionConfig, preset: Preset, folders: Sequence[Path]) -> Graph:
    from earmark.pipeline.attention.attend import Attend
    from earmark.pipeline.attention.decoding_graph import decoding_graph

    streams = attention.neural, [attention.talkers]
    if not folders:
        return decoding_graph(preset, *streams, 1, attention.max_wait_s, watched=True)
    decoders = [_live_decoder(folder, "fallback" if k else "decoder") for k, folder in enumerate(folders)]
    first = decoders[0][0]
    for folder, (decoder, _) in zip(folders, decoders, strict=True):
        wanted = [f"{one.preset.signals}, {one.spec.n_features} features per talker" for one in (decoder, first)]
        if wanted[0] != wanted[1]:
            raise ConfigError(
                f"[attention]: decoder {folder} needs {wanted[0]}, but must need the same as {folders[0]}: {wanted[1]}"
            )
    attend = Attend(attention.settings, decoders)
    n_features = first.spec.n_features
    return decoding_graph(first.preset, *streams, n_features, attention.max_wait_s, attend, watched=True)


def _live_decoder(folder: Path, key: str) -> tuple[Decoder, Emissions]:
    from earmark.devices.files.decoder_folder import load_decoder

    try:
        decoder, facts = load_decoder(folder)
    except DecoderError as error:
        raise ConfigError(f"[attention]: {key}: {error}") from None
    if facts.emissions is None:
        raise ConfigError(
            f"[attention]: {key} {folder} cannot be used live, since the distribution of its scores is unknown: train "
            "it on three runs or more"
        )
    return decoder, facts.emissions


def _steps(file: _File, where: str) -> tuple[tuple[str, str, Any, tuple[str, ...]], ...]:
    steps: list[tuple[str, str, Any, tuple[str, ...]]] = []
    before = next(iter(file.streams), "")
    own = set(_Node.model_fields)
    for number, table in enumerate(file.nodes, 1):
        place = f"{where}: [[nodes]] number {number}"
        node = _validate(_Node, {k: v for k, v in table.items() if k in own}, place)
        if node.input and node.inputs:
            raise ConfigError(f"{place}: has both 'input' and 'inputs': leave out one of them")
        settings = {k: v for k, v in table.items() if k not in own}
        made = _settings(NODES, node.type, settings, place, own)
        inputs = tuple(node.inputs) or (node.input or before,)
        name = node.name or node.type
        steps.append((name, node.type, made, inputs))
        before = name
    return tuple(steps)


def _settings(
    registry: Registry[Any], name: str, raw: dict[str, Any], place: str, also: set[str], key: str = "type"
) -> Any:
    """Return the checked settings of a registered part, as its ``Config``; ``also`` are other keys of its table."""
    try:
        settings_class = registry.get(name).Config
    except RegistryError as error:
        raise ConfigError(f"{place}: {key}: {error}") from None
    try:
        model = _model(settings_class)
    except (NameError, TypeError) as error:
        check = f"check_{registry.what} of earmark.testing gives details"
        raise ConfigError(
            f"{place} ({name}): its Config is not a dataclass of plain settings: {error}; {check}"
        ) from None
    checked = _validate(model, raw, f"{place} ({name})", also=also)
    try:
        return settings_class(**{field: getattr(checked, field) for field in model.model_fields})
    except ValueError as error:
        raise ConfigError(f"{place} ({name}): {error}") from None


def _model(settings_class: Any) -> type[_Strict]:
    """Create a validator with the fields of the ``Config`` dataclass of a part."""
    hints = typing.get_type_hints(settings_class)
    fields: dict[str, Any] = {f.name: (hints[f.name], _default(f)) for f in dataclasses.fields(settings_class)}
    return create_model(settings_class.__name__, __base__=_Strict, **fields)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return Field(default_factory=field.default_factory)
    return ... if field.default is dataclasses.MISSING else field.default


_M = typing.TypeVar("_M", bound=BaseModel)


def _validate(model: type[_M], raw: dict[str, Any], where: str, also: set[str] = frozenset()) -> _M:  # type: ignore[assignment]
    try:
        return model.model_validate(raw if model is _File else _tuples(raw))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{where}: {explain(e, model, also)}" for e in error.errors())) from None


def _tuples(value: Any) -> Any:
    """Convert the arrays of TOML to the tuples of settings."""
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    return {k: v if k == "inputs" else _tuples(v) for k, v in value.items()} if isinstance(value, dict) else value
