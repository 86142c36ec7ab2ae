"""What of a session a rehearsal keeps, and the amplifier that it makes up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from earmark.app.config.session import ConfigError, parse_config
from earmark.app.session.channel import Refused
from earmark.app.session.rehearsal import Faults, configured_amplifier, rehearsal, rehearsed
from earmark.app.session.templates import SESSION
from earmark.app.session.terminal import Screen
from earmark.devices.simulate.amplifier import Fault

TEXT = SESSION.format(name="alice", file="session.toml")
EEG = 'type = "EEG"'


def session(tmp_path, eeg=EEG, attention="", more=""):
    text = TEXT.replace(EEG, eeg).replace('preset = "eeg"', f'preset = "eeg"\n{attention}')
    return parse_config(text + more, "session.toml", tmp_path)


def described(amplifier, config):
    """Return the stream as the session reads it."""
    stream = config.streams["eeg"]
    if stream.n_channels:
        assert amplifier.spec.n_channels == stream.n_channels
    return stream.overrides.apply(amplifier.spec).spec


def test_without_further_words_it_is_a_cap(tmp_path):
    amplifier = configured_amplifier(session(tmp_path))
    assert (amplifier.spec.n_channels, amplifier.spec.sfreq, amplifier.type) == (64, 500.0, "EEG")
    assert {"Cz", "T7"} <= set(amplifier.spec.ch_names)


@pytest.mark.parametrize(
    ("eeg", "n_kept", "kinds"),
    [
        ('type = "Bio"\nname = "my amp"\nn_channels = 24\nsfreq = 250.0', 24, {"eeg"}),
        ('name = "amp"\nn_channels = 130\nbads = ["Q*", "T7"]', 130, {"eeg"}),
        ('name = "amp"\nchannels = ["!EKG", "!DC*"]', 64, {"eeg"}),
        ('name = "amp"\nchannels = ["!EKG", "!DC*"]\nn_channels = 34', 32, {"eeg"}),
        ('name = "amp"\nchannels = ["A1", "A2", "Cz", "C[34]"]', 4, {"eeg"}),
        ('name = "amp"\nchannels = ["EEG*"]\nn_channels = 19', 19, {"eeg"}),
        ('name = "amp"\nch_type = "seeg"\nn_channels = 100\nunit = "0.0488 uV"', 100, {"seeg"}),
        ('fieldtrip = "amp:1972"\nunit = "V"\nn_channels = 8', 8, {"eeg"}),
    ],
)
def test_stream_fits_what_the_session_states(tmp_path, eeg, n_kept, kinds):
    config = session(tmp_path, eeg)
    amplifier = configured_amplifier(config)
    spec = described(amplifier, config)
    assert spec.n_channels == n_kept
    assert set(spec.ch_types) == kinds
    assert set(spec.units) == {config.streams["eeg"].unit or "uV"}
    stream = config.streams["eeg"]
    assert amplifier.spec.name == (stream.name or "simulated listener")
    assert amplifier.spec.sfreq == (stream.sfreq or (1000.0 if kinds == {"seeg"} else 500.0))
    if stream.type:
        assert amplifier.type == stream.type


def test_only_the_amplifier_and_the_decoder_are_replaced(tmp_path):
    config = session(
        tmp_path, 'name = "amp"\ntype = "EEG"\nsource_id = "real"\nhost = "lab"\nbads = ["T7"]',
        'decoder = "old"\ngroup = "others"\nenter = 0.8', '\n[streams.eyes]\nname = "eyes"\n',
    )  # fmt: skip
    changed = rehearsed(config, "simulated")
    place = changed.streams["eeg"].place
    assert (place.name, place.type, place.source_id, place.host) == ("amp", "EEG", "simulated", "")
    assert changed.streams["eeg"].bads == ("T7",)
    assert set(changed.streams) == {"eeg", "speech", "cues"}
    assert (changed.decoder, changed.group) == (None, None)
    assert changed.attention.settings == config.attention.settings
    assert changed.sound == config.sound
    assert changed.streams["speech"] == config.streams["speech"]
    assert changed.folder == config.folder
    assert "rehearsal" in changed.where, "marked channels must not be written into the real file"


def test_an_amplifier_of_another_kind_becomes_an_lsl_stream(tmp_path):
    changed = rehearsed(session(tmp_path, 'fieldtrip = "amp:1972"\nunit = "V"\nn_channels = 8'), "simulated")
    stream = changed.streams["eeg"]
    assert (stream.kind, stream.source_id, stream.unit, stream.n_channels) == ("lsl", "simulated", "V", 8)


@pytest.mark.parametrize(
    ("eeg", "words"),
    [
        (f"{EEG}\nsfreq = 100.0", "session.toml cannot be rehearsed: sfreq is 100 Hz, but must be 125 Hz or more"),
        (f'{EEG}\nch_type = "misc"', "has no electrodes to rehearse with: see its ch_type"),
    ],
)
def test_what_cannot_be_simulated_is_refused(tmp_path, eeg, words):
    from earmark.app.config.protocol import Protocol

    with pytest.raises(ConfigError, match=words), rehearsal(session(tmp_path, eeg), Protocol(), tmp_path / "r", "easy"):
        pass


class Person:
    """Stands in for the process of the simulated listener."""

    def __init__(self):
        self.switched, self.ended = [], False

    def switch(self, fault, on):
        if self.ended:
            raise BrokenPipeError
        self.switched.append((fault, on))


@pytest.fixture
def faults(tmp_path):
    said = []
    amplifier = configured_amplifier(session(tmp_path))
    return Faults(amplifier, Person(), said.append), said


def test_key_switches_its_fault_on_and_off_and_says_so(faults):
    switches, said = faults
    assert switches.press("H")
    assert switches.press("F")
    assert switches.on == ("mains", "flat")
    assert switches.press("H")
    assert switches.on == ("flat",)
    assert switches.person.switched == [(Fault.MAINS, True), (Fault.FLAT, True), (Fault.MAINS, False)]
    place = switches.amplifier.place(Fault.FLAT)
    assert said == ["rehearsal: Mains hum on", f"rehearsal: Flat channel ({place}) on", "rehearsal: Mains hum off"]
    assert not switches.press("m"), "a key of the session"


def test_fault_of_a_listener_that_has_ended_is_refused(faults):
    switches, said = faults
    switches.person.ended = True
    with pytest.raises(Refused, match="the simulated listener has ended"):
        switches.switch("cable", True)
    assert switches.on == ()
    assert switches.press("C"), "a key must not end the command"
    assert said == ["the simulated listener has ended: end this rehearsal, and start another"]


def test_screen_hands_the_keys_of_faults_on(faults):
    switches, said = faults
    rig = SimpleNamespace(task=None, state=None, talkers=("Joe", "Ada"))
    screen = Screen(SimpleNamespace(session=rig, ended=None), None, switches.press)
    screen._press("C")
    assert switches.on == ("cable",)
    assert said == ["rehearsal: Cable out on"]
