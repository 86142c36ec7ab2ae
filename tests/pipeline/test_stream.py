import numpy as np
import pytest
from streams import eeg

from earmark.pipeline.stream import Block, ClockMap, wiring_error


def test_pick_keeps_what_belongs_to_each_channel():
    spec = eeg(3, ch_types=("eeg", "eog", "misc"), units=("uV", "mV", ""), positions=((0, 0, 1), (0, 1, 0), (1, 0, 0)))
    picked = spec.pick([2, 0])
    assert picked.ch_names == ("E3", "E1")
    assert picked.ch_types == ("misc", "eeg")
    assert picked.units == ("", "uV")
    assert picked.positions == ((1, 0, 0), (0, 0, 1))
    assert picked.n_channels == 2
    assert eeg(3).pick([1]).positions is None


def test_latency_is_the_sum_of_its_parts():
    assert eeg(delay=0.1, wait=0.02, group_delay=0.05).latency == pytest.approx(0.17)


def test_block_has_the_index_of_its_end():
    assert Block(5, np.zeros((3, 2))).stop == 8


def test_clock_map_converts_both_ways():
    clock = ClockMap(100, 5000.0, 0.002)
    assert clock.time(150) == pytest.approx(5000.1)
    assert clock.index(clock.time(123.25)) == pytest.approx(123.25)


def test_wiring_error_names_node_key_value_and_requirement():
    assert str(wiring_error("notch", "line_hz", 0, "above 0")) == "notch: line_hz is 0, but must be above 0"
