import numpy as np
import pytest

from earmark.devices.audio.feeds import Drift
from earmark.devices.audio.rings import LiveRing

SFREQ = 48_000.0


def through(ppm, seconds, read_until=lambda second: True):
    """Send a tone by a wrong clock, in pieces of 10 ms, and read it in buffers; return the result and the drift."""
    ring = LiveRing.of(SFREQ)
    drift, reader = Drift(ring, SFREQ), LiveRing(name=ring.name)
    heard, waiting = [], []
    sent = read = 0.0
    t = 0.0
    while t < seconds:
        t += 256 / SFREQ
        while sent + 480 <= t * SFREQ * (1 + ppm * 1e-6):
            at = np.arange(sent, sent + 480)
            drift.push((0.5 * np.sin(2 * np.pi * 200 * at / SFREQ)).astype(np.float32))
            sent += 480
        if read_until(t):
            heard.append(reader.pull(256))
            read += len(heard[-1])
        waiting.append(ring.waiting)
    reader.close()
    ring.close()
    return np.concatenate(heard), np.array(waiting), drift, read


@pytest.mark.parametrize("ppm", [0, 100, -100, 3000, -3000])
def test_clock_drift_is_corrected_without_a_click(ppm):
    heard, waiting, drift, read = through(ppm, 60.0)
    settled = waiting[len(waiting) // 3 :]
    assert abs(settled - 2880).max() < 1500, "near its target"
    assert read > 59 * SFREQ, "and no underrun"
    assert drift.n_lost == 0
    n_due = abs(ppm) * 1e-6 * 60 / 0.004
    cuts = drift.n_dropped if ppm > 0 else drift.n_repeated
    assert drift.n_dropped == 0 or drift.n_repeated == 0
    assert cuts == pytest.approx(n_due, abs=6)
    steepest = 0.5 * 2 * np.pi * 200 / SFREQ
    assert abs(np.diff(heard)).max() < 1.5 * steepest + 1.0 / (0.004 * SFREQ)


def test_samples_without_a_cut_are_unchanged():
    heard, _, drift, _ = through(0, 5.0)
    assert drift.n_dropped == drift.n_repeated == 0
    sent = (0.5 * np.sin(2 * np.pi * 200 * np.arange(len(heard)) / SFREQ)).astype(np.float32)
    np.testing.assert_array_equal(heard, sent)


def test_absent_reader_loses_only_samples_that_do_not_fit():
    _, _, drift, _ = through(0, 4.0, read_until=lambda second: second < 1.0)
    assert drift.n_lost == pytest.approx(2 * SFREQ, rel=0.1)
