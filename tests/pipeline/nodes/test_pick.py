import numpy as np
import pytest
from streams import eeg, through

from earmark.pipeline.nodes.pick import Pick, PickConfig
from earmark.pipeline.stream import Block, Gap, WiringError

SPEC = eeg(4, ch_types=("eeg", "misc", "eog", "eeg"))


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (PickConfig(), ("E1", "E3", "E4")),
        (PickConfig(types=("misc",)), ("E2",)),
        (PickConfig(drop=("E1", "E3")), ("E4",)),
        (PickConfig(names=("E4", "E2")), ("E2", "E4")),
        (PickConfig(names=("E4", "E2"), drop=("E4",)), ("E2",)),
    ],
)
def test_channels_are_selected_by_type_and_name(config, names):
    assert Pick(config).open(SPEC).ch_names == names


def test_data_and_mask_follow_the_channels():
    pick = Pick(PickConfig(drop=("E1",)))
    pick.open(SPEC)
    x, gap = np.arange(8.0).reshape(2, 4), Gap(2, 5)
    first, second, third = through(pick, [Block(0, x), gap, Block(5, x, np.array([False, False, True, False]))])
    np.testing.assert_array_equal(first.data, x[:, [2, 3]])
    assert first.bad is None
    assert second == gap
    np.testing.assert_array_equal(third.bad, [True, False])


def test_number_format_is_unchanged():
    pick = Pick(PickConfig())
    pick.open(SPEC)
    (block,) = pick.process(Block(0, np.zeros((2, 4), dtype=np.int16)))
    assert block.data.dtype == np.int16


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (PickConfig(names=("E9",)), r"pick: names is \['E9'\], but must be channels of 'eeg': E1, E2, E3, E4"),
        (PickConfig(drop=("Cz",)), r"pick: drop is \['Cz'\], but must be channels of 'eeg'"),
        (PickConfig(types=("seeg",)), r"pick: types is \['seeg'\], but must be among .*\['eeg', 'eog', 'misc'\]"),
    ],
)
def test_missing_channels_are_an_error(config, message):
    with pytest.raises(WiringError, match=message):
        Pick(config).open(SPEC)
