"""The language of the window's texts.

A process has one language, which is chosen when this module is first imported: texts can so be constants of modules.
Translations are Qt's ``.ts`` files in ``languages``, which Qt Linguist edits and ``python -m
earmark.app.dashboard.translations`` brings up to date. What a session says and records (events, checks, messages of
errors) stays English in every language, because it is part of the recording.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QSettings, QTranslator

#: Languages by code, each by its own name.
LANGUAGES = {"en": "English", "de": "Deutsch"}
#: Context of all texts in the translation files.
CONTEXT = "window"
FOLDER = Path(__file__).with_name("languages")
#: Setting that holds the code of the language; empty for that of the system.
SETTING = "language"


def user_settings() -> QSettings:
    """Return the settings of the window that are kept for this user."""
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "earmark", "dashboard")


def choose() -> str:
    """Return the code of the language: the one that was chosen in the menu, else the first known one of the system."""
    wanted = [str(user_settings().value(SETTING) or ""), *QLocale.system().uiLanguages()]
    codes = [name.replace("_", "-").partition("-")[0] for name in wanted]
    return next((code for code in codes if code in LANGUAGES), "en")


#: Code of the language of this process.
LANGUAGE = choose()
_translator = QTranslator()
_translator.load(str(FOLDER / f"earmark_{LANGUAGE}.qm"))  # there is none for English


def tr(text: str, /, **values: object) -> str:
    """Return a text in the language of this process, with its values filled in.

    Parameters
    ----------
    text : str
        English text; it must be a literal, so that it is found for translation. ``{name}`` and ``{name:.0f}`` are
        filled in as by :meth:`str.format`.
    **values : object
        The values.
    """
    found = _translator.translate(CONTEXT, text) or text
    return found.format(**values) if values else found


def translate_qt(app: QCoreApplication) -> None:
    """Let Qt's own texts, such as those of file dialogs, appear in the language of this process."""
    if LANGUAGE == "en":
        return
    qt = QTranslator(app)
    if qt.load(f"qtbase_{LANGUAGE}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
        app.installTranslator(qt)
