"""Runs a Python module in a separate process and reports its output or its error."""

from __future__ import annotations

import os
import sys

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

from earmark.app.dashboard.language import tr


class BackgroundJob(QObject):
    """Runs ``python -P -m MODULE ARGUMENTS``.

    Attributes
    ----------
    done : Signal(bytes)
        The process succeeded: its standard output.
    failed : Signal(str)
        The process failed: the last line of its standard error, without ``error:``.
    progressed : Signal(str)
        The process wrote a line to its standard error.
    """

    done = Signal(bytes)
    failed = Signal(str)
    progressed = Signal(str)

    def __init__(self, module: str, arguments: list[str], given: bytes = b"", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process, self._line = QProcess(self), ""
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment.insert(name, "1")
        self._process.setProcessEnvironment(environment)
        self._process.setReadChannel(QProcess.ProcessChannel.StandardError)
        self._process.readyReadStandardError.connect(self._read_lines)
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._broken)
        self._process.start(sys.executable, ["-P", "-m", module, *arguments])
        self._process.write(given)
        self._process.closeWriteChannel()

    def stop(self) -> None:
        """Kill the process without emitting a signal."""
        self._process.readyReadStandardError.disconnect()
        self._process.finished.disconnect()
        self._process.errorOccurred.disconnect()
        self._process.kill()
        self._process.waitForFinished(1000)

    def _finished(self, status: int, how: QProcess.ExitStatus) -> None:
        if status == 0 and how == QProcess.ExitStatus.NormalExit:
            self.done.emit(bytes(self._process.readAllStandardOutput().data()))
            return
        self._read_lines(whole=False)
        line = self._line.removeprefix("error: ")
        self.failed.emit(line or tr("the process ended with status {status} and no message", status=status))

    def _read_lines(self, whole: bool = True) -> None:
        while self._process.canReadLine() or not (whole or self._process.atEnd()):
            line = bytes(self._process.readLine().data()).decode(errors="replace").strip()
            self._line = line or self._line
            self.progressed.emit(line)

    def _broken(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.failed.emit(self._process.errorString())
