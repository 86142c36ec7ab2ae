import numpy as np
import pytest

from earmark.app.config.session import ConfigError, load_sound, parse_config
from earmark.devices.audio.scene import AudioError, Microphones, Room, RoomTalker, Talker
from earmark.pipeline.scene.array import preset

SOUND = """
[sound]
[[sound.talkers]]
name = "Joe"
source = "place:1"
azimuth = -120
[[sound.talkers]]
name = "Ada"
source = "place:2"
"""
ARRAY = """
[array]
preset = "glasses6"
microphones = "input:1-6"
"""
IN_ROOM = """
[array]
preset = "ears2"
microphones = "room"
window_s = 0.016
[room]
rt60_s = 0.5
[[room.talkers]]
name = "J"
source = "speech:joe"
azimuth = -30
azimuth_to = 40
[[room.talkers]]
name = "A"
source = "voices/a.wav"
distance = 2
"""
GRAPH = '[streams.eeg]\ntype = "EEG"\n[[nodes]]\ntype = "reblock"\n'


def parsed(text):
    return parse_config(GRAPH + text, "session.toml").sound


def test_array_becomes_microphones_of_the_scene(tmp_path):
    scene = parsed(SOUND + ARRAY).scene(tmp_path)
    assert scene.talkers == (Talker("Joe", "place:1", -120.0), Talker("Ada", "place:2"))
    found, wanted = scene.microphones, preset("glasses6")
    np.testing.assert_array_equal(found.positions, wanted.positions)
    assert (found.source, found.ears, found.reference, found.span) == ("input:1-6", (4, 5), 0, (-180, 180))
    assert found.starts == (-120.0, None), "a place without an azimuth is looked for everywhere"
    assert (found.window_s, found.separator, found.room) == (0.008, "beams", None)


def test_an_onnx_file_is_relative_to_the_configuration(tmp_path):
    sound = parsed(SOUND + ARRAY + 'separator = "onnx:models/m.onnx"\n')
    assert sound.scene(tmp_path).microphones.separator == f"onnx:{tmp_path / 'models/m.onnx'}"
    config = parse_config(GRAPH + SOUND + ARRAY + 'separator = "onnx:m.onnx"\n', "session.toml")
    assert config.parts() == []


def test_positions_and_files_are_as_written(tmp_path):
    array = """
    [array]
    positions = [[-0.1, 0, 0], [0.1, 0.0, 0], [0, 0.1, 0]]
    ears = [1, 0]
    reference = 2
    span = [-90, 90]
    responses = "measured.npz"
    microphones = "mix.wav#1-3"
    loop = true
    """
    found = parsed(SOUND.replace("-120", "60") + array).scene(tmp_path).microphones
    assert found == Microphones(
        str(tmp_path / "mix.wav#1-3"),
        ((-0.1, 0.0, 0.0), (0.1, 0.0, 0.0), (0.0, 0.1, 0.0)),
        (1, 0),
        2,
        (-90, 90),
        str(tmp_path / "measured.npz"),
        starts=(60.0, None),
        loop=True,
    )


def test_responses_of_kemar_are_no_file(tmp_path):
    array = '[array]\npreset = "ears2"\nresponses = "kemar"\nmicrophones = "lsl:x"\n'
    assert parsed(SOUND.replace("-120", "60") + array).scene(tmp_path).microphones.responses == "kemar"


def test_room_is_a_source_of_microphones(tmp_path):
    path = tmp_path / "sound.toml"
    path.write_text(SOUND + IN_ROOM)
    sound = load_sound(path)
    room = sound.scene(tmp_path).microphones.room
    joe = RoomTalker("J", room.talkers[0].source, -30.0, 40.0)
    assert room == Room((joe, RoomTalker("A", str(tmp_path / "voices/a.wav"), distance=2.0)), 0.5)
    assert joe.source.endswith("joe.ogg")
    assert sound.live == ""
    assert parsed(SOUND + ARRAY).live == "input:1-6"


def test_microphones_of_the_input_need_a_device(tmp_path):
    sound = parsed(SOUND.replace("[sound]", '[sound]\ndevice = "null"') + ARRAY)
    with pytest.raises(AudioError, match="array: input:1-6 works only together with a sound device"):
        sound.sink(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('preset = "glasses6"', "", r"\[array\] must have either preset or positions: .*glasses6, aids4, ears2, table"),
        ('"glasses6"', '"glases6"', "array: there is no preset 'glases6': choose glasses6"),
        ('"glasses6"', '"glasses6"\npositions = [[0, 0, 0]]', "either preset or positions"),
        ('"glasses6"', '"glasses6"\nears = [0, 1]', "ears cannot be changed in a preset"),
        ('"glasses6"', '"glasses6"\nspan = [0]', "span has 1 entry, but must have 2"),
        ('"glasses6"', '"glasses6"\nspan = [90, 0]', "array: the span is 90.0 to 0.0 degrees"),
        ('preset = "glasses6"', "positions = [[0, 0, 0]]", "at least 2 microphones"),
        ('preset = "glasses6"', "positions = [[0, 0], [1, 1]]", r"shape \(2, 2\)"),
        ('preset = "glasses6"', "positions = [[0, 0], [1]]", "array: positions"),
        ('preset = "glasses6"', "positions = [[0, 0, 0], [5, 0, 0]]", "give metres"),
        ('preset = "glasses6"', "prest = 3", r"unknown key 'array.prest': did you mean 'preset'"),
        ('"input:1-6"', '"room"', r"\[array\]: microphones is 'room': add \[room\]"),
        ('"input:1-6"', '"input:1-6"\nwindow_s = 1.0', "array.window_s is 1.0, but must be at most 0.064"),
        ('"input:1-6"', '"input:1-6"\nseparator = "beam"', "separator: there is no separator 'beam'.*'beams'"),
        ('source = "place:2"', 'source = "a.wav"', "place:1, .*a.wav, but where .array. hears a mixture"),
        ('source = "place:1"', 'source = "place:3"', "in order: place:1, place:2"),
        ("azimuth = -120", "azimuth = -200", "azimuth is -200, but must be at least -180"),
    ],
)
def test_mistakes_are_named(old, new, words):
    assert old in SOUND + ARRAY
    with pytest.raises(ConfigError, match=words) as error:
        parsed((SOUND + ARRAY).replace(old, new))
    assert str(error.value).startswith("session.toml: ")


def test_tables_need_each_other():
    with pytest.raises(ConfigError, match=r"\[array\] needs \[sound\]"):
        parsed(ARRAY)
    with pytest.raises(
        ConfigError, match=r"place:1 is a place of a mixture, but there are no microphones; add \[array\]"
    ):
        parsed(SOUND)
    with pytest.raises(ConfigError, match=r"\[room\] needs \[array\]"):
        parsed(IN_ROOM[IN_ROOM.index("[room]") :])
    with pytest.raises(ConfigError, match=r'set it to "room", or remove \[room\]'):
        parsed(SOUND + IN_ROOM.replace('"room"', '"a.wav"'))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("speech:joe", "speech:jo", r"\[\[room.talkers\]\] number 1: source is 'speech:jo', but: .*did you mean"),
        ("distance = 2", "distance = 9", "room: talker 'A': distance is 9.0, but must be 0.3 to 2.3 m"),
        ("rt60_s = 0.5", "rt60_s = 0.05", "room: rt60_s is 0.05"),
        ("rt60_s = 0.5", "size = [3, 3]", "room.size has 2 entries, but must have at least 3"),
        ('name = "A"', 'name = "J"', "room: talkers is J, J, but must be different names"),
    ],
)
def test_mistakes_in_the_room_are_named(old, new, words):
    with pytest.raises(ConfigError, match=words):
        parsed(SOUND + IN_ROOM.replace(old, new))
