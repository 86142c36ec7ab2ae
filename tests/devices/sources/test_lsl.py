import math
import threading
import time
import uuid

import numpy as np
import pylsl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.devices.sources.lsl import Inlet, Outlet
from earmark.devices.sources.lsl_description import DTYPES, StreamError, describe_xml, make_info, unique_names
from earmark.devices.sources.lsl_search import StreamSelector, find_one
from earmark.devices.sources.overrides import Overrides
from earmark.devices.sources.source import Wanted
from earmark.pipeline.stream import Block, ClockMap, Gap, Marker, StreamSpec


def spec(n_channels=3, sfreq=100.0, name="x"):
    names = tuple(f"E{i}" for i in range(n_channels))
    return StreamSpec(name, sfreq, names, ("eeg",) * n_channels, ("uV",) * n_channels)


class Sink:
    def __init__(self):
        self.arrivals, self.more = [], threading.Event()

    def __call__(self, arrival):
        self.arrivals.append(arrival)
        self.more.set()

    def wait_for(self, condition):
        end = time.monotonic() + 180
        while not condition(self.arrivals):
            assert time.monotonic() < end, self.arrivals
            self.more.wait(0.1)
            self.more.clear()
        return self.arrivals


def n_samples(arrivals):
    return sum(len(a.item.data) for a in arrivals if isinstance(a.item, Block))


@pytest.fixture
def source_id():
    return f"test-{uuid.uuid4().hex[:12]}"


def connected(stream, selector, sink):
    inlet = Inlet(Wanted(stream, selector, sink))
    inlet.connect(20)
    return inlet


@pytest.mark.parametrize("fmt", sorted(f for f, dtype in DTYPES.items() if dtype))
def test_every_number_format_is_received_bit_for_bit(source_id, fmt):
    rng = np.random.default_rng(0)
    dtype = np.dtype(DTYPES[fmt])
    if dtype.kind == "f":
        sent = rng.normal(0, 1e5, (100, 3)).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        sent = rng.integers(limits.min, limits.max, (100, 3), dtype=dtype, endpoint=True)
    outlet = pylsl.StreamOutlet(make_info(spec(), "EEG", source_id, fmt))
    sink = Sink()
    inlet = connected("eeg", StreamSelector(source_id=source_id), sink)
    inlet.start((10,))
    assert outlet.wait_for_consumers(10)
    time.sleep(0.3)  # the inlet drops samples from before its start
    t0 = pylsl.local_clock()
    for k in range(10):
        outlet.push_chunk(sent[10 * k : 10 * k + 10], list(t0 + np.arange(10 * k, 10 * k + 10) / 100))
    arrivals = sink.wait_for(lambda a: n_samples(a) == 100)
    inlet.stop()
    blocks = [a for a in arrivals if isinstance(a.item, Block)]
    got = np.concatenate([a.item.data for a in blocks])
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, sent)
    np.testing.assert_array_equal(np.concatenate([a.stamps for a in blocks]), t0 + np.arange(100) / 100)
    assert isinstance(next(a.item for a in arrivals if not isinstance(a.item, float)), ClockMap)


@pytest.mark.parametrize(
    ("fmt", "sample", "text"),
    [
        ("string", ["tone/left"], "tone/left"),
        ("string", ["änd\nere", "zweite"], "änd\nere zweite"),
        ("int32", [17], "17"),
        ("double64", [0.25, -3.0], "0.25 -3"),
    ],
)
def test_irregular_streams_become_markers_on_our_clock(source_id, fmt, sample, text):
    what = StreamSpec("m", 0.0, tuple(f"c{i}" for i in sample), ("misc",) * len(sample), ("",) * len(sample))
    outlet = pylsl.StreamOutlet(make_info(what, "Markers", source_id, fmt))
    sink = Sink()
    inlet = connected("m", StreamSelector(source_id=source_id), sink)
    inlet.start()
    assert outlet.wait_for_consumers(10)
    time.sleep(0.3)
    outlet.push_sample(sample, 123.5)
    arrivals = sink.wait_for(lambda a: any(isinstance(x.item, Marker) for x in a))
    inlet.stop()
    (arrival,) = (a for a in arrivals if isinstance(a.item, Marker))
    assert arrival.item == Marker(123.5 + inlet.offset, text)
    assert arrival.stamps == [123.5]
    assert abs(inlet.offset) < 0.01, "the same machine"


def test_invalid_text_bytes_are_replaced(source_id):
    what = StreamSpec("m", 0.0, ("c",), ("misc",), ("",))
    outlet = pylsl.StreamOutlet(make_info(what, "Markers", source_id, "string"))
    sink = Sink()
    inlet = connected("m", StreamSelector(source_id=source_id), sink)
    inlet.start()
    assert outlet.wait_for_consumers(10)
    time.sleep(0.3)
    outlet.push_sample([b"a\xff\xfeb"], 1.0)
    arrivals = sink.wait_for(lambda a: any(isinstance(x.item, Marker) for x in a))
    inlet.stop()
    (value,) = (a.item.value for a in arrivals if isinstance(a.item, Marker))
    assert value == "a\ufffd\ufffdb"
    assert inlet.status == "live"


def test_published_output_is_received_with_gap_and_times(source_id):
    outlet = Outlet(spec(name=f"out {source_id}"), "EEG", source_id)
    sink = Sink()
    inlet = connected("eeg", StreamSelector(source_id=source_id), sink)
    inlet.start((5,))
    end = time.monotonic() + 180
    while not outlet.has_listeners():
        assert time.monotonic() < end
    time.sleep(0.3)
    t0 = pylsl.local_clock()
    data = np.arange(300.0).reshape(100, 3)
    outlet.push(ClockMap(0.0, t0, 0.01))
    for k in range(10):
        outlet.push(Block(10 * k, data[10 * k : 10 * k + 10]))
        time.sleep(0.05)
    outlet.push(Gap(100, 200))
    time.sleep(1.0)
    outlet.push(Block(200, data[:10]))
    arrivals = sink.wait_for(lambda a: n_samples(a) == 110)
    inlet.stop()
    (gap,) = (a.item for a in arrivals if isinstance(a.item, Gap))
    assert gap.start == 100
    assert gap.stop - gap.start == pytest.approx(100, abs=2)
    blocks = [a for a in arrivals if isinstance(a.item, Block)]
    np.testing.assert_array_equal(np.concatenate([a.item.data for a in blocks])[:100], data.astype(np.float32))
    np.testing.assert_allclose(np.concatenate([a.stamps for a in blocks])[:100], t0 + np.arange(100) / 100, atol=1e-6)


labels = st.lists(st.text("ABC'12 é<&>", min_size=1, max_size=6).map(str.strip).filter(bool), min_size=1, max_size=5)
numbers = st.floats(-0.2, 0.2, allow_nan=False)


@given(st.data(), labels)
@settings(max_examples=60, deadline=None)
def test_description_round_trips(data, names):
    n = len(names)
    names = [f"{name}{i}" for i, name in enumerate(names)]
    what = StreamSpec(
        name=data.draw(st.text("abc <&>'\"", min_size=1, max_size=10).map(str.strip).filter(bool)),
        sfreq=data.draw(st.sampled_from([0.0, 64.0, 499.7, 2048.0])),
        ch_names=tuple(names),
        ch_types=tuple(data.draw(st.sampled_from(["eeg", "seeg", "ecog", "eog", "misc"])) for _ in names),
        units=tuple(data.draw(st.sampled_from(["uV", "V", "", "mmHg"])) for _ in names),
        positions=tuple((data.draw(numbers) + 0.3, data.draw(numbers), data.draw(numbers)) for _ in names),
    )
    speed = data.draw(st.sampled_from([1.0, 2.5]))
    back = describe_xml(make_info(what, "EEG", "id & <x>", "int16", speed=speed).as_xml())
    assert back.spec.evolve(positions=None) == what.evolve(positions=None)
    np.testing.assert_allclose(back.spec.positions, what.positions, atol=1e-12)
    assert (back.type, back.source_id, back.format, back.speed) == ("EEG", "id & <x>", "int16", speed)
    assert len(back.spec.ch_names) == n
    assert back.differences(back) == []


def test_foreign_descriptions_are_read_safely():
    info = pylsl.StreamInfo("amp", "EEG", 2, 250.0, "float32", "x")
    bare = describe_xml(info.as_xml()).overridden(Overrides(unit="uV"))
    assert bare.spec.ch_names == ("EEG1", "EEG2")
    assert bare.spec.ch_types == ("eeg", "eeg")
    assert bare.spec.units == ("uV", "uV")
    assert bare.sent.units == ("", "")
    channels = info.desc().append_child("channels")
    channels.append_child("channel").append_child_value("label", "only one")
    half = describe_xml(info.as_xml()).spec
    assert half.ch_names == ("only one", "EEG2")
    assert half.ch_types == ("eeg", "misc"), "undescribed channels are not electrodes"
    second = channels.append_child("channel")
    second.append_child_value("label", "only one")
    second.append_child("location").append_child_value("X", "nonsense")
    read = describe_xml(info.as_xml()).spec
    assert read.ch_names == ("only one-0", "only one-1")
    assert read.positions is None
    for broken in (
        "",
        "<info>",
        "<info/>",
        info.as_xml().replace("float32", "float16"),
        info.as_xml().replace(">2<", ">-2<"),
    ):
        with pytest.raises(StreamError):
            describe_xml(broken)


def test_naming_many_channels_is_fast():
    names = describe_xml(pylsl.StreamInfo("amp", "EEG", 10**5, 250.0, "float32", "x").as_xml()).spec.ch_names
    assert len(set(names)) == 10**5
    assert unique_names(["a", "b", "a"]) == ("a-0", "b", "a-1")


def test_metres_are_distinguished_from_millimetres():
    info = pylsl.StreamInfo("amp", "EEG", 1, 250.0, "float32", "x")
    location = info.desc().append_child("channels").append_child("channel").append_child("location")
    for axis in "XYZ":
        location.append_child_value(axis, "0.05")
    assert describe_xml(info.as_xml()).spec.positions == ((0.05, 0.05, 0.05),)
    assert math.isclose(describe_xml(info.as_xml().replace("0.05", "50")).spec.positions[0][0], 0.05)


def test_differences_are_described():
    def describe(**changes):
        return describe_xml(make_info(spec().evolve(**changes), "EEG", "x").as_xml())

    expected = describe()
    assert expected.differences(describe(sfreq=50.0)) == ["rate 50 Hz instead of 100 Hz"]
    assert expected.differences(describe(ch_names=("E0", "X", "E2"))) == ["other channel names ('X' for 'E1')"]
    assert expected.differences(describe(units=("V",) * 3)) == ["other units"]
    four = spec(4)
    (words,) = expected.differences(describe_xml(make_info(four, "EEG", "x").as_xml()))
    assert words == "4 channels instead of 3"


def test_missing_stream_error_lists_available_streams(source_id):
    with pytest.raises(StreamError, match=r"no LSL stream with source_id .* 'earmark streams'"):
        find_one(StreamSelector(source_id=source_id), 0.5)
    with pytest.raises(StreamError, match="both kinds of quotation mark"):
        find_one(StreamSelector(name="a'b\"c"), 0.5)
