"""Whether a window can be shown is found out, and said in words."""

import sys

import pytest

from earmark.app.terminal.display import no_screen, why_no_window

VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no DISPLAY")


@pytest.fixture
def environment(monkeypatch):
    pytest.importorskip("PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_without_a_display_there_is_no_screen(environment):
    assert no_screen() == why_no_window() == "there is no screen: DISPLAY is not set"


@pytest.mark.parametrize("platform", ["offscreen", "minimal", "offscreen:size=100x100"])
def test_platform_that_shows_nothing_is_no_screen(environment, platform):
    environment.setenv("DISPLAY", ":0")
    environment.setenv("QT_QPA_PLATFORM", platform)
    assert "which shows nothing" in why_no_window()


def test_display_that_nobody_serves_is_found_out(environment):
    environment.setenv("DISPLAY", ":54321")
    assert no_screen() == ""
    assert why_no_window().startswith("the window cannot be opened: ")


def test_without_the_windows_packages_the_extra_is_named(environment, monkeypatch):
    environment.setenv("DISPLAY", ":0")
    monkeypatch.setattr("earmark.kernels.extras.find_spec", lambda name: None)
    assert "the window needs more packages" in why_no_window()
