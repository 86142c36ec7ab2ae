"""Tool tips show text from outside as it is, never as HTML."""

from dataclasses import replace

import pytest
from made_up_status import INLET, engine_status, session_status
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument

from earmark.app.dashboard.data.snapshot import Snapshot, snapshot
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.frame.top_bar import GainBar
from earmark.app.dashboard.frame.verdict_text import Verdict
from earmark.app.dashboard.panels.event_list import EventsModel
from earmark.app.dashboard.panels.meters import TalkerStrip
from earmark.app.dashboard.panels.panel import Reading
from earmark.app.dashboard.panels.runs_table import COLUMNS, RunsTable
from earmark.app.dashboard.panels.streams import _Model
from earmark.app.dashboard.panels.traces import Traces
from earmark.app.status import Event

ODD = "<b>loud</b> & <img src='http://example.org/x.png'>"


def drawn(words):
    """Return a tool tip as Qt draws it."""
    assert "<img" not in words
    document = QTextDocument()
    document.setHtml(words)
    return document.toPlainText()


def of_cell(model, column):
    return model.data(model.index(0, column), Qt.ItemDataRole.ToolTipRole)


def of_reading():
    reading = Reading("Name")
    reading.show_text(ODD)
    return reading, reading.toolTip()


def of_verdict():
    verdict = Verdict()
    verdict.refresh(snapshot(10.0, session_status(talkers=("Joe", ODD)), engine_status(), None, False))
    return verdict, verdict.toolTip()


def of_gain():
    bar = GainBar(0, ODD)
    return bar, bar.toolTip()


def of_mute():
    strip = TalkerStrip(0, ODD, compact=True)
    return strip, strip.mute.toolTip() + strip.trim.toolTip() + strip.solo.toolTip()


def of_event():
    events = EventsModel()
    events.append_new((Event(1, 0.0, ODD),))
    return events, of_cell(events, 1)


def of_stream():
    streams = _Model()
    streams.streams = (replace(INLET, name=ODD),)
    return streams, of_cell(streams, 0)


def of_run():
    table = RunsTable()
    run = dict.fromkeys((column.key for column in COLUMNS), "") | {"notes": ["first", ODD], "status": "used"}
    table.model_of_runs.runs = [run]
    words = of_cell(table.model_of_runs, [column.key for column in COLUMNS].index("notes"))
    assert drawn(words) == f"first\n{ODD}"
    return table, words


def of_channel():
    traces = Traces()
    traces.choose(ODD)
    traces._show_choice(Snapshot(ch_names=(ODD,), session_age=0.0, state="idle"))
    return traces, traces.bad.toolTip()


@pytest.mark.parametrize("of", [of_reading, of_verdict, of_gain, of_mute, of_event, of_stream, of_run, of_channel])
def test_tool_tips_show_text_from_outside_as_it_is(qapp, theme, of):
    _, words = of()
    assert ODD in drawn(words)


def test_no_tool_tip_stays_none():
    assert tip("") == ""
