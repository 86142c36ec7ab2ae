"""Messages that name a fix: each error is provoked, its fix applied literally, and then it works."""

import dataclasses
import re
import shlex
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from typer.main import get_command
from typer.testing import CliRunner

from earmark.app.bench.loop import simulated_runs
from earmark.app.command_line import app
from earmark.app.config.protocol import Calibration, ProtocolError, load_protocol
from earmark.app.config.session import ConfigError, load_config, parse_config
from earmark.app.config.sound import SoundConfig, TalkerConfig
from earmark.app.engine.live_network import _not_compiled, network_of
from earmark.app.session.channel import ChannelError, Server
from earmark.app.session.session import Session
from earmark.app.session.states import SessionError
from earmark.app.session.training import refuse_short
from earmark.app.training.fit import train_and_save
from earmark.app.training.runs import maker
from earmark.devices.audio import sinks
from earmark.devices.audio.prepare import prepare
from earmark.devices.audio.scene import AudioError
from earmark.devices.audio.sinks import DeviceSink
from earmark.devices.simulate.listener import PRESETS as LISTENERS
from earmark.devices.simulate.listener import Listener
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.nodes.reblock import Reblock, ReblockConfig
from earmark.pipeline.stream import StreamSpec, WiringError

SESSION = """
[streams.eeg]
type = "EEG"
[streams.speech]
name = "x-envelopes"
ch_type = "misc"
[streams.cues]
name = "x-cues"
type = "Markers"
[attention]
[sound]
device = "null"
publish = "x"
[[sound.talkers]]
name = "Joe"
source = "speech:joe"
[[sound.talkers]]
name = "Ada"
source = "speech:ada"
"""


def message_of(error, action):
    """Return the message of the error that an action raises."""
    with pytest.raises(error) as found:
        action()
    return str(found.value)


def advice(pattern, words):
    found = re.search(pattern, words)
    assert found, words
    return found.groups() if found.groups() else found[0]


def parsed_command(line):
    """Parse a command line of this program without running it; return its words."""
    program, *words = shlex.split(line)
    assert program == "earmark"
    command = get_command(app)
    command.commands[words[0]].make_context(words[0], words[1:])
    return words


def session(text=SESSION):
    return parse_config(text, "session.toml")


# Configuration


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('device = "null"', 'devise = "null"'), ("[sound]", "[sonud]"), ('ch_type = "misc"', 'ch_typ = "misc"')],
)
def test_suggested_key_is_valid(right, wrong):
    broken = SESSION.replace("[[sound.talkers]]", "[[x.talkers]]" if wrong == "[sonud]" else "[[sound.talkers]]")
    if wrong == "[sonud]":
        broken = broken.split("[[x.talkers]]")[0]
    words = message_of(ConfigError, lambda: session(broken.replace(right, wrong)))
    was, meant = advice(r"unknown key '([\w.]+)': did you mean '(\w+)'", words)
    assert right == wrong.replace(was.rsplit(".", 1)[-1], meant)


def test_file_named_for_a_folder_can_be_read(tmp_path):
    (tmp_path / "session.toml").write_text(SESSION)
    (path,) = advice(
        r"is a folder, not a file: name the file in it, (.*)", message_of(ConfigError, lambda: load_config(tmp_path))
    )
    assert load_config(type(tmp_path)(path)).sound is not None


def test_command_named_for_a_missing_file_writes_it(tmp_path):
    (name,) = advice(
        r"'earmark (\w+)' writes one", message_of(ConfigError, lambda: load_config(tmp_path / "a" / "session.toml"))
    )
    assert CliRunner().invoke(app, [name, str(tmp_path / "a")]).exit_code == 0
    assert load_config(tmp_path / "a" / "session.toml")
    assert load_protocol(tmp_path / "a" / "protocol.toml")


def test_keys_named_for_a_stream_without_criteria_are_valid():
    broken = SESSION.replace('type = "EEG"', "")
    (keys,) = advice(r"set (.*)", message_of(ConfigError, lambda: session(broken)))
    for key in re.findall(r"\w+", keys.replace(" or ", " ")):
        assert session(SESSION.replace('type = "EEG"', f'{key} = "EEG"')), key


def test_units_named_for_a_fieldtrip_buffer_are_valid():
    broken = SESSION.replace('type = "EEG"', 'fieldtrip = "localhost:1972"')
    key, units = advice(r"needs '(\w+)' \((.*?)\)", message_of(ConfigError, lambda: session(broken)))
    for unit in re.findall(r"\w+", units.replace(" or ", " ")):
        assert session(broken.replace('1972"', f'1972"\n{key} = "{unit}"', 1)), unit


def test_removing_an_exclusive_table_makes_the_session_valid():
    broken = SESSION + '[[nodes]]\ntype = "notch"\n'
    assert "remove [[nodes]] and [[outputs]], or [attention]" in message_of(ConfigError, lambda: session(broken))
    assert session(SESSION)
    assert session(broken.replace("[attention]\n", ""))


def test_option_named_for_sham_is_valid(tmp_path):
    broken = SESSION.replace("[attention]", "[attention]\nsham = true")
    option, value = advice(
        r"remove it, and use (--\w+) (\w+)", message_of(ConfigError, lambda: Session(session(broken), tmp_path))
    )
    assert Session(session(), tmp_path)
    assert parsed_command(f"earmark run x.toml {option} {value}")


# Protocol


def test_multiple_named_for_the_number_of_trials_is_valid():
    (n,) = advice(r"multiple of (\d)", message_of(ProtocolError, lambda: Calibration(n_trials=7).cues(["a", "b"])))
    assert Calibration(n_trials=4 * int(n)).cues(["a", "b"])


def test_keys_named_for_short_trials_make_them_long_enough():
    attention = session().attention
    short = Calibration(n_trials=4, trial_s=5.0)
    keys = advice(
        r"increase (\w+) or (\w+)", message_of(ProtocolError, lambda: refuse_short(short.cues(["a", "b"]), attention))
    )
    for key in keys:
        longer = short.model_copy(update={key: 10 * getattr(short, key)})
        refuse_short(longer.cues(["a", "b"]), attention)


# Sound


def scene(folder, **settings):
    talker = {"name": "a", "source": "a.wav"} | settings.pop("talker", {})
    return SoundConfig(talkers=[TalkerConfig(**talker)], **settings).scene(folder)


def test_setting_named_for_a_short_file_is_valid(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(4800, 0.1), 48_000)
    key, value, _ = advice(
        r'set (\w+) = "(\w+)" in \[(sound)\]', message_of(AudioError, lambda: prepare(scene(tmp_path)))
    )
    assert prepare(scene(tmp_path, **{key: value}))


def test_key_named_for_a_start_after_the_end_is_valid(tmp_path):
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).normal(size=48_000), 48_000)
    late = {"start_s": 2.0}
    (key,) = advice(r"lower (\w+)", message_of(AudioError, lambda: prepare(scene(tmp_path, talker=late))))
    assert prepare(scene(tmp_path, talker={key: 0.1}))


def test_package_and_setting_named_for_a_missing_library_are_valid(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).normal(size=48_000), 48_000)
    monkeypatch.setitem(sys.modules, "slab", None)
    package, key, value = advice(
        r'pip install (\w+), or set (\w+) = "(\w+)" in \[sound\]',
        message_of(AudioError, lambda: prepare(scene(tmp_path))),
    )
    assert package == "slab"
    assert prepare(scene(tmp_path, **{key: value}))


class At441:
    """PortAudio with a device that plays 44.1 kHz only."""

    class PortAudioError(Exception):
        pass

    def query_devices(self, device=None):
        found = [{"name": "USB", "max_output_channels": 2, "hostapi": 0}]
        return found if device is None else found[device]

    def check_output_settings(self, device, channels, dtype, samplerate):
        if samplerate != 44_100:
            raise self.PortAudioError("Invalid sample rate", -9997)

    def OutputStream(self, samplerate, **_):
        self.check_output_settings(0, 2, "float32", samplerate)
        raise self.PortAudioError("opened", -1)


def test_rate_and_option_named_for_a_device_are_valid(tmp_path, monkeypatch):
    monkeypatch.setattr(sinks, "portaudio", At441)

    def play(settings):
        audible = SimpleNamespace(scene=settings, microphone=SimpleNamespace(n_channels=0))
        return message_of(AudioError, lambda: DeviceSink(0).run(audible, 0.0, lambda: None))

    rate, key, table, option = advice(
        r"accepts (\d+); set (\w+) in \[(\w+)\], or give (--\w+)",
        play(scene(tmp_path, talker={"source": "speech:joe"})),
    )
    text = SESSION.replace(f"[{table}]", f"[{table}]\n{key} = {rate}")
    assert "opened" in play(session(text).sound.scene(tmp_path)), "it got past the rate"
    assert parsed_command(f"earmark play {option} {rate}")
    assert parsed_command(f"earmark level USB {option} {rate}")


def test_command_named_for_an_unmeasured_device_is_valid(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))
    joe = TalkerConfig(name="Joe", source="speech:joe")

    def capped(device):
        return SoundConfig(device=device, max_spl=80.0, talkers=[joe]).scene(tmp_path)

    for device in ("headphones", "USB Audio, '2'"):
        (line,) = advice(r"run: (earmark level .*)", message_of(AudioError, lambda device=device: capped(device)))
        assert parsed_command(line)[1:] == [device], "quoted as a shell takes it"
    assert "remove max_spl" in message_of(AudioError, lambda: capped("null"))
    assert SoundConfig(device="null", talkers=[joe]).scene(tmp_path)


def test_change_named_for_an_input_without_a_device_is_valid(tmp_path):
    settings = SoundConfig(device="null", talkers=[TalkerConfig(name="a", source="input:1")])
    assert "take the talker from a file" in message_of(AudioError, lambda: settings.sink(tmp_path))
    assert SoundConfig(device="null", talkers=[TalkerConfig(name="a", source="a.wav")]).sink(tmp_path)


# Sessions and decoders


def test_option_named_for_a_folder_in_use_is_valid(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    server = Server(tmp_path / "a", lambda *_: None, {})
    try:
        (option,) = advice(
            r"choose another folder with (--\w+)", message_of(ChannelError, lambda: Server(tmp_path / "a", None, {}))
        )
        for name in ("calibrate", "run", "serve"):
            assert parsed_command(f"earmark {name} x.toml {option} b")
        Server(tmp_path / "b", lambda *_: None, {}).close()
    finally:
        server.close()


def test_option_named_for_an_existing_decoder_is_valid(tmp_path):
    (tmp_path / "decoder").mkdir()
    one = Session(session(), tmp_path)
    plan = Calibration(n_trials=4, trial_s=20.0)
    (option,) = advice(r"choose another folder with (--\w+)", message_of(SessionError, lambda: one.calibrate(plan)))
    assert parsed_command(f"earmark calibrate x.toml {option} b")


CLEAR = dataclasses.replace(LISTENERS["easy"], response_uv=12.0, ignored=0.1, wandering=0.0)
SPECS = {
    "eeg": Listener(CLEAR, 2).spec,
    "speech": StreamSpec("s", 64.0, ("Joe", "Ada"), ("misc",) * 2, ("",) * 2),
    "cues": StreamSpec("c", 0.0, ("cue",), ("misc",), ("",)),
}


def test_fixes_named_for_a_decoder_of_few_runs_and_for_backends_are_valid(tmp_path):
    def trained(n):
        train_and_save(simulated_runs(CLEAR, n, 24.0), maker("linear", EEG), EEG, tmp_path / f"of-{n}")
        text = SESSION.replace("[attention]", f'[attention]\ndecoder = "of-{n}"\nbackends = ["onnx"]')
        return parse_config(text, "session.toml", tmp_path)

    (wanted,) = advice(r"train it on (\w+) runs or more", message_of(ConfigError, lambda: trained(2).graph()))
    config = trained({"three": 3}[wanted])
    graph = config.graph()
    assert graph.open(config.sources(SPECS))
    (key,) = advice(r"remove '(\w+)'", message_of(ConfigError, lambda: network_of(config, graph, SPECS)))
    assert not parse_config(re.sub(rf"{key} = .*\n", "", config.text), "session.toml", tmp_path).attention.backends


def test_command_named_for_an_uncompiled_network_is_valid(tmp_path):
    text = SESSION.replace("[attention]", '[attention]\ndecoder = "my decoder"\nbackends = ["onnx"]')
    (line,) = advice(r"first run: (.*)", str(_not_compiled(parse_config(text, "session.toml", tmp_path), "onnx", 3)))
    words = parsed_command(line)
    assert words[:2] == ["compile", str(tmp_path / "my decoder")]
    assert words[words.index("--talkers") + 1] == "3"


def test_key_and_units_named_for_a_stream_without_units_are_valid():
    spec = StreamSpec("amp", 500.0, ("A1", "A2"), ("eeg",) * 2, ("",) * 2)
    units, key = advice(
        r"(V, mV, uV or nV).*give '(\w+)'", message_of(WiringError, lambda: Reblock(ReblockConfig()).open(spec))
    )
    for unit in re.findall(r"\w+", units.replace(" or ", " ")):
        stream = session(SESSION.replace('type = "EEG"', f'type = "EEG"\n{key} = "{unit}"')).streams["eeg"]
        assert Reblock(ReblockConfig()).open(stream.overrides.apply(spec).spec), unit
    for command in ("stream", "import", "train", "evaluate"):
        taken = {one for option in get_command(app).commands[command].params for one in option.opts}
        assert f"--{key}" in taken, f"of a recording, in {command}"
