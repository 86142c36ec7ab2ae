"""Electrode positions by name."""

import numpy as np
import pytest

from earmark.devices.files.positions import electrode_positions
from earmark.devices.simulate.electrodes import scalp, scalp_names


def test_ten_five_names_have_positions():
    found = electrode_positions(["Cz", "Oz", "Fpz", "T7", "T8"])
    assert found["Cz"][2] > found["Oz"][2]
    assert found["Fpz"][1] > 0 > found["Oz"][1]
    assert found["T7"][0] < 0 < found["T8"][0]


def test_positions_match_those_of_the_simulated_listener():
    cap = scalp(scalp_names())
    mine, theirs = np.array(list(electrode_positions(cap.ch_names).values())), np.array(cap.positions)
    r = [np.corrcoef(mine[:, axis], theirs[:, axis])[0, 1] for axis in range(3)]
    assert min(r) > 0.95


def test_caps_with_their_own_names_have_positions():
    assert set(electrode_positions(["A1", "B12", "D32"])) == {"A1", "B12", "D32"}


def test_unknown_names_are_reported():
    with pytest.raises(ValueError, match="lacks XX, YY"):
        electrode_positions(["Cz", "XX", "YY"])
