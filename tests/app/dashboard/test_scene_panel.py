"""The plan of the talkers around the head."""

import math

import numpy as np
import pytest
from made_up_status import engine_status, session_status

from earmark.app.dashboard.data.history import History
from earmark.app.dashboard.data.recent import Recent
from earmark.app.dashboard.data.snapshot import snapshot
from earmark.app.dashboard.frame.format import UNKNOWN
from earmark.app.dashboard.panels.panel import View
from earmark.app.dashboard.panels.scene import ScenePanel, delivered_words, strongest
from earmark.devices.audio.control_block import Seqlock, Status

pytest.importorskip("PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
from PySide6.QtCore import QPointF, Qt


def sound(**changes):
    block = Seqlock(Status)
    try:
        status = block.read()
    finally:
        block.close()
    gains = np.zeros(8)
    gains[:2] = 3.0, -9.0
    return status._replace(**{"gains_db": gains, **changes})


def mixture(azimuths=(-40.0, 25.0), delivered=(7.2, -7.2), **changes):
    padding = [math.nan] * 6
    return sound(azimuths=np.array([*azimuths, *padding]), delivered_db=np.array([*delivered, *padding]),
                 acoustic_s=0.011, **changes)  # fmt: skip


def now(status, **changes):
    session = session_status(**{"commands": ("override",), **changes})
    return snapshot(9.95, session, engine_status(), status, True)


@pytest.fixture
def panel(qtbot):
    one = ScenePanel()
    qtbot.addWidget(one)
    one.resize(300, 300)
    one.show()

    def show(status, **changes):
        one.refresh(View(now(status, **changes), History(), Recent()))
        one.plan.grab()
        return one

    return show


def test_talkers_of_a_mixture_are_where_they_are_tracked_and_others_where_they_are_placed():
    assert now(mixture()).sound.azimuths == (-40.0, 25.0)
    assert now(sound()).sound.azimuths == (-30.0, 30.0)
    assert now(sound()).sound.delivered_db == ()


def test_front_is_up_and_right_is_right(panel):
    one = panel(mixture(azimuths=(0.0, 90.0)))
    front, right = one.plan.places()
    middle = QPointF(one.plan.width() / 2, one.plan.height() / 2)
    assert (front - middle).x() == pytest.approx(0)
    assert (front - middle).y() < -20
    assert (right - middle).y() == pytest.approx(0)
    assert (right - middle).x() == pytest.approx(-(front - middle).y())


def test_louder_talkers_are_drawn_larger(panel):
    one = panel(mixture())
    assert one.plan.radius_of(0) > one.plan.radius_of(1)


def test_who_was_not_found_yet_is_not_drawn_and_cannot_be_clicked(panel):
    one = panel(mixture(azimuths=(math.nan, 25.0)))
    assert one.plan.places()[0] is None
    assert "Joe not found yet, Ada 25° to the right" in one.plan.accessibleDescription()


def test_click_favours_a_talker_and_a_second_click_releases(qtbot, panel):
    one = panel(mixture())
    asked = []
    one.command_requested.connect(lambda command, arguments: asked.append((command, arguments)))
    qtbot.mouseClick(one.plan, Qt.MouseButton.LeftButton, pos=one.plan.places()[1].toPoint())
    one = panel(mixture(), override=1)
    qtbot.mouseClick(one.plan, Qt.MouseButton.LeftButton, pos=one.plan.places()[1].toPoint())
    qtbot.mouseClick(one.plan, Qt.MouseButton.LeftButton, pos=one.plan.rect().center())
    assert asked == [("override", {"talker": 1}), ("override", {"talker": None})]


@pytest.mark.parametrize("changes", [{"state": "ready"}, {"mode": "open"}, {"commands": ("check",)}])
def test_click_does_nothing_where_nothing_is_steered(qtbot, panel, changes):
    one = panel(mixture(), **changes)
    asked = []
    one.command_requested.connect(lambda *args: asked.append(args))
    qtbot.mouseClick(one.plan, Qt.MouseButton.LeftButton, pos=one.plan.places()[1].toPoint())
    assert not asked


def requests(one):
    asked = []
    one.command_requested.connect(lambda command, arguments: asked.append((command, arguments)))
    return asked


def drag(qtbot, plan, begin, end):
    qtbot.mousePress(plan, Qt.MouseButton.LeftButton, pos=begin)
    qtbot.mouseMove(plan, end)
    plan.grab()
    qtbot.mouseRelease(plan, Qt.MouseButton.LeftButton, pos=end)


@pytest.mark.parametrize("state", ["ready", "running"])
def test_talker_of_a_mixture_is_dragged_to_where_it_is(qtbot, panel, state):
    one = panel(mixture(), commands=("override", "place"), state=state)
    asked = requests(one)
    drag(qtbot, one.plan, one.plan.places()[0].toPoint(), one.plan._at(-90, 0.4).toPoint())
    assert asked == [("place", {"talker": 0, "azimuth": -90.0})]
    drag(qtbot, one.plan, one.plan.rect().center(), one.plan._at(-90, 0.4).toPoint())
    assert len(asked) == 1, "nobody was under the mouse"


def test_talkers_that_are_placed_by_the_session_are_not_dragged(qtbot, panel):
    one = panel(sound(), commands=("override", "place"), state="ready")
    asked = requests(one)
    drag(qtbot, one.plan, one.plan.places()[0].toPoint(), one.plan._at(-90, 0.4).toPoint())
    qtbot.keyClick(one.plan, Qt.Key.Key_Right)
    assert not asked


def test_talkers_are_moved_by_keys(qtbot, panel):
    one = panel(mixture(azimuths=(-40.0, 178.0)), commands=("place",))
    asked = requests(one)
    one.plan.setFocus()
    qtbot.keyClick(one.plan, Qt.Key.Key_Left)
    qtbot.keyClick(one.plan, Qt.Key.Key_Down)
    qtbot.keyClick(one.plan, Qt.Key.Key_Right)
    qtbot.keyClick(one.plan, Qt.Key.Key_Down)
    qtbot.keyClick(one.plan, Qt.Key.Key_Right)
    assert [one["talker"] for _, one in asked] == [0, 1, 0]
    assert [one["azimuth"] for _, one in asked] == [-45.0, -177.0, -35.0], "behind is as near as ahead"
    assert not one.plan.grab().isNull()


def test_delivered_is_stated_beside_what_is_asked():
    words = delivered_words(now(mixture()))
    assert words == "Joe +7.2 of 12 dB asked; delay 11 ms"
    assert delivered_words(now(mixture(delivered=(math.nan, 0.0)))) == "delay 11 ms"
    assert delivered_words(now(mixture(gains_db=np.zeros(8)))) == "delay 11 ms", "nobody is favoured"
    muted = np.full(8, -math.inf)
    muted[0] = 0.0
    assert delivered_words(now(mixture(gains_db=muted))).startswith("Joe +7.2 dB; ")
    assert delivered_words(now(sound())) == "", "talkers that are played one by one have what is asked"


@pytest.mark.parametrize(("gains", "who"), [((3.0, -9.0), 0), ((0.0, 0.2), -1), ((-9.0, 3.0), 1)])
def test_strongest_is_who_is_turned_up_above_all_others(gains, who):
    assert strongest(now(mixture(gains_db=np.array([*gains, *[0.0] * 6])))) == who


def test_table_has_a_row_for_each_talker(panel):
    heads, rows = panel(mixture(azimuths=(math.nan, 25.0)))._table()
    assert heads == ("talker", "azimuth_deg", "gain_db", "delivered_db")
    assert rows == [("Joe", UNKNOWN, 3.0, 7.2), ("Ada", 25.0, -9.0, -7.2)]


@pytest.mark.parametrize("size", [(130, 100), (600, 200), (200, 600)])
def test_all_that_is_drawn_stays_inside(panel, size):
    one = panel(mixture(azimuths=(180.0, 90.0)))
    one.plan.resize(*size)
    assert all(one.plan.rect().contains(place.toPoint()) for place in one.plan.places())
    assert not one.plan.grab().isNull()
