"""Icons of the window, drawn from paths in the colour of the text beside them, and the icon of the application."""

from __future__ import annotations

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
    "study": "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
}
_LINE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="{path}" fill="none" stroke="{colour}" '
    'stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)
#: An ear, and the sound that it attends to.
APPLICATION = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
    '<rect x="2" y="2" width="60" height="60" rx="14" fill="#12324f"/>'
    '<g fill="none" stroke-width="5" stroke-linecap="round" stroke-linejoin="round">'
    '<path d="M18 26a13 13 0 0 1 26 0c0 9-9 10-9.500 18-.4 6-7.500 8-11.500 4" stroke="#f2f5f7"/>'
    '<path d="M25 27a6 6 0 0 1 12 0c0 4-5 5-6 9" stroke="#f2f5f7" stroke-width="4"/>'
    '<path d="M51 17a15 15 0 0 1 0 18" stroke="#f08a3c"/></g></svg>'
)


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
    icon = QIcon()
    for pixels in (16, 24, 32, 48, 64, 128, 256):
        icon.addPixmap(_pixmap(APPLICATION, pixels))
    return icon
