"""Every text of the window can be translated, and German is complete."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from earmark.app.dashboard import translations
from earmark.app.dashboard.language import FOLDER, LANGUAGES, SETTING, tr

FILE = FOLDER / "earmark_de.ts"
DASHBOARD = Path(translations.__file__).parent
FIELD = re.compile(r"\{[^}]*\}")

# Prints all texts of a window in the language of the environment.
LOOK = """
import json, sys
from PySide6.QtCore import QSettings
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QLabel, QMenu, QWidget
from earmark.app.dashboard.launch.process import make_application
from earmark.app.dashboard.frame.keys import KEYS
from earmark.app.dashboard.frame.window import Window
app = make_application()
window = Window(QSettings(sys.argv[1], QSettings.Format.IniFormat), None)
window.show()
for _ in range(20):
    app.processEvents()
found = []
for one in window.findChildren(QWidget):
    found += [one.accessibleName(), one.accessibleDescription(), one.toolTip()]
    found += [one.text()] if isinstance(one, QAbstractButton | QLabel) else []
found += [one.text() for one in window.findChildren(QAction)]
menus = {}
for menu in window.menuBar().findChildren(QMenu):
    menus[menu.title()] = [one.text() for one in menu.actions() if one.isVisible()]
least = window.minimumSizeHint().toTuple()
cancel = app.translate("QPlatformTheme", "Cancel")
print(json.dumps({"texts": found, "menus": menus, "cancel": cancel, "least": least}))
window.close_now()
"""


def seen(tmp_path, language):
    environment = os.environ | {"LANGUAGE": language, "QT_QPA_PLATFORM": "offscreen"}
    script = [sys.executable, "-c", LOOK, str(tmp_path / "window.ini")]
    return json.loads(subprocess.run(script, env=environment, check=True, capture_output=True, text=True).stdout)


def test_german_is_complete_and_holds_no_text_that_is_not_used():
    assert list(translations.read(FILE)) == list(translations.texts()), (
        "run: python -m earmark.app.dashboard.translations"
    )


def test_translations_fill_in_the_same_values():
    for text, german in translations.read(FILE).items():
        assert sorted(FIELD.findall(text)) == sorted(FIELD.findall(german)), text


def test_compiled_file_is_made_from_the_translations(tmp_path):
    translations.compile_file(FILE, tmp_path / "earmark_de.qm")
    assert (tmp_path / "earmark_de.qm").read_bytes() == FILE.with_suffix(".qm").read_bytes(), (
        "run: python -m earmark.app.dashboard.translations"
    )


def test_update_keeps_translations_and_marks_new_texts(tmp_path, monkeypatch):
    monkeypatch.setattr(translations, "texts", lambda: {"old": "a.py:1", "new": "b.py:2"})
    path = tmp_path / "x.ts"
    translations.write(path, "de", {"old": "alt", "gone": "fort"})
    assert translations.read(path) == {"old": "alt"}
    assert '<translation type="unfinished"' in path.read_text(encoding="utf-8")


def test_no_widget_gets_a_text_that_cannot_be_translated():
    """A text with two words, or with a capital, given to a widget as a bare literal."""
    takes = {"QLabel", "QPushButton", "QCheckBox", "Reading", "setText", "setToolTip", "setAccessibleName", "addRow"}
    takes |= {
        "setPlaceholderText",
        "setWindowTitle",
        "setAccessibleDescription",
        "show_text",
        "show_message",
        "addMenu",
    }
    own = re.compile(r"Earmark|[-+0−]*[0-9.]+ ?(dB|dBFS)?|[\d./]+ Hz|\+00.0 MB/s|lim -00.0")
    bare = []
    for path in DASHBOARD.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            literals = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            words = [text for text in literals if re.search("[A-Z][a-z]|[a-z]{2} [a-z]{2}", text)]
            if name in takes:
                bare += [f"{path.name}:{node.lineno} {text}" for text in words if not own.fullmatch(text)]
    assert bare == []


def test_window_in_german_shows_no_english_text(tmp_path):
    found = seen(tmp_path, "de")
    translated = {text for text, german in translations.read(FILE).items() if text != german}
    assert sorted(translated & set(found["texts"])) == []
    assert "Weiter: eine neue Sitzung anlegen" in found["texts"]
    assert found["cancel"] == "Abbrechen", "Qt's own texts are translated too"


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_entry_of_a_menu_has_a_letter_of_its_own(tmp_path, language):
    menus = seen(tmp_path, language)["menus"]
    assert len(menus) >= 6
    for menu, words in menus.items():
        letters = [found[1].casefold() for text in words if (found := re.search("&([^&])", text))]
        assert sorted(set(letters)) == sorted(letters), menu


def test_language_of_the_menu_holds_from_the_next_start(window, settings):
    shown = window()
    (action,) = [one for one in shown.findChildren(type(shown.actions_by_key["note"])) if one.text() == "Deutsch"]
    assert not action.isChecked()
    action.trigger()
    assert settings.value(SETTING) == "de"
    assert "Deutsch" in shown.notice.full_text


def test_language_that_was_chosen_wins_over_that_of_the_system(tmp_path):
    (tmp_path / "earmark").mkdir()
    (tmp_path / "earmark" / "dashboard.ini").write_text("[General]\nlanguage=de\n")
    script = "from earmark.app.dashboard.language import LANGUAGE; print(LANGUAGE)"
    for language, expected in (("fr", "de"), ("en", "de")):
        environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path), "LANGUAGE": language}
        run = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == expected
    environment = os.environ | {"LANGUAGE": "fr"}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "en", "a language without translation"


def test_text_without_translation_stays_english():
    assert tr("{n} of a thing that nobody translates", n=3) == "3 of a thing that nobody translates"


# Prints words for codes, and sentences with such words, in the language of the environment.
CODES = """
import json
from dataclasses import replace
from PySide6.QtCore import QSettings
from earmark.app.dashboard.launch.process import make_application
from earmark.app.dashboard.data.snapshot import Snapshot
from earmark.app.dashboard.frame import verdict_text
from earmark.app.dashboard.frame.fault_bar import FaultBar
from earmark.app.dashboard.frame.next_button import _sentence
from earmark.app.dashboard.pages.new_session import _words
from earmark.app.dashboard.panels.event_list import EventList, EventsModel
from earmark.app.session.next_step import _lost
from earmark.pipeline.attention.gain_control import Situation
from made_up_status import INLET, engine_status
app = make_application()
found = {one.value: verdict_text._what_gains_do(Snapshot(), one, 0.0) for one in Situation}
found["late"] = verdict_text._what_gains_do(Snapshot(), "steered", 2.0)
events = EventList(EventsModel())
found |= {events.kind.itemData(k): events.kind.itemText(k) for k in range(1, events.kind.count())}
bar = FaultBar()
found |= {f"{key} name": bar.buttons[key].text() for key in bar.buttons}
found |= {f"{key} tip": bar.buttons[key].toolTip() for key in bar.buttons}
found["stream"] = _words({"name": "amp", "type": "EEG", "channels": 64, "host": "lab"})
found["next"] = _sentence(_lost(engine_status(streams=(replace(INLET, status="silent"),))))
print(json.dumps({"words": found, "heads": events._rows()[0]}))
"""


def test_codes_are_translated_in_the_window_but_not_in_files():
    def words(language):
        path = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
        environment = os.environ | {"LANGUAGE": language, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": path}
        run = subprocess.run([sys.executable, "-c", CODES], env=environment, check=True, capture_output=True, text=True)
        return json.loads(run.stdout)

    english, german = words("en"), words("de")
    assert english["heads"] == german["heads"] == ["time_s", "lsl_time_s", "kind", "event"]
    assert [key for key, text in english["words"].items() if german["words"][key] == text] == []
    assert english["words"]["next"] == "To fix: the stream eeg is silent: check the amplifier and its LSL stream"
    assert "silent" not in german["words"]["next"]


def test_state_and_action_have_words_of_their_own():
    """A button says what a click does, or what is now; both must not be the same."""
    german = translations.read(FILE)
    assert german["Mute"] != german["Muted"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_window_fits_a_small_screen(tmp_path, language):
    """The size is that of half a screen of 1928 by 1102 pixels with two pixels for each one."""
    width, height = seen(tmp_path, language)["least"]
    assert width <= 964
    assert height <= 551
