"""What ``earmark describe`` shows and refuses."""

import dataclasses

import pytest
from installing import installed
from planted import SMALL, planted
from typer.testing import CliRunner

from earmark.app.command_line import app
from earmark.app.commands.describe import _place, _settings
from earmark.app.config.session import load_config, parse_config
from earmark.devices.files.decoder_folder import Facts, save_decoder
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.decoders.linear import LinearDecoder

RUN = CliRunner()
SESSION = """
[streams.eeg]
source = "tcp"
port = 1234
[streams.speech]
name = "s"
[attention]
[attention.law]
type = "gentle"
help_db = 3
"""
#: A session whose streams need not be there.
COMPLETE = """
[streams.eeg]
type = "EEG"
sfreq = 500
n_channels = 6
[streams.speech]
name = "s"
ch_type = "misc"
sfreq = 64
n_channels = 2
[attention]
{law}
[sound]
device = "null"
space = "{space}"
[[sound.talkers]]
name = "Joe"
source = "speech:joe"
azimuth = -30.0
[[sound.talkers]]
name = "Ada"
source = "speech:ada"
"""
GENTLE = '[attention.law]\ntype = "gentle"\nhelp_db = 3'


def described(folder, text=COMPLETE, law="", space="left_right"):
    path = folder / "session.toml"
    path.write_text(text.format(law=law, space=space))
    done = RUN.invoke(app, ["describe", str(path)])
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "decoder"
    runs = [dataclasses.replace(planted(i), ch_names=tuple(f"A{k}" for k in range(1, 7))) for i in range(3)]
    fitted = LinearDecoder(SMALL).fit(runs)
    save_decoder(folder, fitted, Facts(0.6, 0.5, 40, (), 120.0, Emissions(0.1, -0.1, 0.05, 0.0, 100.0)))
    return folder, fitted.spec


def test_settings_of_another_package_are_shown_by_their_keys(tmp_path):
    with installed(tmp_path):
        config = parse_config(SESSION, "session.toml")
        assert _settings(config.attention.settings.law.settings) == "help_db = 3.0"
        assert _place(config.streams["eeg"]) == "source 'tcp', host = 127.0.0.1, port = 1234"
        assert _place(config.streams["speech"]) == "name 's'"


def test_microphones_and_their_delay_are_shown(tmp_path):
    text = COMPLETE.replace("speech:joe", "place:1").replace("speech:ada", "place:2")
    status, output = described(tmp_path, text + '[array]\npreset = "glasses6"\nmicrophones = "input:1-6"\n')
    assert status == 0, output
    assert "acoustic delay, microphone to ear: 8.0 ms of separation + 3.0 ms of the limiter = 11.0 ms" in output
    assert "array: preset = glasses6" in output
    assert "record_audio = features" in output
    assert "recordings keep the sound" not in output


def test_size_of_recorded_sound_is_told_before(tmp_path):
    text = COMPLETE.replace("speech:joe", "place:1").replace("speech:ada", "place:2")
    text = text.replace("[sound]", '[sound]\nrecord_audio = "all"')
    status, output = described(tmp_path, text + '[array]\npreset = "aids4"\nmicrophones = "input:1-4"\n')
    assert status == 0, output
    channels = ", ".join(f"microphone {k}" for k in range(1, 5))
    assert f"recordings keep the sound of {channels}: 2.8 GB an hour" in output


def test_a_separator_in_an_onnx_file_has_its_delay_shown_or_is_refused(tmp_path):
    from mask_models import leaky, save

    text = COMPLETE.replace("speech:joe", "place:1").replace("speech:ada", "place:2")
    text += '[array]\npreset = "glasses6"\nmicrophones = "input:1-6"\nseparator = "onnx:m.onnx"\n'
    save(tmp_path / "m.onnx", *leaky(), delay=192)
    status, output = described(tmp_path, text)
    assert status == 0, output
    assert "8.0 ms of separation" not in output
    assert "20.0 ms of separation + 3.0 ms of the limiter = 23.0 ms" in output
    save(tmp_path / "m.onnx", *leaky(), sfreq=8000)
    status, output = described(tmp_path, text)
    assert status != 0
    assert "has a sfreq of 8000, but the session has 48000" in " ".join(output.split())


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize(
    ("law", "shown"),
    [
        ("", "law: proportional, boost_db = 3.0, cut_db = -9.0, dead_band_db = 1.5, hold_s = 1.0"),
        (GENTLE, "law: gentle, help_db = 3.0"),
        ('[attention.law]\ntype = "five_state"', "law: five_state, max_tmr_db = 9.0, scene_tmr_db = 0.0"),
    ],
)
def test_law_and_space_are_shown_with_and_without_a_decoder(tmp_path, decoder, trained, law, shown):
    with installed(tmp_path):
        status, found = described(tmp_path, law=(f'decoder = "{decoder[0]}"\n' if trained else "") + law, space="mono")
    assert status == 0, found
    assert shown in found
    assert found.count("boost_db") == found.count("hold_s") == (not law), "no setting that has no effect"
    for words in (
        "attend: hop_s = 0.5, switch_rate = auto, expected_dwell_s = auto",
        "attention: decoder = ",
        "sound: space mono, device = null",
        "max_spl = none",
        "talker Joe: source = speech:joe, azimuth = -30.0",
    ):
        assert found.count(words) == 1, words


def test_delay_of_decisions_is_that_of_their_signals_and_lags(tmp_path, decoder):
    folder, spec = decoder
    _, before = described(tmp_path)
    status, after = described(tmp_path, law=f'decoder = "{folder}"')
    assert status == 0, after
    graph = load_config(tmp_path / "session.toml").graph()
    assert [step.name for step in graph.steps][-1] == "attend"
    assert "output align (computed only): 8 channels, 64 Hz" in before
    assert "control irregular" not in after
    (line,) = [part for part in after.split("output ") if part.startswith("attend ")]
    assert "6 channels, irregular, " in line
    assert f"a decision every 0.5 s, from the last {spec.window:g} s" in line
    aligned = float(_row(after, "align")[-3]), float(_row(after, "align")[-2]), float(_row(after, "align")[-1])
    attend = float(_row(after, "attend")[-3]), float(_row(after, "attend")[-2]), float(_row(after, "attend")[-1])
    assert attend[1:] == aligned[1:]
    assert attend[0] == pytest.approx(aligned[0] + 1e3 * spec.behind / spec.sfreq, abs=0.11)
    assert spec.behind > 0
    assert float(line.split(" ms behind")[0].split()[-1]) == pytest.approx(sum(attend), abs=0.2)
    assert " 0 Hz" not in after


def _row(found, name):
    """The figures in the row of a node."""
    cells = found.partition(f"│ {name} │")[2].split("│")
    row = []
    for cell in cells:
        row.append(cell.strip())
        if len(row) == 7:
            break
    return row


LAWS = """
import numpy as np
from lab_parts import Gentle

class Loud(Gentle):
    def favour(self, talker):
        return super().favour(talker) + 60

class Three(Gentle):
    def favour(self, talker):
        return np.zeros(3)

class TopLimit(Gentle):
    def __init__(self, config, n_talkers):
        raise ValueError("top_db is -20, but must be 0 or more")

def one_ear(sfreq):
    return np.array([0.0]), np.ones((1, 1, 1))
"""
OFFERS = {
    "earmark.laws": {"loud": "odd_lab:Loud", "three": "odd_lab:Three", "top": "odd_lab:TopLimit"},
    "earmark.spaces": {"one_ear": "odd_lab:one_ear"},
}


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize(
    ("law", "space", "words"),
    [
        ("loud", "mono", "[attention.law] (loud): favour(0) has a gain of 63 dB, but must have gains of -40 to 12 dB"),
        ("three", "mono", "[attention.law] (three): favour(0) is [0. 0. 0.], but must be 2 gains in dB, one for each"),
        ("top", "mono", "[attention.law] (top): top_db is -20, but must be 0 or more"),
        (
            "gentle",
            "one_ear",
            "space 'one_ear': it gives azimuths (1,) and responses (1, 1, 1), but must give azimuths",
        ),
    ],
)
def test_unusable_laws_and_spaces_are_refused(tmp_path, decoder, law, space, words, trained):
    with installed(tmp_path / "a"), installed(tmp_path / "b", OFFERS, "odd-lab", "1", LAWS):
        status, found = described(
            tmp_path,
            law=(f'decoder = "{decoder[0]}"\n' if trained else "") + GENTLE.replace("gentle", law),
            space=space,
        )
    assert status == 1
    assert words in found
