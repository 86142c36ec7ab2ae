import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import eeg, noise, seeg, through

from earmark.pipeline.nodes.reference import Reference, ReferenceConfig, shafts
from earmark.pipeline.stream import Block, ClockMap, Gap, StreamSpec, WiringError


def opened(spec, **config):
    node = Reference(ReferenceConfig(**config))
    return node, node.open(spec)


def referenced(spec, x, bad=None, **config):
    node, _ = opened(spec, **config)
    (block,) = node.process(Block(0, x, None if bad is None else np.array(bad)))
    return block


def depth(*names, others=()):
    """Depth contacts of these names, then channels of other types."""
    types = ("seeg",) * len(names) + tuple(others)
    names = (*names, *(f"X{kind}" for kind in others))
    return StreamSpec("seeg", 1000.0, names, types, ("uV",) * len(names), hop=20)


def test_average_reference_of_scalp_channels_only():
    spec = eeg(5, hop=10, ch_types=("eeg", "eeg", "eog", "eeg", "misc"))
    x = noise(0, 10, 5)
    block = referenced(spec, x)
    scalp = [0, 1, 3]
    np.testing.assert_allclose(block.data[:, scalp], x[:, scalp] - x[:, scalp].mean(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_array_equal(block.data[:, [2, 4]], x[:, [2, 4]])


def test_average_reference_of_intracranial_channels_without_scalp():
    spec, x = depth("A1", "A2", "B1", others=("misc",)), noise(0, 20, 4)
    block = referenced(spec, x)
    np.testing.assert_allclose(block.data[:, :3], x[:, :3] - x[:, :3].mean(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_array_equal(block.data[:, 3], x[:, 3])


def test_mean_of_chosen_channels_of_any_type():
    spec, x = eeg(4, hop=10, ch_types=("eeg", "eeg", "eog", "eog")), noise(0, 10)
    block = referenced(spec, x, kind="channels", channels=("E3", "E4"))
    np.testing.assert_allclose(block.data[:, :2], x[:, :2] - x[:, 2:].mean(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_array_equal(block.data[:, 2:], x[:, 2:])


def test_masked_channel_is_left_out_of_the_mean_and_stays_masked():
    x = noise(0, 10)
    block = referenced(eeg(hop=10), x, [False, True, False, False])
    np.testing.assert_allclose(block.data, x - x[:, [0, 2, 3]].mean(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_array_equal(block.bad, [False, True, False, False])


@pytest.mark.parametrize(
    ("config", "bad"), [({}, [True] * 4), ({"kind": "channels", "channels": ("E2",)}, [False, True, False, False])]
)
def test_all_channels_are_masked_without_a_good_reference(config, bad):
    block = referenced(eeg(hop=10), noise(0, 10), bad, **config)
    assert block.bad.all()
    assert np.isfinite(block.data).all()


def test_bipolar_by_shaft_and_contact():
    spec = depth("A2", "A1", "A3", "B'1", "B'2", "C1", "A5", others=("eog",))
    x = noise(0, 20, 8)
    node, out = opened(spec, kind="bipolar")
    (block,) = node.process(Block(0, x))
    assert out.ch_names == ("A1-A2", "A2-A3", "B'1-B'2", "Xeog")
    assert out.ch_types == ("seeg",) * 3 + ("eog",)
    np.testing.assert_allclose(block.data, x[:, [1, 0, 3, 7]] - np.c_[x[:, [0, 2, 4]], np.zeros(20)], rtol=1e-12)


def test_bipolar_by_pairs():
    spec, x = depth("A1", "A2", "A3"), noise(0, 20, 3)
    node, out = opened(spec, kind="bipolar", pairs=(("A3", "A1"),))
    (block,) = node.process(Block(0, x))
    assert out.ch_names == ("A3-A1",)
    np.testing.assert_allclose(block.data[:, 0], x[:, 2] - x[:, 0], rtol=1e-12)


def test_laplacian_uses_one_neighbour_at_the_ends():
    spec, x = depth("A1", "A2", "A3", "B7"), noise(0, 20, 4)
    node, out = opened(spec, kind="laplacian")
    (block,) = node.process(Block(0, x))
    assert out.ch_names == ("A1", "A2", "A3")
    wanted = np.c_[x[:, 0] - x[:, 1], x[:, 1] - (x[:, 0] + x[:, 2]) / 2, x[:, 2] - x[:, 1]]
    np.testing.assert_allclose(block.data, wanted, rtol=1e-12)


def test_laplacian_needs_one_good_neighbour():
    spec, x = seeg(5, hop=20), noise(0, 20, 5)
    one = referenced(spec, x, [True, False, False, False, False], kind="laplacian")
    np.testing.assert_allclose(one.data[:, 1], x[:, 1] - x[:, 2], rtol=1e-12)
    np.testing.assert_array_equal(one.bad, [True, False, False, False, False])
    both = referenced(spec, x, [True, False, True, False, False], kind="laplacian")
    np.testing.assert_array_equal(both.bad, [True, True, True, False, False])
    np.testing.assert_allclose(both.data[:, 3], x[:, 3] - x[:, 4], rtol=1e-12)


def test_other_channels_keep_their_mask():
    spec, x = depth("A1", "A2", others=("eog", "misc")), noise(0, 20, 4)
    block = referenced(spec, x, [False, False, True, False], kind="bipolar")
    np.testing.assert_array_equal(block.bad, [False, True, False])


def test_derivation_with_a_bad_contact_is_bad():
    block = referenced(seeg(4, hop=20), noise(0, 20, 4), [False, True, False, False], kind="bipolar")
    np.testing.assert_array_equal(block.bad, [True, True, False])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["average", "channels", "bipolar", "laplacian"]),
    st.lists(st.booleans(), min_size=16, max_size=16),
    st.integers(0, 99),
    st.sampled_from([1e6, -1e6, 1e3, 0.0]),
)
def test_masked_channels_do_not_change_a_bit_of_the_others(kind, bad, seed, scale):
    bad, x = np.array(bad), noise(seed, 20, 16)
    wild = x.copy()
    wild[:, bad] = scale * np.random.default_rng(seed + 1).normal(size=(20, bad.sum()))
    config = {"channels": ("A1", "A5", "B2")} if kind == "channels" else {}
    quiet = referenced(seeg(16, hop=20), x, bad, kind=kind, **config)
    loud = referenced(seeg(16, hop=20), wild, bad, kind=kind, **config)
    np.testing.assert_array_equal(quiet.bad, loud.bad)
    good = ~quiet.bad
    assert quiet.data[:, good].tobytes() == loud.data[:, good].tobytes()


def test_other_items_pass():
    node, _ = opened(eeg(hop=10))
    assert through(node, [Gap(0, 3), ClockMap(0, 1, 2)]) == [Gap(0, 3), ClockMap(0, 1, 2)]


def test_shafts_are_read_from_names():
    assert shafts(("A'12", "A'13", "LT2", "Cz", "7")) == {"A'": {12: 0, 13: 1}, "LT": {2: 2}}


@pytest.mark.parametrize(
    ("spec", "config", "message"),
    [
        (eeg(), {}, "reference: input is 'eeg' in ragged blocks, but must be reblocked"),
        (eeg(2, hop=10, ch_types=("misc", "eog")), {}, "input is 'eeg' without EEG or intracranial channels"),
        (eeg(hop=10), {"kind": "channels"}, "channels is empty, but must be channels of 'eeg': E1, E2"),
        (eeg(hop=10), {"kind": "channels", "channels": ("M1",)}, r"channels is \['M1'\], but must be channels of"),
        (eeg(hop=10), {"kind": "bipolar"}, "kind is 'bipolar' on 'eeg', but must be used on seeg or ecog"),
        (depth("A1", "A2"), {"kind": "bipolar", "pairs": (("A1", "A9"),)}, r"pairs is \['A9'\], but must be channels"),
        (depth("A1", "B1"), {"kind": "laplacian"}, "kind is 'laplacian' on 'seeg'"),
        (eeg(hop=10), {"kind": "averge"}, "kind is 'averge', but must be one of average, channels, bipolar, laplacian"),
        (depth("A1", "A2"), {"kind": "laplacian", "pairs": (("A1", "A2"),)}, "pairs is given with kind 'laplacian'"),
        (eeg(hop=10), {"channels": ("E1",)}, "channels is given with kind 'average', but must be left out"),
    ],
)
def test_invalid_settings_are_rejected(spec, config, message):
    with pytest.raises(WiringError, match=message):
        opened(spec, **config)
