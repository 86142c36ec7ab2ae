"""The head from above, on which panels draw electrodes."""

from __future__ import annotations

import json
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.language import tr
from earmark.app.dashboard.launch.background_job import BackgroundJob
from earmark.app.dashboard.panels.scalp import Electrode, Scalp, unpack

#: Least distance at which the mouse finds an electrode, and least size of the head, in pixels.
NEAR, LEAST = 14.0, 40
#: Height of the nose, as a part of the side of the picture.
NOSE = 0.035


class Head(QWidget):
    """Draws the outline of a head, and finds the electrode under the mouse; subclasses draw the rest.

    Parameters
    ----------
    name : str
        Accessible name.
    beside : int
        Width to leave free at the right, in pixels.

    Attributes
    ----------
    clicked : Signal(int)
        An electrode was clicked: its index.
    pointed : Signal(int)
        The electrode under the mouse: its index, or -1.
    """

    clicked = Signal(int)
    pointed = Signal(int)

    def __init__(self, name: str, beside: int = 0) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setMinimumSize(120, 90)
        self.setMouseTracking(True)
        self._beside, self._at = beside, -1
        self.scalp: Scalp | None = None
        #: Text that is shown without a head.
        self.words = ""
        self._electrodes: tuple[Electrode, ...] = ()
        self._job: BackgroundJob | None = None
        #: Places of the located electrodes, if they are shown; and largest distance of the mouse from one, in pixels.
        self.places, self.near = list[QPointF](), NEAR

    def show_electrodes(self, electrodes: Sequence[Electrode]) -> None:
        """Locate other electrodes than before, in a separate process."""
        if tuple(electrodes) == self._electrodes or self._job is not None:
            return
        self._electrodes, self.scalp = tuple(electrodes), None
        self.words = tr("Preparing the map …") if electrodes else tr("No channels yet")
        if electrodes:
            given = json.dumps(self._electrodes).encode()
            self._job = BackgroundJob("earmark.app.dashboard.panels.scalp", [], given, self)
            self._job.done.connect(self._prepared)
            self._job.failed.connect(self._failed)

    def end(self) -> None:
        """End the separate process."""
        if self._job is not None:
            self._job.stop()

    def _prepared(self, data: bytes) -> None:
        self.scalp, self._job = unpack(data), None

    def _failed(self, words: str) -> None:
        self.words, self._job = tr("No map: {words}", words=words), None

    @property
    def preparing(self) -> bool:
        """Whether electrodes are being located."""
        return self._job is not None

    @property
    def drawn(self) -> bool:
        """Whether there is something to draw."""
        return self.scalp is not None

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.of(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self.places = []
        if not self.drawn or self.scalp is None:
            painter.setPen(QColor(look.faint))
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(self.rect().adjusted(8, 4, -8, -4), flags, self.words)
            return
        side = min(self.width() - self._beside - 8.0, (self.height() - 14) / (1 + NOSE))
        if side < LEAST:
            return
        left, top = (self.width() - self._beside - side) / 2, (self.height() - side * (1 - NOSE)) / 2
        box = QRectF(left, top, side, side)
        self.paint_under(painter, box)

        def at(x: float, y: float) -> QPointF:
            return QPointF(box.left() + x * side, box.bottom() - y * side)

        x, y, radius = self.scalp.head
        painter.setPen(QPen(QColor(look.text), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(at(x, y), radius * side, radius * side)
        top = y + radius
        painter.drawPolyline([at(x - 0.04, top - 0.003), at(x, top + NOSE), at(x + 0.04, top - 0.003)])
        self.places = [at(*position) for position in self.scalp.electrodes]
        self.paint_electrodes(painter, look)

    def paint_under(self, painter: QPainter, box: QRectF) -> None:
        """Draw what is under the outline."""

    def paint_electrodes(self, painter: QPainter, look: theme.Theme) -> None:
        """Draw the electrodes of ``scalp.located`` at :attr:`places`."""
        raise NotImplementedError

    def _electrode_at(self, place: QPointF) -> int:
        far = [(one - place).manhattanLength() for one in self.places]
        if self.scalp is None or not far or min(far) > self.near:
            return -1
        return int(self.scalp.located[far.index(min(far))])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and (number := self._electrode_at(event.position())) >= 0:
            self.clicked.emit(number)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point(self._electrode_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._point(-1)

    def _point(self, number: int) -> None:
        if number != self._at:
            self._at = number
            self.pointed.emit(number)
