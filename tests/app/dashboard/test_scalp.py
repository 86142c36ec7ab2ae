"""Comparison of the topomap with the one of MNE."""

import json
import subprocess
import sys

import matplotlib as mpl
import mne
import numpy as np
import pytest

from earmark.app.dashboard.panels.scalp import RESOLUTION, NoPositions, pack, scalp, unpack


@pytest.fixture(scope="module", params=["biosemi64", "biosemi32"])
def montage(request):
    montage = mne.channels.make_standard_montage(request.param)
    info = mne.create_info(montage.ch_names, 100.0, "eeg")
    info.set_montage(montage)
    return info


def electrodes(info, bad=()):
    return [(one["ch_name"], tuple(map(float, one["loc"][:3])), one["ch_name"] not in bad) for one in info["chs"]]


def test_matrix_gives_the_picture_of_mne(montage):
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    values = np.random.default_rng(0).standard_normal(len(montage.ch_names))
    found = scalp(electrodes(montage))
    figure, axes = plt.subplots()
    plain = {"show": False, "contours": 0, "sensors": False}
    image, _ = mne.viz.plot_topomap(values, montage, axes=axes, res=RESOLUTION, extrapolate="head", **plain)
    wanted = np.asarray(image.get_array())
    plt.close(figure)
    picture = np.full(found.inside.shape, np.nan)
    picture[found.inside] = found.matrix @ values.astype(np.float32)
    there = found.inside
    assert there.mean() > 0.5
    np.testing.assert_allclose(picture[there], wanted[there], atol=2e-5 * np.abs(values).max())


def test_electrodes_are_within_the_picture_in_correct_orientation(montage):
    found = scalp(electrodes(montage))
    names = montage.ch_names
    places = dict(zip(names, found.electrodes, strict=True))
    assert places["T7"][0] < places["Cz"][0] < places["T8"][0]
    assert places["Oz"][1] < places["Cz"][1] < places["Fz"][1]
    assert ((found.electrodes > 0) & (found.electrodes < 1)).all()
    one = np.zeros(len(names), np.float32)
    one[names.index("C3")] = 1.0
    picture = np.zeros(found.inside.shape)
    picture[found.inside] = found.matrix @ one
    row, column = np.unravel_index(picture.argmax(), picture.shape)
    np.testing.assert_allclose((column / RESOLUTION, row / RESOLUTION), places["C3"], atol=0.04)


def test_module_run_as_a_process_gives_the_same_matrix(montage):
    done = subprocess.run(
        [sys.executable, "-m", "earmark.app.dashboard.panels.scalp"],
        input=json.dumps(electrodes(montage)).encode(),
        capture_output=True,
        check=True,
    )
    found, wanted = unpack(done.stdout), scalp(electrodes(montage))
    for key in wanted._fields:
        np.testing.assert_array_equal(getattr(found, key), getattr(wanted, key))
    assert pack(wanted)


@pytest.mark.parametrize(
    "wrong", [[(0.0, 0.0, 0.0)] * 6, [(0.09 * np.cos(a), 0.09 * np.sin(a), 0.0) for a in np.linspace(0, 1, 6)]]
)
def test_positions_that_do_not_cover_the_head_are_named(wrong):
    done = subprocess.run(
        [sys.executable, "-m", "earmark.app.dashboard.panels.scalp"],
        input=json.dumps([(str(k), place, True) for k, place in enumerate(wrong)]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "check them in the metadata" in done.stderr.splitlines()[-1]


def test_bad_electrodes_are_located_but_do_not_count(montage):
    found = scalp(electrodes(montage, bad=("Cz", "T7")))
    names = montage.ch_names
    assert len(found.electrodes) == len(found.located) == len(names)
    assert [names[i] for i in found.good] == [name for name in names if name not in ("Cz", "T7")]
    assert found.matrix.shape[1] == len(names) - 2
    fewer = [one for one in electrodes(montage) if one[0] not in ("Cz", "T7")]
    values = np.random.default_rng(0).standard_normal(len(fewer)).astype(np.float32)
    picture, wanted = found.matrix @ values, scalp(fewer)
    assert picture.std() == pytest.approx((wanted.matrix @ values).std(), rel=0.1)


def test_electrodes_without_positions_are_placed_by_name():
    names = ["FZ", "cz", "Pz", "C3", "C4", "trigger", "Oz"]
    found = scalp([(name, None, True) for name in names])
    assert [names[i] for i in found.located] == ["FZ", "cz", "Pz", "C3", "C4", "Oz"]
    places = dict(zip((names[i] for i in found.located), found.electrodes, strict=True))
    assert places["C3"][0] < places["cz"][0] < places["C4"][0]
    assert places["Oz"][1] < places["Pz"][1] < places["cz"][1] < places["FZ"][1]
    four = [("Fz", 0.0, 0.05), ("Cz", 0.0, 0.0), ("Pz", 0.0, -0.05), ("A", 0.05, 0.0)]
    stated = scalp([*((name, (x, y, 0.08), True) for name, x, y in four), ("Oz", None, True)])
    assert len(stated.located) == 4, "names do not count where positions are stated"


@pytest.mark.parametrize("names", [["A1x", "B2", "C3x", "D4", "E5"], ["Cz", "Fz", "E3"]])
def test_too_few_positions_are_named(names):
    with pytest.raises(NoPositions, match=r"[02] good electrodes have a position, but 4 are needed"):
        scalp([(name, None, True) for name in names])
