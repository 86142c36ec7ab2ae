import numpy as np
import pytest
from audio_scenes import SFREQ, beyond_db, noise, sizes_of, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.devices.audio.sources import LiveSource, PcmSource

FADE = 240  # frames of 5 ms


def read(source, total, sizes=(256,)):
    return np.concatenate([source.read(n) for n in sizes_of(total, sizes)])


def test_silence_follows_the_end():
    pcm = noise(0, 1000)
    source = PcmSource(pcm, SFREQ, start=100)
    assert source.position == 100
    np.testing.assert_array_equal(read(source, 1500), np.concatenate([pcm[100:], np.zeros(600)]))
    assert source.position == 1000
    assert source.read(0).shape == (0,)


@pytest.mark.parametrize("n", [1, 7, 1000])
def test_a_loop_is_seamless(n):
    pcm = noise(0, n)
    source = PcmSource(pcm, SFREQ, loop=True, start=n - 1)
    np.testing.assert_array_equal(read(source, 3000, (256, 1, 999)), np.resize(np.roll(pcm, 1), 3000))
    assert source.position == (n - 1 + 3000) % n


def test_a_jump_crossfades_over_5_ms():
    pcm = noise(0, 20_000)
    source = PcmSource(pcm, SFREQ)
    np.testing.assert_array_equal(source.read(500), pcm[:500])
    source.seek(10_000)
    assert source.position == 10_000
    got = read(source, 1000, (37,))
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, FADE + 1) / FADE)
    wanted = pcm[10_000 : 10_000 + FADE] * rise + pcm[500 : 500 + FADE] * (1 - rise)
    np.testing.assert_allclose(got[:FADE], wanted, atol=1e-7)
    np.testing.assert_array_equal(got[FADE:], pcm[10_000 + FADE : 11_000])
    assert source.position == 11_000


def test_jumps_during_a_jump_wait_and_the_last_one_wins():
    pcm = noise(0, 20_000)
    source = PcmSource(pcm, SFREQ)
    source.seek(5000)
    source.read(100)
    source.seek(9000)
    source.seek(12_000)
    assert source.position == 12_000, "a restart begins there"
    got = source.read(1000)
    np.testing.assert_array_equal(got[2 * FADE - 100 :], pcm[12_000 + FADE : 12_000 + 1100 - FADE])
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, FADE + 1) / FADE)
    wanted = pcm[12_000 : 12_000 + FADE] * rise + pcm[5000 + FADE : 5000 + 2 * FADE] * (1 - rise)
    np.testing.assert_allclose(got[FADE - 100 : 2 * FADE - 100], wanted, atol=1e-7)


@pytest.mark.parametrize(("asked", "found"), [(-5, 0), (999, 999), (10**12, 1000)])
def test_a_jump_stays_within_the_file(asked, found):
    source = PcmSource(noise(0, 1000), SFREQ)
    source.seek(asked)
    assert source.position == found
    looped = PcmSource(noise(0, 1000), SFREQ, loop=True)
    looped.seek(asked)
    assert looped.position == asked % 1000


def test_jump_back_from_beyond_the_end_works():
    pcm = noise(0, 1000)
    source = PcmSource(pcm, SFREQ)
    source.read(5000)
    source.seek(200)
    np.testing.assert_array_equal(source.read(500)[FADE:], pcm[200 + FADE : 700])


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), max_size=6),
    st.lists(st.integers(1, 600), min_size=1, max_size=4),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_does_not_depend_on_blocks(jumps, sizes, loop):
    def run(sizes):
        source, pieces, at = PcmSource(noise(1, 2000), SFREQ, loop), [], 0
        for frame, to in [*sorted(jumps), (5000, None)]:
            pieces.append(read(source, frame - at, sizes) if frame > at else np.zeros(0, np.float32))
            at = frame
            if to is not None:
                source.seek(to)
        return np.concatenate(pieces), source.position

    found, wanted = run(sizes), run([10_000])
    np.testing.assert_array_equal(found[0], wanted[0])
    assert found[1] == wanted[1]


def test_a_jump_in_a_tone_does_not_click():
    pcm = tone(48_000)
    source = PcmSource(pcm.astype(np.float32), SFREQ)
    before = source.read(24_000)
    source.seek(24_055)  # half a period apart
    assert beyond_db(np.concatenate([before, source.read(20_000)]), 5000) < -60
    hard = np.concatenate([pcm[:24_000], pcm[24_055:44_055]])
    assert beyond_db(hard, 5000) > -40, "as without a jump"


class Feed:
    """Deliver samples as declared available."""

    def __init__(self, x, there):
        self.x, self.there, self.at = np.asarray(x, np.float32), list(there), 0

    def __call__(self, n):
        n = min(n, self.there.pop(0) if self.there else n, len(self.x) - self.at)
        self.at += n
        return self.x[self.at - n : self.at]


def test_live_samples_are_unchanged_after_the_first_fade():
    x = noise(2, 5000)
    source = LiveSource(Feed(x, []), SFREQ)
    got = read(source, 5000)
    np.testing.assert_array_equal(got[144:], x[144:])
    assert abs(got[0]) < abs(x[0]) * 1e-3
    assert (source.n_missing, source.n_dry, source.position) == (0, 0, 5000)
    source.seek(7)
    assert source.position == 5000


def test_missing_samples_are_silent_and_counted():
    source = LiveSource(Feed(np.ones(10_000), [0, 256, 256, 100, 0, 0, 256, 256]), SFREQ)
    got = read(source, 8 * 256)
    assert not got[:256].any(), "nothing yet"
    assert (source.n_missing, source.n_dry) == (256 + 156 + 512, 1)
    assert got[767 + 100] == pytest.approx(1, abs=1e-6)
    assert not got[768 + 100 + 144 : 6 * 256].any()
    np.testing.assert_array_equal(got[6 * 256 + 144 :], 1)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=40), st.integers(1, 300))
@settings(max_examples=80, deadline=None)
def test_underrun_never_clicks(there, block):
    source = LiveSource(Feed(np.ones(20_000), there), SFREQ)
    got = np.concatenate([[0], *(source.read(block) for _ in range(len(there) + 3))])
    steepest = np.pi / 2 / 144
    assert np.abs(np.diff(got)).max() <= 2 * steepest * 1.01  # a fade-out during a fade-in
    assert np.abs(got).max() <= 2


def test_invalid_last_sample_does_not_ring():
    x = np.ones(300)
    x[255] = np.nan
    source = LiveSource(Feed(x, [256, 0, 0]), SFREQ)
    source.read(256)
    assert not source.read(256).any()
