import subprocess
import sys

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QSettings, Qt
from PySide6.QtGui import QWheelEvent

from earmark.app.dashboard.data.recent import SPAN_S, Recent
from earmark.app.dashboard.panels import display_filter
from earmark.app.dashboard.panels import traces as traces_module
from earmark.app.dashboard.panels.sweep import ERASED, KEPT_S, LONGEST_S, Sweep
from earmark.app.dashboard.panels.sweep_words import AXIS, NAMES, round_step
from earmark.app.dashboard.panels.traces import Traces
from earmark.app.engine.timeline import Kind
from earmark.devices.processes.signal_ring import Samples

SFREQ, N = 200.0, 3


@pytest.fixture
def sweep(qtbot, theme):
    one = Sweep()
    qtbot.addWidget(one)
    one.resize(NAMES + 500, 300)
    one.set_band("off")
    one.set_signal(SFREQ, tuple("ABC"[:N]))
    one.show()
    qtbot.waitExposed(one)
    return one


def signal(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.standard_normal((n, N)), 0).astype(np.float32)


def feed(sweep, data, start=0, step=17, lost=0):
    for at in range(0, len(data), step):
        sweep.feed(Samples(start + at, data[at : at + step], lost if at == 0 else 0))


def test_incremental_drawing_equals_a_full_redraw(sweep):
    data = signal(3210)
    feed(sweep, data)
    pixels, at = sweep._pixels.copy(), sweep._at
    sweep.redraw()
    assert sweep._at == at
    differs = np.flatnonzero((sweep._pixels != pixels).any(axis=0))
    width = pixels.shape[1]
    # The oldest column was joined to one that has been dropped; it lies in the erased bar or next to it.
    assert set((differs - at) % width) <= set(range(ERASED + 3))
    assert (sweep._pixels != sweep._blank).any(axis=0).sum() > width - ERASED - 5


def test_samples_are_drawn_at_their_time_and_amplitude(sweep):
    sweep.set_scale(50.0)
    data = np.zeros((2000, N), np.float32)
    data[1000, 1] = 40.0  # one sample
    feed(sweep, data)
    height, width = sweep._pixels.shape
    column = 1000 * width // 2000 % width
    lane = height / N
    ink = np.flatnonzero(sweep._pixels[:, column] == sweep._colours[1])
    assert ink[0] == pytest.approx(1.5 * lane - 40 * lane / 100, abs=1.5)
    assert ink[-1] == pytest.approx(1.5 * lane, abs=1.5)
    others = np.flatnonzero(sweep._pixels[:, column + 5] == sweep._colours[1])
    assert len(others) == 1, "a line stays one pixel wide"


def test_only_new_columns_are_drawn(sweep):
    feed(sweep, signal(2000))
    before = sweep._pixels.copy()
    feed(sweep, signal(20, 1), start=2000)
    touched = np.flatnonzero((sweep._pixels != before).any(axis=0))
    assert 0 < len(touched) <= 20 * 500 // 2000 + ERASED + 2


def test_after_a_jump_the_newest_samples_are_drawn_and_the_gap_is_empty(sweep):
    feed(sweep, signal(500))
    feed(sweep, signal(300, 1), start=1100, lost=600)
    width = sweep._pixels.shape[1]
    assert sweep._at == 1400 * width // 2000
    sweep.redraw()
    gap = sweep._pixels[:, 510 * width // 2000 : 1090 * width // 2000]
    assert (gap == sweep._blank).all()
    assert (sweep._pixels[:, 1110 * width // 2000 : 1390 * width // 2000] != sweep._blank).any(axis=0).all()


def test_missing_samples_are_not_drawn(sweep):
    data = signal(2000)
    data[800:1200] = np.nan
    feed(sweep, data)
    width = sweep._pixels.shape[1]
    assert (sweep._pixels[:, 805 * width // 2000 : 1195 * width // 2000] == sweep._blank).all()


def test_frozen_sweep_does_not_change_and_then_shows_the_newest_samples(sweep):
    feed(sweep, signal(900))
    sweep.set_frozen(True)
    before = sweep._pixels.copy()
    feed(sweep, signal(700, 1), start=900)
    np.testing.assert_array_equal(sweep._pixels, before)
    sweep.set_frozen(False)
    assert sweep._at == 1600 * sweep._pixels.shape[1] // 2000


def test_bad_channels_have_their_own_colour_and_pages_show_some_channels(sweep):
    feed(sweep, signal(2000))
    sweep.set_bad(frozenset({"B"}))
    assert sweep._colours[1] not in (sweep._colours[0], sweep._colours[2])
    assert (sweep._pixels == sweep._colours[1]).any()
    sweep.set_shown(slice(1, 2))
    assert len(sweep._colours) == 1
    assert (sweep._pixels == sweep._colours[0]).any()
    sweep.resize(NAMES + 300, 200)
    assert sweep._pixels.shape == (200 - AXIS, 300)


def test_events_are_drawn_as_lines(sweep, qtbot):
    feed(sweep, signal(1000))
    sweep.mark(500, "attend:A")
    column = 500 * sweep._pixels.shape[1] // 2000
    assert (sweep._pixels[:, column] == sweep._marks[Kind.OTHER]).sum() > 100
    sweep.mark(-5000, "long ago")
    sweep.redraw()
    assert (sweep._pixels[:, column] == sweep._marks[Kind.OTHER]).sum() > 50


def test_click_emits_the_channel_and_space_is_emitted(sweep, qtbot):
    with qtbot.waitSignal(sweep.clicked) as clicked:
        qtbot.mouseClick(sweep, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    assert clicked.args == ["B"]
    with qtbot.waitSignal(sweep.space):
        qtbot.keyClick(sweep, Qt.Key.Key_Space)


def hover(sweep, column, lane):
    """Move the mouse to a column of pixels and the middle of a lane; return the words at the cursor."""
    y = round((lane + 0.5) * sweep._lanes / N)
    sweep._mouse = QPointF(NAMES + (column + 0.5) / sweep._image.devicePixelRatio(), y)
    return sweep.cursor_words()


@pytest.mark.parametrize("n", [700, 2000, 3210])
def test_cursor_shows_the_sample_that_is_drawn_under_it(sweep, n):
    data = signal(n)
    feed(sweep, data)
    width = sweep._pixels.shape[1]
    for index in (n - 1, n - 300, max(n - 1700, 0), n // 2 + n // 4):
        column = sweep._columns.column(index) % width
        name, value, unit, age, second = hover(sweep, column, 2).replace("−", "-").split()
        assert (name, unit, second) == ("C", "µV", "s")
        found = round(n + float(age) * SFREQ)
        assert abs(found - index) <= 2000 // width + 1, "within the pixel"
        assert float(value) == pytest.approx(data[found, 2], abs=0.051)
    assert (hover(sweep, width * n // 2000 + 3, 0) == "") == (n < 2000), "nothing was drawn there yet"
    sweep._mouse = QPointF(NAMES - 5, 20)
    assert sweep.cursor_words() == ""
    sweep._mouse = QPointF(NAMES + 20, sweep.height() - 2)
    assert sweep.cursor_words() == "", "the time axis"


def test_frozen_page_ends_with_the_newest_sample_and_scrolls_back_over_what_was_kept(sweep):
    data = signal(round((KEPT_S + 10) * SFREQ))
    feed(sweep, data, step=400)
    sweep.set_frozen(True)
    width = sweep._pixels.shape[1]
    value = hover(sweep, width - 1, 0).replace("−", "-").split()[1]
    assert value == f"{data[sweep._sample_at(sweep._mouse.x()), 0]:+.1f}"
    assert sweep._sample_at(NAMES + width / sweep._image.devicePixelRatio()) == len(data) - 2000 // width
    newest = sweep._pixels.copy()
    feed(sweep, signal(3000, 1), start=len(data), step=400)
    seen = set()
    for _ in range(20):
        first = sweep._origin
        seen.update(range(first, first + 2000))
        sweep.scroll_page(-0.5)
    assert seen == set(range(len(data) - round(KEPT_S * SFREQ), len(data)))
    assert (sweep._pixels != sweep._blank).any(axis=0).all(), "the oldest page is full, too"
    sweep.scroll_page(1000)
    np.testing.assert_array_equal(sweep._pixels, newest)
    sweep.set_seconds(5.0)
    assert sweep._origin + 1000 == len(data), "the right edge stays"
    sweep.set_seconds(10.0)
    sweep.set_frozen(False)
    sweep.scroll_page(-0.5)
    assert sweep._at == (len(data) + 3000) * width // 2000 % width


def test_short_signal_is_frozen_at_the_right_edge_and_does_not_scroll(sweep):
    feed(sweep, signal(900))
    sweep.set_frozen(True)
    before = sweep._pixels.copy()
    sweep.scroll_page(-0.5)
    np.testing.assert_array_equal(sweep._pixels, before)
    width = sweep._pixels.shape[1]
    assert (sweep._pixels[:, : 1090 * width // 2000] == sweep._blank).all()
    assert (sweep._pixels[:, 1110 * width // 2000 :] != sweep._blank).any(axis=0).all()


def test_events_stay_at_their_samples_when_frozen_and_scrolled(sweep):
    feed(sweep, signal(6000), step=200)
    sweep.mark(4500, "attend:A")
    sweep.set_frozen(True)
    width = sweep._pixels.shape[1]
    assert (sweep._pixels[:, 500 * width // 2000] == sweep._marks[Kind.OTHER]).sum() > 50
    sweep.scroll_page(-0.5)
    assert (sweep._pixels[:, 1500 * width // 2000] == sweep._marks[Kind.OTHER]).sum() > 50
    sweep.scroll_page(-1)
    assert not (sweep._pixels == sweep._marks[Kind.OTHER]).any()


def turn(sweep, up=0, along=0, keys=Qt.KeyboardModifier.NoModifier):
    at, phase = QPointF(200, 100), Qt.ScrollPhase.NoScrollPhase
    sweep.wheelEvent(QWheelEvent(at, at, QPoint(), QPoint(along, up), Qt.MouseButton.NoButton, keys, phase, False))


def test_wheel_zooms_changes_the_length_and_scrolls(qtbot, theme):
    traces = Traces()
    qtbot.addWidget(traces)
    sweep = traces.sweep
    sweep.set_signal(SFREQ, tuple("ABC"))
    feed(sweep, signal(6000), step=200)
    before = sweep.scale_uv, sweep.seconds
    turn(sweep, up=120)
    assert sweep.scale_uv < before[0]
    turn(sweep, up=-120, keys=Qt.KeyboardModifier.ControlModifier)
    assert sweep.seconds < before[1]
    traces.freeze.click()
    origin = sweep._origin
    turn(sweep, up=120, keys=Qt.KeyboardModifier.ShiftModifier)
    assert sweep._origin < origin
    turn(sweep, along=-120)
    assert sweep._origin == origin
    qtbot.keyClick(sweep, Qt.Key.Key_Left)
    assert sweep._origin == origin - sweep._n_sweep // 2
    qtbot.keyClick(sweep, Qt.Key.Key_Right)
    assert sweep._origin == origin


def test_display_settings_are_remembered(qtbot, theme, tmp_path):
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    first, second = Traces(), Traces()
    for one in (first, second):
        qtbot.addWidget(one)
    first.zoom(2)
    first.step_length(1)
    first.next_band()
    first.next_page_size()
    first.save(settings)
    second.restore(settings)
    shown = [
        (one.sweep.scale_uv, one.sweep.seconds, one.sweep.band, one._page_size.currentText()) for one in (first, second)
    ]
    assert shown[0] == shown[1]
    assert shown[0] != (50.0, 10.0, "0.5-40", "all ch")
    second.sweep.set_signal(SFREQ, tuple("ABC"))
    feed(second.sweep, 1000 * signal(900))
    second._fit_scale()
    assert second.sweep.scale_uv == first.sweep.scale_uv, "a scale that was chosen is kept"
    settings.setValue("traces/length", "3 fortnights")
    third = Traces()
    qtbot.addWidget(third)
    third.restore(settings)
    assert third.sweep.seconds == 10.0


def test_large_signals_keep_less(qtbot, theme):
    one = Sweep()
    qtbot.addWidget(one)
    one.set_signal(2000.0, tuple(map(str, range(256))))
    assert len(one._history) == round(max(LONGEST_S * 2000, (1 << 26) / 1024))


@pytest.mark.parametrize(("least", "step"), [(0.3, 0.5), (1.0, 1.0), (1.01, 2.0), (4.0, 5.0), (7.0, 10.0), (0.07, 0.1)])
def test_steps_are_round(least, step):
    assert round_step(least) == pytest.approx(step)


def test_recent_samples_are_in_order_without_gaps():
    recent, n = Recent(SFREQ, N), round(SPAN_S * SFREQ)
    data = signal(5 * n)
    for at in range(0, len(data), 33):
        recent.add(Samples(at, data[at : at + 33], 0))
        so_far = data[: at + 33]
        np.testing.assert_array_equal(recent.last(SPAN_S), so_far[-n:])
        np.testing.assert_array_equal(recent.last(0.5), so_far[-100:])
    broken = data[:50].copy()
    broken[20] = np.nan
    recent.add(Samples(0, broken, 0))
    np.testing.assert_array_equal(recent.last(1.0), data[21:50])
    recent.add(Samples(0, data[:30], 5))
    np.testing.assert_array_equal(recent.last(1.0), data[:30])


def test_traces_alone_import_no_status_records():
    """The measurement of the traces imports Qt first, after which pydantic cannot be imported."""
    code = "import PySide6.QtWidgets, sys, earmark.app.dashboard.panels.sweep; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    assert "pydantic" not in done.stdout.split()


def test_every_type_of_channel_has_its_scale_which_is_remembered(qtbot, theme, settings):
    one = Traces()
    qtbot.addWidget(one)
    one.sweep.set_signal(SFREQ, ("VEOG", "Fz", "Cz"), ("eog", "eeg", "eeg"), ("uV", "uV", "uV"))
    one._list_kinds()
    assert one._kind.isVisibleTo(one)
    assert [one._kind.itemText(i) for i in range(one._kind.count())] == ["eeg", "eog"], "the electrodes come first"
    ramp = np.arange(round(2 * SFREQ), dtype=np.float32)[:, None] % 2
    one._fitted = False
    one.sweep.feed(Samples(0, ramp * np.array([400, 20, 20], np.float32), 0))
    one._band.setCurrentText("no filter")
    one.sweep.feed(Samples(0, ramp * np.array([400, 20, 20], np.float32), 0))
    one._fit_scale()
    assert (one.sweep.scale_of("eeg"), one.sweep.scale_of("eog")) == (20.0, 500.0)
    per_uv = one.sweep._per_uv
    assert per_uv[0] * 500 == pytest.approx(per_uv[1] * 20) == pytest.approx(per_uv[2] * 20)
    one._kind.setCurrentText("eog")
    assert one._scale.currentText() == "±500 µV"
    one.zoom(1)
    assert (one.sweep.scale_of("eeg"), one.sweep.scale_of("eog")) == (20.0, 200.0)
    one.save(settings)
    other = Traces()
    qtbot.addWidget(other)
    other.restore(settings)
    other.sweep.set_signal(SFREQ, ("VEOG", "Fz", "Cz"), ("eog", "eeg", "eeg"))
    other._list_kinds()
    assert (other._scale.currentText(), other.sweep.scale_of("eog")) == ("±20 µV", 200.0)
    other.sweep.set_signal(SFREQ, ("Fz", "Cz"))
    other._list_kinds()
    assert not other._kind.isVisibleTo(other)


def test_settings_hold_in_another_language(qtbot, theme, settings, monkeypatch):
    def traces():
        one = Traces()
        qtbot.addWidget(one)
        return one, (one._length, one._scale, one._band, one._page_size)

    one, boxes = traces()
    for box in boxes:
        box.setCurrentIndex(3)
    one.save(settings)
    for module in (traces_module, display_filter):
        monkeypatch.setattr(module, "tr", lambda text, **values: f"in German: {text.format(**values)}")
    other, boxes = traces()
    assert boxes[2].itemText(3) == "in German: no filter"
    other.restore(settings)
    assert [box.currentIndex() for box in boxes] == [3, 3, 3, 3]
    assert (other.sweep.band, other.sweep.seconds, other.sweep.scale_uv) == ("off", 20.0, 10.0)


def test_scales_and_tables_name_the_unit_of_each_channel(qtbot, theme):
    one = Traces()
    qtbot.addWidget(one)
    names, kinds = ("Fz", "skin", "T1", "T2", "box"), ("eeg", "gsr", "temp", "temp", "misc")
    one.sweep.set_signal(SFREQ, names, kinds, ("uV", "V", "°C", "K", ""))
    one._list_kinds()
    scales = {}
    for kind in one.sweep.kinds:
        one._kind.setCurrentText(kind)
        scales[kind] = one._scale.currentText()
    assert scales == {"eeg": "±50 µV", "gsr": "±50 V", "temp": "±50", "misc": "±50"}
    assert one._table()[0] == ["lsl_time_s", "Fz uV", "skin V", "T1 °C", "T2 K", "box"]
    one.sweep.set_signal(SFREQ, ("Fz", "Cz"))
    one._list_kinds()
    assert one._scale.currentText() == "±50 µV"
