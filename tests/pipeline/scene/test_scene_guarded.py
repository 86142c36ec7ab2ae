"""Whatever the separator of another package does, there are masks."""

import re

import numpy as np
import pytest
from mixtures import FRAMING, mixture, spectra_of

from earmark.pipeline.scene.array import preset
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.guarded import Guarded
from earmark.pipeline.scene.separator import BeamMasks

ARRAY, TWO = preset("glasses6"), np.array([-30.0, 30.0])
SHAPE = (2, FRAMING.n_bins)
REST = 2500  # hops of 4 ms in 10 s


class Foreign(BeamMasks):
    """A separator that a test makes fail at will."""

    def __init__(self, delay=0):
        super().__init__(ARRAY, FRAMING, 2)
        self.delay, self.fails, self.n_calls, self.n_resets = delay, None, 0, 0

    def process(self, spectra, directions):
        self.n_calls += 1
        if self.fails is not None:
            return self.fails(spectra)
        return np.tile(np.array([[0.75], [0.25]], np.float32), (1, FRAMING.n_bins))

    def reset(self):
        self.n_resets += 1


def raises(spectra):
    raise RuntimeError("out of memory")


def writes(spectra):
    spectra[:] = 0


FAULTS = {
    "raises": (raises, "it raised RuntimeError: out of memory"),
    "none": (lambda spectra: None, "it raised|its masks have shape"),
    "words": (lambda spectra: "masks", "it raised ValueError"),
    "shape": (
        lambda spectra: np.zeros((3, 65), np.float32),
        r"its masks have shape \(3, 65\), but must have \(2, 65\)",
    ),
    "not a number": (lambda spectra: np.full(SHAPE, np.nan), "its masks are not finite"),
    "too large for float32": (lambda spectra: np.full(SHAPE, 1e300), "its masks are not finite"),
    "writes into the spectra": (writes, "it raised ValueError: .*read-only"),
}


@pytest.fixture(scope="module")
def spectra():
    return list(spectra_of(sum(mixture(ARRAY, TWO, 0.2)[0])))


@pytest.mark.parametrize(("fails", "words"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_counted_and_the_masks_of_beams_used(spectra, fails, words):
    foreign, beams = Foreign(), BeamMasks(ARRAY, FRAMING, 2)
    guarded = Guarded(foreign, BeamMasks(ARRAY, FRAMING, 2))
    for k, one in enumerate(spectra):
        foreign.fails = fails if k >= 10 else None
        before, wanted = one.copy(), beams.process(one, TWO).copy()
        masks = guarded.process(one, TWO)
        if k < 10:
            assert (masks[0] == 0.75).all()
            assert guarded.fault == ""
        else:
            np.testing.assert_array_equal(masks, wanted)
            assert re.search(words, guarded.fault)
        np.testing.assert_array_equal(one, before)
    assert guarded.n_wrong == 1, "it is not asked again at once"
    assert foreign.n_calls == 11


def test_it_is_tried_again_after_ten_seconds_then_twenty(spectra):
    foreign = Foreign()
    guarded = Guarded(foreign, BeamMasks(ARRAY, FRAMING, 2))
    foreign.fails, asked = raises, []
    for k in range(3 * REST + 5):
        before = foreign.n_calls
        guarded.process(spectra[k % len(spectra)], TWO)
        if foreign.n_calls > before:
            asked.append(k)
        assert guarded.fault
    assert asked == [0, REST, 3 * REST]
    assert foreign.n_resets == 2
    foreign.fails = None
    guarded.reset()
    assert (guarded.process(spectra[0], TWO)[0] == 0.75).all()
    assert guarded.fault == ""
    assert guarded.n_wrong == 3


def test_masks_of_beams_are_as_late_as_those_they_replace(spectra):
    foreign, beams = Foreign(delay=2 * FRAMING.hop), BeamMasks(ARRAY, FRAMING, 2)
    guarded = Guarded(foreign, BeamMasks(ARRAY, FRAMING, 2))
    assert guarded.delay == 2 * FRAMING.hop
    foreign.fails = raises
    found = [guarded.process(one, TWO).copy() for one in spectra]
    wanted = [beams.process(one, TWO).copy() for one in spectra]
    np.testing.assert_array_equal(found[2:], wanted[:-2])


def test_state_goes_on_in_the_middle_of_a_rest(spectra):
    one, other = (Guarded(Foreign(delay=FRAMING.hop), BeamMasks(ARRAY, FRAMING, 2)) for _ in range(2))
    one._separator.fails = raises
    for spectrum in spectra[:20]:
        one.process(spectrum, TWO)
    state = one.state()
    other.restore(state)
    for spectrum in spectra[20:]:
        np.testing.assert_array_equal(other.process(spectrum, TWO), one.process(spectrum, TWO))
    assert other._separator.n_calls == 0


@pytest.mark.parametrize("what", ["sfreq", "hop", "n_mics", "n_bins", "n_places", "delay"])
def test_one_that_does_not_fit_is_refused(what):
    foreign = Foreign()
    setattr(foreign, what, 7)
    with pytest.raises(SceneError, match=f"its {what} is 7"):
        Guarded(foreign, BeamMasks(ARRAY, FRAMING, 2))
