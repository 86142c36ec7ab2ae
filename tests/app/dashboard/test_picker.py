"""The list of LSL streams from which the operator chooses the amplifier."""

import pytest

EEG = {"name": "amp", "type": "EEG", "channels": 64, "sfreq": 500.0, "host": "lab", "source_id": "a-1"}
MARKERS = EEG | {"name": "keys", "type": "Markers", "channels": 1, "sfreq": 0.0, "source_id": "k-1"}


@pytest.fixture
def picker(qtbot, theme):
    from earmark.app.dashboard.frame.picker import Picker

    one = Picker()
    qtbot.addWidget(one)
    one.show()
    return one


def test_the_only_amplifier_is_chosen_already(qtbot, picker):
    picker.found.emit([MARKERS, EEG])
    assert picker._use.isEnabled()
    with qtbot.waitSignal(picker.stream_chosen) as chosen:
        picker._use.click()
    assert chosen.args == [EEG]


def test_of_two_amplifiers_none_is_chosen_and_a_double_click_takes_one(qtbot, picker):
    from PySide6.QtCore import Qt

    other = EEG | {"name": "amp 2", "source_id": "a-2"}
    picker.found.emit([EEG, other])
    assert not picker._use.isEnabled()
    table = picker._table
    at = table.visualItemRect(table.item(1, 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    with qtbot.waitSignal(picker.stream_chosen) as chosen:
        qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert chosen.args == [other]


def test_one_search_at_a_time(qtbot, monkeypatch):
    import threading

    from earmark.app.dashboard.data.stream_search import StreamSearch
    from earmark.devices.sources import lsl_search

    searches, goes_on = [], threading.Event()

    def find(selector, seconds):
        searches.append(seconds)
        goes_on.wait(60)
        return []

    monkeypatch.setattr(lsl_search, "find_streams", find)
    search = StreamSearch()
    with qtbot.waitSignal(search.found, timeout=60_000):
        for _ in range(3):
            search.start()
        goes_on.set()
    assert len(searches) == 1
    with qtbot.waitSignal(search.found, timeout=60_000):
        search.start()
    assert len(searches) == 2
