"""``earmark describe``: show the graph of a session with its settings, rates and latencies."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark.app.terminal.console import JsonFile

if TYPE_CHECKING:
    from rich.table import Table

    from earmark.app.config.session import Config, StreamConfig
    from earmark.pipeline.graph import Graph
    from earmark.pipeline.stream import StreamSpec


def describe(
    config: Annotated[Path, typer.Argument(help="Session file (TOML).")],
    recording: Annotated[
        Path | None, typer.Option(help="Take channels and rate of the first stream from this recording.")
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds to search for streams that the file does not describe.")] = 2.0,
    json_file: JsonFile = None,
) -> None:
    """Show the graph: settings, rates, latency and the deadline.

    Rates and channels come from --recording, else from sfreq and n_channels in the configuration, else from the
    live stream. Exit status: 0 the graph is valid, 1 it is not, or a stream is missing.
    """
    from earmark.app.terminal.inputs import must_be_toml

    must_be_toml(config)
    from earmark.app.config.session import load_config
    from earmark.app.terminal.console import console, failures, rate, write_json
    from earmark.devices.audio.places import acoustic_delay
    from earmark.devices.audio.space import impulse_responses
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    with failures():
        settings = load_config(config)
        specs = _specs(settings, recording, wait)
        graph = settings.graph()
        settings.open(graph, settings.sources(specs))
        delay: list[float] = []
        if settings.sound is not None and settings.sound.array is not None:
            scene = settings.sound.scene(settings.folder)
            delay = [frames / scene.sfreq for frames in acoustic_delay(scene)]
        elif settings.sound is not None:
            impulse_responses(settings.sound.space, settings.sound.sfreq)
    for name, spec in specs.items():
        stream = settings.streams[name]
        console.print(f"stream {name}: {_place(stream)}; {spec.n_channels} channels, {rate(spec.sfreq)}", markup=False)
    console.print(graph_table(graph, settings))
    console.print("settings, with their defaults:")
    for line in settings_lines(graph, settings):
        console.print(f"  {line}", markup=False, highlight=False)
    for output in settings.outputs:
        spec = graph.specs[output.node]
        uses = {
            "recorded": output.record and output.node in settings.block_outputs(),
            f"published as {output.publish!r}": output.publish,
        }
        console.print(
            f"output {output.node} ({', '.join(u for u, on in uses.items() if on) or 'computed only'}): "
            f"{spec.n_channels} channels, {rate(spec.sfreq)}, {spec.latency * 1e3:.1f} ms behind the signal "
            f"without computing time{_evidence(graph, output.node)}",
            markup=False,
        )
    if delay:
        console.print(
            f"acoustic delay, microphone to ear: {1e3 * delay[0]:.1f} ms of separation + {1e3 * delay[1]:.1f} ms of "
            f"the limiter = {1e3 * sum(delay):.1f} ms, and the buffers of the sound device",
            markup=False,
        )
    sound_bytes = 0.0
    if settings.sound is not None and settings.sound.recorded:
        sound_bytes = settings.sound.recorded_bytes_per_s
        channels, size = ", ".join(settings.sound.recorded), 3600 * sound_bytes / 1e9
        console.print(f"recordings keep the sound of {channels}: {size:.1f} GB an hour", markup=False)
    engine = settings.engine
    budget = engine.budget_s or min(s.hop / s.sfreq for s in graph.specs.values() if s.hop and s.sfreq)
    console.print(
        f"deadline of a chunk, arrival to output: {budget * 1e3:g} ms; chunks {engine.max_lag_s:g} s late are skipped "
        f"as a gap; streams are searched for up to {engine.resolve_s:g} s"
    )
    more = {"deadline_s": budget} | ({"acoustic_delay_s": sum(delay)} if delay else {})
    more |= {"sound_bytes_per_s": sound_bytes} if sound_bytes else {}
    write_json(json_file, described(settings, specs, graph) | more)


def described(settings: Config, specs: Mapping[str, StreamSpec], graph: Graph) -> dict[str, Any]:
    """Return streams, nodes, settings and outputs of an opened graph, ready for JSON; latencies are in seconds."""
    return {
        "streams": {
            name: {
                "place": _place(settings.streams[name]),
                "ch_names": list(spec.ch_names),
                "ch_types": list(spec.ch_types),
                "sfreq": spec.sfreq,
            }
            for name, spec in specs.items()
        },
        "nodes": [
            {
                "name": step.name,
                "inputs": list(step.inputs),
                "n_channels": spec.n_channels,
                "sfreq": spec.sfreq,
                "hop": spec.hop,
                "wait_s": spec.wait,
                "delay_s": spec.delay,
                "group_delay_s": spec.group_delay,
            }
            for step in graph.steps
            for spec in [graph.specs[step.name]]
        ],
        "settings": settings_lines(graph, settings),
        "outputs": [
            {
                "node": output.node,
                "recorded": bool(output.record and output.node in settings.block_outputs()),
                "published_as": output.publish or None,
                "latency_s": graph.specs[output.node].latency,
            }
            for output in settings.outputs
        ],
    }


def _evidence(graph: Graph, node: str) -> str:
    """Return how often a node decides, and on how much signal; empty for a node that does not decide."""
    from earmark.pipeline.attention.attend import Attend

    decides = next(step.node for step in graph.steps if step.name == node)
    if not isinstance(decides, Attend):
        return ""
    return f"; a decision every {decides.config.hop_s:g} s, from the last {decides.decoder.spec.window:g} s"


def settings_lines(graph: Graph, settings: Config) -> list[str]:
    """Return a line for each part of a session with all its settings: nodes, attention, its law, sound."""
    from earmark.app.config.session import LAW, PROPORTIONAL

    attention, sound = settings.attention, settings.sound
    nodes = [step for step in graph.steps if attention is None or step.name != "attend"]
    lines = [f"{step.name}: {_settings(step.node.config)}" for step in nodes]
    if attention is not None:
        law = attention.settings.law
        lines += [
            f"attention: {_settings(attention, leave=('settings',))}",
            f"attend: {_settings(attention.settings, leave=(LAW, *PROPORTIONAL))}",
            f"law: proportional, {_settings(attention.settings, only=PROPORTIONAL)}"
            if law is None
            else f"law: {law.name}, {_settings(law.settings)}".removesuffix(", "),
        ]
    if sound is not None:
        lines += [f"sound: space {sound.space}, {_settings(sound, leave=('space', 'talkers'))}"]
        lines += [f"talker {talker.name}: {_settings(talker, leave=('name',))}" for talker in sound.talkers]
        if sound.array is not None:
            lines.append(f"array: {_settings(sound.array)}")
        if sound.room is not None:
            lines.append(f"room: {_settings(sound.room, leave=('talkers',))}")
            lines += [f"in the room, {one.name}: {_settings(one, leave=('name',))}" for one in sound.room.talkers]
    return lines


def _settings(config: Any, leave: Collection[str] = (), only: Collection[str] | None = None) -> str:
    """Return the settings of a part as ``key = value``, separated by commas; all but ``leave``, or ``only`` some."""
    from pydantic import BaseModel

    table = isinstance(config, BaseModel)
    keys = type(config).model_fields if table else [field.name for field in dataclasses.fields(config)]
    shown = [key for key in keys if key not in leave and (only is None or key in only)]
    return ", ".join(f"{key} = {_value(getattr(config, key), 'none' if table else 'auto')}" for key in shown)


def _value(value: Any, unset: str = "auto") -> str:
    """Return a setting as in TOML; ``unset`` stands for None."""
    if value is None:
        return unset
    if value == "":
        return '""'
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"({_settings(value)})"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {_value(one)}' for key, one in value.items())}}}"
    return str(value)


def _place(stream: StreamConfig) -> str:
    """Return how a source finds its stream."""
    from earmark.app.config.session import OWN_SOURCES

    place = stream.place
    if stream.kind in OWN_SOURCES:
        return str(place)
    return ", ".join(text for text in (f"source {stream.kind!r}", _settings(place)) if text)


def _specs(settings: Config, recording: Path | None, wait: float) -> dict[str, StreamSpec]:
    from earmark.app.engine.inlets import connect, make_source
    from earmark.devices.audio.outlets import ENVELOPES, envelopes
    from earmark.devices.files.recordings import open_recording
    from earmark.pipeline.nodes.envelope import EnvelopeConfig
    from earmark.pipeline.stream import StreamSpec

    specs: dict[str, StreamSpec] = {}
    for name, stream in settings.streams.items():
        if recording is not None and not specs:
            specs[name] = open_recording(recording, overrides=stream.overrides).spec
        elif stream.sfreq and stream.n_channels and not (stream.channels or stream.bads):
            n = stream.n_channels
            kind = stream.ch_type or (stream.type.lower() if stream.type.lower() in ("eeg", "seeg", "ecog") else "eeg")
            labels = tuple(f"A{i + 1}" for i in range(n))
            specs[name] = StreamSpec(name, stream.sfreq, labels, (kind,) * n, (stream.unit or "uV",) * n)
        elif stream.type.lower() == "markers":
            specs[name] = StreamSpec(name, 0.0, ("marker",), ("misc",), ("",))
        elif settings.sound is not None and stream.name == settings.sound.publish + ENVELOPES:
            # The session itself publishes them while it plays.
            specs[name] = envelopes(settings.sound.scene(settings.folder), stream.name, EnvelopeConfig())[1]
        else:
            inlet = make_source(name, stream, lambda arrival: None)
            try:
                connect(inlet, name, wait)
                specs[name] = inlet.description.spec
            finally:
                inlet.stop()
    return specs


def graph_table(graph: Graph, settings: Config) -> Table:
    """Make a table of the nodes in order, with their inputs, rates and latencies."""
    from rich.table import Table

    from earmark.app.terminal.console import rate

    table = Table(title="graph")
    for column in ("node", "input"):
        table.add_column(column, overflow="fold")
    for column in ("ch", "Hz", "hop", "wait ms", "delay ms", "group ms"):
        table.add_column(column, justify="right")
    kinds = {name: kind for name, kind, _, _ in settings.steps}
    for step in graph.steps:
        name, kind, inputs = step.name, kinds.get(step.name, step.name), step.inputs
        spec = graph.specs[name]
        latencies = (f"{1e3 * v:.1f}" for v in (spec.wait, spec.delay, spec.group_delay))
        hop = str(spec.hop or "any")
        node = name if name == kind else f"{name} ({kind})"
        table.add_row(
            node, "\n".join(inputs), str(spec.n_channels), rate(spec.sfreq).removesuffix(" Hz"), hop, *latencies
        )
    table.caption = (
        "hop: maximum number of samples in a block. Latencies are cumulative: wait for the block to fill, and of a "
        "decision for the lags of its decoder; delay of linear-phase filters; group delay of recursive filters at the "
        "centre of the band."
    )
    return table
