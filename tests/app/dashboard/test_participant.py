"""The participant's screen, drawn in real windows."""

import math
from dataclasses import replace
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import pytest
from made_up_status import session_status
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox

from earmark.app.config.protocol import ParticipantTexts, QuestionConfig
from earmark.app.dashboard.data.participant_view import Shown, shown
from earmark.app.dashboard.data.snapshot import Snapshot, snapshot
from earmark.app.dashboard.frame.fitted_text import missing_characters
from earmark.app.dashboard.pages.answer_buttons import LEAST_PX
from earmark.app.dashboard.pages.participant import INK, Participant
from earmark.app.session.channel import Client, Refused, Server
from earmark.app.session.requests import carry_out
from earmark.app.session.supervisor import Supervisor
from earmark.app.session.task import SessionTask
from earmark.app.status import State

LEFT = Qt.MouseButton.LeftButton
SIZES = [(1920, 1080), (1280, 720), (800, 1280)]
NOW = Snapshot(
    session_age=0.0,
    state="calibrating",
    out="alice",
    talkers=("Joe", "Ada"),
    azimuths=(-30.0, 30.0),
    block=3,
    n_blocks=12,
    next_cue_s=3.2,
)
ASKED = replace(NOW, question="How hard? 1-7", options=tuple("1234567"), n_asked=1)


@pytest.fixture
def screen(qtbot, theme):
    one = Participant()
    qtbot.addWidget(one)
    one.resize(1280, 720)
    one.show()
    qtbot.waitExposed(one)
    return one


def ink(screen, left, top, width, height, colour=INK):
    """Count the pixels of a colour within a part of the screen, in fractions of its size."""
    image = screen.grab().toImage()
    w, h = image.width(), image.height()
    part = QRect(round(left * w), round(top * h), round(width * w), round(height * h))
    wanted = QColor(colour).rgb()
    return sum(
        image.pixel(x, y) == wanted
        for x in range(part.left(), part.right() + 1)
        for y in range(part.top(), part.bottom() + 1)
    )


# What is shown when


def test_each_state_has_its_text():
    texts = {key: f"the {key}" for key in ParticipantTexts.model_fields}
    now = replace(NOW, texts=texts)
    said = {
        (state, decoder): shown(replace(now, state=state, decoder=decoder), Shown()).words
        for state in ("idle", "checking", "ready")
        for decoder in (False, True)
    }
    assert {words for (_, decoder), words in said.items() if not decoder} == {"the calibration"}
    assert {words for (_, decoder), words in said.items() if decoder} == {"the run"}
    rest = shown(now, Shown())
    assert (rest.words, rest.small, rest.cross, rest.arrow) == ("the rest", "4", True, None)
    assert shown(replace(now, next_cue_s=math.nan), Shown()).small == ""
    for more in ({"waiting": "too many bad"}, {"complete": True}, {"ending": True}, {"state": "training"}):
        assert shown(replace(now, **more), Shown()).words == "the wait"
    assert shown(replace(now, state="paused", attend="Joe"), Shown()).words == "the pause"
    free = replace(now, state="running", n_blocks=0, block=0)
    assert shown(free, Shown()) == Shown(cross=True), "a free listener sees the cross alone"
    asked = shown(replace(now, question="Why?", n_asked=1), Shown())
    assert (asked.words, asked.small, asked.cross) == ("Why?", "the tell", False)
    assert shown(replace(now, session_age=math.inf), Shown()) == Shown(cross=True)


def test_name_stands_where_the_text_says():
    now = replace(NOW, attend="Ada")
    assert shown(now, Shown()).words == "Listen to Ada"
    assert shown(replace(now, texts={"listen": "{name}さん"}), Shown()).words == "Adaさん"
    assert shown(replace(now, texts={"listen": "this side"}), Shown()).words == "this side"


def test_thanks_stay_until_the_session_goes_on_or_another_one_comes():
    end = shown(replace(NOW, state="review"), Shown())
    assert end.words == "Thank you"
    for after in (
        replace(NOW, state="idle"),  # while the session is closed
        replace(NOW, session_age=math.inf),
        Snapshot(),
    ):
        assert shown(after, end) == end
    assert shown(replace(NOW, state="checking", decoder=True), end).words != "Thank you"
    assert shown(replace(NOW, state="idle", out="bob"), end).words != "Thank you"


@pytest.mark.parametrize(
    ("azimuths", "arrows"),
    [
        ((-30.0, 30.0), (-90.0, 90.0)),
        ((0.0, 45.0), (0.0, 90.0)),
        ((-60.0, -20.0, 20.0), (-60.0, -20.0, 90.0)),
        ((), (None, None)),
    ],
)
def test_arrow_points_to_where_the_talker_is_heard(azimuths, arrows):
    talkers = ("Joe", "Ada", "Eve")[: len(arrows)]
    found = [shown(replace(NOW, talkers=talkers, azimuths=azimuths, attend=one), Shown()).arrow for one in talkers]
    assert tuple(found) == arrows


def test_nothing_on_the_screen_depends_on_decisions():
    read = ("session_age", "state", "decoder", "talkers", "azimuths", "texts", "attend", "next_cue_s", "block")
    read += ("n_blocks", "question", "options", "n_asked", "ending", "complete", "waiting", "out")

    class Watched:
        def __init__(self):
            self.names = set()

        def __getattr__(self, name):
            self.names.add(name)
            return getattr(NOW, name)

    for state in ("idle", "calibrating", "running", "paused", "review", "training"):
        watched = Watched()
        object.__setattr__(watched, "state", state)
        shown(watched, Shown())
        assert watched.names <= {*read, "session_live", "under_way"}, watched.names


# What is drawn


@pytest.mark.parametrize("size", SIZES)
def test_arrow_is_drawn_in_the_middle_with_its_head_on_the_proper_side(screen, size):
    screen.resize(*size)
    unit, middle = min(size) / 100, 0.5 - 13 * min(size) / 100 / size[1]
    half, high = 8 * unit / size[0], 8 * unit / size[1]
    pixels = {}
    for name in ("Joe", "Ada"):
        screen.refresh(replace(NOW, attend=name))
        sides = [ink(screen, left, middle - high / 2, half, high) for left in (0.5 - half, 0.5)]
        pixels[name] = sides
        assert ink(screen, 0.1, 0.05, 0.8, 0.23) > 100, "the cue"
        assert ink(screen, 0.5 - 3 * unit / size[0], 0.495, 6 * unit / size[0], 0.01) > 20, "the cross"
    assert pixels["Joe"][0] > 1.3 * pixels["Joe"][1] > 0
    assert pixels["Ada"][1] > 1.3 * pixels["Ada"][0] > 0
    for side in (0.0, 0.5 + 10 * unit / size[0]):
        assert ink(screen, side, 0.30, 0.5 - 10 * unit / size[0], 0.5) == 0, "nothing draws the eyes aside"
    screen.refresh(NOW)
    assert ink(screen, 0.5 - half, middle - high / 2, 2 * half, high) == 0, "no arrow in a rest"
    assert ink(screen, 0.3, 0.58, 0.4, 0.12) > 20, "the seconds"


def test_progress_is_a_thin_bar_that_moves_with_trials_only(screen):
    def bar():
        image = screen.grab().toImage()
        y = round(0.96 * image.height()) + 1
        line = [image.pixel(x, y) for x in range(image.width())]
        begin, end = round(0.35 * len(line)) + 1, round(0.65 * len(line)) - 1
        return sum(one == line[begin] for one in line[begin:end])

    screen.refresh(replace(NOW, attend="Joe", block=3))
    first = screen.grab().toImage()
    a_quarter = bar()
    assert a_quarter == pytest.approx(0.25 * 0.30 * 1280, abs=3)
    screen.refresh(replace(NOW, attend="Joe", block=3, elapsed=77.0, next_cue_s=9.0))
    assert screen.grab().toImage() == first, "nothing moves during a trial"
    screen.refresh(replace(NOW, attend="Joe", block=6))
    assert bar() == pytest.approx(2 * a_quarter, abs=4)
    screen.refresh(replace(NOW, state="running", n_blocks=0, block=0))
    assert ink(screen, 0.3, 0.9, 0.4, 0.1) == 0


LONG = "Bitte hören Sie aufmerksam zu, auch wenn es schwer ist. " * 17
WORD = "Donaudampfschifffahrtsgesellschaftskapitän" * 20


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", [LONG, WORD, "Schauen Sie auf das Kreuz.", "ستسمع عدة أشخاص يتحدثون في الوقت نفسه"])
def test_text_is_never_cut(screen, size, text):
    screen.resize(*size)
    screen.refresh(replace(NOW, state="idle", texts={"calibration": text}))
    assert ink(screen, 0.1, 0.08, 0.8, 0.8) > 100
    for edge in ((0.0, 0.0, 1.0, 0.079), (0.0, 0.881, 1.0, 0.119), (0.0, 0.0, 0.099, 1.0), (0.901, 0.0, 0.099, 1.0)):
        assert ink(screen, *edge) == 0
    last = screen.grab().toImage()
    screen.refresh(replace(NOW, state="idle", texts={"calibration": text + " m"}))
    assert screen.grab().toImage() != last, "also its last letter is drawn"


def test_characters_that_no_font_has_are_named(qtbot, screen):
    assert missing_characters("aäß€ \n\u2068", screen.font()) == [], "what is not drawn is not missing"
    lacking = next((one for one in "日한क𓀀𐎠" if missing_characters(one, screen.font())), "")
    if not lacking:
        pytest.skip("the fonts of this computer have all scripts that were tried")
    heard = []
    screen.unreadable.connect(heard.append)
    screen.refresh(replace(NOW, texts={"rest": "Ruhe"}))
    assert heard == []
    screen.refresh(replace(NOW, texts={"end": f"a{lacking}"}))
    screen.refresh(replace(NOW, texts={"end": f"a{lacking}"}, attend="Joe"))
    assert len(heard) == 1, "said once"
    assert f"has 1 of the characters that the participant's screen has to show: {lacking} (U+" in heard[0]
    screen.refresh(replace(NOW, questions=("Why?",), texts={"end": "a"}))
    screen.refresh(replace(NOW, questions=(f"Why{lacking}?",), texts={"end": "a"}))
    assert len(heard) == 2, "questions are checked before they are asked"


# Answers


@pytest.fixture
def asked(screen):
    """The screen with a question; and the commands that it sends."""
    sent = []
    screen.command_requested.connect(lambda command, arguments: sent.append((command, arguments)))
    screen.refresh(ASKED)
    return screen, sent


def answer(text, n_asked=1):
    return ("answer", {"text": text, "by": "participant", "asked": n_asked})


@pytest.mark.parametrize("size", [*SIZES, (640, 480)])
@pytest.mark.parametrize(
    "options", [("yes", "no"), tuple(map(str, range(11))), tuple(f"{'a long answer ' * 4}{k}"[:60] for k in range(12))]
)
def test_buttons_are_large_inside_and_apart(asked, size, options):
    screen, _ = asked
    screen.resize(*size)
    screen.refresh(replace(ASKED, options=options, n_asked=2))
    places = [one.geometry().translated(screen.answers.pos()) for one in screen.answers.buttons]
    assert [one.text() for one in screen.answers.buttons] == list(options)
    for k, place in enumerate(places):
        assert place.width() >= LEAST_PX
        assert place.height() >= LEAST_PX
        assert screen.rect().contains(place)
        assert not any(place.intersects(other) for other in places[:k])
    assert all(one.left() < other.left() for one, other in pairwise(places) if one.top() == other.top())
    assert LEAST_PX >= 2.0 / 2.54 * 96
    assert not any(one.marked for one in screen.answers.buttons), "a mark would suggest an answer"


def test_answers_from_right_to_left_begin_at_the_right(asked):
    screen, _ = asked
    screen.refresh(replace(ASKED, options=("نعم", "لا"), n_asked=2))
    first, second = screen.answers.buttons
    assert first.x() > second.x()
    assert first.y() == second.y()


def test_answer_by_mouse_counts_once(qtbot, asked):
    screen, sent = asked
    qtbot.mouseClick(screen.answers.buttons[4], LEFT)
    qtbot.mouseClick(screen.answers.buttons[1], LEFT)
    qtbot.mouseClick(screen.answers.buttons[4], LEFT)
    qtbot.keyClick(screen, Qt.Key.Key_3)
    assert sent == [answer("5")]
    screen.answers.allow_again()
    qtbot.mouseClick(screen.answers.buttons[1], LEFT)
    assert sent == [answer("5"), answer("2")]
    screen.refresh(replace(ASKED, n_asked=2))  # the same question again
    qtbot.mouseClick(screen.answers.buttons[0], LEFT)
    assert sent[-1] == answer("1", 2)


def test_answer_by_touch(qtbot, asked):
    screen, sent = asked
    device = QTest.createTouchDevice()
    button = screen.answers.buttons[2]
    where = button.mapTo(screen, button.rect().center())
    QTest.touchEvent(screen.windowHandle(), device).press(0, where).commit()
    QTest.touchEvent(screen.windowHandle(), device).release(0, where).commit()
    qtbot.waitUntil(lambda: sent == [answer("3")], timeout=60_000)


KEY = {str(k): getattr(Qt.Key, f"Key_{k}") for k in range(10)}
KEY |= {">": Qt.Key.Key_Right, "<": Qt.Key.Key_Left, "v": Qt.Key.Key_Down, "e": Qt.Key.Key_Return}


@pytest.mark.parametrize(
    ("options", "keys", "wanted"),
    [
        (tuple("1234567"), "6", "6"),
        (tuple("1234567"), "8", None),
        (tuple("1234567"), "e", None),
        (tuple("1234567"), ">>e", "2"),
        (tuple("1234567"), "<<e", "6"),
        (tuple("1234567"), "v>>>>>>>>>e", "7"),
        (tuple(map(str, range(11))), "1", None),
        (tuple(map(str, range(11))), "1e", "1"),
        (tuple(map(str, range(11))), "10", "10"),
        (tuple(map(str, range(11))), "17", "7"),
        (tuple(map(str, range(11))), "0", "0"),
        (("yes", "no"), "2", "no"),
        (("نعم", "لا"), "<<e", "لا"),
        (("-1", "0", "1"), "1", "-1"),
    ],
)
def test_answer_by_keys(qtbot, asked, options, keys, wanted):
    screen, sent = asked
    screen.refresh(replace(ASKED, options=options, n_asked=2))
    for key in keys:
        qtbot.keyClick(screen, KEY[key])
    assert sent == ([] if wanted is None else [answer(wanted, 2)])


def test_answer_by_keys_reaches_the_record_of_the_session(qtbot, screen, tmp_path):
    """The commands, the task and its record are real."""
    kept, sent = [], []
    loop = SimpleNamespace(failure="", stop=lambda: "", record_event=kept.append)
    outlet = SimpleNamespace(push=lambda marker: sent.append(marker.value))
    task = SessionTask(
        loop,
        [(0.0, "Joe"), (0.05, "")],
        0.1,
        [QuestionConfig(text="How hard? 1-7")],
        outlet,
        lambda text: None,
        lambda task: None,
    )
    supervisor = object.__new__(Supervisor)
    supervisor.session = SimpleNamespace(task=task)
    server = Server(tmp_path, partial(carry_out, supervisor), {})
    client = Client(tmp_path)
    screen.command_requested.connect(lambda command, arguments: client.send(command, **arguments))
    task.start()

    def asked():
        now = snapshot(10.0, session_status(state=State.CALIBRATING, task=task.status()), None, None, False)
        screen.refresh(now)
        return bool(now.question)

    qtbot.waitUntil(asked, timeout=60_000)
    qtbot.keyClick(screen, Qt.Key.Key_6)
    with pytest.raises(Refused, match="question"):
        client.send("answer", text="2")
    assert task.wait(60)
    client.close()
    server.close()
    assert sent == ["attend:Joe", "attend:", "answer:How hard? 1-7: 6"]
    assert kept == ["answer: How hard? 1-7 6 (participant)"]


# In the operator's window


@pytest.fixture
def two(qtbot, session, window):
    """A session, its window, and the open screen of the participant."""
    one = session(state="calibrating")
    main = window(one.folder)
    qtbot.waitUntil(lambda: main.now.session_live, timeout=120_000)
    main.participant.cover(main.screen())
    qtbot.waitExposed(main.participant)
    return one, main, main.participant


def test_keys_alone_answer_the_session(qtbot, two):
    one, main, screen = two
    one.ask("set", question="Verstanden?", options=["ja", "nein"], n_asked=3)
    qtbot.waitUntil(lambda: len(screen.answers.buttons) == 2, timeout=120_000)
    qtbot.waitUntil(screen.isActiveWindow, timeout=120_000)
    qtbot.keyClick(QApplication.focusWidget() or screen, Qt.Key.Key_Right)
    qtbot.keyClick(QApplication.focusWidget() or screen, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: answer("ja", 3) in one.received, timeout=120_000)
    one.ask("set", question="", options=[])
    qtbot.waitUntil(lambda: not screen.answers.isVisible(), timeout=120_000)
    assert main.isVisible()


def test_question_takes_the_keyboard_unless_the_operator_is_typing(qtbot, two):
    _, main, screen = two
    main.timer.stop()
    main.activateWindow()
    qtbot.waitUntil(main.isActiveWindow, timeout=60_000)
    note = main.live.events.note
    note.setEnabled(True)
    note.setText("half a no")
    note.setFocus()
    assert isinstance(QApplication.focusWidget(), QLineEdit)
    screen.refresh(ASKED)
    qtbot.wait(50)
    assert main.isActiveWindow()
    screen.refresh(NOW)
    note.clear()
    screen.refresh(replace(ASKED, n_asked=2))
    qtbot.waitUntil(screen.isActiveWindow, timeout=60_000)


def test_refused_answer_can_be_given_again(qtbot, two):
    _, main, screen = two
    main.timer.stop()
    screen.refresh(ASKED)
    qtbot.keyClick(screen, Qt.Key.Key_2)
    assert not screen.answers.buttons[0].isEnabled()
    main._refused("answer", "the session has not answered for 5 s")
    assert screen.answers.buttons[0].isEnabled()


def test_keys_of_the_operator_do_nothing_on_the_participants_screen(qtbot, two):
    one, main, screen = two
    for key in (Qt.Key.Key_F2, Qt.Key.Key_1, Qt.Key.Key_M, Qt.Key.Key_F8, Qt.Key.Key_F5, Qt.Key.Key_Plus):
        qtbot.keyClick(screen, key)
    qtbot.keyClick(screen, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: ("mute", {"on": True}) in one.received, timeout=120_000)
    assert one.received == [("mute", {"on": True})]
    assert not main.live.traces.sweep.frozen
    assert screen.isVisible(), "Esc mutes and does nothing else"
    qtbot.keyClick(screen, Qt.Key.Key_F11)
    assert not screen.isVisible(), "the way back"


def test_only_screen_is_covered_after_a_question(qtbot, two, settings):
    _, main, screen = two
    qtbot.keyClick(screen, Qt.Key.Key_F11)
    assert not screen.isVisible()
    main.actions_by_key["participant"].trigger()
    main.actions_by_key["participant"].trigger()
    boxes = [box for box in main.findChildren(QMessageBox) if box.isVisible()]
    assert len(boxes) == 1
    assert "F11 brings this window back" in boxes[0].text()
    assert not screen.isVisible()
    qtbot.keyClick(boxes[0], Qt.Key.Key_Return)
    assert not screen.isVisible(), "Enter covers nothing"
    main._open_participant("the left one")
    box = next(box for box in main.findChildren(QMessageBox) if box.isVisible())
    next(button for button in box.buttons() if button.text() == "Show it").click()
    qtbot.waitUntil(screen.isVisible, timeout=60_000)
    assert screen.geometry() == QGuiApplication.primaryScreen().geometry()
    assert settings.value("participant/screen") == "the left one", "remembered, also while it is not connected"
    QGuiApplication.instance().screenRemoved.emit(screen.screen())
    assert not screen.isVisible(), "the operator's window must not be covered"


def test_missing_characters_are_told_before_the_run(qtbot, session, window):
    lacking = next((one for one in "日한क𓀀𐎠" if missing_characters(one, QApplication.font())), "")
    if not lacking:
        pytest.skip("the fonts of this computer have all scripts that were tried")
    one = session(state="ready", more={"texts": {"run": f"Go {lacking}"}})
    main = window(one.folder)
    qtbot.waitUntil(lambda: main.now.session_live, timeout=120_000)
    main.actions_by_key["participant"].trigger()
    said = [box.text() for box in main.findChildren(QMessageBox) if box.isVisible()]
    assert any(f"{lacking} (U+{ord(lacking):04X})" in words for words in said), said
