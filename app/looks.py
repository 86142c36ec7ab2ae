"""Colours, sizes of text and distances of the window and of reports. Nothing else defines any."""

from __future__ import annotations

from dataclasses import dataclass

#: Sizes of text in pixels: names of electrodes; small print; text; what is read from further away; heading of a page;
#: figures; title; what a whole room reads. A report has the same sizes relative to its text.
TINY, SMALL, TEXT, LARGE, HEAD, FIGURE, TITLE, DISPLAY = 10, 11, 13, 16, 20, 24, 30, 40
#: Distances in pixels: within a control, between controls, between groups, around the content of a page.
TIGHT, NEAR, APART, PAGE = 2, 4, 8, 16


@dataclass(frozen=True, slots=True)
class Theme:
    """A set of colours. Talkers have the colour-blind safe palette of Okabe and Ito.

    Attributes
    ----------
    name : str
    window, base, alternate, button, text, faint, rule, highlight : str
        Surfaces, text, lines.
    good, warn, bad : str
        Status text, whose words carry the same meaning.
    mute : str
        The mute button.
    traces : tuple of str
        Alternating colours of channels.
    masked : str
        Bad channels.
    event : str
        Lines at events.
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

#: Colour of each kind of event on a time axis; see :class:`earmark.app.engine.timeline.Kind`.
_OF_EVENTS = {
    "note": "highlight",
    "answer": "highlight",
    "override": "warn",
    "trim": "warn",
    "mute": "mute",
    "pause": "faint",
    "gap": "bad",
    "alarm": "bad",
}


def event_colour(theme: Theme, kind: str) -> str:
    """Return the colour of an event, or of an interval, of a kind on a time axis."""
    return str(getattr(theme, _OF_EVENTS.get(kind, "event")))
