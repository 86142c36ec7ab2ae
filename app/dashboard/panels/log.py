"""Panel: log of the commands, answers and problems of this window."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QTextOption
from PySide6.QtWidgets import QPlainTextEdit, QVBoxLayout

from earmark.app.dashboard.language import tr
from earmark.app.dashboard.panels.panel import Panel, View
from earmark.app.looks import TIGHT

#: Maximum number of lines kept.
MAX_LINES = 1000


class _Handler(QObject, logging.Handler):
    formatted = Signal(str)

    def __init__(self) -> None:
        QObject.__init__(self)
        logging.Handler.__init__(self)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:  # type: ignore[override]
        self.formatted.emit(self.format(record))


class Log(Panel):
    """Lines of the logger ``earmark.app.dashboard``, from all threads."""

    title, key, hz = tr("Log"), "log", 1.0

    def __init__(self) -> None:
        super().__init__()
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setMaximumBlockCount(MAX_LINES)
        self._text.setAccessibleName(tr("Log of this window"))
        self._text.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self._text.setMinimumSize(140, 60)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(TIGHT, TIGHT, TIGHT, TIGHT)
        layout.addWidget(self._text)
        self._handler = _Handler()
        self._handler.formatted.connect(self._text.appendPlainText)
        self._logger = logging.getLogger("earmark.app.dashboard")
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self._handler)

    def refresh(self, view: View) -> None:
        """Do nothing: the log handler adds the lines."""

    def end(self) -> None:
        self._logger.removeHandler(self._handler)
