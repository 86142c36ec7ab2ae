"""Streams of other programs' senders are found, described, recorded and replayed correctly."""

import contextlib
import importlib.util
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pylsl
import pytest
from foreign_senders import AMPLITUDE_UV, CODE, EPOC, MUSE, SENDERS, TEXT, WAVE_HZ
from pylsl.lib import fmt2string
from rig import ENV, check_tiling, consumed, markers, recording, replayed

from earmark.app.config.session import parse_config
from earmark.app.engine.engine import Engine
from earmark.devices.files.recordings import open_recording
from earmark.devices.sources.lsl_description import StreamError
from earmark.pipeline.stream import ELECTRODES, Block, WiringError

SECONDS = 4.0

SESSION = """
[streams.eeg]
{which}
{said}
{more}
[[nodes]]
type = "pick"
input = "eeg"
[[nodes]]
type = "reblock"
"""
MARKERS = """
[streams.words]
name = "words {tag}"
[streams.codes]
name = "codes {tag}"
"""


@contextlib.contextmanager
def foreign(which, tag):
    """Run a sender process; kill it and its children at the end."""
    command = [sys.executable, str(Path(__file__).with_name("foreign_senders.py")), which, tag]
    silent = subprocess.DEVNULL
    process = subprocess.Popen(command, env=ENV, stdout=silent, stderr=silent, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def named(name, tag):
    return f'name = "{name} {tag}"'


#: For each sender: its name, the required settings, and names and type of the resulting electrodes.
CASES = {
    "muse-lsl": ("Muse", "", MUSE, "eeg"),
    "bluemuse": ("Muse-7C8A (00:55:da:b7:7c:8a)", 'channels = ["!Right AUX"]', MUSE[:4], "eeg"),
    "biosemi": ("BioSemi", "", tuple(f"A{k + 1}" for k in range(32)), "eeg"),
    "openbci": ("obci_eeg1", 'unit = "uV"', tuple(f"EEG{k + 1}" for k in range(8)), "eeg"),
    "actichamp": ("actiCHamp-20110416", "", ("Fp1", "Fz", "F3", "F7", "Cz", "Pz"), "eeg"),
    "brainamp-raw": ("BrainAmpSeries-0", "", ("1", "2", "3", "4"), "eeg"),
    "emotiv": ("Emotiv", f"channels = {list(EPOC)}", EPOC, "eeg"),
    "explorepy": ("Explore_8441_ExG", 'ch_type = "eeg"', tuple(f"ch{k + 1}" for k in range(8)), "eeg"),
    "send-data": ("BioSemi", 'unit = "uV"', tuple(f"EEG{k + 1}" for k in range(8)), "eeg"),
    "send-data-advanced": ("LSLExampleAmp", "", ("Fp1", "Fp2", "C3"), "eeg"),
}


def test_every_sender_is_tested():
    assert set(CASES) == set(SENDERS)


def check(rig, names, kinds, sfreq):
    """Assert that received channels, unit, rate and values equal the sent ones."""
    spec = rig.engine.graph.specs["pick"]
    assert spec.ch_names == tuple(names)
    assert spec.ch_types == tuple(kinds)
    assert set(rig.engine.graph.specs["reblock"].units) == {"uV"}
    assert spec.sfreq == sfreq
    status = rig.engine.streams["eeg"]
    assert status.n_samples > 0.5 * SECONDS * sfreq
    assert not status.other_clock
    check_tiling(consumed(rig.path))
    blocks = [item for item in replayed(rig.path)["reblock"] if isinstance(item, Block)]
    values = np.concatenate([block.data for block in blocks])
    assert not any(block.bad is not None and block.bad.any() for block in blocks)
    np.testing.assert_allclose(abs(values).max(axis=0), AMPLITUDE_UV, rtol=0.05)
    np.testing.assert_allclose(np.sqrt((values**2).mean(axis=0)), AMPLITUDE_UV / np.sqrt(2), rtol=0.1)


@pytest.mark.parametrize("which", CASES)
def test_foreign_sender_is_recorded_correctly(which, source_id, tmp_path):
    name, said, names, kind = CASES[which]
    text = SESSION.format(which=named(name, source_id), said=said, more=MARKERS.format(tag=source_id))
    with foreign(which, source_id), recording(text, tmp_path) as rig:
        rig.run(SECONDS)
    sfreq = rig.engine.descriptions["eeg"].spec.sfreq
    check(rig, names, [kind] * len(names), sfreq)
    assert {marker.value for marker in markers(consumed(rig.path, "words"))} == {TEXT}
    assert {marker.value for marker in markers(consumed(rig.path, "codes"))} == {str(CODE)}
    described = rig.engine.descriptions["eeg"]
    again = open_recording(rig.path, described.sent.name)
    used = described.spec
    assert (again.spec.ch_names, again.spec.ch_types) == (used.ch_names, used.ch_types), "as configured"
    electrodes = [unit for unit, kind in zip(again.spec.units, again.spec.ch_types, strict=True) if kind == "eeg"]
    assert set(electrodes) == {"uV"}


@pytest.mark.parametrize(
    ("which", "name", "words"),
    [
        ("openbci", "obci_eeg1", "give 'unit'"),
        ("send-data", "BioSemi", "give 'unit'"),
        ("explorepy", "Explore_8441_ExG", "give 'ch_type'"),
    ],
)
def test_missing_metadata_of_a_sender_is_an_error_at_connect(which, name, words, source_id, tmp_path):
    text = SESSION.format(which=named(name, source_id), said="", more="") + "\n[engine]\nresolve_s = 120\n"
    with foreign(which, source_id):
        engine = Engine(parse_config(text, "test", tmp_path))
        with pytest.raises((StreamError, WiringError), match=words):
            engine.connect()


@pytest.mark.skipif(importlib.util.find_spec("mne_lsl") is None, reason="MNE-LSL is not installed")
def test_mne_lsl_player_with_annotations(source_id, tmp_path):
    more = f'[streams.marks]\nname = "player {source_id}-annotations"'
    text = SESSION.format(which=named("player", source_id), said="", more=more)
    with foreign("mne-lsl", source_id), recording(text, tmp_path) as rig:
        rig.run(SECONDS)
    check(rig, ("Fz", "Cz", "Pz", "EOG"), ["eeg"] * 3 + ["eog"], 250.0)
    assert {marker.value for marker in markers(consumed(rig.path, "marks"))} == {"left", "right"}


def test_mne_realtime_mock_stream(source_id, tmp_path):
    text = SESSION.format(which=f'source_id = "mock-{source_id}"', said="", more="")
    with foreign("mne-realtime", source_id), recording(text, tmp_path) as rig:
        rig.run(SECONDS)
    check(rig, ("Fz", "Cz", "Pz"), ["eeg"] * 3, 250.0)


def vlen(n):
    return struct.pack("<BB", 1, n) if n < 256 else struct.pack("<BI", 4, n)


def chunk(tag, content):
    return vlen(len(content) + 2) + struct.pack("<H", tag) + content


def labrecorder(path, streams):
    """Write streams of (description, stamps, samples) with the chunk order and format of LabRecorder."""
    out = [b"XDF:", chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')]
    out += [chunk(2, struct.pack("<I", i) + info.as_xml().encode()) for i, (info, _, _) in enumerate(streams, 1)]
    offset, boundary = 0.0, bytes.fromhex("43A546DCCBF5410FB30ED5467383CBE4")
    for i, (info, stamps, rows) in enumerate(streams, 1):
        step = max(1, int(info.nominal_srate() / 2))
        for a in range(0, len(stamps), step):
            body = [struct.pack("<I", i), vlen(len(stamps[a : a + step]))]
            for k, (stamp, row) in enumerate(zip(stamps[a : a + step], rows[a : a + step], strict=True)):
                deduced = k and info.nominal_srate()  # only the first sample of a pushed chunk has a stamp
                body.append(b"\0" if deduced else struct.pack("<Bd", 8, stamp))
                body += [vlen(len(v)) + v for v in row] if isinstance(row, list) else [row.tobytes()]
            out.append(chunk(3, b"".join(body)))
        out += [chunk(4, struct.pack("<Idd", i, stamps[0] + 5 * k, offset)) for k in range(3)]
        out.append(chunk(5, boundary))
    for i, (_, stamps, _) in enumerate(streams, 1):
        ends = f"<first_timestamp>{stamps[0]}</first_timestamp><last_timestamp>{stamps[-1]}</last_timestamp>"
        footer = f'<?xml version="1.0"?><info>{ends}<sample_count>{len(stamps)}</sample_count></info>'
        out.append(chunk(6, struct.pack("<I", i) + footer.encode()))
    path.write_bytes(b"".join(out))


@pytest.mark.parametrize("which", CASES)
def test_labrecorder_file_of_a_foreign_sender_is_read_correctly(which, tmp_path):
    make, _, step = SENDERS[which]
    name, said, names, _ = CASES[which]
    info = make("x")
    sfreq, n, begun, seconds = info.nominal_srate(), info.channel_count(), 5000.0, 10
    k = np.arange(round(seconds * sfreq))
    wave = np.repeat(AMPLITUDE_UV / step * np.sin(2 * np.pi * WAVE_HZ * k / sfreq)[:, None], n, axis=1)
    dtype = {"float32": "<f4", "double64": "<f8", "int16": "<i2"}[fmt2string[info.channel_format()]]
    at = begun + np.arange(1, seconds)
    words = pylsl.StreamInfo("words", "Markers", 1, 0, "string", "words")
    codes = pylsl.StreamInfo("codes", "Markers", 1, 0, "int32", "codes")
    labrecorder(
        tmp_path / "sub-1.xdf",
        [
            (info, begun + k / sfreq, np.round(wave).astype(dtype) if dtype == "<i2" else wave.astype(dtype)),
            (words, at, [[TEXT.encode()]] * len(at)),
            (codes, at, np.full((len(at), 1), CODE, "<i4")),
        ],
    )
    said = parse_config(SESSION.format(which=named(name, "x"), said=said, more=""), "test").streams["eeg"].overrides
    read = open_recording(tmp_path / "sub-1.xdf", overrides=said)
    rows = [i for i, kind in enumerate(read.spec.ch_types) if kind in ELECTRODES]
    assert read.spec.sfreq == sfreq
    assert tuple(read.spec.ch_names[i] for i in rows) == tuple(names)
    assert {read.spec.units[i] for i in rows} == {"uV"}
    assert read.n_samples == len(k)
    np.testing.assert_allclose(abs(read.read(0, len(k))[:, rows]).max(axis=0), AMPLITUDE_UV, rtol=0.05)
    assert [text for _, text in read.annotations].count(TEXT) == len(at)
    assert [text for _, text in read.annotations].count(str(CODE)) == len(at)
