import re

import numpy as np
import pytest

from earmark.app.config.changes import with_bads
from earmark.app.config.session import ConfigError, load_config, parse_config
from earmark.devices.files.journal import FORMAT
from earmark.pipeline.attention.decoding_graph import NEURAL
from earmark.pipeline.attention.steering import FiveStateChain
from earmark.pipeline.node import NODES
from earmark.pipeline.nodes.bandpass import BandpassConfig
from earmark.pipeline.nodes.reference import ReferenceConfig
from earmark.pipeline.stream import StreamSpec, WiringError

GOOD = """
[streams.eeg]
type = "EEG"
[streams.marks]
name = "m"
[[nodes]]
type = "reblock"
input = "eeg"
[[nodes]]
type = "bandpass"
name = "delta"
low_hz = 1
high_hz = 4.0
[[nodes]]
type = "reference"
input = "delta"
kind = "channels"
channels = ["M1", "M2"]
[[nodes]]
type = "epochs"
inputs = ["reference", "marks"]
[[outputs]]
node = "delta"
publish = "delta power"
[engine]
max_lag_s = 2
"""


def test_valid_file_is_read(tmp_path):
    path = tmp_path / "session.toml"
    path.write_text(GOOD)
    config = load_config(path)
    assert [(name, kind, inputs) for name, kind, _, inputs in config.steps] == [
        ("reblock", "reblock", ("eeg",)),
        ("delta", "bandpass", ("reblock",)),
        ("reference", "reference", ("delta",)),
        ("epochs", "epochs", ("reference", "marks")),
    ]
    assert config.steps[1][2] == BandpassConfig(1.0, 4.0)
    assert config.steps[2][2] == ReferenceConfig(kind="channels", channels=("M1", "M2"))
    assert config.streams["eeg"].place.predicate() == "type='EEG'"
    assert config.engine.max_lag_s == 2
    assert [o.node for o in config.outputs] == ["delta"]
    assert parse_config(config.text, "again") == config


def test_every_kind_of_node_can_be_named():
    for kind in NODES.built_in:
        text = f'[streams.eeg]\ntype = "EEG"\n[[nodes]]\ntype = "{kind}"\n'
        assert parse_config(text, "x").steps[0][1] == kind


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("low_hz = 1\n", "lo_hz = 1\n", r"number 2 \(bandpass\): unknown key 'lo_hz': did you mean 'low_hz'\?"),
        ("low_hz = 1\n", 'low_hz = "1"\n', "low_hz is '1', but must be a number"),
        ('type = "bandpass"', 'type = "bandpas"', "type: there is no node 'bandpas', only .*did you mean 'bandpass'"),
        ('type = "bandpass"\n', "", "number 2: key 'type' is missing"),
        ("max_lag_s = 2", "max_lags = 2", "unknown key 'engine.max_lags': did you mean 'max_lag_s'"),
        ("max_lag_s = 2", "max_lag_s = -2", "engine.max_lag_s is -2, but must be greater than 0"),
        (
            'publish = "delta power"',
            "publis = 1",
            r"\[\[outputs\]\] number 1: unknown key 'publis': did you mean 'publish'",
        ),
        ('name = "m"', "", r"\[streams.marks\] does not say how to find the stream"),
        ('name = "m"', 'nam = "m"', "unknown key 'streams.marks.nam': did you mean 'name'"),
        ('kind = "channels"', 'kind = "mean"', "kind is 'mean', but must be one of average"),
        ('channels = ["M1", "M2"]', "channels = [1]", "channels number 1 is 1, but must be text"),
        ('input = "delta"', 'input = "delta"\ninputs = ["delta"]', "both 'input' and 'inputs'"),
        ("[engine]", "[engin]", "unknown key 'engin': did you mean 'engine'"),
        ("[engine]", "[engine", "not valid TOML"),
        ("max_lag_s = 2", "max_lag_s = inf", "engine.max_lag_s is inf, but must be a finite"),
        ("high_hz = 4.0", "high_hz = nan", "high_hz is nan, but must be a finite"),
        ('name = "delta"', 'name = "earmark-journal"', "'earmark-journal' is taken"),
        (
            "[engine]",
            '[[outputs]]\nnode = "reblock"\npublish = "delta power"\n[engine]',
            "two streams of the same name",
        ),
    ],
)
def test_mistakes_are_named_with_a_suggestion(old, new, words):
    assert old in GOOD
    with pytest.raises(ConfigError, match=words) as error:
        parse_config(GOOD.replace(old, new), "session.toml")
    assert str(error.value).startswith("session.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"^x is empty, but must be a session, .*'earmark new' writes one"),
        ("# nothing", "^x is empty"),
        ("[calibration]\nn_trials = 4\n[run]\nseconds = 60.0", "^x is a protocol, not a session: name .*session.toml"),
        ('kind = "linear"\nweights_sha256 = "0"', "^x belongs to a decoder and is not a session"),
        ("[engine]", "key 'streams' is missing"),
        ('nodes = []\n[streams.a]\ntype = "EEG"', "no \\[\\[nodes\\]\\]"),
        ('[streams]\n[[nodes]]\ntype = "reblock"', "at least one stream"),
        (GOOD + '[[outputs]]\nnode = "delta"', "names node 'delta' twice"),
    ],
)
def test_required_tables_are_demanded(text, words):
    with pytest.raises(ConfigError, match=words):
        parse_config(text, "x")


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "x.toml")


def test_wiring_is_checked_before_the_start():
    eeg = StreamSpec("eeg", 500.0, ("M1", "M2"), ("eeg", "eeg"), ("uV", "uV"))
    marks = StreamSpec("marks", 0.0, ("marker",), ("misc",), ("",))
    parse_config(GOOD, "x").graph().open({"eeg": eeg, "marks": marks})
    for old, new, words in (
        ('input = "eeg"', 'input = "egg"', "node 'reblock': input is 'egg'.*did you mean 'eeg'"),
        ("high_hz = 4.0", "high_hz = 400.0", "node 'delta': bandpass: high_hz is 400.0, but must be below the Nyquist"),
        ('["M1", "M2"]', '["M1", "X9"]', re.escape("node 'reference': channels is ['X9']")),
        ('node = "delta"', 'node = "dalta"', "output: node is 'dalta', but must be a node: did you mean 'delta'"),
        ('name = "delta"', 'name = "eeg"', "node 'eeg': name is taken already"),
        ("low_hz = 1\n", "low_hz = 1e-300\n", "node 'delta' cannot be made with these settings"),
        ('type = "reblock"', 'type = "reblock"\nhop_s = 1e9', "hop_s is 1000000000.0, but must be"),
        ('type = "epochs"', 'type = "epochs"\ntmax = 1e9', "less than 600 s"),
    ):
        text = GOOD.replace(old, new)
        config = parse_config(text, "x")
        graph = config.graph()
        with pytest.raises(WiringError, match=f"^x: .*{words}"):
            config.open(graph, {"eeg": eeg, "marks": marks})


def test_fallback_may_be_named_before_there_is_a_decoder(tmp_path):
    """A calibration trains the decoder; until then nothing decodes, not even the fallback."""
    text = """
[streams.eeg]
type = "EEG"
[streams.speech]
name = "s"
[attention]
fallback = "quick"
backends = ["onnx", "eager_cpu"]
"""
    config = parse_config(text, "test", tmp_path)
    assert config.decoders == []
    assert config.outputs[0].node == "align"
    config = parse_config(f'{text}decoder = "d"\n', "test", tmp_path)
    assert config.decoders == [tmp_path / "d", tmp_path / "quick"]
    assert config.attention.backends == ("onnx", "eager_cpu")
    for wrong, words in (
        ('backends = ["onxx"]', r"backends number 1 is 'onxx', but must be one of .*: did you mean 'onnx'\?"),
        ('backends = "onnx"', r"backends is 'onnx', but must be a list: \['onnx'\]"),
        ('backends = ["onnx", "onnx"]', "backends names one twice"),
        ('precision = "half"', "precision is 'half', but must be one of float32, tf32, float16"),
    ):
        bad = text.replace('backends = ["onnx", "eager_cpu"]', wrong)
        with pytest.raises(ConfigError, match=words):
            parse_config(bad, "test", tmp_path)


ATTENTION = (
    """
[streams.eeg]
type = "EEG"
[streams.speech]
name = "s"
[attention]
{keys}
[sound]
"""
    + 3
    * """
[[sound.talkers]]
name = "x"
source = "speech:joe"
"""
)


@pytest.mark.parametrize(
    ("keys", "place", "words"),
    [
        ('[attention.law]\ntype = "five_state"', r"\[attention.law\] \(five_state\)", "n_talkers is 3, but must be 2"),
        (
            '[attention.law]\ntype = "five_state"\nmax_tmr_db = -1',
            r"\[attention.law\] \(five_state\)",
            "max_tmr_db is -1",
        ),
        ("boost_db = 9", r"\[attention\]", "boost_db is 9.0, but must be 0 to 6"),
    ],
)
def test_settings_of_a_law_are_refused_by_its_table_and_name(keys, place, words):
    with pytest.raises(ConfigError, match=f"^x: {place}: .*{words}"):
        parse_config(ATTENTION.format(keys=keys), "x")


def test_a_configuration_chooses_one_model_of_switches():
    def settings(keys, **how):
        return parse_config(ATTENTION.format(keys=keys), "x", **how).attention.settings

    assert (settings("").switch_rate, settings("").expected_dwell_s) == (None, None)
    assert settings("switch_rate = 0.05").switch_rate == 0.05
    assert settings("expected_dwell_s = 45.0").expected_dwell_s == 45
    with pytest.raises(ConfigError, match=r"x: \[attention\] has switch_rate and expected_dwell_s: leave out one"):
        settings("switch_rate = 0.05\nexpected_dwell_s = 45.0")
    for recorded in (0, 1):
        assert settings("", recorded=recorded).switch_rate == 0.02, "what no word meant then"
        assert settings("switch_rate = 0.05", recorded=recorded).switch_rate == 0.05
        assert settings("expected_dwell_s = 45.0", recorded=recorded).switch_rate is None
    assert settings("", recorded=2).switch_rate is None


def test_a_recording_is_replayed_with_gains_out_of_range(monkeypatch):
    text = ATTENTION.format(keys='[attention.law]\ntype = "proportional"')
    monkeypatch.setattr(FiveStateChain, "favour", lambda law, talker: np.array([60.0, 0.0]))
    text = text.replace("proportional", "five_state").rpartition("[[sound.talkers]]")[0]
    assert parse_config(text, "x", recorded=FORMAT).attention.settings.law.name == "five_state"
    with pytest.raises(ConfigError, match=r"\(five_state\): favour\(0\) has a gain of 60 dB"):
        parse_config(text, "x")


@pytest.mark.parametrize(("recorded", "nodes"), [(None, 1), (FORMAT, 1), (2, 1), (1, 0), (0, 0)])
def test_recordings_before_the_tilt_are_replayed_without_it(recorded, nodes):
    """A recording without a decoder does not state its band: it is that of its format."""
    text = '[streams.eeg]\nname = "a"\n[streams.speech]\nname = "b"\nch_type = "misc"\n[attention]\n'
    steps = {step.name: step.node.config for step in parse_config(text, "x", recorded=recorded).graph().steps}
    assert [name.startswith("tilt") for name in steps].count(True) == nodes
    assert (steps["bandpass"].low_hz, steps["bandpass"].high_hz) == ((0.5, 12.0) if nodes else (1.0, 9.0))
    assert hasattr(steps[NEURAL], "corner_hz") == bool(nodes)


def test_bad_channels_are_kept_in_the_file_with_its_comments(tmp_path):
    file = tmp_path / "session.toml"
    file.write_text('# ours\n[streams.eeg]\ntype = "EEG"  # the cap\n[[nodes]]\ntype = "reblock"\ninput = "eeg"\n')
    before = file.read_text()
    config = load_config(file)
    bad = with_bads(config, "eeg", ["Cz", "T7"])
    assert bad.streams["eeg"].bads == ("Cz", "T7")
    assert load_config(file).streams["eeg"].bads == ("Cz", "T7")
    assert "# ours" in file.read_text()
    assert "# the cap" in file.read_text()
    assert with_bads(bad, "eeg", []).streams["eeg"].bads == ()
    assert file.read_text() == before
    file.write_text(before + "# edited\n")
    with pytest.raises(ConfigError, match="was changed since this session was started"):
        with_bads(config, "eeg", ["Cz"])
    assert file.read_text() == before + "# edited\n"
    assert [path.name for path in tmp_path.iterdir()] == ["session.toml"]
