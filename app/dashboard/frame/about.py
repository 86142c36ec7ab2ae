"""Box about the program: what it is, its version and those of what it stands on, licence and how to cite it."""

from __future__ import annotations

import importlib.metadata
import platform

import PySide6
from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox, QWidget

from earmark.app.dashboard.frame.icons import application_icon
from earmark.app.dashboard.language import tr

#: Packages whose versions matter in a report of a fault.
PACKAGES = ("pylsl", "numpy", "scipy", "pyqtgraph", "sounddevice", "torch")


def versions() -> str:
    """Return the versions of Earmark, Python, system and packages, one per line."""
    lines = [f"Earmark {importlib.metadata.version('earmark')}", f"Python {platform.python_version()}"]
    lines.append(f"{platform.system()} {platform.release()} {platform.machine()}")
    lines.append(f"Qt {qVersion()}, PySide6 {PySide6.__version__}")
    for package in PACKAGES:
        try:
            lines.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{package} is not installed")
    return "\n".join(lines)


def show_about(parent: QWidget) -> QMessageBox:
    """Show the box without blocking the window; return it."""
    about = importlib.metadata.metadata("earmark")
    box = QMessageBox(parent)
    box.setWindowTitle(tr("About Earmark"))
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setModal(False)
    box.setIconPixmap(application_icon().pixmap(64, 64))
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(f"Earmark {about['Version']}\n{about['Summary']}")
    box.setInformativeText(
        tr(
            "For research use only. It is not a medical device.\nLicence: {licence}. To cite "
            "it, see CITATION.cff in its source.",
            licence=about["License-Expression"],
        )
    )
    box.setDetailedText(versions())
    copy = box.addButton(tr("Copy versions"), QMessageBox.ButtonRole.ActionRole)
    copy.clicked.disconnect()
    copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(versions()))
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Close))
    box.show()
    return box
