"""Reading of status boards, including those that cannot be read."""

import math
from dataclasses import replace

import pylsl
import pytest
from made_up_status import SESSION, engine_status, session_status

from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.data.source import Source
from earmark.app.dashboard.frame.notice import Notice
from earmark.app.status import to_text
from earmark.devices.processes.board import Board

#: Format of sessions before there were status records.
OLD = b'{"time": 1.0, "beat": 7, "state": "running", "talkers": ["Joe", "Ada"]}'


@pytest.fixture
def boards():
    made = Board(), Board()
    yield made
    for one in made:
        one.close()


def status_now(engine_board, **changes):
    alive = replace(SESSION.engine, board=engine_board.name)
    return to_text(session_status(time=pylsl.local_clock(), engine=alive, **changes))


def test_published_status_is_read(boards):
    session, engine = boards
    source = Source(lambda: session.name)
    assert not source.read().session_live
    session.write(status_now(engine, question="How hard was it?"))
    engine.write(to_text(engine_status(time=pylsl.local_clock(), bad={"E1": "flat"})))
    now = source.read()
    assert now.session_live
    assert now.engine_live
    assert (now.question, now.bad, now.refused) == ("How hard was it?", {"E1": "flat"}, "")
    source.close()


def test_status_of_another_version_is_refused_until_a_valid_one_appears(boards):
    session, engine = boards
    source = Source(lambda: session.name)
    session.write(OLD)
    for _ in range(2):
        now = source.read()
        assert "started by another version of Earmark" in now.refused
        assert not now.session_live
        assert (now.state, now.talkers) == ("", ())
    session.write(status_now(engine))
    now = source.read()
    assert now.session_live
    assert now.refused == ""
    source.close()


def test_invalid_engine_status_is_refused_and_session_status_is_kept(boards):
    session, engine = boards
    source = Source(lambda: session.name)
    session.write(status_now(engine))
    engine.write(to_text(engine_status()).replace(b'"beat"', b'"baet"'))
    now = source.read()
    assert now.session_live
    assert not now.engine_live
    assert "cannot be read (beat" in now.refused
    source.close()


def test_dead_session_keeps_values_that_cannot_change(boards):
    session, engine = boards
    source = Source(lambda: session.name, lambda: True)
    assert source.read().died
    session.write(status_now(engine, out="/somewhere"))
    assert not source.read().died
    session.write(to_text(session_status(time=pylsl.local_clock() - 60)))
    source._searched_at = -math.inf
    now = source.read()
    assert now.died
    assert (now.out, now.talkers, now.state) == ("/somewhere", ("Joe", "Ada"), "")
    source.close()


def test_notice_shows_once_why_a_session_is_refused(qtbot, theme, tmp_path):
    notice = Notice()
    qtbot.addWidget(notice)
    assert notice.refresh(Snapshot(refused="this session was started by another version"), tmp_path)
    assert notice.full_text == "this session was started by another version"
    assert notice.held, "the message must stay visible"
    assert not notice.refresh(Snapshot(refused="this session was started by another version"), tmp_path), (
        "reported once"
    )
    notice.refresh(Snapshot(session_age=0.0), tmp_path)
    assert notice.full_text == "Connected to the session"
