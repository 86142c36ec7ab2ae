"""Untrusted text cannot control a terminal, forge a line, or act as markup, wherever it is shown."""

import io
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

import earmark.app.terminal.console
from earmark.app.session.events import SessionEvents
from earmark.app.terminal.foreign import PlainFormatter, escaped, plain

EVIL = [
    "\x1b[2J",
    "\x9b31m",
    "a\u202eb",
    "a\nALARM: b",
    "E0[/x]",
    "[bold]x[/bold]",
    "a\rb",
    "a\x07",
    "\u2066x",
    ":smile:",
]


@given(st.text())
def test_plain_text_is_printable_on_one_line_and_printable_text_is_unchanged(text):
    shown = plain(text)
    assert all(c.isprintable() for c in shown)
    assert plain(shown) == shown
    if text.isprintable():
        assert shown == text
    assert all(c.isprintable() or c in "\n\t" for c in plain(text, lines=True))
    assert len(plain(text, 10)) <= 10
    assert not {"<", ">", '"'} & set(escaped(text))


@pytest.fixture
def screen(monkeypatch):
    file = io.StringIO()
    for name in ("console", "_errors"):
        one = earmark.app.terminal.console._Safe()
        one.file, one._force_terminal = file, True
        monkeypatch.setattr(earmark.app.terminal.console, name, one)
    return file


@pytest.mark.parametrize("text", EVIL)
def test_console_interprets_nothing_in_untrusted_text(screen, text):
    table = Table(title=text, caption=text)
    table.add_column(text)
    table.add_row(text)
    earmark.app.terminal.console.console.print(table)
    earmark.app.terminal.console.console.print(text)
    earmark.app.terminal.console.print_event(f"masked: {text}")
    shown = screen.getvalue()
    said = shown.splitlines()[-1]
    assert plain(text) in said
    for sign in ("\x1b[2J", "\x9b", "\u202e", "\u2066", "\x07", "\r", "😄"):
        assert sign not in shown
    if "[" in plain(text):
        assert shown.count(plain(text)) >= 4, "brackets are shown"


@pytest.mark.parametrize("text", EVIL)
def test_events_and_log_lines_are_one_line_each(text):
    events = SessionEvents()
    events.add(f"masked channels: {text}")
    told = [*events.poll()]
    record = logging.LogRecord("earmark.devices.sources.lsl", logging.WARNING, "x.py", 1, "channel %s", (text,), None)
    for line in (*told, events.newest()[0].text, PlainFormatter("%(levelname)s %(message)s").format(record)):
        assert plain(text) in line
        assert line.isprintable()
