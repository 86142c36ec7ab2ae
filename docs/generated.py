"""Generate the reference pages from the code: commands, settings, nodes, public names.

``conf.py`` writes them to ``docs/reference`` when Sphinx starts. Commands come from their typer functions, tables of
settings from pydantic models, or from dataclasses and their docstrings.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numpydoc.docscrape import NumpyDocString
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.main import get_command

from earmark.app.command_line import app
from earmark.app.config import array, protocol, session, sound
from earmark.app.terminal.exit_status import ExitStatus
from earmark.devices.files.corpus_mapped import CorpusMap, MappedTalker
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.attention.attend import LawChoice
from earmark.pipeline.attention.steering import LAWS
from earmark.pipeline.node import NODES

#: Packages with public names, and their contents.
PACKAGES = {
    "earmark.app": "Configurations, replay of recorded runs, figures of a session.",
    "earmark.devices": "LSL and other sources, recordings, decoder folders, the simulated listener.",
    "earmark.pipeline": "The streaming graph and every computation in it. No clock, thread, file or socket.",
    "earmark.kernels": "Numeric hot loops: arrays in, arrays out.",
}
#: What parts of other packages are made of: heading, page that shows it, names.
EXTENDING = (
    (
        "A node",
        "tutorials/write-a-node.md",
        ("earmark.pipeline.node.Node", "earmark.pipeline.stream.wiring_error", "earmark.pipeline.iir.Iir"),
    ),
    (
        "A decoder",
        "tutorials/write-a-decoder.md",
        (
            "earmark.pipeline.decoders.decoder.Decoder",
            "earmark.pipeline.decoders.decoder.Projections",
            "earmark.pipeline.decoders.decoder.DecoderSpec",
            "earmark.pipeline.decoders.decoder.DecoderError",
            "earmark.pipeline.decoders.linear.make_spec",
            "earmark.pipeline.decoders.moments.Moments",
            "earmark.pipeline.decoders.moments.moments",
            "earmark.pipeline.decoders.moments.total",
            "earmark.pipeline.decoders.moments.lagged_product",
            "earmark.pipeline.decoders.presets.Preset",
            "earmark.pipeline.decoders.saved.Saved",
            "earmark.pipeline.decoders.saved.make",
            "earmark.pipeline.run.Run",
        ),
    ),
    (
        "A source",
        "tutorials/write-a-source.md",
        (
            "earmark.devices.sources.source.Source",
            "earmark.devices.sources.source.Wanted",
            "earmark.devices.sources.source.Arrival",
            "earmark.devices.sources.source.Sender",
            "earmark.devices.sources.source.describe",
            "earmark.devices.sources.unstamped.Unstamped",
            "earmark.devices.sources.rate.RateWatch",
            "earmark.devices.sources.lsl_description.StreamError",
        ),
    ),
    (
        "A gain law",
        "how-to/laws-and-spaces.md",
        ("earmark.pipeline.attention.steering.Law", "earmark.pipeline.attention.evidence.Posterior"),
    ),
    (
        "A separator",
        "how-to/mixture.md",
        (
            "earmark.pipeline.scene.separator.Separator",
            "earmark.pipeline.scene.array.Array",
            "earmark.pipeline.scene.transform.Framing",
            "earmark.pipeline.scene.errors.SceneError",
        ),
    ),
)
NOTE = "*This page is generated from the code.*\n\n"


def write(folder: Path) -> None:
    """Write all generated pages; do not touch unchanged files, so that Sphinx does not read them again."""
    folder.mkdir(exist_ok=True)
    pages = {
        "commands.md": commands_page(),
        "session-toml.md": session_page(),
        "protocol-toml.md": protocol_page(),
        "corpus-toml.md": corpus_page(),
        "nodes.md": nodes_page(),
        "extending.md": extending_page(),
        **{f"{package}.md": api_page(package, words) for package, words in PACKAGES.items()},
    }
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in set(folder.glob("*.md")) - {folder / name for name in pages}:
        path.unlink()


# Commands ------------------------------------------------------------------------------------------------------------


def commands_page() -> str:
    """Return the page of all commands: usage, help, arguments, options."""
    top = get_command(app)
    text = ["# Commands\n", NOTE]
    text.append("| command | does |\n|---|---|")
    every = list(_commands(top, "earmark"))
    for name, command in every:
        text.append(f"| [`{name}`](#{_anchor(name)}) | {_cell(_first(command.help or ''))} |")
    text += ["", "## Exit statuses", "", "The help of each command lists those that it uses.", "", _exit_statuses()]
    text += ["", "## Options of earmark itself", "", "They come before the name of the command.", ""]
    text.append(_parameters(top, "earmark"))
    for name, command in every:
        text += ["", f"## {name}", "", _command(name, command)]
    return "\n".join(text) + "\n"


def _exit_statuses() -> str:
    """Return a table of exit statuses, with the errors that end a command with each."""
    rows = ["| status | meaning | errors |", "|---|---|---|"]
    for status in ExitStatus:
        errors = sorted(one.__name__ for one in EarmarkError.tree() if one.exit_status == status)
        rows.append(f"| {status.value} | {_cell(status.meaning)} | {', '.join(f'`{name}`' for name in errors)} |")
    return "\n".join(rows)


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and object of each command; works with typer's bundled click and with the click package."""
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _command(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    usage = " ".join([name, "[OPTIONS]", *(_usage(one) for one in arguments)])
    words = re.sub(r"\s*\bExit status:", "\n\n**Exit status:**", inspect.cleandoc(command.help or ""))
    return f"```\n{usage}\n```\n\n{_text(words)}\n\n{_parameters(command, name)}"


def _usage(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper() + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _parameters(command: Any, name: str) -> str:
    context = command.context_class(command, info_name=name)
    rows = ["| argument or option | meaning |", "|---|---|"]
    for one in command.get_params(context):
        record = one.get_help_record(context)
        if not one.hidden and record is not None:
            rows.append(f"| `{record[0].replace('|', chr(92) + '|')}` | {_cell(_text(record[1]))} |")
    return "\n".join(rows)


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


# Settings ------------------------------------------------------------------------------------------------------------


def session_page() -> str:
    """Return the page with every table and key of ``session.toml``."""
    node = session._Node
    return "\n".join([
        "# session.toml\n", NOTE,
        "Inputs, computation and sound of a session. An unknown key is refused, with the nearest known one. Relative "
        "paths start at the folder of the file.\n",
        "## [streams.NAME]\n", _model(session.StreamConfig),
        "\n## [attention]\n", "With this table the session uses the nodes that the decoder was trained with, and has "
        "no `[[nodes]]`.\n", _model(session.AttentionConfig, leave=("settings",)),
        "\nAccumulation of evidence, and steering, in the same table:\n", _dataclass(session.AttendConfig),
        "\n## [attention.law]\n", "Another steering law, named by its `type`, instead of the one that is configured in "
        "`[attention]`: then leave out `boost_db`, `cut_db`, `dead_band_db` and `hold_s` there.\n",
        "A law of another package has the keys of its `Config`.\n",
        *[f"With `type = \"{law}\"`:\n\n{_dataclass(LAWS.get(law).Config)}\n" for law in LAWS.built_in],
        "\n## [sound]\n", _model(sound.SoundConfig, leave=("talkers",)),
        "\n## [[sound.talkers]]\n", _model(sound.TalkerConfig),
        "\n## [array]\n", "Microphones that hear a [mixture](../how-to/mixture.md), whose places the talkers are.\n",
        _model(array.ArrayConfig),
        "\n## [room]\n", "A simulated room, if `microphones` is `room`.\n",
        _model(array.RoomConfig, leave=("talkers",)),
        "\n## [[room.talkers]]\n", _model(array.RoomTalkerConfig),
        "\n## [[nodes]]\n",
        "The input of a node is the output of the previous node, unless `input` or `inputs` is given. These keys are "
        "common to all nodes; the others are in [Nodes](nodes.md).\n",
        _model(node, words={
            "type": "which node: one of " + ", ".join(f"[`{kind}`](nodes.md#{kind})" for kind in NODES.built_in)
            + ", or a node of another package",
            "name": "name of the node; default: its type",
            "input": "stream or node that is its input; default: the previous node",
            "inputs": "the same, for a node that takes several",
        }),
        "\n## [[outputs]]\n", "Outputs of the graph; default: the last node.\n",
        _model(session.OutputConfig, words={"node": "name of a node"}),
        "\n## [engine]\n", _model(session.EngineConfig),
    ]) + "\n"  # fmt: skip


def protocol_page() -> str:
    """Return the page with every table and key of ``protocol.toml``."""
    return "\n".join([
        "# protocol.toml\n", NOTE, "Trials and cues of a session. The file is in the folder of `session.toml`.\n",
        "## [calibration]\n", _model(protocol.Calibration, leave=("trials",)),
        "\n## [[calibration.trials]]\n",
        "One table per trial, instead of `n_trials`, `trial_s`, `pause_s`, `order` and `seed`.\n",
        _model(protocol.TrialConfig),
        "\n## [run]\n", _model(protocol.RunPlan, leave=("cues_at",)),
        "\n## [[run.cues]]\n", "One table per cue, instead of `switch_every_s` and `seed`.\n",
        _model(protocol.CueConfig),
        "\n## questions\n",
        "An entry of `questions` is a text, or a table: `{ text = \"Did you follow?\", options = [\"yes\", \"no\"] }`. "
        f"A text that ends in a scale of at most {protocol.MOST_STEPS + 1} steps, such as 0-10, offers these answers. "
        "The participant chooses on their [screen](../how-to/participant.md); the operator may type any answer.\n",
        _model(protocol.QuestionConfig),
        "\n## [participant]\n",
        "Texts of the [participant's screen](../how-to/participant.md): instructions of at most 1000 characters, "
        "others of at most 200.\n",
        _model(protocol.ParticipantTexts),
    ]) + "\n"  # fmt: skip


def corpus_page() -> str:
    """Return the page with every key of a mapping for ``earmark corpus``."""
    words = "A mapping says where in MATLAB or HDF5 files the parts of a run are, for `earmark corpus FILE.toml`."
    return "\n".join([
        "# Mapping of a corpus\n", NOTE, f"{words}\n", _model(CorpusMap, leave=("talkers",)),
        "\n## [[talkers]]\n", "One table per talker, two or more.\n", _model(MappedTalker),
    ]) + "\n"  # fmt: skip


def nodes_page() -> str:
    """Return the page with every kind of node and its settings."""
    text = ["# Nodes\n", NOTE, "Kinds of `[[nodes]]` in [session.toml](session-toml.md#nodes). All are causal.\n"]
    for kind in NODES.built_in:
        cls = NODES.get(kind)
        text += [f"## {kind}\n", f"`{cls.__module__}.{cls.__qualname__}`\n", _docstring(cls)]
        text += ["", _dataclass(cls.Config), ""]
    return "\n".join(text)


def _model(model: type[BaseModel], leave: tuple[str, ...] = (), words: Mapping[str, str] | None = None) -> str:
    rows = []
    for name, field in model.model_fields.items():
        if name in leave:
            continue
        limits = [_limit(one) for one in field.metadata]
        default = None if field.default is PydanticUndefined else field.default
        required = field.is_required()
        meaning = field.description or (words or {}).get(name, "")
        if model is session.StreamConfig and not meaning:
            meaning = {"name": "name of the LSL stream", "type": "its type", "source_id": "its identity"}[name]
        rows.append(_row(field.alias or name, field.annotation, default, required, meaning, [x for x in limits if x]))
    return _table(rows)


def _dataclass(cls: Any) -> str:
    hints = typing.get_type_hints(cls)
    meanings = {
        name: " ".join(words)
        for names, _, words in NumpyDocString(inspect.getdoc(cls) or "")["Attributes"]
        for name in names.split(", ")
    }
    rows = []
    for field in dataclasses.fields(cls):
        required = field.default is dataclasses.MISSING
        default = None if required else field.default
        rows.append(_row(field.name, hints[field.name], default, required, meanings.get(field.name, ""), []))
    return _table(rows) if rows else "No settings."


def _row(name: str, hint: Any, default: Any, required: bool, meaning: str, limits: list[str]) -> str:
    if not meaning:
        raise ValueError(f"setting {name} has no description: give its field one, or its docstring")
    shown = "must be given" if required else _value(default)
    within = f" ({', '.join(limits)})" if limits else ""
    return f"| `{name}` | {_type(hint)} | {shown} | {_cell(_text(meaning))}{within} |"


def _table(rows: list[str]) -> str:
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])


def _limit(one: Any) -> str:
    words = {"gt": "above {:g}", "ge": "at least {:g}", "lt": "below {:g}", "le": "at most {:g}"}
    return ", ".join(text.format(getattr(one, key)) for key, text in words.items() if hasattr(one, key))


def _type(hint: Any) -> str:
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _type(inside[0])
    if origin is typing.Literal:
        return ", ".join(f"`{one}`" for one in inside)
    if origin in (list, tuple):
        return f"list of {_type(inside[0])}"
    if inside:
        return " or ".join(_type(one) for one in inside if one is not type(None))
    if isinstance(hint, type) and hasattr(hint, "__members__"):
        return ", ".join(f"`{one.value}`" for one in hint)
    named = {
        str: "text", int: "whole number", float: "number", bool: "true or false", LawChoice: "table `[attention.law]`",
        protocol.QuestionConfig: "text or [table](#questions)",
    }  # fmt: skip
    if hint not in named:
        raise ValueError(f"no words for the type {hint}: name it in the terms of TOML")
    return named[hint]


def _value(value: Any) -> str:
    if value is None or value in ("", (), []):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`[{', '.join(_value(one).strip('`') for one in value)}]`"
    value = getattr(value, "value", value)
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


# Public names --------------------------------------------------------------------------------------------------------


def api_page(package: str, words: str) -> str:
    """Return the page with every public name of a package and its docstring."""
    module = importlib.import_module(package)
    text = [f"# {package}\n", NOTE, words + "\n", "```{eval-rst}"]
    text += [_documented(package, name) for name in module.__all__]
    return "\n".join([*text, "```"]) + "\n"


def extending_page() -> str:
    """Return the page of what parts of other packages are made of, and the checks of such parts."""
    text = [
        "# Extending\n",
        NOTE,
        "What a package of your own may import besides public names; it is kept as these are.",
    ]
    for title, page, names in EXTENDING:
        text += [f"\n## {title}\n", f"How to: [{page}](../{page}).\n", "```{eval-rst}"]
        text += [*(_documented(*name.rsplit(".", 1)) for name in names), "```"]
    testing = importlib.import_module("earmark.testing")
    text += ["\n## Checks\n", "```{eval-rst}", *(_documented("earmark.testing", name) for name in testing.__all__)]
    return "\n".join([*text, "```"]) + "\n"


def _documented(module: str, name: str) -> str:
    """Return the directive that shows a class or function with its docstring."""
    one = getattr(importlib.import_module(module), name)
    kind = "autoclass" if inspect.isclass(one) else "autofunction"
    members = "   :members:\n" if kind == "autoclass" and not issubclass(one, Exception) else ""
    return f".. {kind}:: {module}.{name}\n{members}"


# Text ----------------------------------------------------------------------------------------------------------------


def _docstring(cls: type) -> str:
    """Return a docstring up to its sections, and its references."""
    text = inspect.getdoc(cls) or ""
    body, _, rest = text.partition("\n\nReferences\n----------\n")
    body = re.split(r"\n\n(?:Parameters|Attributes|Raises|Notes)\n-{5,}", body)[0]
    rest = re.sub(r"\.\. (\[\d+\]) ", r"\1 ", inspect.cleandoc(rest))
    return _text(body) + (f"\n\nReference: {_text(' '.join(rest.split()))}" if rest else "")


def _text(text: str) -> str:
    """Return the text of a docstring or help as Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    text = re.sub(r"\[(\d+)\]_", r"[\1]", text)
    text = re.sub(r"(?<![\w`'])(--[a-z][\w-]+)(?![\w`'])", r"`\1`", text)
    return text.replace("<", "&lt;")


def _first(text: str) -> str:
    return _text(text.split("\n\n", maxsplit=1)[0])


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
