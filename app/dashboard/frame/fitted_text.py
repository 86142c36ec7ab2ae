"""Text of any length and script in a box: it wraps and shrinks, and is never cut."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QTextOption

#: Smallest size of a text, in pixels.
SMALLEST_PX = 8


def draw_fitted(painter: QPainter, box: QRectF, text: str, largest: float) -> None:
    """Draw a text in the middle of a box, as large as it fits up to ``largest`` pixels."""
    option = QTextOption(Qt.AlignmentFlag.AlignCenter)
    option.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)
    sizes = {}
    for wrap in (QTextOption.WrapMode.WordWrap, QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere):
        option.setWrapMode(wrap)
        sizes[wrap] = _size_that_fits(painter, box, text, option, max(SMALLEST_PX, round(largest)))
    whole, broken = sizes.values()
    if 2 * whole >= broken:  # else a very long word would make the text tiny: it continues on the next line
        option.setWrapMode(QTextOption.WrapMode.WordWrap)
    _set_size(painter, whole if 2 * whole >= broken else broken)
    painter.drawText(box, text, option)


def _size_that_fits(painter: QPainter, box: QRectF, text: str, option: QTextOption, largest: int) -> int:
    low, high = SMALLEST_PX, largest
    while low < high:
        size = (low + high + 1) // 2
        _set_size(painter, size)
        low, high = (size, high) if box.contains(painter.boundingRect(box, text, option)) else (low, size - 1)
    return low


def _set_size(painter: QPainter, size: int) -> None:
    font = QFont(painter.font())
    font.setPixelSize(size)
    painter.setFont(font)


def missing_characters(text: str, font: QFont) -> list[str]:
    """Return the characters of a text, sorted, that neither a font nor any fallback of this computer has."""
    metrics = QFontMetrics(font)
    return [one for one in sorted(set(text)) if one.isprintable() and not metrics.inFontUcs4(ord(one))]
