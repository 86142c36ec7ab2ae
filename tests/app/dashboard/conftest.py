import os

import pytest

# Before Qt is loaded: tests need no display.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

pytest.importorskip("PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
pytest.importorskip("pyqtgraph", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")


@pytest.fixture
def settings(tmp_path):
    """Settings in a temporary file, never the user's."""
    from PySide6.QtCore import QSettings

    return QSettings(str(tmp_path / "dashboard.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def theme(qapp):
    from earmark.app.dashboard.frame import theme

    theme.apply(qapp, theme.LIGHT)
    return theme


@pytest.fixture
def session(tmp_path):
    """Starts sessions in separate processes; call with a name and the options of FakeSession."""
    from made_up_session import FakeSession

    sessions = []

    def start(name="alice", **options):
        sessions.append(FakeSession(tmp_path / name, **options))
        return sessions[-1]

    yield start
    for one in sessions:
        one.stop()


@pytest.fixture
def window(qtbot, settings, theme):
    """Opens windows; call with the folder of a session."""
    from earmark.app.dashboard.frame.window import Window

    windows = []

    def open_window(folder=None, **_):
        one = Window(settings, folder)
        one._closing = False
        windows.append(one)
        one.show()
        qtbot.waitExposed(one)
        return one

    yield open_window
    for one in windows:
        one.close_now()
        qtbot.wait(1)
        one.deleteLater()
