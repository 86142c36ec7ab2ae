"""Menus and keyboard shortcuts of the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from earmark.app.dashboard.frame.keys import IN_ONE_WINDOW, KEYS
from earmark.app.dashboard.language import LANGUAGE, LANGUAGES


def fill_menus(
    window: QMainWindow, does: Mapping[str, Callable[[], object]]
) -> tuple[dict[str, QAction], dict[str, QMenu]]:
    """Create all actions; return them by key, and the menus by title.

    Parameters
    ----------
    window : QMainWindow
    does : mapping
        Function of each key of :data:`earmark.app.dashboard.frame.keys.KEYS`. Actions without one are checkable.
    """
    menus = {menu: window.menuBar().addMenu(menu) for menu in dict.fromkeys(key.menu for key in KEYS.values())}
    actions = {}
    for name, key in KEYS.items():
        action = QAction(key.words, window)
        if name == "mute":  # EscapeMutes handles the key, because menus and dialogs would consume a shortcut
            action.setText(f"{key.words}\tEsc")
        else:
            action.setShortcut(QKeySequence(key.keys))
            if not key.keys.isdigit() and name not in IN_ONE_WINDOW:  # digits answer questions in other windows
                action.setShortcutContext(Qt.ShortcutContext.ApplicationShortcut)
        if name in does:
            action.triggered.connect(lambda _=False, do=does[name]: do())
        else:
            action.setCheckable(True)
        menus[key.menu].addAction(action)
        actions[name] = action
    return actions, menus


def list_screens(menu: QMenu, open_on: Callable[[str], None]) -> None:
    """Fill a menu with the connected screens."""
    menu.clear()
    for screen in QGuiApplication.screens():
        size, name = screen.geometry(), screen.name()
        action = menu.addAction(f"{name}, {size.width()}×{size.height()}")
        action.triggered.connect(lambda _=False, name=name: open_on(name))


def list_languages(menu: QMenu, choose: Callable[[str], None]) -> None:
    """Fill a menu with the languages; the one that is shown now is checked."""
    group = QActionGroup(menu)
    for code, name in LANGUAGES.items():
        action = group.addAction(name)
        action.setCheckable(True)
        action.setChecked(code == LANGUAGE)
        action.triggered.connect(lambda _=False, code=code: choose(code))
    menu.addActions(group.actions())
