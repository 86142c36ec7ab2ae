"""Icons of the window, drawn from paths in the colour of the text beside them, and the icon of the application."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

#: Outlines on a grid of 24 by 24.
_OUTLINES = {
    "start": "M4 11 12 4l8 7M6 9.5V20h12V9.5M10 20v-6h4v6",
    "setup": "M12 4a8 8 0 1 0 .01 0M10.5 4.2 12 2l1.5 2.2M8 9h.01M16 9h.01M12 12h.01M8 15h.01M16 15h.01",
    "live": "M2 12h4l2-6 4 13 4-10 2 3h4",
    "calibrate": "M12 4a8 8 0 1 0 .01 0M12 9a3 3 0 1 0 .01 0M12 1v5M12 18v5M1 12h5M18 12h5",
    "review": "M4 4v16h16M8 16v-5M12 16V7M16 16v-7",
    "save": "M12 4v11M7 11l5 5 5-5M5 20h14",
    "study": "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
}
_LINE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="{path}" fill="none" stroke="{colour}" '
    'stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)
#: An ear, and the sound that it attends to.
APPLICATION = Path(__file__).parents[1] / "desktop" / "earmark.svg"


def _pixmap(svg: str, pixels: int) -> QPixmap:
    pixmap = QPixmap(pixels, pixels)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    return pixmap


def outline(name: str, colour: str) -> QIcon:
    """Return an icon in a colour, sharp on ordinary screens and on those of twice the resolution."""
    icon = QIcon()
    for pixels in (20, 40):
        icon.addPixmap(_pixmap(_LINE.format(path=_OUTLINES[name], colour=colour), pixels))
    return icon


def application_icon() -> QIcon:
    """Return the icon of the application for title bar, task bar and dock."""
    icon, svg = QIcon(), APPLICATION.read_text(encoding="utf-8")
    for pixels in (16, 24, 32, 48, 64, 128, 256):
        icon.addPixmap(_pixmap(svg, pixels))
    return icon
