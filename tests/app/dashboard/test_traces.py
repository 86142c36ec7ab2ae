import numpy as np
import pytest
from PySide6.QtCore import Qt

from earmark.app.dashboard.data.recent import SPAN_S, Recent
from earmark.app.dashboard.panels.sweep import ERASED, NAMES, Sweep
from earmark.devices.processes.signal_ring import Samples

SFREQ, N = 200.0, 3


@pytest.fixture
def sweep(qtbot, theme):
    one = Sweep()
    qtbot.addWidget(one)
    one.resize(NAMES + 500, 300)
    one.set_band("no filter")
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
    assert sweep._pixels.shape == (200, 300)


def test_events_are_drawn_as_lines(sweep, qtbot):
    feed(sweep, signal(1000))
    sweep.mark(500, "attend:A")
    column = 500 * sweep._pixels.shape[1] // 2000
    assert (sweep._pixels[:, column] == sweep._mark).sum() > 100
    sweep.mark(-5000, "long ago")
    sweep.redraw()
    assert (sweep._pixels[:, column] == sweep._mark).sum() > 50


def test_click_emits_the_channel_and_space_is_emitted(sweep, qtbot):
    from PySide6.QtCore import QPoint

    with qtbot.waitSignal(sweep.clicked) as clicked:
        qtbot.mouseClick(sweep, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    assert clicked.args == ["B"]
    with qtbot.waitSignal(sweep.space):
        qtbot.keyClick(sweep, Qt.Key.Key_Space)


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
