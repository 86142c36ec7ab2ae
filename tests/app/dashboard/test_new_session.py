"""The form of a new session, by mouse and by keyboard alone."""

import tomllib

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QWidget

AMPLIFIER = {"name": "amp", "type": "EEG", "channels": 64, "sfreq": 500.0, "host": "lab", "source_id": "a-1"}
OTHER = AMPLIFIER | {"name": "bipolar", "type": "ExG", "source_id": ""}
KEYS = AMPLIFIER | {"name": "keys", "type": "Markers"}


@pytest.fixture
def form(qtbot, window, settings, tmp_path, monkeypatch):
    """The form in an open window; nothing is searched for, and no session is started."""
    from earmark.app.dashboard.data.stream_search import StreamSearch
    from earmark.app.dashboard.pages.new_sound import Sound

    monkeypatch.setattr(StreamSearch, "start", lambda self: None)
    monkeypatch.setattr(Sound, "search", lambda self: None)
    settings.setValue("session/study", str(tmp_path))
    shown = window()
    started = []
    monkeypatch.setattr(shown.launcher, "session", started.append)
    qtbot.mouseClick(shown.start.buttons["new"], Qt.MouseButton.LeftButton)
    one = shown.start.form
    one.started, one.shown = started, shown
    return one


def says(qtbot, form, words):
    qtbot.waitUntil(lambda: form.shown.next.step.sentence == words, timeout=120_000)


def files(folder):
    return [tomllib.loads((folder / name).read_text()) for name in ("session.toml", "protocol.toml")]


def test_form_is_filled_in_by_mouse(qtbot, form, tmp_path):
    form.show_streams([KEYS, OTHER, AMPLIFIER])
    texts = [form.amplifier.itemText(k) for k in range(form.amplifier.count())]
    assert [text.split(",")[0] for text in texts] == [
        "The only EEG stream on the network",
        "amp",
        "bipolar",
        "Simulated: a rehearsal without a cap",
    ]
    assert not form.make.isEnabled()
    assert form.words.text().startswith("Participant: enter")
    form.participant.setText("07")
    assert form.make.isEnabled()
    assert form.words.text() == f"Goes to {tmp_path / 'sub-07' / 'ses-01'}"
    assert form.amplifier.currentIndex() == 1, "the only one of EEG"
    qtbot.mouseClick(form.talkers.add, Qt.MouseButton.LeftButton)
    assert form.words.text().startswith("Talker 3 has no source")
    story = tmp_path / "story.wav"
    form.talkers.rows[2][1].setCurrentText(str(story))
    assert "there is no file" in form.words.text()
    story.touch()
    form.talkers.rows[2][1].setCurrentText("")
    form.talkers.rows[2][1].setCurrentText(str(story))
    form.trials.setValue(14)
    assert "a multiple of 3" in form.words.text()
    form.trials.setValue(12)
    form.trial.setValue(20)
    form.run.setValue(120)
    form.switch.setValue(0)
    assert form.total.text() == "Calibration 4 min 55 s, run 2 min 00 s: 6 min 55 s in total"
    form.sound._list(["Speakers, ALSA"])
    form.sound.device.setCurrentIndex(1)
    form.sound.cap.setValue(-20)
    qtbot.mouseClick(form.make, Qt.MouseButton.LeftButton)
    folder = tmp_path / "sub-07" / "ses-01"
    assert form.started == [folder / "session.toml"]
    session, protocol = files(folder)
    assert session["streams"]["eeg"] == {"type": "EEG", "source_id": "a-1"}
    assert (session["sound"]["device"], session["sound"]["ceiling_dbfs"]) == ("Speakers, ALSA", -20.0)
    assert [one["name"] for one in session["sound"]["talkers"]] == ["Joe", "Ada", "Talker 3"]
    assert session["sound"]["talkers"][2]["source"] == str(story)
    assert (protocol["calibration"]["n_trials"], protocol["calibration"]["trial_s"]) == (12, 20.0)
    assert protocol["run"]["seconds"] == 120.0
    assert "switch_every_s" not in protocol["run"]
    assert "# safest if there are several streams" in (folder / "session.toml").read_text()
    form.participant.setText("07 ")
    form.participant.setText("07")
    assert "already exists and is never overwritten" in form.words.text()
    assert not form.make.isEnabled()


def test_form_is_filled_in_by_keyboard_alone(qtbot, form, tmp_path):
    assert form.shown.focusWidget() is form.participant
    qtbot.keyClicks(form.participant, "mn9")  # m and n are keys of the window elsewhere
    qtbot.keyClick(form.participant, Qt.Key.Key_Tab)
    assert form.shown.focusWidget() is form.session
    form.session.selectAll()
    qtbot.keyClicks(form.session, "x2")
    says(qtbot, form, "Next: create and open sub-mn9/ses-x2")
    qtbot.keyClick(form.shown, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    folder = tmp_path / "sub-mn9" / "ses-x2"
    assert form.started == [folder / "session.toml"]
    session, _ = files(folder)
    assert session["streams"]["eeg"] == {"type": "EEG"}


def test_every_control_of_the_form_is_reached_by_tab_and_has_a_name(qtbot, form):
    form.participant.setText("01")
    reached, now = set(), form.participant
    for _ in range(60):
        reached.add(now)
        qtbot.keyClick(now, Qt.Key.Key_Tab)
        now = form.shown.focusWidget()
    controls = [
        widget
        for widget in form.findChildren(QWidget)
        if isinstance(widget, QAbstractButton | QComboBox | QLineEdit)
        and widget.isEnabled()
        and widget.isVisible()
        and not isinstance(widget.parent(), QComboBox)
        and not widget.objectName().startswith("qt_")
    ]
    assert not [one.accessibleName() for one in controls if one not in reached]
    nameless = [one for one in controls if not QAccessible.queryAccessibleInterface(one).text(QAccessible.Text.Name)]
    assert not nameless


@pytest.mark.parametrize(("text", "wrong"), [("a b", "' '"), ("jürgen", "'ü'"), ("sub-01", "'-'"), ("x_1", "'_'")])
def test_names_that_bids_does_not_permit_are_refused_with_the_reason(form, text, wrong):
    for field, what in ((form.session, "Session"), (form.participant, "Participant")):
        form.participant.setText("01")
        field.setText(text)
        assert form.words.text().startswith(f"{what}: {wrong} is not possible, because BIDS")
        assert not form.make.isEnabled()
        assert form.shown.next is not None
        field.setText("01")


def test_next_step_creates_the_session_once_nothing_is_missing(qtbot, form):
    says(qtbot, form, "To fix: Participant: enter a name of letters and digits")
    qtbot.keyClick(form.shown, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert form.isVisible(), "it is fixed here, not on the page Setup"
    form.participant.setText("01")
    says(qtbot, form, "Next: create and open sub-01/ses-01")
    qtbot.mouseClick(form.shown.next, Qt.MouseButton.LeftButton)
    assert len(form.started) == 1


def test_form_that_was_left_open_is_shown_again_before_a_session_is_made_of_it(qtbot, form, tmp_path):
    form.participant.setText("01")
    form.shown.go("review")
    says(qtbot, form, "Next: make a new session")
    form.shown.next.click()
    assert form.isVisible()
    assert form.participant.text() == "01"
    assert form.started == []
    assert not (tmp_path / "sub-01").exists()


def test_next_session_of_a_participant_is_suggested_until_another_is_entered(qtbot, form, tmp_path):
    for number in (1, 2):
        (tmp_path / "sub-01" / f"ses-{number:02}").mkdir(parents=True)
    qtbot.keyClicks(form.participant, "01")
    assert form.session.text() == "03"
    qtbot.keyClicks(form.participant, "1")
    assert form.session.text() == "01", "sub-011 had none yet"
    form.session.selectAll()
    qtbot.keyClicks(form.session, "pilot")
    qtbot.keyClick(form.participant, Qt.Key.Key_Backspace)
    assert (form.participant.text(), form.session.text()) == ("01", "pilot")


def test_refusal_of_the_files_is_said_in_the_form(form, monkeypatch):
    form.participant.setText("01")
    monkeypatch.setattr(type(form.sound), "settings", {"device": "default", "ceiling_dbfs": 3.0})
    form.make.click()
    assert "ceiling_dbfs" in form.words.text()
    assert form.started == []


def test_stream_that_is_looked_at_is_the_amplifier_of_the_form(qtbot, form):
    qtbot.mouseClick(form.back, Qt.MouseButton.LeftButton)
    assert not form.isVisible()
    form.shown._new_session(OTHER)
    assert form.isVisible()
    assert form.settings["streams"]["eeg"] == {"type": "ExG", "name": "bipolar"}
    form.show_streams([AMPLIFIER])
    assert form.settings["streams"]["eeg"]["name"] == "bipolar", "slow to answer, but still chosen"


def test_source_id_of_a_single_process_is_not_kept_and_marks_are_all_the_same(form):
    from types import SimpleNamespace

    drawn = AMPLIFIER | {"source_id": "-3141592653589793238"}
    form.shown._new_session(drawn)
    settings = form.settings
    assert settings["streams"]["eeg"] == {"type": "EEG", "name": "amp"}
    viewed = form.shown.viewed
    viewed.stream, viewed._view = drawn, SimpleNamespace(bads=("Cz",), close=lambda: None)
    viewed.keep_bads(settings)
    assert settings["streams"]["eeg"]["bads"] == ["Cz"]
    viewed.stream = AMPLIFIER
    viewed.keep_bads(other := form.settings)
    assert "bads" not in other["streams"]["eeg"], "that stream would be found by its source_id"


def test_simulated_amplifier_makes_a_rehearsal(form, tmp_path, monkeypatch):
    rehearsed = []
    monkeypatch.setattr(form.shown.launcher, "rehearse", lambda *paths: rehearsed.extend(paths))
    form.participant.setText("01")
    form.amplifier.setCurrentIndex(form.amplifier.count() - 1)
    form.show_streams([AMPLIFIER])
    assert form.simulated, "chosen before the search ended"
    form.make.click()
    folder = tmp_path / "sub-01" / "ses-01"
    assert rehearsed == [folder / "session.toml", folder / "rehearsal-1"]
    assert files(folder)[0]["streams"]["eeg"] == {"type": "EEG"}, "the session itself takes a real one"
    assert form.started == []


def test_level_is_shown_in_spl_where_the_output_was_measured(form):
    form.sound._levels = {"default": 100.0}
    form.sound.cap.setValue(-10)
    assert form.sound.level.text() == "at most 90 dB SPL, as measured"
    form.sound.device.setCurrentIndex(1)  # none
    assert not form.sound.test.isEnabled()


def test_message_about_the_sound_is_shown_in_full(qtbot, form):
    """It is wrapped, and the group grows with it."""
    form.shown.resize(960, 600)
    form.sound._ended("there is no sound output: connect a sound card, or start the sound server. Advice.")
    label = form.sound.words
    assert label.text() == "there is no sound output: connect a sound card, or start the sound server"
    qtbot.waitUntil(lambda: label.height() >= label.heightForWidth(label.width()) > 0, timeout=120_000)
    assert label.fontMetrics().horizontalAdvance(label.text()) > label.width(), "more than one line"


def test_path_that_cannot_be_looked_at_is_a_message(form, tmp_path):
    """A folder that cannot be read, or a text that is too long for a name."""
    form.participant.setText("07")
    form.talkers.rows[0][1].setCurrentText("x" * 300)
    assert "there is no file" in form.problem
    form.base.setText(str(tmp_path / ("x" * 300)))
    form.participant.setText("08")
    assert "there is no file" in form.problem, "the folder counts as one that is to be made"
