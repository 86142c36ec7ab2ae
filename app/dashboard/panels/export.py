"""Saves a plot: its picture as PNG or SVG, its figures as CSV. The same button in the corner of every plot."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QFileDialog, QToolButton, QToolTip, QWidget

from earmark.app.dashboard.frame import theme
from earmark.app.dashboard.frame.icons import outline
from earmark.app.dashboard.frame.status_words import word
from earmark.app.dashboard.frame.tips import tip
from earmark.app.dashboard.language import tr

#: Heads of the columns, and rows.
Table = tuple[Sequence[str], Iterable[Sequence[object]]]
#: Formats, and the suffix of each.
FORMATS = {tr("CSV table (*.csv)"): "csv", tr("PNG picture (*.png)"): "png", tr("SVG picture (*.svg)"): "svg"}
#: Width and height of the button in a plot, in pixels.
SIZE = QSize(22, 20)


def save_table(path: Path, table: Table) -> None:
    """Write a table as CSV.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    heads, rows = table
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows(rows)


def save_picture(path: Path, widget: QWidget) -> None:
    """Write what a widget shows, as SVG or PNG by the suffix.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path.touch()  # Qt would say only that it failed
    if path.suffix.lower() == ".svg":
        picture = QSvgGenerator()
        picture.setFileName(str(path))
        picture.setSize(widget.size())
        picture.setViewBox(widget.rect())
        picture.setTitle(widget.accessibleName())
        painter = QPainter(picture)
        QWidget.render(widget, painter, QPoint())
        painter.end()
    elif not widget.grab().save(str(path), "PNG"):
        raise OSError(f"{path}: the picture cannot be written")


class ExportButton(QToolButton):
    """A small button in the lower left corner of a plot, which is empty there; or beside a list.

    Parameters
    ----------
    name : str
        What is saved; also the proposed name of the file.
    table : callable
        Returns the figures that are shown now.
    plot : QWidget or None
        What the picture shows, and the parent of the button; None for a list, which has no picture.
    """

    def __init__(self, name: str, table: Callable[[], Table], plot: QWidget | None = None) -> None:
        super().__init__(plot)
        self._name, self._table, self._plot = name, table, plot
        words = (
            tr("Save {name} as CSV, PNG or SVG", name=word(name))
            if plot is not None
            else tr("Save {name} as CSV", name=word(name))
        )
        self.setAccessibleName(words)
        self.setToolTip(words)
        self.clicked.connect(self._ask)
        if plot is not None:
            self.setAutoRaise(True)
            self.setFixedSize(SIZE)
            plot.installEventFilter(self)
        self._draw()

    def _draw(self) -> None:
        self.setIcon(outline("save", theme.of(self).text))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._draw()
        super().changeEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self._plot is not None and event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self.move(0, self._plot.height() - SIZE.height())
            self.raise_()
        return False

    def _ask(self) -> None:
        dialog = QFileDialog(self.window(), tr("Save {name}", name=word(self._name)), self._name)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(list(FORMATS) if self._plot is not None else list(FORMATS)[:1])
        dialog.setDefaultSuffix("csv")
        dialog.filterSelected.connect(lambda chosen: dialog.setDefaultSuffix(FORMATS[chosen]))
        dialog.fileSelected.connect(lambda name: self.save(Path(name)))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def save(self, path: Path) -> None:
        """Write a file in the format of its suffix; say whether that was possible."""
        try:
            if self._plot is None or path.suffix.lower() == ".csv":
                save_table(path, self._table())
            else:
                self.hide()  # it is no part of the picture
                save_picture(path, self._plot)
            words = tr("Wrote {path}", path=path)
        except OSError as error:
            words = tr(
                "{path} cannot be written: {strerror}. Choose another folder",
                path=path,
                strerror=error.strerror or error,
            )
        finally:
            self.show()
        QToolTip.showText(self.mapToGlobal(QPoint()), tip(words), self)
