"""Sets light or dark colours explicitly, because not every platform tells Qt the user's choice."""

from __future__ import annotations

from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from earmark.app.looks import DARK, LIGHT, THEMES, Theme

__all__ = ["DARK", "LIGHT", "THEMES", "Theme", "apply", "font", "mark", "of", "resize"]


def apply(app: QApplication, theme: Theme) -> None:
    """Apply a theme to every window."""
    palette, role = QPalette(), QPalette.ColorRole
    for roles, colour in (
        ((role.Window,), theme.window),
        ((role.Base,), theme.base),
        ((role.AlternateBase, role.ToolTipBase), theme.alternate),
        ((role.Button,), theme.button),
        ((role.WindowText, role.Text, role.ButtonText, role.ToolTipText, role.BrightText), theme.text),
        ((role.PlaceholderText,), theme.faint),
        ((role.Highlight, role.Link, role.Accent), theme.highlight),
        ((role.HighlightedText,), theme.base),
        ((role.Mid, role.Dark), theme.rule),
        ((role.Light, role.Midlight), theme.alternate),
        ((role.Shadow,), "#000000"),
    ):
        for one in roles:
            palette.setColor(one, QColor(colour))
    for one in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, one, QColor(theme.faint))
    app.setStyle("Fusion")
    app.setPalette(palette)


def mark(button: QWidget, on: bool) -> None:
    """Highlight a button as the next step, or remove the highlight."""
    look = of(button.window())
    style = f"QPushButton {{ background: {look.highlight}; color: {look.base}; font-weight: bold; }}" if on else ""
    if button.styleSheet() != style:
        button.setStyleSheet(style)


def of(widget: QWidget) -> Theme:
    """Return the theme that a widget is drawn in."""
    return DARK if widget.palette().window().color().lightness() < 128 else LIGHT


def font(base: QFont, pixels: int, bold: bool = False) -> QFont:
    """Return a font in one of the sizes of :mod:`earmark.app.looks`."""
    made = QFont(base)
    made.setPixelSize(pixels)
    made.setBold(bold)
    return made


def resize(widget: QWidget, pixels: int, bold: bool = False) -> None:
    """Give a widget's text one of the sizes of :mod:`earmark.app.looks`."""
    widget.setFont(font(widget.font(), pixels, bold))
