import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import MARKERS, eeg, noise

from earmark.pipeline.nodes.epochs import MAX_PENDING, Epochs, EpochsConfig
from earmark.pipeline.stream import Block, ClockMap, Gap, Marker, WiringError

CLOCK = ClockMap(0, 100.0, 0.002)


def opened(**config):
    node = Epochs(EpochsConfig(**config))
    node.open(eeg(2, hop=10), MARKERS)
    return node


def at(index, value="x"):
    return Marker(CLOCK.time(index), value)


def play(node, items):
    """Everything that comes out; markers go in where they belong."""
    return [out for item in items for out in node.process(item, 1 if isinstance(item, Marker) else 0)]


def signal(start, stop, bad_in=()):
    """Blocks of one hop whose first channel counts samples."""
    return [
        Block(
            i,
            np.c_[np.arange(i, min(i + 10, stop)), np.ones(min(10, stop - i))].astype(float),
            np.array([False, True]) if i in bad_in else None,
        )
        for i in range(start, stop, 10)
    ]


def test_epoch_has_the_samples_around_its_marker():
    node = opened(tmin=-0.1, tmax=0.2)
    (epoch,) = play(node, [CLOCK, *signal(0, 300), at(300.4), *signal(300, 600)])
    assert epoch.start == 250
    np.testing.assert_array_equal(epoch.data[:, 0], np.arange(250, 401))
    assert (epoch.marker, epoch.bad, epoch.reason) == (at(300.4), None, "")


def test_epoch_is_output_with_the_block_that_completes_it():
    node = Epochs(EpochsConfig(tmin=-0.1, tmax=0.2))
    spec = node.open(eeg(2, hop=10, wait=0.018), MARKERS)
    late = []
    for marker in range(300, 320):
        play(node, [CLOCK, *signal(0, 250), at(marker)])
        for block in signal(250, 500):
            if list(node.process(block)):
                late.append(block.stop - 1 - marker)
        node.open(eeg(2, hop=10, wait=0.018), MARKERS)
    assert len(late) == 20
    assert max(late) * 0.002 == pytest.approx(spec.wait)
    assert spec.wait == pytest.approx(0.218)


@pytest.mark.parametrize(("late", "found"), [(0, True), (999, True), (1200, False)])
def test_late_marker_gets_its_samples_or_a_reason(late, found):
    node = opened(tmin=-0.1, tmax=0.2, late_s=2.0)
    (epoch,) = play(node, [CLOCK, *signal(0, 2000), *signal(2000, 2000 + late), at(2000), *signal(2000 + late, 4000)])
    if found:
        np.testing.assert_array_equal(epoch.data[:, 0], np.arange(1950, 2101))
    else:
        assert (epoch.data, epoch.reason) == (None, "samples before a gap or no longer held")


@pytest.mark.parametrize("window", [(-0.1, 0.2), (0.1, 0.3), (-0.5, -0.1)])
@pytest.mark.parametrize("late", [0, 500, 1000])
def test_marker_can_be_as_late_as_declared(window, late):
    for index in range(1000, 1010):
        node = opened(tmin=window[0], tmax=window[1], late_s=late / 500)
        stop = (index + late) // 10 * 10
        (epoch,) = play(node, [CLOCK, *signal(0, stop), at(index), *signal(stop, 2500)])
        assert epoch.reason == ""
        np.testing.assert_array_equal(epoch.data[[0, -1], 0] - index, np.multiply(window, 500))


def test_epoch_before_the_first_sample_has_no_data():
    node = opened(tmin=-0.1, tmax=0.1)
    early, good = play(node, [CLOCK, *signal(1000, 1100), at(1010), at(1060), *signal(1100, 1200)])
    assert (early.data, early.reason) == (None, "samples before a gap or no longer held")
    assert good.data[0, 0] == 1010


def test_epoch_does_not_span_an_empty_gap():
    node = opened(tmin=-0.1, tmax=0.1)
    items = [CLOCK, *signal(0, 100), at(80), Gap(100, 100), *signal(100, 200), at(120)]
    assert [(e.data, e.reason) for e in play(node, items)] == [
        (None, "gap in the signal"),
        (None, "samples before a gap or no longer held"),
    ]


def test_markers_use_the_clock_of_the_signal():
    node = opened(tmin=0.0, tmax=0.1)
    list(node.process(CLOCK))
    list(node.process(ClockMap(0, 0.0, 1.0), 1))
    (epoch,) = play(node, [at(20), *signal(0, 100)])
    assert epoch.start == 20


def test_gap_before_during_and_after_an_epoch():
    node = opened(tmin=-0.1, tmax=0.1)
    items = [
        CLOCK,
        *signal(0, 500),
        at(480),  # cut short by the gap
        at(700),  # wholly after it
        Gap(500, 600),
        *signal(600, 620),
        at(620),  # begins in the gap
        *signal(620, 800),
    ]
    epochs = {round(CLOCK.index(e.marker.time)): e for e in play(node, items)}
    assert (epochs[480].data, epochs[480].reason) == (None, "gap in the signal")
    assert (epochs[620].data, epochs[620].reason) == (None, "samples before a gap or no longer held")
    np.testing.assert_array_equal(epochs[700].data[:, 0], np.arange(650, 751))


def test_every_marker_gets_an_epoch_at_the_end_of_the_recording():
    node = opened()
    (epoch,) = play(node, [CLOCK, *signal(0, 100), at(500), Gap(100, 100)])
    assert (epoch.data, epoch.reason) == (None, "gap in the signal")


def test_channels_masked_anywhere_in_the_epoch_are_bad():
    node = opened(tmin=0.0, tmax=0.1)
    first, second = play(node, [CLOCK, *signal(0, 100, bad_in=[40]), at(0), at(50), *signal(100, 200)])
    np.testing.assert_array_equal(first.bad, [False, True])
    assert second.bad is None


def test_only_selected_events_give_epochs():
    node = opened(tmin=0.0, tmax=0.01, events=("go",))
    epochs = play(node, [CLOCK, *signal(0, 10), at(0, "stop"), at(0, "go"), *signal(10, 20)])
    assert [e.marker.value for e in epochs] == ["go"]


def test_marker_before_the_first_clock_map_gives_no_data():
    (epoch,) = play(opened(), [at(0)])
    assert (epoch.data, epoch.reason) == (None, "marker before the first sample")


@pytest.mark.parametrize("time", [np.nan, np.inf, -np.inf, 1e300])
def test_invalid_time_stamp_gives_no_data(time):
    node = opened()
    (epoch,) = play(node, [CLOCK, Marker(time, "x")])
    assert (epoch.data, epoch.reason) == (None, "marker at an impossible time")
    assert len(node.state()["pending_start"]) == 0


def test_number_of_waiting_markers_is_limited():
    node = opened()
    epochs = play(node, [CLOCK, *signal(0, 10), *[at(1000 + i) for i in range(MAX_PENDING + 2)]])
    assert [e.reason for e in epochs] == [f"more than {MAX_PENDING} markers waiting"] * 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(-300, 400)), max_size=12),
    st.integers(1, 99),
    st.sampled_from([(-0.2, 0.8), (0.1, 0.3), (-0.5, -0.1), (0.0, 0.002)]),
)
def test_every_marker_gets_one_epoch_with_the_right_samples(arrivals, seed, window):
    x = noise(seed, 1000, 2)
    node = opened(tmin=window[0], tmax=window[1])
    items = [CLOCK]
    for start in range(0, 1000, 10):
        items += [at(index + offset) for index, offset in arrivals if start <= index < start + 10]
        items.append(Block(start, x[start : start + 10]))
    epochs = play(node, [*items, Gap(1000, 1000)])
    assert len(epochs) == len(arrivals)
    first, last = (round(t * 500) for t in window)
    for epoch in epochs:
        index = round(CLOCK.index(epoch.marker.time))
        assert epoch.start == index + first
        if epoch.start >= 0 and index + last < 1000:
            np.testing.assert_array_equal(epoch.data, x[index + first : index + last + 1])
        else:
            assert epoch.data is None
            assert epoch.reason


@pytest.mark.parametrize(
    ("inputs", "config", "message"),
    [
        ((eeg(), MARKERS), {}, "epochs: input is 'eeg' in ragged blocks"),
        ((eeg(hop=10), eeg()), {}, r"inputs\[1\] is 'eeg' at 500 Hz, but must be a marker stream"),
        ((eeg(hop=10), MARKERS), {"tmin": 0.8}, "tmin is 0.8, but must be below tmax, 0.8 s"),
        ((eeg(hop=10), MARKERS), {"late_s": -1}, "late_s is -1, but must be 0 or more"),
    ],
)
def test_invalid_settings_are_rejected(inputs, config, message):
    with pytest.raises(WiringError, match=message):
        Epochs(EpochsConfig(**config)).open(*inputs)
