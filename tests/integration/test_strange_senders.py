"""Senders with incomplete metadata, which the user overrides: recording and identical replay."""

import contextlib
import threading

import numpy as np
import pylsl
import pytest
from rig import check_tiling, consumed, markers, position, recording, replayed, rows

from earmark.devices.files.recordings import open_recording
from earmark.devices.files.session_file import SessionFile
from earmark.devices.sources.overrides import Overrides
from earmark.pipeline.stream import Block

SFREQ, CHUNK = 250.0, 10

CHAIN = """
[streams.eeg]
source_id = "{source_id}"
{words}
{more}
[[nodes]]
type = "pick"
input = "eeg"
[[nodes]]
type = "reblock"
[[nodes]]
type = "quality"
[[nodes]]
type = "bandpass"
{nodes}
"""


def samples(index, n):
    index, channel = np.asarray(index)[:, None], np.arange(n)[None]
    common = 300 * np.sin(0.06 * index) + 100 * np.sin(0.37 * index) + (index * 7919) % 97
    return np.round(common + (index * 31 + channel * 17) % 13)


@contextlib.contextmanager
def sending(source_id, channels, kind="EEG", nominal=SFREQ, fmt="float32"):
    """Send from a pylsl outlet in a thread; channels are (label, type, unit)."""
    n = len(channels)
    info = pylsl.StreamInfo("stranger", kind, n, nominal, fmt, source_id)
    node = info.desc().append_child("channels")
    for fields in channels:
        channel = node.append_child("channel")
        for key, value in zip(("label", "type", "unit"), fields, strict=True):
            if value is not None:
                channel.append_child_value(key, value)
    outlet, stop = pylsl.StreamOutlet(info), threading.Event()

    def send():
        outlet.wait_for_consumers(30)
        begun, k = pylsl.local_clock(), 0
        while not stop.is_set():
            due = begun + (k + 1) * CHUNK / SFREQ
            stop.wait(max(0.0, due - pylsl.local_clock()))
            data = samples(np.arange(k * CHUNK, (k + 1) * CHUNK), n)
            stamps = due - (CHUNK - 1 - np.arange(CHUNK)) / SFREQ
            outlet.push_chunk(np.ascontiguousarray(data, np.dtype({"float32": "f4", "int16": "i2"}[fmt])), list(stamps))
            k += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def chain(source_id, words, more="", nodes=""):
    return CHAIN.format(source_id=source_id, words=words, more=more, nodes=nodes)


def test_stream_without_rate_types_and_units_is_used_as_configured(source_id, tmp_path):
    """Like a Cyton over Bluetooth: no rate, no types, raw counts, three channels that are not electrodes."""
    words = 'unit = "0.5 uV"\nch_type = "eeg"\nchannels = ["E*"]\nbads = ["E2"]\nsfreq = 250.0'
    channels = [(f"E{i}", "ExG", None) for i in range(6)] + [(f"A{i}", "ExG", None) for i in range(3)]
    with (
        sending(source_id, channels, "ExG", nominal=0.0, fmt="int16"),
        recording(chain(source_id, words), tmp_path) as rig,
    ):
        rig.run(4)
    description = SessionFile(rig.path).streams["eeg"]
    assert description.spec.ch_names == tuple(f"E{i}" for i in range(6))
    assert (description.spec.sfreq, description.sent.sfreq, description.sent.n_channels) == (250.0, 0.0, 9)
    blocks, gaps = check_tiling(consumed(rig.path))
    assert not gaps
    got = rows(blocks)
    assert len(got) > 2 * SFREQ
    good, sent = np.delete(got, 2, axis=1), np.delete(samples(range(200_000), 6), 2, axis=1)
    first = position(good, sent)
    np.testing.assert_array_equal(good, sent[first : first + len(good)])
    assert np.isnan(got[:, 2]).all()
    outputs = replayed(rig.path)
    last = [item for item in outputs["bandpass"] if isinstance(item, Block)][-1]
    assert last.bad.tolist() == [i == 2 for i in range(6)], "only E2 is bad"
    assert "E2" in next(e for e in rig.events if e.startswith("masked channels"))
    # The recording keeps the user's overrides when it is played or imported.
    again = open_recording(rig.path)
    assert again.spec.evolve(name="") == description.spec.evolve(name="", units=("uV",) * 6)
    np.testing.assert_allclose(np.delete(again.read(0, 100), 2, axis=1), np.delete(got[:100], 2, axis=1) * 0.5)
    assert np.isnan(again.read(0, 100)[:, 2]).all()
    other = open_recording(rig.path, overrides=Overrides(unit="2 uV", bads=("E0",)))
    np.testing.assert_allclose(other.read(0, 100)[:, 1], got[:100, 1] * 2.0)
    # The file contains the received samples unchanged.
    import pyxdf

    (raw,) = [s for s in pyxdf.load_xdf(str(rig.path))[0] if s["info"]["name"][0] == "stranger"]
    assert raw["time_series"].shape[1] == 9
    np.testing.assert_array_equal(raw["time_series"][:, :6], samples(np.arange(first, first + len(got)), 6))


@pytest.mark.parametrize(("unit", "configured"), [("none", "uV"), ("unknown", "mV"), ("n/a", "0.0488 uV")])
def test_invalid_unit_is_replaced_by_the_configured_one(source_id, tmp_path, unit, configured):
    with (
        sending(source_id, [(f"E{i}", "EEG", unit) for i in range(4)]),
        recording(chain(source_id, f'unit = "{configured}"'), tmp_path) as rig,
    ):
        rig.run(1)
    assert SessionFile(rig.path).streams["eeg"].spec.units == (configured,) * 4
    replayed(rig.path)


MARKED = """
[streams.markers]
source_id = "{source_id}-m"
"""
EPOCHS = """
[[nodes]]
type = "epochs"
inputs = ["bandpass", "markers"]
tmin = -0.1
tmax = 0.2
events = ["{event}"]
"""


@pytest.mark.parametrize(
    ("fmt", "nominal", "sample", "text"),
    [
        ("int32", 0.0, [1234567], "1234567"),
        ("int64", 0.0, [2**53 + 1], "9007199254740993"),
        ("double64", 0.0, [1234567.5], "1234567.5"),
        ("string", 1000.0, ["ev", "7"], "ev 7"),
    ],
)
def test_markers_keep_their_values_and_select_epochs(source_id, tmp_path, fmt, nominal, sample, text):
    info = pylsl.StreamInfo("marks", "Markers", len(sample), nominal, fmt, f"{source_id}-m")
    outlet = pylsl.StreamOutlet(info)
    config = chain(source_id, "", MARKED.format(source_id=source_id), EPOCHS.format(event=text))
    with sending(source_id, [(f"E{i}", "EEG", "uV") for i in range(4)]), recording(config, tmp_path) as rig:
        assert outlet.wait_for_consumers(10)
        rig.run(1.5)
        for _ in range(3):
            outlet.push_sample(sample)
            rig.run(0.5)
    assert [marker.value for marker in markers(consumed(rig.path, "markers"))] == [text] * 3
    epochs = replayed(rig.path)["epochs"]
    assert [epoch.marker.value for epoch in epochs if epoch.data is not None] == [text] * 3
