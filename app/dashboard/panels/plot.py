"""Small pyqtgraph plot without menus and mouse interaction."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from earmark.app.dashboard.frame import theme


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """A plot that follows the theme.

    Parameters
    ----------
    name : str
        Accessible name.
    left, bottom : str
        Titles of the axes; empty for none.
    """

    def __init__(self, name: str, left: str, bottom: str, parent: QWidget | None = None) -> None:
        self._ready = False
        super().__init__(parent)
        self._ready = True
        self.setAccessibleName(name)
        self.setMinimumSize(120, 70)
        item = self.getPlotItem()
        item.setMenuEnabled(False)
        item.setMouseEnabled(False, False)
        item.hideButtons()
        item.disableAutoRange()
        item.setLabel("left", left)
        if bottom:
            item.setLabel("bottom", bottom)
        item.getAxis("left").setWidth(56)
        self.restyle()

    def restyle(self) -> None:
        """Apply the colours of the theme."""
        look = theme.of(self)
        self.setBackground(QColor(look.base))
        for side in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(QColor(look.rule))
            axis.setTextPen(QColor(look.faint))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if self._ready and event.type() == QEvent.Type.PaletteChange:
            self.restyle()
