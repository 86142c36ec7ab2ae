"""Commands, options, tables, keys and extras that messages name exist. None of them is listed here again."""

import tomllib

import pytest
from messages import COMMAND, DOCUMENTS, EXTRA, KEY_IN_TABLE, OPTION, ROOT, SET, TABLE, texts
from typer.main import get_command

from earmark.app.command_line import app
from earmark.app.config.array import ArrayConfig, RoomConfig, RoomTalkerConfig
from earmark.app.config.protocol import Calibration, CueConfig, ParticipantTexts, RunPlan, TrialConfig
from earmark.app.config.session import AttentionConfig, EngineConfig, OutputConfig, StreamConfig, _model
from earmark.app.config.sound import SoundConfig, TalkerConfig
from earmark.pipeline.attention.attend import AttendConfig
from earmark.pipeline.attention.steering import LAWS
from earmark.pipeline.node import NODES

#: No styles of pages.
ALL = [text for text in texts() if "var(--" not in text.words and not text.words.startswith("--event-")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOP = get_command(app)
#: Names of processes, as 'ps' shows them.
PROCESSES = {"engine", "audio", "recorder"}
#: Options of other programs that texts name, each with a word that must be in the same text.
OTHERS = {
    "--force-reinstall": "pip install",
    "--index-url": "pip install",
    "--upgrade": "pip install",
    "--reload": "firewall-cmd",
    "--permanent": "firewall-cmd",
    "--add-port": "--add-port",
    "--shm-size": "ocker",
    "--size": "truncate",
    "--state": "--state",
    "--property": "--property",
    "--value": "--value",
    "--query-gpu": "--query-gpu",
    "--format": "--format",
    "--sentence-silence": "--sentence-silence",
    "--length-scale": "--length-scale",
    "--bids": "benchmarks.study",
    "--separator": "benchmarks.scene",
    "--no-walks": "benchmarks.scene",
}


def commands(group=TOP):
    for name, command in group.commands.items():
        yield name, command
        if hasattr(command, "commands"):
            yield from commands(command)


COMMANDS = {**dict(commands()), **TOP.commands}  # 'bench dashboard' is another one
EVERY = [TOP, *COMMANDS.values(), *COMMANDS["bench"].commands.values()]
OPTIONS = {"--help"}.union(*(one.opts + one.secondary_opts for each in EVERY for one in each.params))


#: Words before 'in [table]' or after 'set' that are not keys.
ENGLISH = {"as", "by", "gains", "it", "no", "the", "to"}


def keys(model):
    return {field.alias or name for name, field in model.model_fields.items()}


TABLES = {
    "streams": keys(StreamConfig),
    **{f"streams.{name}": keys(StreamConfig) for name in ("{}", "eeg", "speech", "cues", "markers")},
    "attention": keys(AttentionConfig) - {"settings"} | keys(_model(AttendConfig)),
    "attention.law": {"type"}.union(*(keys(_model(LAWS.get(law).Config)) for law in LAWS.built_in)),
    "engine": keys(EngineConfig),
    "sound": keys(SoundConfig),
    "sound.talkers": keys(TalkerConfig),
    "array": keys(ArrayConfig),
    "room": keys(RoomConfig),
    "room.talkers": keys(RoomTalkerConfig),
    "nodes": {"type", "name", "input", "inputs"}.union(
        *(keys(_model(kind.Config)) for kind in map(NODES.get, NODES.built_in))
    ),
    "outputs": keys(OutputConfig),
    "calibration": keys(Calibration),
    "calibration.trials": keys(TrialConfig),
    "run": keys(RunPlan),
    "run.cues": keys(CueConfig),
    "participant": keys(ParticipantTexts),
}
#: Names in brackets that are not our tables: of LSL's configuration, and of the source code.
NOT_OURS = {"lab", "log", "ports", "multicast", "tuning", "reasons", "start", "played", "task", "name", "project", "n"}


def wrong(pattern, right):
    """Return the texts that name something that does not exist."""
    return [(where, words) for where, words in ALL for found in pattern.finditer(words) if not right(found, words)]


def test_named_commands_exist_and_have_the_named_options():
    def right(found, words):
        if words == f"earmark {found[1]}" and found[1] in PROCESSES:
            return True
        if found[1] not in COMMANDS:
            return False
        mine = {option for one in COMMANDS[found[1]].params for option in one.opts + one.secondary_opts}
        return set(OPTION.findall(found[2])) <= mine

    assert not wrong(COMMAND, right)


def test_named_options_exist():
    assert not wrong(OPTION, lambda found, words: found[1] in OPTIONS or OTHERS.get(found[1], "\0") in words)


def test_named_tables_exist():
    def right(found, words):
        return found[1] in TABLES or found[1] in NOT_OURS

    assert not wrong(TABLE, right)


def test_named_keys_exist_in_their_tables():
    assert not wrong(KEY_IN_TABLE, lambda found, words: found[1] in TABLES.get(found[2], ()) or found[1] in ENGLISH)


def test_named_keys_to_set_exist():
    every = ENGLISH.union(*TABLES.values())
    assert not wrong(SET, lambda found, words: found[2] in (TABLES.get(found[1], ()) if found[1] else every))


def test_named_extras_exist():
    files = [path for folder in ("app", "devices", "kernels") for path in (ROOT / folder).rglob("*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    named = {one or two for one, two in EXTRA.findall(source)}
    assert named >= {"desktop", "onnx", "tensorrt", "tensorrt-rtx", "corpus", "bench"}
    assert named <= set(PROJECT["optional-dependencies"]), "an extra that is not in pyproject.toml"
    assert "earmark[" not in source, "not on an index, so it cannot be installed by name"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_and_options_in_documents_exist(path):
    words = path.read_text(encoding="utf-8")
    for found in COMMAND.finditer(words):
        assert found[1] in COMMANDS, found[0]
    assert set(OPTION.findall(words)) <= OPTIONS | set(OTHERS)
