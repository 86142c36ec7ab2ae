"""Recordings of other programs in a real window."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import edfio
import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QWidget

from earmark.app.dashboard.data.recording_copy import RecordingCopy, streams_of
from earmark.app.dashboard.frame.recording_window import RecordingWindow
from earmark.app.dashboard.panels.export import ExportButton
from earmark.devices.files import xdf
from earmark.devices.sources.lsl_description import make_info
from earmark.pipeline.stream import StreamSpec

SFREQ, N = 100.0, 6000
NAMES = ("Fz", "Cz", "Pz", "VEOG")


def description(spec, kind, fmt="float32"):
    return make_info(spec, kind, f"id of {spec.name}", fmt).as_xml()


def signal():
    """A minute in which each channel rises by 1 µV per sample, from its own offset."""
    return (np.arange(N)[:, None] + 1000.0 * np.arange(len(NAMES))).astype(np.float32)


def record(path, amplifiers=("amplifier",), gap_s=10.0):
    """Write an XDF file as LabRecorder would: streams of EEG with a gap in the middle, and markers."""
    parts = [xdf.MAGIC + xdf.chunk(xdf.FILE_HEADER, b"<info><version>1.0</version></info>")]
    stamps = 1000.0 + np.arange(N) / SFREQ
    stamps[N // 2 :] += gap_s
    for number, name in enumerate(amplifiers, 1):
        kinds = ("eeg",) * 3 + ("eog",)
        spec = StreamSpec(name, SFREQ, NAMES, kinds, ("uV",) * 4)
        parts.append(xdf.stream_header(number, description(spec, "EEG")))
        parts += [xdf.samples(number, stamps[k : k + 100], signal()[k : k + 100]) for k in range(0, N, 100)]
        parts.append(xdf.stream_footer(number, stamps[0], stamps[-1], N))
    n = len(amplifiers) + 1
    parts.append(
        xdf.stream_header(n, description(StreamSpec("cues", 0.0, ("cue",), ("misc",), ("",)), "Markers", "string"))
    )
    parts += [xdf.text_sample(n, stamps[0] + at, [f"cue {at}"]) for at in (5, 25, 45)]
    path.write_bytes(b"".join(parts))
    return path


@pytest.fixture
def window(qtbot, theme, settings):
    parent = QWidget()
    qtbot.addWidget(parent)

    def open_window(path):
        one = RecordingWindow(path, settings, parent)
        one.show()
        qtbot.waitExposed(one)
        qtbot.waitUntil(lambda: one._job is None, timeout=240_000)
        return one

    yield open_window
    for one in parent.findChildren(RecordingWindow):
        one.close()


def test_recording_is_copied_with_gaps_and_markers(tmp_path):
    path, target = record(tmp_path / "session.xdf"), tmp_path / "copy"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "earmark.app.dashboard.data.recording_copy", str(path), "", str(target)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["error"] == ""
    assert [(one["name"], one["type"], one["n_channels"], one["sfreq"]) for one in found["streams"]] == [
        ("amplifier", "EEG", 4, SFREQ), ("cues", "Markers", 1, 0.0),
    ]  # fmt: skip
    copy = RecordingCopy(found, target)
    assert (copy.sfreq, copy.ch_names, copy.ch_types[3], copy.units[0]) == (SFREQ, NAMES, "eog", "uV")
    assert copy.n_frames == pytest.approx(N + 1000, abs=2)
    assert copy.markers == [(500, "cue 5"), (2500, "cue 25"), (4500, "cue 45")]
    np.testing.assert_array_equal(copy.page(0, N // 2), signal()[: N // 2])
    assert np.isnan(copy.page(N // 2 + 2, N // 2 + 998)).all()
    page = copy.page(5000, 5100)
    np.testing.assert_allclose(page, signal()[4000:4100], atol=2.1)
    assert np.isnan(copy.page(copy.n_frames, copy.n_frames + 10)).all()


def test_recording_is_shown_with_its_streams_and_markers(qtbot, window, tmp_path):
    shown = window(record(tmp_path / "session.xdf"))
    sweep = shown.sweep
    first, gap = shown.words.text().splitlines()
    assert first == f"{tmp_path / 'session.xdf'}: 1:10 min, 4 channels at 100 Hz, 3 markers"
    assert gap == "session.xdf: 1000 samples are missing in 1 gap, 14 %"
    assert sweep.ch_names == NAMES
    assert [shown.streams.item(row, 0).text() for row in range(2)] == ["amplifier", "cues"]
    assert [shown.markers.item(row).text() for row in range(3)] == ["0:05  cue 5", "0:25  cue 25", "0:45  cue 45"]
    assert not shown.traces.freeze.isVisible()
    shown.traces._band.setCurrentText("no filter")

    def value(at_s, channel="Cz"):
        """Value at a time, read by the cursor."""
        x = 66 + (sweep.width() - 66) * (at_s - sweep._origin / SFREQ) / sweep.seconds
        sweep._mouse = QPointF(x, (NAMES.index(channel) + 0.5) * sweep._lanes / len(NAMES))
        return sweep.cursor_words()

    assert value(5.0).startswith("Cz  +15")
    assert value(5.0).endswith("5.00 s") or value(5.0).endswith("4.99 s")
    qtbot.keyClick(sweep, Qt.Key.Key_PageDown)
    assert sweep._origin == 1000
    assert value(15.0).startswith("Cz  +25")
    qtbot.keyClick(sweep, Qt.Key.Key_End)
    assert sweep._origin == pytest.approx(6000, abs=2)
    assert shown.bar.value() == pytest.approx(600, abs=1)
    shown.bar.setValue(310)
    assert sweep._origin == 3100
    assert value(35.0) == "Cz  no sample", "the gap"
    shown.markers.setCurrentRow(2)
    assert sweep._origin == 4250
    shown.traces._length.setCurrentText("20 s")
    assert sweep.seconds == 20.0
    qtbot.keyClick(sweep, Qt.Key.Key_Home)
    assert (sweep._origin, shown.bar.value()) == (0, 0)
    folder = Path(shown._folder.name)
    assert folder.exists()
    shown.close()
    assert not folder.exists()


def test_page_of_a_recording_is_saved_with_its_times(window, tmp_path):
    shown = window(record(tmp_path / "session.xdf", gap_s=0.0))
    shown.traces._band.setCurrentText("no filter")
    shown.sweep.go(20.0)
    shown.sweep.findChild(ExportButton).save(tmp_path / "page.csv")
    with (tmp_path / "page.csv").open(newline="", encoding="utf-8") as file:
        heads, *rows = csv.reader(file)
    assert heads == ["time_s", *(f"{name} uV" for name in NAMES)]
    found = np.array(rows, float)
    np.testing.assert_allclose(found[:, 0], 20.0 + np.arange(1000) / SFREQ)
    np.testing.assert_array_equal(found[:, 1:], signal()[2000:3000])


def test_one_of_several_streams_is_chosen(qtbot, window, tmp_path):
    shown = window(record(tmp_path / "two.xdf", ("left", "right"), gap_s=0.0))
    assert "2 streams could be meant" in shown.words.text()
    assert shown.words.text().endswith("Double-click a stream to show it")
    assert shown.sweep.ch_names == ()
    for row in (1, 0, 1):
        shown.streams.itemDoubleClicked.emit(shown.streams.item(row, 0))
        qtbot.waitUntil(lambda: shown._job is None, timeout=240_000)
        assert shown.sweep.ch_names == NAMES
        assert len(list(Path(shown._folder.name).iterdir())) == 1, "earlier copies are removed"
    assert np.isfinite(shown.sweep.recording.page(0, 100)).all()


@pytest.mark.parametrize(("name", "file", "signal_of"), [
    ("Sleep.EDF", edfio.Edf, edfio.EdfSignal), ("sleep.bdf", edfio.Bdf, edfio.BdfSignal),
])  # fmt: skip
def test_rate_of_an_edf_recording_is_chosen_like_a_stream(qtbot, window, tmp_path, name, file, signal_of):
    heights, physical = np.arange(10.0), (-100.0, 100.0)
    signals = [
        signal_of(np.resize(heights, 10 * sfreq), sfreq, label=label, physical_dimension="uV", physical_range=physical)
        for label, sfreq in (("EEG Fp1", 256), ("EEG Fp2", 256), ("EEG C3", 128), ("Resp", 16))
    ]
    file(signals).write(tmp_path / name)
    shown = window(tmp_path / name)
    assert "electrodes have several sampling rates" in shown.words.text()
    assert "--stream" not in shown.words.text()
    assert shown.words.text().endswith("Double-click a stream to show it")
    rows = [[shown.streams.item(row, k).text() for k in range(4)] for row in range(shown.streams.rowCount())]
    assert [row[0] for row in rows] == ["Fp1, Fp2", "C3", "Resp"]
    assert [row[2:] for row in rows] == [["2", "256"], ["1", "128"], ["1", "16"]]
    shown.streams.itemDoubleClicked.emit(shown.streams.item(1, 0))
    qtbot.waitUntil(lambda: shown._job is None, timeout=240_000)
    assert (shown.sweep.ch_names, shown.sweep.recording.sfreq) == (("C3",), 128.0)


def test_filter_has_settled_where_a_page_begins(window, tmp_path):
    shown = window(record(tmp_path / "ramp.xdf", gap_s=0.0))
    shown.traces._band.setCurrentText("0.5–40 Hz")
    shown.sweep.go(0.0)
    whole = shown.sweep._kept.copy()  # the first page, from its first sample on
    shown.sweep.go(5.0)
    page = np.roll(shown.sweep._kept, -(500 % 1000), axis=0)
    np.testing.assert_allclose(page[:500], whole[500:], atol=5.0)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.xdf", b"this is no recording", "not an XDF file"),
        ("empty.xdf", b"", "not an XDF file"),
        ("header.xdf", xdf.MAGIC + b"\x01\x05", "no stream"),
        ("damaged.xdf", xdf.MAGIC + xdf.stream_header(1, "<info>"), "damaged"),
        ("huge.xdf", xdf.MAGIC + b"\x08" + (1 << 60).to_bytes(8, "little") + b"\x03\x00", ""),
        ("damaged.edf", b"0" + b" " * 300, "is damaged"),
        ("photo.png", b"\x89PNG", "its suffix is not one of"),
    ],
)
def test_file_that_is_no_recording_is_explained(window, tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    shown = window(path)
    assert name in shown.words.text()
    assert words in shown.words.text()
    assert "Traceback" not in shown.words.text()
    assert shown.sweep.ch_names == ()


def test_missing_file_is_explained(window, tmp_path):
    assert "no such file" in window(tmp_path / "gone.xdf").words.text()


def test_streams_of_files_without_streams_are_none(tmp_path):
    (tmp_path / "a.xdf").write_bytes(b"XDF:")
    (tmp_path / "b.fif").write_bytes(b"")
    assert not list(streams_of(tmp_path / "a.xdf"))
    assert not list(streams_of(tmp_path / "b.fif"))
