"""Icons and the box about the program."""

import importlib.metadata

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox

from earmark.app.dashboard.frame.icons import application_icon


def colours(icon, pixels=20):
    image = icon.pixmap(pixels, pixels).toImage()
    points = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
    return {point.name() for point in points if point.alpha() == 255}


def test_every_page_has_an_icon_of_its_own_in_the_colour_of_the_text(qapp, qtbot, window, theme):
    shown = window()
    for look in theme.THEMES.values():
        theme.apply(qapp, look)
        qtbot.waitUntil(lambda look=look: theme.of(shown) is look, timeout=60_000)
        drawn = [button.icon().pixmap(20, 20).toImage() for button in shown._rail.values()]
        for image, button in zip(drawn, shown._rail.values(), strict=True):
            assert colours(button.icon()) <= {look.text}
            assert sum(other == image for other in drawn) == 1
            assert any(image.pixelColor(x, y).alpha() for x in range(image.width()) for y in range(image.height()))


@pytest.mark.parametrize("pixels", [32, 256])
def test_application_icon_is_drawn_at_every_size(qapp, pixels):
    assert {"#12324f", "#f2f5f7", "#f08a3c"} <= colours(application_icon(), pixels)
    assert application_icon().pixmap(pixels, pixels).width() == pixels


def test_about_box_tells_the_versions_and_copies_them(qtbot, window):
    shown = window()
    shown.actions_by_key["about"].trigger()
    box = shown.findChild(QMessageBox)
    qtbot.waitExposed(box)
    assert not box.isModal()
    assert importlib.metadata.version("earmark") in box.text()
    assert "not a medical device" in box.informativeText()
    next(button for button in box.buttons() if button.text() == "Copy versions").click()
    assert box.isVisible()
    copied = QGuiApplication.clipboard().text()
    assert copied == box.detailedText()
    for package in ("pylsl", "numpy", "pyqtgraph"):
        assert f"{package} {importlib.metadata.version(package)}" in copied
    box.close()


def test_only_one_tab_bar_is_visible_for_each_group_of_panels(qtbot, window):
    """Qt leaves tab bars behind where panels were, over the panels of a small window."""
    from PySide6.QtWidgets import QTabBar

    shown = window()
    shown.go("live")
    for width, height in ((1280, 720), (960, 640), (1900, 1000)):
        shown.resize(width, height)
        for again in (shown.live.reset_layout, lambda: None):
            again()
            qtbot.wait(100)
            bars = [bar for bar in shown.live.area.findChildren(QTabBar) if bar.isVisible()]
            tabs = [[bar.tabText(k) for k in range(bar.count())] for bar in bars]
            assert sorted(map(len, tabs)) == [2, 3, 4]
            assert len({name for group in tabs for name in group}) == 9
