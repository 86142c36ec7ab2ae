"""The same recording gives the same run through every input path: six file formats, and live over LSL."""

import pytest
from rig import ROOT

from benchmarks.ways_in import from_fif, measure, simulated

COCKTAIL = ROOT.parent / "shared" / "data" / "cocktail" / "sub-01_task-cocktail_run-01_raw.fif"
#: Relative tolerances of samples in single precision, and of signals prepared for training.
SINGLE, PREPARED = 2.0**-23, 1e-3


def check(results):
    for r in results:
        assert r.stamps_ms < 1, r
        assert r.markers_ms < 1, r
        # A format rounds to half a step, and every input path to single precision, in volts or microvolts.
        assert r.samples_uv <= 0.51 * r.step_uv + 2 * SINGLE * r.peak_uv, r
        # Rounding errors pass through the filters; the bound scales with the rounding step.
        assert r.prepared < PREPARED + 2 * r.step_uv, r
        assert r.missing == 0 or "recorded" in r.way, r


def test_simulated(tmp_path):
    results = measure(simulated(15), tmp_path, played=("edf",))
    check(results)
    assert len(results) == 8


def test_real_eeg(tmp_path):
    if not COCKTAIL.exists():
        pytest.skip(f"the recording {COCKTAIL.name} is not here")
    results = measure(from_fif(COCKTAIL, 15), tmp_path, played=())
    check(results)
    assert len(results) == 7
