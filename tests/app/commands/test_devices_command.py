"""The list of sound devices, with any answer of PortAudio."""

import json
import re

import pytest
import sound_servers
import typer
from typer.testing import CliRunner

from earmark.app.commands import sound_devices as module
from earmark.app.commands.sound_devices import LIST, MEASURE, devices
from earmark.app.doctor.check import ProbeError, probe
from earmark.app.terminal.exit_status import ExitStatus

CARD = {
    "kind": "output",
    "index": 3,
    "name": "Card\x1b[31m",
    "api": "ALSA",
    "channels": 2,
    "rate": 44_100.0,
    "latency_ms": 8.7,
    "is_default": True,
    "of_api": True,
    "rates": [44_100, 96_000],
}
MICROPHONE = {**CARD, "kind": "input", "index": 4, "name": "Mike", "channels": 1, "is_default": False, "rates": []}
OTHER = {**CARD, "index": 5, "name": "Other", "is_default": False, "of_api": False}
FOUND = {
    "rate": 44_100.0,
    "block_ms": 5.8,
    "reported_ms": 10.7,
    "dac_ms": 21.3,
    "dac_p99_ms": 22.5,
    "step_ms": 5.8,
    "step_p99_ms": 6.9,
    "step_max_ms": 9.1,
    "part": 0.98,
}


@pytest.fixture
def listing(monkeypatch):
    """Runs the command with made-up devices and measurements."""

    def run(found, *arguments, measured=FOUND):
        asked = []

        def answer(code, *words, timeout):
            asked.append(words)
            given = found if code == LIST else measured
            if isinstance(given, Exception):
                raise given
            return {"portaudio": "PortAudio V19.7", "found": given} if code == LIST else given

        monkeypatch.setattr(module, "probe", answer)
        monkeypatch.setattr(module.console, "width", 200, raising=False)
        command = typer.Typer()
        command.command()(devices)
        return CliRunner().invoke(command, arguments), asked

    return run


def rows(output):
    return [" ".join(line.split()) for line in output.splitlines()]


def test_devices_are_listed_outputs_first(listing):
    result, asked = listing([MICROPHONE, CARD])
    assert result.exit_code == 0
    assert asked == [("44100", "48000", "96000")]
    lines = rows(result.output)
    assert any(r"output * 3 Card\x1b[31m ALSA 2 44100 Hz 44100, 96000 8.7 ms" in line for line in lines), lines
    assert any("input 4 Mike ALSA 1 44100 Hz none of them 8.7 ms" in line for line in lines), lines
    assert "PortAudio V19.7" in result.output
    assert result.output.index("Card") < result.output.index("Mike"), "outputs first"


def test_devices_as_json_are_alone_on_standard_output(listing):
    result, _ = listing([MICROPHONE, CARD], "--json", "-")
    assert json.loads(result.stdout) == [MICROPHONE, CARD]
    assert "Card" in result.stderr


def test_default_output_of_each_api_is_measured(listing):
    result, asked = listing([CARD, MICROPHONE, OTHER], "--measure")
    assert result.exit_code == 0
    assert asked[1:] == [("3", "2.0")]
    assert any("44100 21.3 / 22.5 10.7 5.8 5.8 / 6.9 / 9.1 98 %" in line for line in rows(result.output)), result.output


@pytest.mark.parametrize(
    ("measured", "words"),
    [({"problem": "Device unavailable"}, "Device unavailable"), (ProbeError("no answer within 15 s"), "it is stuck")],
)
def test_device_that_cannot_be_measured_is_reported(listing, measured, words):
    result, _ = listing([CARD], "--measure", measured=measured)
    assert result.exit_code == 0
    assert words in " ".join(rows(result.output))


@pytest.mark.parametrize(
    ("found", "words", "status"),
    [
        ([], "there is no sound output: connect a sound card, or start the sound server", ExitStatus.NO_MATCH),
        ([MICROPHONE], "no sound output: connect", ExitStatus.NO_MATCH),
        ([{**CARD, "channels": 1}], "no sound output with two channels", ExitStatus.NO_MATCH),
        (ProbeError("ended with code 1: OSError: PortAudio library not found"), "apt-get install libportaudio2", 1),
        (
            ProbeError("ended with code 1: No module named 'sounddevice'"),
            "pip install sounddevice",
            1,
        ),
        (ProbeError("ended with code -11: no message"), "code -11.*a driver or sound server is stuck.*Restart", 1),
        (ProbeError("no answer within 30 s"), "no answer within 30 s.*Restart the sound server", 1),
    ],
)
def test_without_an_output_the_message_names_the_fix(listing, found, words, status):
    result, _ = listing(found)
    assert result.exit_code == status
    assert re.search(words, result.stderr), result.stderr
    if isinstance(found, list) and not found:
        assert "earmark play --device null" in result.stderr
        assert "index" not in result.output, "no empty table"


def test_measuring_a_missing_device_reports_a_problem():
    pytest.importorskip("sounddevice", exc_type=(ImportError, OSError), reason="PortAudio is not installed")
    assert probe(MEASURE, "999", "0.1", timeout=600)["problem"]


def test_devices_of_a_sound_server_are_listed_and_measured(tmp_path, monkeypatch):
    with sound_servers.jack(tmp_path, monkeypatch):
        answer = probe(LIST, "44100", "48000", timeout=600)
        outputs = [each for each in answer["found"] if each["kind"] == "output" and "JACK" in each["api"]]
        assert json.loads(json.dumps(outputs))
        assert outputs[0]["channels"] == 2
        assert outputs[0]["rates"] == [48_000]
        assert outputs[0]["of_api"]
        measured = probe(MEASURE, str(outputs[0]["index"]), "1.0", timeout=600)
        assert "problem" not in measured, measured
        assert measured["block_ms"] == pytest.approx(1e3 * 256 / 48_000)
        assert measured["dac_ms"] > 5
        assert measured["step_ms"] <= measured["step_p99_ms"] <= measured["step_max_ms"]
        assert 0.5 < measured["part"] < 1.5
