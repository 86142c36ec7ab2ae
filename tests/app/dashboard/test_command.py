import sys

import pytest
from PySide6.QtWidgets import QLabel
from typer.testing import CliRunner

from earmark.app.command_line import app
from earmark.app.dashboard.launch.process import BrokenQt, check_qt

RUNNER = CliRunner()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["no/such/folder"], "no/such/folder is not a folder: give"), (["--theme", "pink"], "must be light or dark")],
)
def test_unusable_argument_is_an_error(arguments, said, capfd):
    result = RUNNER.invoke(app, ["dashboard", *arguments])
    assert result.exit_code == 1
    assert said in result.output + capfd.readouterr().err


def test_without_qt_the_error_names_the_package_to_install(monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "pyqtgraph", None)
    result = RUNNER.invoke(app, ["dashboard"])
    assert result.exit_code == 1
    assert "pip install '.[desktop]'" in result.output + capfd.readouterr().err


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
def test_qt_that_loses_references_is_refused(qtbot, monkeypatch):
    check_qt()
    import ctypes

    count = ctypes.c_ssize_t.from_address(id(None))

    def leak(self):
        count.value -= 1

    monkeypatch.setattr(QLabel, "update", leak)
    try:
        with pytest.raises(BrokenQt, match="pip install"):
            check_qt()
    finally:
        count.value += 200
