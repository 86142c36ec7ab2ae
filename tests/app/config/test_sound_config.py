from pathlib import Path

import pytest
import soundfile

from earmark.app.config.session import ConfigError, load_sound, parse_config
from earmark.app.config.sound import SHIPPED, SoundConfig, TalkerConfig
from earmark.devices.audio.heard_log import recorded_channels
from earmark.devices.audio.scene import AudioError, Scene, Talker
from earmark.devices.audio.sinks import DeviceSink, FileSink, NullSink

GOOD = """
[sound]
device = "Card"
sfreq = 44100
space = "itd_ild"
loudness_lufs = -23
[[sound.talkers]]
name = "near"
source = "voices/near.wav"
azimuth = -45
loop = true
[[sound.talkers]]
name = "there"
source = "speech:ada"
start_s = 1.5
[[sound.talkers]]
name = "mike"
source = "input:2"
[[sound.talkers]]
name = "net"
source = "lsl:voice"
"""
GRAPH = '[streams.eeg]\ntype = "EEG"\n[[nodes]]\ntype = "reblock"\n'


def load(tmp_path, text):
    path = tmp_path / "sound.toml"
    path.write_text(text)
    return load_sound(path)


def test_valid_table_becomes_a_scene(tmp_path):
    config = load(tmp_path, GOOD)
    scene = config.scene(tmp_path)
    ada = Path(scene.talkers[1].source)
    assert scene == Scene(
        (
            Talker("near", str(tmp_path / "voices/near.wav"), -45.0, True),
            Talker("there", str(ada), 0.0, False, 1.5),
            Talker("mike", "input:2"),
            Talker("net", "lsl:voice"),
        ),
        44_100.0,
        256,
        "itd_ild",
        -23.0,
        -6.0,
    )
    assert soundfile.info(ada).duration > 60
    assert config.sink(tmp_path) == DeviceSink("Card")


def test_defaults_are_as_documented():
    config = SoundConfig(talkers=[TalkerConfig(name="a", source="/x.wav")])
    assert config.scene(Path("/folder")) == Scene((Talker("a", "/x.wav"),), 48_000.0, 256, "hrtf", -26.0, -6.0)
    assert config.publish == "earmark-audio"
    joe, ada = SHIPPED.scene(Path()).talkers
    assert joe.azimuth < 0 < ada.azimuth
    assert Path(joe.source).name == "joe.ogg"
    assert joe.loop
    assert ada.loop


@pytest.mark.parametrize(
    ("device", "sink"),
    [
        ("default", DeviceSink()),
        ("USB", DeviceSink("USB")),
        ("3", DeviceSink(3)),
        ("null", NullSink()),
        ("file:out/x.wav", FileSink(Path("/folder/out/x.wav"))),
        ("file:/tmp/x.wav", FileSink(Path("/tmp/x.wav"))),
    ],
)
def test_device_selects_the_sink(device, sink):
    config = SHIPPED.model_copy(update={"device": device})
    assert config.sink(Path("/folder")) == sink


@pytest.mark.parametrize("device", ["null", "file:x.wav"])
def test_sound_input_needs_a_device(tmp_path, device):
    with pytest.raises(AudioError, match=r"talker 'mike': input:2 .* only together with a sound device.*choose"):
        load(tmp_path, GOOD.replace('"Card"', f'"{device}"')).sink(tmp_path)


def test_sound_input_can_be_named(tmp_path):
    config = load(tmp_path, GOOD.replace("[sound]", '[sound]\ninput_device = "7"'))
    assert config.sink(tmp_path) == DeviceSink("Card", 7)


def test_sound_of_live_talkers_can_be_recorded(tmp_path):
    config = load(tmp_path, GOOD)
    assert (config.record_audio, config.recorded, config.recorded_bytes_per_s) == ("features", (), 0.0)
    config = load(tmp_path, GOOD.replace("[sound]", '[sound]\nrecord_audio = "all"'))
    assert config.recorded == ("mike", "net")
    assert config.recorded == recorded_channels(config.scene(tmp_path))
    assert config.recorded_bytes_per_s == 4 * 2 * 44_100
    files = '[sound]\nrecord_audio = "all"\n[[sound.talkers]]\nname = "a"\nsource = "a.wav"\n'
    with pytest.raises(ConfigError, match=r'record_audio is "all", but all talkers come from files.*leave it out'):
        load(tmp_path, files)
    with pytest.raises(ConfigError, match=r"sound.record_audio is 'none', but must be one of features, all"):
        load(tmp_path, GOOD.replace("[sound]", '[sound]\nrecord_audio = "none"'))


def test_loudness_matching_can_be_disabled(tmp_path):
    assert load(tmp_path, GOOD.replace("= -23", '= "none"')).scene(tmp_path).loudness_lufs is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('device = "Card"', 'devise = "Card"', r"unknown key 'sound.devise': did you mean 'device'\?"),
        (
            "azimuth = -45",
            "azimut = -45",
            r"\[\[sound.talkers\]\] number 1: unknown key 'azimut': did you mean 'azimuth'\?",
        ),
        ("azimuth = -45", "azimuth = -100", "number 1: azimuth is -100, but must be at least -90"),
        (
            '"itd_ild"',
            '"itdild"',
            r"sound.space: there is no space 'itdild', only hrtf, itd_ild, left_right: did you mean 'itd_ild'",
        ),
        ("sfreq = 44100", 'sfreq = "44100"', "sound.sfreq is '44100', but must be a number"),
        ("sfreq = 44100", "sfreq = 4", "sound.sfreq is 4, but must be at least 8000"),
        ("sfreq = 44100", "block = 256.0", "sound.block is 256.0, but must be a whole number"),
        ("sfreq = 44100", "ceiling_dbfs = 0", "sound.ceiling_dbfs is 0, but must be at most -1"),
        ("= -23", '= "loud"', "sound.loudness_lufs is 'loud', but must be a number"),
        ("= -23", "= nan", "sound.loudness_lufs is nan, but"),
        ('name = "net"', "", "number 4: key 'name' is missing"),
        ('"speech:ada"', '"speech:adda"', "source is 'speech:adda', but: .*speech:joe: did you mean 'speech:ada'"),
        ("start_s = 1.5", "start_s = -1", "number 2: start_s is -1, but must be at least 0"),
        ("loop = true", 'loop = "yes"', "number 1: loop is 'yes', but must be true or false"),
    ],
)
def test_mistakes_are_named_with_a_suggestion(tmp_path, old, new, words):
    assert old in GOOD
    with pytest.raises(ConfigError, match=words) as error:
        load(tmp_path, GOOD.replace(old, new))
    assert str(error.value).startswith(str(tmp_path / "sound.toml"))
    with pytest.raises(ConfigError, match=words):  # in a session, too
        parse_config(GRAPH + GOOD.replace(old, new), "session.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "sound.toml is empty, but must be a session"),
        ("[calibration]\n", "sound.toml is a protocol, not a session: name .*session.toml"),
        ("[soud]\n", r"no table \[sound\].*but \[soud\]"),
        ("[sound]\n", "key 'sound.talkers' is missing"),
        ("[sound]\ntalkers = []\n", "sound.talkers has 0 entries, but must have at least 1"),
        ("sound = 3\n", "sound is 3, but"),
        ("[sound\n", "not valid TOML"),
    ],
)
def test_required_tables_are_demanded(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("[attention]\nbost_db = 1.0\n", r"\[attention\]: unknown key 'bost_db': did you mean 'boost_db'"),
        ("[attention]\nmax_wait_s = -1.0\n", "max_wait_s is -1.0, but must be greater than 0"),
        ('[attention.law]\ntype = "five_stat"\n', "there is no law 'five_stat', only .*did you mean 'five_state'"),
        ("[engine]\nresolv_s = 1.0\n", "unknown key 'engine.resolv_s'"),
        ('[streams.eeg]\ntpye = "EEG"\n', "unknown key 'streams.eeg.tpye'"),
        ('[[nodes]]\ntype = "bandpass"\nlow = 1.0\n', "unknown key 'low'"),
        ('[[outputs]]\nnod = "x"\n', "unknown key 'nod'"),
    ],
)
def test_a_sound_check_refuses_mistakes_in_other_tables(tmp_path, more, words):
    assert load(tmp_path, GOOD) is not None
    with pytest.raises(ConfigError, match=words) as error:
        load(tmp_path, more + GOOD)
    assert str(error.value).startswith(str(tmp_path / "sound.toml"))


def test_a_sound_check_needs_no_source_of_another_package(tmp_path):
    assert load(tmp_path, '[streams.eeg]\nsource = "elsewhere"\nport = 1\n' + GOOD).talkers


def test_two_talkers_with_the_same_name_are_refused(tmp_path):
    with pytest.raises(AudioError, match="two talkers have the same name"):
        load(tmp_path, GOOD.replace('"there"', '"near"')).scene(tmp_path)


def test_sound_is_optional_in_a_session_and_the_rest_in_a_sound_check(tmp_path):
    with_sound = parse_config(GRAPH + GOOD, "session.toml")
    assert with_sound.sound == load(tmp_path, GOOD)
    assert with_sound.steps == parse_config(GRAPH, "session.toml").steps
    assert parse_config(GRAPH, "session.toml").sound is None
    assert "[sound]" in with_sound.text
    assert load(tmp_path, GRAPH + GOOD) == with_sound.sound, "the sound check needs no other table"
