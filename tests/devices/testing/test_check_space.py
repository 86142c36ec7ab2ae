"""Every sound space of ours keeps its contract, and the check of it finds each way of breaking it."""

import itertools

import numpy as np
import pytest
from lab_parts import mono

from earmark.devices.audio.scene import SPACES
from earmark.testing import CheckFailed, check_space

NUMBERS = itertools.count()


@pytest.mark.parametrize("name", SPACES.built_in)
def test_every_built_in_space_passes(name):
    if name == "hrtf":
        pytest.importorskip("slab", reason="slab is not installed: pip install slab")
    check_space(SPACES.get(name))


def test_space_of_another_package_passes():
    check_space(mono)


def broken(change):
    """Return a space that differs in one way from one with 19 directions and 1 tap."""

    def space(sfreq):
        return change(np.arange(-90.0, 91.0, 10.0), np.ones((19, 2, 1)), sfreq)

    return space


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a, r, f: (a[:-1], r), r"must give azimuths \(n,\) and responses \(n, 2, n_taps\)"),
        (lambda a, r, f: (a, r[:, :1]), r"must give azimuths \(n,\) and responses \(n, 2, n_taps\)"),
        (lambda a, r, f: (a[:0], r[:0]), r"must give azimuths \(n,\) and responses"),
        (lambda a, r, f: (a, r[:, :, :0]), "must give 1 to 24000 taps"),
        (lambda a, r, f: (a[::-1], r), "must give ascending azimuths"),
        (lambda a, r, f: (a, r * np.nan), "must give finite values"),
        (lambda a, r, f: (3 * a, r), "within -180 to 180"),
        (lambda a, r, f: (a, r if f < 100_000 else r[:1]), "at 192000 Hz, it gives azimuths"),
        (lambda a, r, f: r, "at 8000 Hz, too many values"),
        (lambda a, r, f: (a, r + 1e-9 * next(NUMBERS)), "called again at 8000 Hz, it gives others"),
        (lambda a, r, f: (a, 100 * r), "the gain straight ahead is 100 "),
        (lambda a, r, f: (a, r / 100), "the gain straight ahead is 0.01 "),
        (lambda a, r, f: (a, r * (a != 40)[:, None, None]), "a talker at 40 degrees is silent"),
        (
            lambda a, r, f: (a, r * (1 + 9 * (a == 40))[:, None, None]),
            "a talker at 40 degrees has a gain of 10 at one ear",
        ),
    ],
)
def test_each_broken_space_is_found(change, words):
    with pytest.raises(CheckFailed, match=words):
        check_space(broken(change))


def test_what_is_not_a_space_is_refused_in_words():
    with pytest.raises(CheckFailed, match="needs a function of the sample rate"):
        check_space(mono(48_000.0))
