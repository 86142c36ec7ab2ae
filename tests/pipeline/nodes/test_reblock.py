import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import cut, eeg, join, noise, through

from earmark.pipeline.nodes.reblock import Reblock, ReblockConfig
from earmark.pipeline.stream import Block, ClockMap, Gap, WiringError


def opened(spec, **config):
    node = Reblock(ReblockConfig(**config))
    return node, node.open(spec)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 399), max_size=50), st.sampled_from([0, 7, 10**9]))
def test_any_chunks_become_blocks_of_one_hop(cuts, start):
    x = noise(0, 405)
    node, spec = opened(eeg())
    blocks = through(node, cut(Block(start, x), [start + i for i in cuts]))
    assert spec.hop == 10
    assert [b.start for b in blocks] == list(range(start, start + 400, 10))
    assert all(len(b.data) == 10 and b.bad is None for b in blocks)
    np.testing.assert_array_equal(join(blocks), x[:400])


def test_gap_ends_the_current_block():
    x, y = noise(0, 25), noise(1, 12)
    node, _ = opened(eeg())
    items = through(node, [Block(0, x), Gap(25, 33), Block(33, y), Gap(45, 45)])
    assert [(type(i), i.start, i.stop) for i in items] == [
        (Block, 0, 10),
        (Block, 10, 20),
        (Block, 20, 25),
        (Gap, 25, 33),
        (Block, 33, 43),
        (Block, 43, 45),
        (Gap, 45, 45),
    ]
    np.testing.assert_array_equal(join(items), np.concatenate([x, y]))


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("V", 1e6), ("volts", 1e6), ("mV", 1e3), ("uV", 1), ("µV", 1), ("microvolts", 1), ("nV", 1e-3)],
)
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_microvolts_in_float64_from_any_unit_and_format(unit, factor, dtype):
    x = np.array([[1, 3], [-1, 4]] * 5, dtype=dtype)
    node, spec = opened(eeg(2, units=(unit, "uV"), ch_types=("eeg", "eog")))
    (block,) = node.process(Block(0, x))
    assert spec.units == ("uV", "uV")
    assert block.data.dtype == np.float64
    np.testing.assert_allclose(block.data, x * [float(factor), 1.0], rtol=1e-15)


def test_channel_that_is_no_electrode_is_not_scaled():
    node, spec = opened(eeg(2, ch_types=("eeg", "misc"), units=("V", "lux")))
    (block,) = node.process(Block(0, np.tile([1e-6, 5e7], (10, 1))))
    assert spec.units == ("uV", "lux")
    np.testing.assert_allclose(block.data[0], [1.0, 5e7])
    assert block.bad is None


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 2e6, -2e6, 1e308])
def test_invalid_samples_are_replaced_and_marked(wrong):
    x = noise(0, 30, 3)
    dirty = x.copy()
    dirty[[0, 13, 19], 1] = wrong
    wanted = x.copy()
    wanted[0, 1] = 0.0
    wanted[13, 1], wanted[19, 1] = x[12, 1], x[18, 1]
    node, _ = opened(eeg(3, units=("uV", "mV", "uV"), ch_types=("eeg",) * 3))
    dirty[:, 1] /= 1e3
    dirty[[0, 13, 19], 1] = wrong
    blocks = through(node, [Block(0, dirty)])
    np.testing.assert_allclose(join(blocks), wanted, rtol=1e-12)
    assert [None if b.bad is None else list(b.bad) for b in blocks] == [[False, True, False]] * 2 + [None]


def test_replacement_spans_blocks_and_ends_at_a_gap():
    node, _ = opened(eeg(1))
    x = np.full((10, 1), 7.0)
    nothing = np.full((10, 1), np.nan)
    items = through(node, [Block(0, x), Block(10, nothing), Gap(20, 30), Block(30, nothing)])
    np.testing.assert_array_equal(items[1].data, x)
    np.testing.assert_array_equal(items[3].data, np.zeros((10, 1)))
    assert items[1].bad == items[3].bad == [True]


def test_a_signalling_nan_is_a_nan():
    node, _ = opened(eeg(1))
    x = np.full((10, 1), 0x7FA00000, dtype=np.uint32).view(np.float32)
    (block,) = node.process(Block(0, x))
    assert block.bad == [True]
    np.testing.assert_array_equal(block.data, 0.0)


def test_first_sample_waits_as_long_as_declared():
    node, spec = opened(eeg(1), hop_s=0.03)
    waited = [now - out.start for now, x in enumerate(noise(0, 100, 1)[:, None]) for out in node.process(Block(now, x))]
    assert waited == [14] * 6
    assert spec.wait * spec.sfreq == pytest.approx(14)
    assert spec.latency == spec.wait


def test_other_items_pass():
    node, _ = opened(eeg())
    assert through(node, [ClockMap(0, 1, 2)]) == [ClockMap(0, 1, 2)]


@pytest.mark.parametrize(
    ("spec", "config", "message"),
    [
        (eeg(sfreq=0), {}, "reblock: input is 'eeg' with irregular rate, but must be a regularly sampled stream"),
        (eeg(), {"hop_s": 0.0005}, "reblock: hop_s is 0.0005, but must be at least one sample, 0.002 s"),
        (
            eeg(2, units=("uV", "furlong")),
            {},
            "reblock: unit is 'furlong' on channel 'E2' of 'eeg', but must be V, mV, uV or nV; .* give 'unit'",
        ),
    ],
)
def test_invalid_settings_are_rejected(spec, config, message):
    with pytest.raises(WiringError, match=message):
        opened(spec, **config)


def test_memory_layout_does_not_depend_on_the_input():
    x = np.asfortranarray(noise(0, 20))
    node, _ = opened(eeg())
    blocks = through(node, [Block(0, x[:10]), Block(10, x[10:15]), Block(15, x[15:])])
    assert [b.data.flags.c_contiguous for b in blocks] == [True, True]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), max_size=20), st.integers(1, 20))
def test_short_gap_is_interpolated_linearly(cuts, missing):
    x, y = noise(0, 25), noise(1, 36)
    node, _ = opened(eeg())
    after = 25 + missing
    pieces = [*cut(Block(0, x), [i for i in cuts if i < 25]), Gap(25, after, short=True)]
    pieces += cut(Block(after, y), [after + i for i in cuts if i < 36])
    items = through(node, [*pieces, Gap(after + 36, after + 36)])
    blocks = [item for item in items if isinstance(item, Block)]
    assert [type(item) for item in items] == [Block] * len(blocks) + [Gap], "only the end is a gap"
    assert [b.start for b in blocks] == list(range(0, after + 36, 10))
    line = x[-1] + np.arange(1, missing + 1)[:, None] / (missing + 1) * (y[0] - x[-1])
    np.testing.assert_allclose(join(blocks), np.concatenate([x, line, y]), rtol=1e-12)
    assert all(b.bad is None for b in blocks)


def test_short_gap_without_samples_on_both_sides_is_a_gap():
    x = noise(0, 25)
    node, _ = opened(eeg())
    items = through(node, [Gap(0, 3, short=True), Block(3, x), Gap(28, 30, short=True), Gap(30, 90), Block(90, x)])
    found = [(type(i), i.start, i.stop) for i in items if isinstance(i, Gap) or i.start >= 23]
    assert found == [(Gap, 0, 3), (Block, 23, 28), (Gap, 28, 30), (Gap, 30, 90), (Block, 90, 100), (Block, 100, 110)]


def test_invalid_samples_beside_a_short_gap_are_not_interpolated():
    x = np.ones((10, 2))
    x[9, 0] = np.nan
    node, _ = opened(eeg(2))
    y = np.full((11, 2), 3.0)
    y[0, 1] = np.inf
    items = through(node, [Block(0, x), Gap(10, 19, short=True), Block(19, y)])
    bridged = items[1].data[:9]
    np.testing.assert_allclose(bridged[:, 0], 1 + np.arange(1, 10) / 5)
    np.testing.assert_array_equal(bridged[:, 1], 1.0)


def test_waiting_gap_is_part_of_the_state():
    x, y = noise(0, 25), noise(1, 20)
    node, _ = opened(eeg())
    list(node.process(Block(0, x)))
    list(node.process(Gap(25, 30, short=True)))
    other, _ = opened(eeg())
    other.restore(node.state())
    for a, b in zip(node.process(Block(30, y)), other.process(Block(30, y)), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
