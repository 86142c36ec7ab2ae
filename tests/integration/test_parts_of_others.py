"""A session with parts from another package: configuration, live run, recording, replay."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from amplifier import NAMES, Amplifier, sample
from installing import OFFERS, installed
from rig import check_tiling, consumed, position, recording, replayed, rows

from earmark.app.config.session import ConfigError, load_sound, parse_config
from earmark.app.replay.verdict import changed
from earmark.app.replay.verify import Replay
from earmark.app.training.fit import train_and_save
from earmark.app.training.runs import maker
from earmark.devices.files.decoder_folder import TEXT, load_decoder
from earmark.devices.files.session_file import SessionFile
from earmark.pipeline.decoders.decoder import DecoderError
from earmark.testing import made_up_run
from earmark.testing.decoders import SMALL

SESSION = """
[streams.eeg]
source = "tcp"
port = {port}
channels = ["!Pz"]
[[nodes]]
type = "reblock"
input = "eeg"
[[nodes]]
type = "drift"
seconds = 2.0
[[nodes]]
type = "bandpass"
"""


def test_session_with_foreign_parts_is_replayed_and_names_their_package(tmp_path):
    folder = tmp_path / "session"
    folder.mkdir()
    with installed(tmp_path / "site"), Amplifier() as amplifier:
        with recording(SESSION.format(port=amplifier.port), folder) as rig:
            rig.wait_for(lambda: rig.engine.streams["eeg"].n_samples >= 200)
            amplifier.off()
            rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "lost")
            amplifier.on()
            rig.wait_for(lambda: rig.engine.streams["eeg"].n_gaps == 1)
            n = rig.engine.streams["eeg"].n_samples
            rig.wait_for(lambda: rig.engine.streams["eeg"].n_samples >= n + 200)
        assert {"eeg: the amplifier is gone; looking for it", "eeg: the amplifier is back"} <= set(rig.events)
        blocks, (gap,) = check_tiling(consumed(rig.path))
        assert blocks[0].data.shape[1] == len(NAMES) - 1
        first = position(rows(blocks), np.array([sample(k)[:2] for k in range(20_000)]))
        for block in blocks:
            wanted = np.array([sample(first + k)[:2] for k in range(block.start, block.stop)])
            np.testing.assert_array_equal(block.data, wanted)
        assert gap.stop > gap.start
        assert len(rows(replayed(rig.path)["bandpass"])) >= 400
        about = SessionFile(rig.path).about
        assert {(p.group, p.name, p.package, p.version) for p in about.parts} == {
            ("earmark.nodes", "drift", "lab-parts", "1.2"),
            ("earmark.sources", "tcp", "lab-parts", "1.2"),
        }
        assert changed(SessionFile(rig.path)) == ()
    words = r"recorded with node 'drift' of package lab-parts 1.2, which is not installed: pip install lab-parts==1.2"
    with pytest.raises(ConfigError, match=words):
        Replay(SessionFile(rig.path)).run()
    with installed(tmp_path / "newer", version="1.3"):
        assert "lab-parts: 1.2 then, 1.3 now" in changed(SessionFile(rig.path))
        replayed(rig.path)
    with installed(tmp_path / "nodes", {"earmark.nodes": OFFERS["earmark.nodes"]}):
        replayed(rig.path)  # the source is not needed


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seconds = 2.0", "second = 2.0", r"number 2 \(drift\): unknown key 'second': did you mean 'seconds'\?"),
        ("seconds = 2.0", "", r"number 2 \(drift\): key 'seconds' is missing"),
        ("seconds = 2.0", 'seconds = "2"', "seconds is '2', but must be a number"),
        ('"drift"', '"drfit"', "there is no node 'drfit', only .*did you mean 'drift'"),
        ("port = 1", "prot = 1", r"\[streams.eeg\] \(tcp\): unknown key 'prot': did you mean 'port'\?"),
        ("port = 1", 'port = 1\nname = "x"', r"\[streams.eeg\] \(tcp\): unknown key 'name'"),
        (
            '"tcp"',
            '"tpc"',
            r"\[streams.eeg\]: source: there is no source 'tpc', only lsl, fieldtrip, tcp: did you",
        ),
        ('source = "tcp"\nport = 1', 'source = "lsl"', "does not say how to find the stream"),
        ('source = "tcp"\nport = 1', 'source = "fieldtrip"', "names no FieldTrip buffer: set fieldtrip"),
    ],
)
def test_keys_of_foreign_parts_are_validated(tmp_path, old, new, words):
    text = SESSION.format(port=1)
    assert old in text
    with installed(tmp_path):
        parse_config(text, "session.toml")
        with pytest.raises(ConfigError, match=words) as error:
            parse_config(text.replace(old, new), "session.toml")
    assert str(error.value).startswith("session.toml")


ATTENTION = """
[streams.eeg]
type = "EEG"
[streams.speech]
name = "s"
[attention]
{more}
[attention.law]
type = "gentle"
help_db = 3
[sound]
space = "mono"
[[sound.talkers]]
name = "a"
source = "speech:joe"
[[sound.talkers]]
name = "b"
source = "speech:ada"
"""


def test_foreign_law_and_space_are_used(tmp_path):
    from earmark.devices.audio.prepare import prepare
    from earmark.pipeline.attention.attend import steering_law

    with installed(tmp_path):
        config = parse_config(ATTENTION.format(more=""), "session.toml")
        assert [part.name for part in config.parts()] == ["gentle", "mono"]
        law = steering_law(config.attention.settings, 2)
        assert law.favour(1).tolist() == [0.0, 3.0]
        scene = replace(config.sound.scene(tmp_path), sfreq=16_000.0)
        assert prepare(scene).hrir.shape == (1, 2, 1)
        for old, new, words in (
            ("help_db", "halp_db", r"\[attention.law\] \(gentle\): unknown key 'halp_db': did you mean 'help_db'"),
            (
                '"gentle"',
                '"gentel"',
                r"\[attention.law\]: type: there is no law 'gentel', only .*'gentle'",
            ),
            ('type = "gentle"', "", "must be a table with 'type', one of proportional, five_state, gentle"),
            ("[attention]", "[attention]\nboost_db = 1.0", "remove boost_db from"),
            ('"mono"', '"momo"', "sound.space: there is no space 'momo', only .*mono: did you mean 'mono'"),
        ):
            with pytest.raises(ConfigError, match=words):
                parse_config(ATTENTION.format(more="").replace(old, new), "session.toml")
    with pytest.raises(ConfigError, match="there is no space 'mono'"):
        parse_config(ATTENTION.format(more=""), "session.toml")


def test_law_for_another_number_of_talkers_is_refused():
    three = ATTENTION.format(more="").replace('"gentle"\nhelp_db = 3', '"five_state"').replace('"mono"', '"hrtf"')
    parse_config(three, "x")
    three += '[[sound.talkers]]\nname = "c"\nsource = "speech:joe"\n'
    wrong = r"\[attention.law\] \(five_state\): five-state chain: n_talkers is 3, but must be 2"
    with pytest.raises(ConfigError, match=wrong):
        parse_config(three, "x")


def test_sound_configuration_with_a_foreign_space(tmp_path):
    path = tmp_path / "sound.toml"
    path.write_text("[sound]" + ATTENTION.partition("[sound]")[2])
    with pytest.raises(ConfigError, match="there is no space 'mono'"):
        load_sound(path)
    with installed(tmp_path / "site"):
        assert load_sound(path).space == "mono"


def test_foreign_decoder_is_trained_saved_and_loaded(tmp_path):
    runs = [made_up_run(seed) for seed in range(4)]
    with installed(tmp_path / "site"):
        facts = train_and_save(runs, maker("difference", SMALL), SMALL, tmp_path / "decoder")
        assert facts.accuracy > 0.7
        assert facts.emissions is not None
        loaded, _ = load_decoder(tmp_path / "decoder")
        assert type(loaded).__name__ == "Difference"
    text = (tmp_path / "decoder" / TEXT).read_text()
    assert 'package = "lab-parts"\npackage_version = "1.2"' in text
    with pytest.raises(DecoderError, match=r"made by package lab-parts 1.2: pip install lab-parts==1.2"):
        load_decoder(tmp_path / "decoder")
    others = {"earmark.decoders": {"difference": "other_lab:Difference"}}
    code = "from lab_parts import Difference"
    words = "was made by lab-parts, but is now that of other-lab"
    with (
        installed(tmp_path / "other", others, "other-lab", "1", code),
        pytest.raises(DecoderError, match=words),
    ):
        load_decoder(tmp_path / "decoder")
    odd = {"earmark.decoders": {"odd": "lab_parts:Difference"}}
    words = "registered as decoder 'odd', but its 'kind' is 'difference'"
    with installed(tmp_path / "named", odd), pytest.raises(DecoderError, match=words):
        maker("odd", SMALL)


def test_train_command_accepts_foreign_decoders(tmp_path):
    program = [sys.executable, "-P", "-m", "earmark.app.cli", "train", "nowhere", "--out", "x", "--decoder"]
    with installed(tmp_path / "site"):
        known = subprocess.run([*program, "difference"], capture_output=True, text=True, check=False)
        wrong = subprocess.run([*program, "diference"], capture_output=True, text=True, check=False)
    assert "nowhere: no such file" in known.stderr
    assert "did you mean 'difference'" in " ".join(wrong.stderr.split())
    assert wrong.returncode == 2
