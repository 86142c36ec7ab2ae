"""Line charts as inline SVG; the style sheet of the page sets the colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earmark.app.terminal.foreign import escaped as escape

#: Size in SVG user units; the page scales it.
WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 72, 26, 16, 50

#: Points in data coordinates; y is None where nothing was measured.
Points = Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a chart.

    Attributes
    ----------
    low, high : float
        Range.
    ticks : sequence of float
        Positions of grid lines and tick labels.
    title : str
        Axis title.
    show : callable
        Formats a tick value as text.
    log : bool
        Whether the scale is logarithmic.
    """

    low: float
    high: float
    ticks: Sequence[float]
    title: str
    show: Callable[[float], str]
    log: bool = False

    def part(self, value: float) -> float:
        """Return the position of a value on the axis, 0 (low) to 1 (high)."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return (at - low) / (high - low)


class Chart:
    """A line chart; later shapes lie on top of earlier ones."""

    def __init__(self, x: Axis, y: Axis, label: str) -> None:
        self.x, self.y, self.label = x, y, label
        self._shapes: list[str] = []
        for value in x.ticks:
            at = self._x(value)
            self._shapes.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
            self._text(at, HEIGHT - BOTTOM + 18, x.show(value), "middle")
        for value in y.ticks:
            at = self._y(value)
            self._shapes.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}"/>')
            self._text(LEFT - 8, at + 4, y.show(value), "end")
        self._text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x.title, "middle")
        middle = (TOP + HEIGHT - BOTTOM) / 2
        turned = f'x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})"'
        self._shapes.append(f"<text {turned}>{escape(y.title)}</text>")

    def _x(self, value: float) -> float:
        return round(LEFT + self.x.part(value) * (WIDTH - LEFT - RIGHT), 2)

    def _y(self, value: float) -> float:
        inside = min(max(value, self.y.low), self.y.high)
        return round(HEIGHT - BOTTOM - self.y.part(inside) * (HEIGHT - TOP - BOTTOM), 2)

    def _text(self, x: float, y: float, text: str, anchor: str) -> None:
        self._shapes.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>')

    def line(self, points: Points, kind: str) -> None:
        """Draw a line, broken where nothing was measured; ``kind`` is a CSS class of the page."""
        piece: list[str] = []
        for x, y in [*points, (0, None)]:
            if y is not None:
                piece.append(f"{self._x(x)},{self._y(y)}")
            elif piece:
                self._shapes.append(f'<polyline class="{kind}" points="{" ".join(piece)}"/>')
                piece = []

    def band(self, low: Points, high: Points, kind: str) -> None:
        """Fill the area between two lines where both have values."""
        known = [(x, a, b) for (x, a), (_, b) in zip(low, high, strict=True) if a is not None and b is not None]
        corners = [(x, b) for x, _, b in known] + [(x, a) for x, a, _ in reversed(known)]
        if corners:
            points = " ".join(f"{self._x(x)},{self._y(y)}" for x, y in corners)
            self._shapes.append(f'<polygon class="{kind}" points="{points}"/>')

    def dots(self, points: Points, kind: str, tips: Sequence[str], radii: Sequence[float] | None = None) -> None:
        """Draw dots, each with a tool tip."""
        for (x, y), tip, radius in zip(points, tips, radii or [4.5] * len(points), strict=True):
            if y is not None:
                self._shapes.append(
                    f'<circle class="{kind}" cx="{self._x(x)}" cy="{self._y(y)}" r="{radius:.2f}">'
                    f"<title>{escape(tip)}</title></circle>"
                )

    def mark(self, x: float, kind: str, tip: str) -> None:
        """Draw a vertical line with a tool tip, which is as wide as a finger can hit."""
        at = self._x(x)
        ends = f'x1="{at}" x2="{at}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"'
        self._shapes.append(
            f'<g><title>{escape(tip)}</title><line class="{kind}" {ends}/><line class="touch" {ends}/></g>'
        )

    def hover(self, starts: Sequence[float], tips: Sequence[str]) -> None:
        """Show a tool tip over the part of the x axis from each start to the next; the last one ends with the axis."""
        for start, stop, tip in zip(starts, [*starts[1:], self.x.high], tips, strict=True):
            left, right = self._x(start), self._x(stop)
            self._shapes.append(
                f'<rect class="hover" x="{left}" y="{TOP}" width="{max(right - left, 0.0):.2f}" '
                f'height="{HEIGHT - TOP - BOTTOM}"><title>{escape(tip)}</title></rect>'
            )

    def svg(self) -> str:
        """Return the chart as an SVG element."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.label)}">'
            f"{''.join(self._shapes)}</svg>"
        )
