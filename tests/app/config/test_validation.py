"""Errors about settings use the terms of their file, never those of a library."""

import copy
import re
import tomllib

import pytest

from earmark.app.config.protocol import parse_protocol
from earmark.app.config.session import ConfigError, parse_config

CONFIG = """
[streams.eeg]
type = "EEG"
sfreq = 500.0
n_channels = 8
[streams.speech]
name = "s"
[engine]
resolve_s = 10.0
[attention]
preset = "eeg"
enter = 0.7
backends = ["onnx"]
[sound]
device = "null"
block = 256
space = "hrtf"
[[sound.talkers]]
name = "a"
source = "speech:joe"
loop = true
[[sound.talkers]]
name = "b"
source = "speech:ada"
azimuth = 30.0
"""
NODES = '[streams.eeg]\ntype = "EEG"\n[[nodes]]\ntype = "bandpass"\nlow_hz = 1.0\n[[outputs]]\nnode = "bandpass"\n'
PROTOCOL = """
[calibration]
n_trials = 12
order = "random"
questions = ["How?"]
[run]
seconds = 300.0
[[run.cues]]
at_s = 0.0
attend = "a"
"""
WRONG = ["x", "", -1e9, 1e99, float("nan"), 1.5, 7, True, [], [1], ["x"], {}, {"x": 1}]
#: Words of pydantic's messages, which this program's do not contain.
LIBRARY = re.compile(r"Input|should|pydantic|Value error|Field|valid \w+|[a-z_]\.\d|Extra|Unexpected")


def toml(value):
    """Format a value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def places(tree, path=()):
    """Yield every key of a tree of tables, with its path."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def changed(tree, path, value):
    tree = copy.deepcopy(tree)
    here = tree
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return "\n".join(f"{key} = {toml(one)}" for key, one in tree.items())


@pytest.mark.parametrize("text", [CONFIG, NODES, PROTOCOL], ids=["config", "nodes", "protocol"])
def test_every_key_refuses_wrong_values_with_a_clear_message(text):
    parse = parse_protocol if text is PROTOCOL else parse_config
    tree = tomllib.loads(text)
    parse(text, "x.toml")
    said = [words for path in places(tree) for value in WRONG if (words := refusal(parse, changed(tree, path, value)))]
    assert len(said) > 50
    assert [words for words in said if not words.startswith("x.toml: ")] == [], "the file is named"
    assert [words for words in said if LIBRARY.search(re.sub(r" is .*?, but", "", words))] == []


def refusal(parse, text):
    """Return the error that a text causes; empty if it is accepted."""
    try:
        parse(text, "x.toml")
    except ConfigError as error:
        return str(error)
    return ""


def test_entries_of_lists_count_from_one():
    text = CONFIG.replace("azimuth = 30.0", "azimuth = 300.0")
    with pytest.raises(
        ConfigError, match=r"^x: \[\[sound.talkers\]\] number 2: azimuth is 300.0, but must be at most 90$"
    ):
        parse_config(text, "x")
