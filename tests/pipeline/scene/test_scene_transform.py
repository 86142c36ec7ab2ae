import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.transform import Analysis, Framing, Hops, Synthesis

LIVE = Framing(48000)


def through(framing, x, sizes):
    """Analysis and synthesis with nothing between, in chunks of the given sizes and then the rest."""
    hops, analysis, synthesis = Hops(framing.hop), Analysis(framing, len(x)), Synthesis(framing, len(x))
    new, ready = np.zeros((2, len(x), framing.hop), np.float32)
    out, done = [], 0
    for size in (*sizes, x.shape[1]):
        chunk = x[:, done : done + size]
        y = np.empty_like(chunk)
        for here, hop, whole in hops.cut(chunk.shape[1]):
            y[:, here] = ready[:, hop]
            new[:, hop] = chunk[:, here]
            if whole:
                ready[:] = synthesis.push(analysis.push(new))
        out.append(y)
        done += chunk.shape[1]
    return np.concatenate(out, axis=1)


def noise(n, n_channels=2, seed=0):
    return np.random.default_rng(seed).standard_normal((n_channels, n)).astype(np.float32)


@pytest.mark.parametrize("framing", [LIVE, Framing(48000, 0.016), Framing(44100), Framing(16000), Framing(8000)])
def test_what_goes_in_comes_out_later_by_the_delay(framing):
    x = noise(4000)
    y = through(framing, x, ())
    np.testing.assert_allclose(y[:, framing.delay :], x[:, : -framing.delay], atol=2e-6)
    assert np.abs(y[:, : framing.delay]).max() < 1e-6


def test_windows_are_as_long_as_they_say():
    assert (LIVE.window, LIVE.hop, LIVE.n_bins, LIVE.delay) == (384, 192, 193, 384)
    assert LIVE.frequencies[-1] == 24000
    assert Framing(44100).window % 2 == 0
    np.testing.assert_allclose(LIVE.taper[:192] ** 2 + LIVE.taper[192:] ** 2, 1, atol=1e-6)


def test_spectra_are_those_of_numpy():
    x = noise(384)
    analysis = Analysis(LIVE, 2)
    for at in (0, 192):
        spectra = analysis.push(x[:, at : at + 192])
    wanted = np.fft.rfft(x.astype(float) * np.sqrt(np.hanning(769)[1::2]))
    np.testing.assert_allclose(spectra, wanted, atol=1e-4)
    assert spectra.dtype == np.complex64


@given(st.lists(st.integers(0, 700), max_size=12))
def test_samples_do_not_depend_on_chunks(sizes):
    x = noise(3000)
    assert np.array_equal(through(LIVE, x, sizes), through(LIVE, x, ()))


@given(st.lists(st.integers(0, 500), max_size=12), st.integers(1, 300))
def test_hops_are_cut_without_loss(sizes, hop):
    hops, at, done = Hops(hop), 0, 0
    for size in sizes:
        expected = 0
        for chunk, place, whole in hops.cut(size):
            assert chunk.start == expected
            assert place.start == at % hop
            assert chunk.stop - chunk.start == place.stop - place.start
            assert whole == (place.stop == hop)
            expected, at = chunk.stop, at + chunk.stop - chunk.start
        assert expected == size
        done += size
    assert at == done


def test_the_end_is_the_hop_that_a_window_of_zeros_completes():
    one, other = Synthesis(LIVE, 2), Synthesis(LIVE, 2)
    spectra = np.fft.rfft(noise(384))
    one.push(spectra)
    other.push(spectra)
    assert np.array_equal(one.end(), other.push(np.zeros_like(spectra)))
    assert not one.end().any()


@pytest.mark.parametrize(
    ("sfreq", "window_s"), [(0.0, 0.008), (48000.0, -1.0), (1000.0, 0.008), (np.nan, 0.008), (48000, np.inf)]
)
def test_windows_that_are_none_are_refused(sfreq, window_s):
    with pytest.raises(SceneError, match="fewer than 16 samples"):
        Framing(sfreq, window_s)
