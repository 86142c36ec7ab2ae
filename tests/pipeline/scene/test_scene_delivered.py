import numpy as np
import pytest

from earmark.pipeline.scene.delivered import Delivered
from earmark.pipeline.scene.transform import Framing

FRAMING = Framing(16000)
N = FRAMING.n_bins


def factor(gains_db, masks):
    return (10 ** (np.array(gains_db) / 20) - 1) @ masks


def of(masks, gains_db, n=50):
    delivered = Delivered(2, FRAMING)
    rng = np.random.default_rng(0)
    for _ in range(n):
        x = (rng.standard_normal(N) + 1j * rng.standard_normal(N)).astype(np.complex64)
        delivered.update(x, masks, factor(gains_db, masks).astype(np.float32))
    return delivered.db


def sharp():
    masks = np.zeros((2, N), np.float32)
    masks[0, ::2] = masks[1, 1::2] = 1
    return masks


def test_clear_shares_deliver_what_is_asked():
    np.testing.assert_allclose(of(sharp(), (3, -9)), [12, -12], atol=1e-4)


def test_equal_shares_deliver_nothing():
    np.testing.assert_allclose(of(np.full((2, N), 0.5, np.float32), (3, -9)), 0, atol=1e-6)


def test_neutral_gains_deliver_exactly_nothing():
    np.testing.assert_array_equal(of(0.9 * sharp() + 0.05, (0, 0)), 0)


def test_blurred_shares_deliver_less():
    found = of(0.6 * sharp() + 0.2, (3, -9))
    assert 2 < found[0] < 9
    assert found[1] == pytest.approx(-found[0])


def test_silence_is_not_a_number_and_what_is_not_finite_is_left_out():
    delivered = Delivered(2, FRAMING)
    assert np.isnan(delivered.db).all()
    for value in (0, np.nan, np.inf):
        delivered.update(np.full(N, value, np.complex64), sharp(), np.zeros(N, np.float32))
    assert np.isnan(delivered.db).all()
    delivered.update(np.ones(N, np.complex64), sharp(), np.zeros(N, np.float32))
    np.testing.assert_allclose(delivered.db, 0, atol=1e-12)
    delivered.reset()
    assert np.isnan(delivered.db).all()
