"""Colours, light and dark: explicit, since not every platform tells Qt which is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QWidget


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of colours; talkers' are those of Okabe and Ito, which colour-blind people tell apart.

    Attributes
    ----------
    name : str
    window, base, alternate, button, text, faint, rule, highlight : str
        Surfaces, writing, lines.
    good, warn, bad : str
        Of words that already say the same.
    mute : str
        Of the button that silences.
    traces : tuple of str
        Of channels, in turn.
    masked : str
        Of channels that are not trusted.
    event : str
        Of lines at events.
    talkers : tuple of str
        One per talker.
    """

    name: str
    window: str
    base: str
    alternate: str
    button: str
    text: str
    faint: str
    rule: str
    highlight: str
    good: str
    warn: str
    bad: str
    mute: str
    traces: tuple[str, str]
    masked: str
    event: str
    talkers: tuple[str, ...]


LIGHT = Theme(
    "light", "#eef0f2", "#ffffff", "#f4f6f8", "#e4e7ea", "#1c2024", "#596068", "#c3c8ce", "#0b62c4",
    "#0a6b48", "#8a4b00", "#b00020", "#b00020", ("#1d3f63", "#5a6b7d"), "#b4babf", "#a3439b",
    ("#0072b2", "#d55e00", "#009e73", "#b0588a", "#3c8dbc", "#b07d00", "#333333", "#8a8500"),
)  # fmt: skip
DARK = Theme(
    "dark", "#1e2227", "#15181c", "#262b31", "#2b3138", "#e6e8ea", "#a3abb3", "#454c54", "#56b4e9",
    "#4cc79a", "#f0b64a", "#ff7b8a", "#c62840", ("#a9cdf0", "#7d96ad"), "#565d64", "#e39ad9",
    ("#56b4e9", "#f08a3c", "#2fc79b", "#e29bc4", "#8ed0f5", "#f0c04a", "#cccccc", "#f0e442"),
)  # fmt: skip
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}


def apply(app: QApplication, theme: Theme) -> None:
    """Put a theme in force for every window."""
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
    """Show a button as what is to be done next, or as any other."""
    look = of(button.window())
    style = f"QPushButton {{ background: {look.highlight}; color: {look.base}; font-weight: bold; }}" if on else ""
    if button.styleSheet() != style:
        button.setStyleSheet(style)


def of(widget: QWidget) -> Theme:
    """Which theme a widget is drawn in."""
    return DARK if widget.palette().window().color().lightness() < 128 else LIGHT
