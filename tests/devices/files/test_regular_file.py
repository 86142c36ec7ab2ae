"""Every reader refuses irregular or oversized files with a message, and none blocks."""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from earmark.app.config.protocol import ProtocolError, load_protocol
from earmark.app.config.session import ConfigError, load_config
from earmark.app.engine.events_file import events_file, read_events
from earmark.app.training.study import read_study
from earmark.devices.audio.scene import AudioError
from earmark.devices.audio.sound_file import read_talker
from earmark.devices.files.attended_file import read_attended
from earmark.devices.files.decoder_folder import load_decoder
from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.recording import RecordingError
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.regular_file import open_regular
from earmark.devices.files.session_file import SessionFile
from earmark.devices.files.speech_file import read_speech
from earmark.devices.sources.lsl_description import StreamError, describe_xml
from earmark.pipeline.decoders.decoder import DecoderError
from earmark.pipeline.decoders.presets import EEG

READERS = {
    "x.toml": (load_config, ConfigError),
    "p.toml": (load_protocol, ProtocolError),
    "decoder.toml": (lambda path: load_decoder(path.parent), DecoderError),
    "x.xdf": (SessionFile, OSError),
    "y.xdf": (lambda path: read_study([path], EEG), RunError),
    **{f"x{suffix}": (open_recording, RecordingError) for suffix in (".xdf2", ".edf", ".bdf", ".fif", ".vhdr")},
    "z.xdf": (open_recording, RecordingError),
    "x.npz": (read_speech, RunError),
    "x.wav": (read_speech, RunError),
    "y.wav": (lambda path: read_talker(str(path), AudioError), AudioError),
    "x.csv": (read_attended, RunError),
    "loop.events.jsonl": (lambda path: read_events(path.with_name("loop.xdf")), OSError),
}
READERS.pop("x.xdf2")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize("name", READERS)
def test_irregular_files_are_refused_without_blocking(tmp_path, name, kind):
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif name == "y.xdf":
        pytest.skip("a folder is looked through")
    else:
        path.mkdir()
    read, error = READERS[name]
    with pytest.raises(error) as found:
        read(path)
    words = found.value.strerror if isinstance(found.value, OSError) else str(found.value)
    assert any(word in words for word in ("not a file", "no file")), words


def test_oversized_file_is_refused(tmp_path):
    with (tmp_path / "x").open("wb") as file:
        file.truncate(1001)
    with pytest.raises(OSError, match="1001 bytes, more than the 1000"):
        open_regular(tmp_path / "x", 1000)
    with open_regular(tmp_path / "x", 1001) as file:
        assert file.read(1) == b"\0"


def test_a_sound_of_impossible_rate_or_length_takes_no_memory(tmp_path):
    soundfile.write(tmp_path / "slow.wav", np.zeros(16_000), 7)
    for read, error in ((read_speech, RunError), (lambda p: read_talker(str(p), AudioError), AudioError)):
        with pytest.raises(error, match="7 Hz"):
            read(tmp_path / "slow.wav")


def test_deeply_nested_description_is_refused():
    with pytest.raises(StreamError, match="not that of a stream"):
        describe_xml("<info>" + "<a>\n".join(" " * k for k in range(10_000)) + "</info>")


def test_invalid_events_are_left_out(tmp_path):
    path = events_file(tmp_path / "loop.xdf")
    path.write_bytes(
        b'[1.0, "one"]\n5\n[1]\nnull\n[null, "x"]\n["nan", "x"]\n[[], 1]\n\xff\xfe\n[2, "two"]\n' + b"[" * 9999
    )
    assert read_events(tmp_path / "loop.xdf") == [(1.0, "one"), (2.0, "two")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_command_refuses_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "x.xdf")
    command = [sys.executable, "-m", "earmark.app.cli", "replay", str(tmp_path / "x.xdf")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1
    assert "it is a pipe or a device, not a file" in done.stderr
