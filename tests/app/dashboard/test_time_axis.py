"""Events, intervals and the cursor on everything with a time axis, the list of events, markers, and saved plots."""

import csv
import math

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPushButton

from earmark.app.dashboard.data.history import SPAN_S
from earmark.app.dashboard.frame.format import clock_tenths
from earmark.app.dashboard.panels.export import ExportButton
from earmark.app.dashboard.panels.sweep_words import EDGE, NAMES
from earmark.app.engine.timeline import Kind
from earmark.app.looks import event_colour

UNTIL = 120_000


@pytest.fixture
def live(qtbot, session, window):
    """Return a window on a session, when its plots have content."""
    one = session()
    shown = window(one.folder)
    shown.resize(1500, 900)
    qtbot.waitUntil(lambda: bool(shown.live.traces.sweep.ch_names), timeout=UNTIL)
    qtbot.waitUntil(lambda: len(shown.history.decisions) > 4 and len(shown.history.p99) > 2, timeout=UNTIL)
    return one, shown


def plot_of(shown, key="attention"):
    return next(panel for panel in shown.live.panels if panel.key == key)._plot


def colours(widget, x, top, bottom):
    """Return the colours of a column of pixels of a widget."""
    image = widget.grab().toImage()
    ratio = image.devicePixelRatio()
    return {image.pixelColor(round(x * ratio), round(y * ratio)).name() for y in range(round(top), round(bottom))}


def area_of(plot):
    return plot.getPlotItem().getViewBox().sceneBoundingRect()


def place(plot, time):
    """Return the horizontal position of a time in a live plot."""
    area = area_of(plot)
    return area.right() + (time - plot.zero) / SPAN_S * area.width()


def notes(one):
    return [arguments["text"] for command, arguments in one.received if command == "note"]


def hover(widget, at):
    event = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(at), QPointF(widget.mapToGlobal(at)), Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    widget.mouseMoveEvent(event)


def test_marker_key_is_recorded_and_drawn_everywhere(qtbot, live, theme):
    one, shown = live
    shown.live.traces.sweep.setFocus()
    qtbot.keyClick(shown, Qt.Key.Key_1)
    words = "note: movement"
    qtbot.waitUntil(lambda: any(event.text == words for event in shown.events.events), timeout=UNTIL)
    assert notes(one) == ["movement"]
    mark = next(mark for mark in shown.history.timeline.marks if mark.words == words)
    sweep = shown.live.traces.sweep
    drawn = next(mark for mark in sweep.timeline.marks if mark.words == words)
    assert shown.live.traces._time(drawn.time) == pytest.approx(mark.time, abs=0.3)
    blue = event_colour(theme.LIGHT, Kind.NOTE)
    qtbot.waitUntil(lambda: (sweep._pixels == QColor(blue).rgb()).sum() > 50, timeout=UNTIL)
    shown.timer.stop()
    for key in ("attention", "evidence"):
        shown.live.docks[key].raise_()
        qtbot.wait(50)
        for panel in shown.live.panels:
            panel.refresh(view(shown))
        plot = plot_of(shown, key)
        area, x = area_of(plot), place(plot, mark.time)
        assert any(blue in colours(plot, at, area.top(), area.bottom() - 20) for at in (x - 1, x, x + 1)), key


def view(shown):
    from earmark.app.dashboard.panels.panel import View

    return View(shown.now, shown.history, shown.recent)


def test_texts_of_markers_are_changed_by_keyboard_and_remembered(qtbot, live, window, settings):
    one, shown = live
    qtbot.keyClick(shown, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(shown.markers.isVisible)
    field = shown.markers.fields[5]
    qtbot.keyClicks(field, "coffee & cake")
    assert shown.actions_by_key["marker6"].text() == "coffee && cake"
    shown.markers.fields[1].clear()
    assert not shown.actions_by_key["marker2"].isEnabled()
    assert notes(one) == [], "digits in a text are no markers"
    qtbot.keyClicks(field, "7")
    shown.markers.findChild(QPushButton).click()
    assert not shown.markers.isVisible()
    shown.live.traces.sweep.setFocus()
    for key in (Qt.Key.Key_2, Qt.Key.Key_6):
        qtbot.keyClick(shown, key)
    qtbot.waitUntil(lambda: notes(one) == ["coffee & cake7"], timeout=UNTIL)
    qtbot.keyClicks(shown.live.events.note, "at 12")
    qtbot.keyClick(shown.live.events.note, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: notes(one) == ["coffee & cake7", "at 12"], timeout=UNTIL)
    other = window(one.folder)
    assert [field.text() for field in other.markers.fields[:6:5]] == ["movement", "coffee & cake7"]


def test_override_and_mute_are_shaded_on_every_time_axis(qtbot, live, theme):
    _one, shown = live
    shown.send("override", {"talker": 0})
    qtbot.waitUntil(lambda: len(shown.history.timeline.spans) == 1, timeout=UNTIL)
    shown.mute(True)
    qtbot.waitUntil(lambda: len(shown.history.timeline.spans) == 2, timeout=UNTIL)
    qtbot.wait(1500)
    sweep, plot = shown.live.traces.sweep, plot_of(shown)
    kinds = [(span.kind, math.isinf(span.end)) for span in sweep.timeline.spans]
    assert kinds == [(Kind.OVERRIDE, True), (Kind.MUTE, True)]
    shown.timer.stop()
    for widget, area, x in (
        (sweep, sweep.rect().adjusted(NAMES, 0, 0, sweep._lanes - sweep.height()), NAMES + sweep._at - 3),
        (plot, area_of(plot), area_of(plot).right() - 3),
    ):
        found = colours(widget, x, area.bottom() - EDGE, area.bottom())
        assert event_colour(theme.LIGHT, Kind.MUTE) in found
    shown.timer.start()
    shown.send("override", {"talker": None})
    shown.mute(False)
    qtbot.waitUntil(lambda: all(span.end < math.inf for span in shown.history.timeline.spans), timeout=UNTIL)
    assert all(0 < span.end - span.begin < SPAN_S for span in shown.history.timeline.spans)
    assert all(span.end < math.inf for span in sweep.timeline.spans)


def test_one_cursor_through_traces_attention_and_latency(qtbot, live, theme):
    _one, shown = live
    sweep, plot, cursor = shown.live.traces.sweep, plot_of(shown), shown.live.time_cursor
    shown.timer.stop()
    area = area_of(plot)
    hover(plot, QPoint(round(area.right() - area.width() / 12), round(area.center().y())))  # five seconds ago
    assert cursor.time == pytest.approx(plot.zero - 5, abs=0.3)
    assert cursor.words == clock_tenths(cursor.time - shown.events.events[0].time)
    assert shown.live.traces._time(sweep._instant) == pytest.approx(cursor.time)
    assert sweep._instant_words == cursor.words
    ink = theme.LIGHT.text
    x = sweep._place(sweep._instant)
    assert ink in colours(sweep, x, 0, sweep._lanes)
    ledger = next(panel for panel in shown.live.panels if panel.key == "latency")._ledger
    assert not ledger.spark.isEmpty()
    x = ledger.spark.right() - ledger.spark.width() / 12
    assert any(ink in colours(ledger, at, ledger.spark.top(), ledger.spark.bottom()) for at in (x - 1, x, x + 1))
    # From the traces to the others.
    hover(sweep, QPoint(round(sweep._place(sweep._next - round(3 * sweep.sfreq))), 40))
    assert cursor.time == pytest.approx(shown.live.traces._time(sweep._next) - 3, abs=0.1)
    x = place(plot, cursor.time)
    assert any(ink in colours(plot, at, area.top(), area.bottom()) for at in (x - 1, x, x + 1))
    sweep.leaveEvent(QEvent(QEvent.Type.Leave))
    assert math.isnan(cursor.time)
    x = place(plot, plot.zero - 3)
    assert ink not in colours(plot, x, area.top(), area.bottom())
    hover(ledger, QPoint(round(ledger.spark.center().x()), round(ledger.spark.center().y())))
    assert cursor.time == pytest.approx(shown.now.time - SPAN_S / 2, abs=1.0)


def test_events_are_filtered_clicked_and_saved(qtbot, live, tmp_path):
    _one, shown = live
    events = shown.live.events.list
    for text in ("a door", "a window", "the door again"):
        shown.send("note", {"text": text})
    shown.mute(True)
    wanted = {"note: a door", "note: a window", "note: the door again", "MUTED"}  # a mute overtakes notes
    qtbot.waitUntil(lambda: wanted <= {event.text for event in shown.events.events}, timeout=UNTIL)
    every = events.shown.rowCount()
    qtbot.keyClicks(events.words, "DOOR")
    assert events.shown.rowCount() == 2
    events.words.clear()
    assert events.shown.rowCount() == every
    events.kind.setCurrentText("note")
    assert events.shown.rowCount() == 3
    events.save.save(tmp_path / "notes.csv")
    with (tmp_path / "notes.csv").open(newline="") as file:
        heads, *rows = csv.reader(file)
    assert heads == ["time_s", "lsl_time_s", "kind", "event"]
    assert [row[2:] for row in rows] == [["note", f"note: {text}"] for text in ("a door", "a window", "the door again")]
    row = 1
    at = events.table.visualRect(events.shown.index(row, 1)).center()
    qtbot.mouseClick(events.table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    event = next(event for event in shown.events.events if event.text == "note: a window")
    assert shown.live.time_cursor.time == event.time
    sweep = shown.live.traces.sweep
    assert sweep.frozen
    assert sweep._is_shown(sweep._instant)
    assert shown.live.traces._time(sweep._instant) == pytest.approx(event.time, abs=0.1)
    shown.live.traces.freeze.click()
    shown.live.jump(event.time - 3600)
    assert not sweep.frozen, "an hour ago is not kept"
    assert "no longer kept" in shown.notice.full_text


def test_frozen_traces_scroll_to_an_old_event(qtbot, live):
    _one, shown = live
    traces = shown.live.traces
    time = shown.now.time - 15.0  # the made-up session begins twenty seconds in the past
    assert traces.jump(time)
    sweep = traces.sweep
    assert sweep._origin <= traces._sample(time) < sweep._origin + sweep._n_sweep
    assert sweep._origin + sweep._n_sweep < sweep._kept_next, "an earlier page"


def buttons(shown):
    found = {button._name: button for button in shown.live.findChildren(ExportButton)}
    plots = {"attention", "evidence", "latency", "scene", "spectrum", "topomap", "quality", "traces", "events"}
    assert set(found) == plots
    return found


def test_every_plot_is_saved_as_table_and_picture(qtbot, live, tmp_path):
    _one, shown = live
    for key in ("quality", "spectrum", "scene", "evidence"):
        shown.live.docks[key].raise_()
        qtbot.wait(300)
    found = buttons(shown)
    for name, button in found.items():
        button.save(tmp_path / f"{name}.csv")
        with (tmp_path / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            heads, *rows = csv.reader(file)
        assert all(len(row) == len(heads) for row in rows), name
        assert rows or name == "topomap", name
        if name == "events":
            continue
        button.save(tmp_path / f"{name}.png")
        image = QImage(str(tmp_path / f"{name}.png"))
        assert len({image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)}) > 3
        button.save(tmp_path / f"{name}.svg")
        assert "<svg" in (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert not button.isHidden()
    assert (tmp_path / "attention.svg").read_text(encoding="utf-8").count("<polyline") > 1, "lines, not pixels"
    with (tmp_path / "traces.csv").open(newline="", encoding="utf-8") as file:
        heads, *rows = csv.reader(file)
    sweep = shown.live.traces.sweep
    assert heads == ["lsl_time_s", *(f"{name} uV" for name in sweep.ch_names)]
    assert len(rows) == sweep._n_sweep
    assert float(rows[-1][0]) - float(rows[0][0]) == pytest.approx(sweep.seconds, abs=0.1)


def test_plot_is_saved_by_mouse_and_keyboard(qtbot, live, tmp_path):
    _one, shown = live
    button = buttons(shown)["attention"]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    dialog = next(box for box in shown.findChildren(QFileDialog) if box.isVisible())
    dialog.setDirectory(str(tmp_path))
    dialog.selectNameFilter("SVG picture (*.svg)")
    dialog.filterSelected.emit(dialog.selectedNameFilter())
    field = dialog.findChild(QLineEdit)
    field.clear()
    qtbot.keyClicks(field, "mine")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil((tmp_path / "mine.svg").exists, timeout=UNTIL)


def test_a_folder_that_cannot_be_written_is_said(qtbot, live, tmp_path):
    from PySide6.QtWidgets import QToolTip

    _one, shown = live
    for name in ("attention.csv", "attention.png", "attention.svg"):
        buttons(shown)["attention"].save(tmp_path / "none" / name)
        assert "cannot be written: No such file or directory. Choose another folder" in QToolTip.text()
