"""The cap-fitting view on the page Setup, with a fake session in another process."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_status import engine_status, session_status
from PySide6.QtCore import QPoint, Qt

from earmark.app.dashboard.data import faults
from earmark.app.dashboard.data.faults import Light, faults_of
from earmark.app.dashboard.data.snapshot import Snapshot, snapshot
from earmark.app.dashboard.panels.fitting import HINT, LOOK, NO_SIGNAL, Fitting, kohm_words, light_of, sentence
from earmark.app.status import ImpedanceStatus, State
from earmark.pipeline.nodes import quality

IDLE = {"state": "idle", "recording_now": False, "commands": ["bad", "check"]}
NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "O1", "O2", "ear clip")
NOW = Snapshot(ch_names=NAMES)


def received(session):
    return [arguments for name, arguments in session.received if name == "bad"]


@pytest.fixture
def fitting(qtbot, session, window):
    """A window whose page Setup shows nine electrodes, the last one without a position."""
    one = session(kind="live", channels=9, ch_names=list(NAMES), places=[None] * 9, more=IDLE)
    shown = window(one.folder)
    shown.go("setup")
    panel = shown.setup.fitting
    qtbot.waitUntil(lambda: panel.head.drawn and bool(panel.head.grab()) and bool(panel.head.places), timeout=120_000)
    return one, shown, panel


def place(panel, name):
    number = panel.head.scalp.located.tolist().index(NAMES.index(name))
    return panel.head.places[number].toPoint()


def test_every_fault_of_the_quality_node_has_words():
    assert set(faults.FAULTS) == {faults.MARKED, *quality._FAULTS}
    for code in quality._NAMES[1:]:
        found = faults_of(code)
        assert len(found) == len(code.split("+"))
        assert found[0].light == min(fault.light for fault in found)
    assert [fault.word for fault in faults_of("")] == ["recovering"]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({}, "All 9 electrodes are good"),
        ({"O2": "line"}, "1 of 9 electrodes needs work: O2 (mains hum)"),
        (
            {"Fp1": "line", "C3": "variance+flat", "O2": ""},
            "3 of 9 electrodes need work: C3 (flat), Fp1 (mains hum), O2 (recovering)",
        ),
        (
            dict.fromkeys(NAMES, "railed"),
            "9 of 9 electrodes need work: Fp1 (saturated), Fp2 (saturated), F3 (saturated), F4 (saturated) and 5 more",
        ),
    ],
)
def test_sentence_names_the_worst_first(bad, words):
    assert sentence(replace(NOW, bad=bad)) == words


def test_marked_electrodes_are_named_apart():
    now = replace(NOW, bad={"O1": "marked+flat"}, marked=frozenset({"O1"}))
    assert light_of(now, "O1") is Light.MARKED
    assert sentence(now) == "All electrodes are good, except those that are marked as bad: O1"
    now = replace(now, bad={"O1": "marked", "F3": "flat"})
    assert sentence(now) == "1 of 9 electrodes needs work: F3 (flat). Marked as bad: O1"


def test_electrodes_are_shown_on_the_head_and_in_words(qtbot, fitting):
    one, _, panel = fitting
    qtbot.waitUntil(lambda: panel.sentence.text().startswith("2 of 9 electrodes need work"), timeout=120_000)
    assert panel.sentence.text() == "2 of 9 electrodes need work: F3 (flat), C4 (mains hum)"
    wanted = ["■  F3  flat", "▲  C4  mains hum", "●  ear clip  good"]
    qtbot.waitUntil(
        lambda: [panel.list.item(row).text() for row in range(panel.list.count())] == wanted, timeout=120_000
    )
    head = panel.head
    assert [head.lights[NAMES.index(name)] for name in ("F3", "C4", "O1")] == [Light.RED, Light.AMBER, Light.GREEN]
    assert place(panel, "Fp1").y() < place(panel, "C3").y() < place(panel, "O1").y()
    assert place(panel, "C3").x() < place(panel, "C4").x()
    assert panel.reason.text() == HINT
    qtbot.mouseMove(head, place(panel, "F3"))
    qtbot.waitUntil(lambda: panel.reason.text() == "F3: flat. There is no signal at all: check plug and cable.")
    qtbot.mouseMove(head, QPoint(2, 2))
    qtbot.waitUntil(lambda: panel.reason.text() == HINT)
    one.ask("set", masked={})
    qtbot.waitUntil(lambda: panel.sentence.text() == "All 9 electrodes are good", timeout=120_000)


def test_colour_is_not_the_only_sign(qtbot, fitting):
    _, _, panel = fitting
    qtbot.waitUntil(lambda: Light.RED in panel.head.lights, timeout=120_000)
    image = panel.head.grab().toImage()
    ratio = image.devicePixelRatio()

    def shape(name):
        """Pixels that differ from the background, whatever their colour."""
        at, r = place(panel, name) * ratio, round(25 * ratio)
        grey = [[image.pixelColor(at.x() + x, at.y() + y).lightness() for x in range(-r, r)] for y in range(-r, r)]
        return np.abs(np.array(grey) - image.pixelColor(1, 1).lightness()) > 40

    shapes = [shape(name) for name in ("F3", "C4", "O1")]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert (shapes[a] != shapes[b]).mean() > 0.05


def test_click_marks_an_electrode_as_bad_and_another_click_as_good(qtbot, fitting):
    one, shown, panel = fitting
    left = Qt.MouseButton.LeftButton
    qtbot.waitUntil(lambda: shown.now.can_mark, timeout=120_000)
    qtbot.mouseClick(panel.head, left, pos=place(panel, "O1"))
    qtbot.waitUntil(lambda: "O1" in shown.now.marked, timeout=120_000)
    qtbot.waitUntil(lambda: panel.sentence.text().endswith("Marked as bad: O1"), timeout=120_000)
    assert shown.now.bad["O1"] == "marked"
    panel.list.setCurrentRow(
        [panel.list.item(i).text() for i in range(panel.list.count())].index("✕  O1  marked as bad")
    )
    assert panel.reason.text() == "O1: marked as bad. Click it again to use it."
    qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not shown.now.marked, timeout=120_000)
    qtbot.mouseClick(panel.head, left, pos=QPoint(2, 2))
    assert received(one) == [{"channel": "O1", "on": True}, {"channel": "O1", "on": False}]
    one.ask("set", state="running", recording_now=True)
    qtbot.waitUntil(lambda: not shown.now.can_mark, timeout=120_000)
    qtbot.mouseClick(panel.head, left, pos=place(panel, "O1"))
    qtbot.wait(300)
    assert len(received(one)) == 2


def test_patterns_mark_every_channel_that_they_match(qtbot, fitting):
    one, shown, _ = fitting
    one.ask("set", bads=["O*", "F3"])
    qtbot.waitUntil(lambda: shown.now.marked == {"O1", "O2", "F3"}, timeout=120_000)
    assert shown.now.bad["F3"] == "marked+flat"


def test_without_a_signal_the_view_says_so(qtbot, fitting):
    one, _, panel = fitting
    one.ask("set", silent=True)
    qtbot.waitUntil(lambda: panel.sentence.text() == NO_SIGNAL, timeout=120_000)
    assert set(panel.head.lights) == {Light.UNKNOWN}
    one.ask("set", silent=False)
    qtbot.waitUntil(lambda: Light.GREEN in panel.head.lights, timeout=120_000)


def test_impedances_are_shown_as_stated(qtbot, fitting):
    one, _, panel = fitting
    stated = {"kohm": {"Fp1": 4.25, "O1": 61.0, "F3": 900.0}, "age_s": 1.0, "limit_kohm": 20.0, "problem": ""}
    one.ask("set", impedance=stated, masked={"F3": "flat"})
    words = "2 of 9 electrodes need work: F3 (flat), O1 (61 kΩ)"
    qtbot.waitUntil(lambda: panel.sentence.text() == words, timeout=120_000)

    def lines():
        return [panel.list.item(row).text() for row in range(panel.list.count())]

    wanted = ["■  F3  flat, 900 kΩ", "▲  O1  61 kΩ", "●  Fp1  good, 4.25 kΩ", "●  Fp2  good"]
    qtbot.waitUntil(lambda: lines()[:4] == wanted, timeout=120_000)
    assert len(lines()) == len(NAMES)
    qtbot.mouseMove(panel.head, place(panel, "O1"))
    qtbot.waitUntil(lambda: panel.reason.text() == "O1: 61 kΩ, above 20 kΩ. Improve the contact.")
    one.ask("set", impedance=stated | {"age_s": 75.0})
    qtbot.waitUntil(lambda: "▲  O1  61 kΩ 75 s ago" in lines(), timeout=120_000)
    advice = "Improve the contact. This value stays until the amplifier measures again."
    qtbot.waitUntil(lambda: panel.reason.text() == f"O1: 61 kΩ 75 s ago, above 20 kΩ. {advice}")
    one.ask("set", impedance=stated | {"age_s": float("nan")})
    qtbot.waitUntil(lambda: panel.reason.text() == f"O1: 61 kΩ before the stream began, above 20 kΩ. {advice}")
    one.ask("set", impedance=stated | {"kohm": {}, "problem": "The stream does not state its unit"})
    qtbot.mouseMove(panel.head, QPoint(2, 2))
    qtbot.waitUntil(lambda: panel.reason.text() == f"{HINT} The stream does not state its unit", timeout=120_000)
    assert lines() == ["■  F3  flat", "●  ear clip  good"]


@pytest.mark.parametrize(("limit", "light"), [(20.0, Light.AMBER), (61.0, Light.GREEN), (float("nan"), Light.GREEN)])
def test_impedance_counts_only_above_the_limit_of_the_session(limit, light):
    now = replace(NOW, impedance=ImpedanceStatus({"O1": 61.0}, float("nan"), limit, ""))
    assert light_of(now, "O1") is light
    assert light_of(now, "O2") is Light.GREEN, "not known"
    assert kohm_words(now, "O1") == "61 kΩ before the stream began"
    assert kohm_words(now, "O2") == ""


@pytest.mark.parametrize(
    ("session", "hint", "words"),
    [
        ({"bads": ("E1",)}, HINT, "E1: marked as bad. Click it again to use it."),
        (
            {"bads": ("E?",)},
            HINT,
            "E1: marked as bad. A pattern in 'bads' of the session file matches its name: "
            "change it there and start again.",
        ),
        ({"bads": ("E1",), "state": State.RUNNING}, LOOK, "E1: marked as bad."),
        ({"bads": ("E1",), "kind": "replay", "commands": ("pause",)}, LOOK, "E1: marked as bad."),
    ],
)
def test_click_is_offered_only_where_it_does_something(qtbot, theme, session, hint, words):
    panel = Fitting()
    qtbot.addWidget(panel)
    status = session_status(**{"state": State.IDLE} | session)
    panel._now = snapshot(10.0, status, engine_status(), None, False)
    panel.head.names = panel._now.ch_names
    panel._explain("")
    assert panel.reason.text() == hint
    panel._explain("E1")
    assert panel.reason.text() == words
