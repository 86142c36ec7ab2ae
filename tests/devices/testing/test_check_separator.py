"""Every separator of ours keeps its contract, and the check of it finds each way of breaking it."""

import itertools

import numpy as np
import pytest
from lab_parts import Louder

from earmark.devices.audio.scene import SEPARATORS
from earmark.pipeline.scene.separator import BeamMasks
from earmark.testing import CheckFailed, check_separator

COUNT = itertools.count()


@pytest.mark.parametrize("name", SEPARATORS.built_in)
def test_every_built_in_separator_passes(name):
    assert 0 < check_separator(SEPARATORS.get(name)) < 10


def few(array, framing, n_places):
    """Two places on six microphones, three on two."""
    return BeamMasks(array, framing, n_places)


def test_a_function_that_makes_one_passes():
    check_separator(few)


def test_one_of_another_package_passes_and_may_refuse_an_array():
    assert check_separator(Louder) > 0

    def picky(array, framing, n_places):
        raise ValueError("needs 64 microphones")

    with pytest.raises(CheckFailed, match="it refuses all arrays that it is checked with: needs 64 microphones"):
        check_separator(picky)

    def mute(array, framing, n_places):
        raise ValueError("no")

    with pytest.raises(CheckFailed, match="it refuses without saying why: 'no'"):
        check_separator(mute)


def broken(**changes):
    """A class that differs from ours in some members."""

    class Broken(BeamMasks):
        pass

    for name, value in changes.items():
        setattr(Broken, name, value)
    return Broken


def process(change):
    return lambda self, spectra, directions: change(self, BeamMasks.process(self, spectra, directions))


def writes(self, spectra, directions):
    masks = BeamMasks.process(self, spectra, directions)
    spectra[:] = 0
    return masks


def keeps(self, spectra, directions):
    lent, self._lent = getattr(self, "_lent", spectra), spectra
    return BeamMasks.process(self, lent, directions)


def blind(self, spectra, directions):
    return BeamMasks.process(self, spectra, np.where(np.isfinite(directions), directions, 90.0))


def fragile(self, spectra, directions):
    masks = BeamMasks.process(self, spectra, directions)
    return masks if np.isfinite(spectra).all() else masks * np.nan


def draws(self, masks):
    by = 1e-6 * (next(COUNT) % 7)
    return (masks + by * np.array([[1], [-1], *[[0]] * (len(masks) - 2)])).astype("f4")


class Wrong(BeamMasks):
    def __init__(self, array, framing, n_places):
        super().__init__(array, framing, n_places)
        self.hop = 64.5


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Wrong, r"hop is 64\.5, but must be 64, as it was made"),
        (broken(delay=-1), "delay is -1, but must be a number|its delay is -1"),
        (broken(delay=70), "its delay is 70 samples, but must be 0 or whole hops"),
        (broken(delay="none"), "delay is 'none', but must be a number"),
        (broken(state=None), "there is no state"),
        (broken(process=process(lambda self, masks: masks.astype(float))), "masks are float64 .*, but must be float32"),
        (broken(process=process(lambda self, masks: masks[:1])), r"masks are float32 \(1, 65\), but must be"),
        (broken(process=process(lambda self, masks: masks.tolist())), "process gives a list, not an array"),
        (broken(process=process(lambda self, masks: masks * np.float32(0.5))), "masks do not sum to one, but differ"),
        (broken(process=process(lambda self, masks: masks * 3 - 1)), "masks are .*, but must be 0 to 1"),
        (broken(process=process(draws)), "masks change with spectra that it was lent|another instance gives other"),
        (broken(process=writes), "it changes what it is given: work on a copy"),
        (broken(process=keeps), "masks change with spectra that it was lent before"),
        (broken(process=blind), "with fewer than two directions, masks differ"),
        (broken(process=fragile), "given NaN, masks are not finite"),
        (broken(state=lambda self: {}), "KeyError"),
        (broken(state=lambda self: {"mean": self._mean}), "what state gave changes while it goes on"),
        (broken(restore=lambda self, state: None), "restored from its state, it goes on otherwise"),
        (broken(reset=lambda self: None), "after reset, it has not forgotten what came before"),
    ],
)
def test_each_broken_separator_is_found(made, words):
    with pytest.raises(CheckFailed, match=words):
        check_separator(made)


def test_an_instance_is_refused():
    with pytest.raises(CheckFailed, match="needs a class, or a function"):
        check_separator(3)
