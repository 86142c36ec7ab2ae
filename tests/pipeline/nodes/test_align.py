import io
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import bits, eeg

from earmark.kernels.gammatone import erb_spaced
from earmark.pipeline.graph import Graph, Step
from earmark.pipeline.nodes.align import Align, AlignConfig
from earmark.pipeline.nodes.envelope import Envelope, EnvelopeConfig
from earmark.pipeline.nodes.reblock import Reblock, ReblockConfig
from earmark.pipeline.nodes.resample import Resample, ResampleConfig
from earmark.pipeline.stream import Aligned, Block, ChannelQuality, ClockMap, Gap, Item, Marker, StreamSpec, WiringError

SFREQ = 64.0
SWING = 2 * np.pi * 3.0  # features swing at 3 Hz


def features(name="talkers", n_channels=1, sfreq=SFREQ, hop=2, **changes):
    names = tuple(f"t{i}" for i in range(n_channels))
    return StreamSpec(name, sfreq, names, ("misc",) * n_channels, ("",) * n_channels, hop=hop).evolve(**changes)


def opened(neural=None, *talkers, **config):
    talkers = talkers or (features(),)
    node = Align(AlignConfig(n_streams=len(talkers), **config))
    return node, node.open(neural or eeg(1, SFREQ, hop=2), *talkers)


@dataclass
class Sender:
    """A stream with a drifting clock: items of any length, with the true time at which each was complete."""

    port: int
    n: int
    ppm: float = 0.0
    offset: float = 0.0
    jitter: float = 0.0
    sfreq: float = SFREQ
    seed: int = 0
    delay: float = 0.0
    gaps: tuple[tuple[int, int], ...] = ()
    first: int = 0
    items: list[tuple[float, Item]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        index, stop = self.first, self.first + self.n
        self.items.append((self.time(index), self.clock(index, rng)))
        while index < stop:
            gap = next((g for g in self.gaps if g[0] == index), None)
            if gap:
                self.items.append((self.time(gap[1]) + self.delay, Gap(*gap)))
                index = gap[1]
                continue
            if rng.random() < 0.1:
                self.items.append((self.time(index) + self.delay, self.clock(index, rng)))
            limit = min([g[0] for g in self.gaps if g[0] > index] + [stop])
            end = min(index + int(rng.integers(1, 3)), limit)
            self.items.append((self.time(end - 1) + self.delay, Block(index, self.values(np.arange(index, end)))))
            index = end

    def time(self, index):
        """True time of a sample."""
        return 5000.0 + self.offset + (index - self.first) / self.sfreq * (1 + 1e-6 * self.ppm)

    def clock(self, index, rng):
        period = (1 + 1e-6 * self.ppm) / self.sfreq
        period *= 1 + 1e-3 * self.jitter * rng.normal()
        return ClockMap(index, self.time(index) + self.jitter * rng.uniform(-1, 1), period)

    def values(self, index):
        """First channel: the true time itself; second: a sine."""
        t = self.time(index)
        return np.c_[t, np.sin(SWING * t)]


def merged(*senders: Sender) -> list[tuple[int, Item]]:
    """Everything in the order of true time."""
    found = [(at, sender.port, item) for sender in senders for at, item in sender.items]
    return [(port, item) for _, port, item in sorted(found, key=lambda one: one[:2])]


def play(node: Align, items: Iterable[tuple[int, Item]]) -> list:
    return [out for port, item in items for out in (node.process(item, port) if port else node.process(item))]


def exact(item):
    if isinstance(item, Aligned):
        bad = None if item.bad is None else item.bad.tobytes()
        return ("aligned", item.start, item.neural.tobytes(), item.talkers.shape, item.talkers.tobytes(), bad)
    return bits(item)


def by_sample(items):
    """Bits of every available sample, by index."""
    return {
        item.start + i: (item.neural[i].tobytes(), item.talkers[:, i].tobytes())
        for item in items
        if isinstance(item, Aligned)
        for i in range(len(item.neural))
    }


def talkers_of(items):
    return np.concatenate([item.talkers for item in items if isinstance(item, Aligned)], axis=1)


def neural_of(items):
    return np.concatenate([item.neural for item in items if isinstance(item, Aligned)])


def missing(items):
    return [i for item in items if isinstance(item, Gap) for i in range(item.start, item.stop)]


def assert_tiled(items, start):
    """Samples and gaps follow each other; return where they end."""
    for item in items:
        if isinstance(item, Aligned | Gap):
            assert item.start == start
            start = item.stop
            if isinstance(item, Aligned):
                assert len(item.neural) == item.talkers.shape[1] > 0
    return start


def stamps(sender):
    """Return the time of every sample according to the latest clock map before it, and its values."""
    clock, times, values = None, [], []
    for _, item in sender.items:
        if isinstance(item, ClockMap):
            clock = item
        elif isinstance(item, Block):
            times += [clock.time(i) for i in range(item.start, item.stop)]
            values += list(item.data)
    return np.array(times), np.array(values)


def spans(sender):
    """First and last index of every block."""
    return [(item.start, item.stop) for _, item in sender.items if isinstance(item, Block)]


def two(**config):
    """A neural stream and two streams of one talker each, both with two features."""
    return opened(eeg(2, SFREQ, hop=2), features("a", 2), features("b", 2), n_features=2, **config)[0]


@pytest.mark.parametrize("ppm", [(0, 0, 0), (100, -100, 100), (-100, 100, 37)])
@pytest.mark.parametrize("sfreq", [64.0, 100.0])
def test_time_error_is_below_half_a_sample_under_drift_offset_and_jitter(ppm, sfreq):
    jitter, spec = 0.2 / sfreq, features("x", 2, sfreq)
    node, _ = opened(eeg(2, SFREQ, hop=2), spec, spec.evolve(name="y"), n_features=2, max_wait_s=1.5)
    neural = Sender(0, 2000, ppm[0], jitter=jitter, first=1000, seed=1)
    a = Sender(1, 3300, ppm[1], -0.1234, jitter, sfreq, seed=2, delay=0.2)
    b = Sender(2, 3350, ppm[2], -0.7771, jitter, sfreq, seed=3, delay=0.05, first=77)
    found = play(node, merged(neural, a, b))
    assert not missing(found)
    told, true = talkers_of(found), neural_of(found)[:, 0]
    assert len(true) == 2000
    error = np.abs(told[:, :, 0] - true)  # the feature is its own true time
    assert error.max() < 0.5 / sfreq
    assert error.max() < 2.1 * jitter + 1e-3 / sfreq  # no more than what the maps are wrong
    swing = np.abs(told[:, :, 1] - np.sin(SWING * true))
    assert swing.max() < SWING * 2.1 * jitter + (SWING / sfreq) ** 2 / 8  # and what lies between two samples


def test_talkers_equal_interpolation_of_the_whole_signal():
    neural, a, b = (Sender(p, 800, 50.0 * p, -0.01 * p, 0.002, seed=p, delay=0.1) for p in range(3))
    found = play(two(), merged(neural, a, b))
    at, _ = stamps(neural)
    told = talkers_of(found)
    assert not missing(found)
    assert told.shape[1] > 780
    for k, sender in enumerate((a, b)):
        time, values = stamps(sender)
        for f in range(2):
            wanted = np.interp(at[: told.shape[1]], time, values[:, f])
            np.testing.assert_allclose(told[k, :, f], wanted, rtol=0, atol=1e-9)


def test_features_on_the_same_clock_are_unchanged():
    x, node = np.random.default_rng(0).normal(size=(10, 1)), opened()[0]
    clock = ClockMap(0, 5000.0, 1 / SFREQ)
    (told, block) = play(node, [(1, clock), (0, clock), (1, Block(0, x)), (0, Block(0, 2 * x))])
    assert told == clock
    np.testing.assert_array_equal(block.talkers, x.T[:, :, None])
    np.testing.assert_array_equal(block.neural, 2 * x)


def test_stream_can_contain_several_talkers():
    node, spec = opened(None, features("s", 6), features("t", 3), n_features=3)
    clock = ClockMap(0, 5000.0, 1 / SFREQ)
    s, t = np.arange(12.0).reshape(2, 6), 100 + np.arange(6.0).reshape(2, 3)
    *_, block = play(
        node, [(0, clock), (1, clock), (2, clock), (0, Block(0, np.zeros((2, 1)))), (1, Block(0, s)), (2, Block(0, t))]
    )
    assert block.talkers.shape == (3, 2, 3)
    np.testing.assert_array_equal(block.talkers, [s[:, :3], s[:, 3:], t])
    assert block.talkers.flags.c_contiguous
    assert spec.ch_names == ("E1", *(f"s/t{i}" for i in range(6)), *(f"t/t{i}" for i in range(3)))
    assert (spec.ch_types.count("misc"), len(spec.units)) == (9, 10)


def test_later_clock_map_does_not_move_earlier_samples():
    node, _ = opened()
    old, new = ClockMap(0, 5000.0, 1 / SFREQ), ClockMap(0, 5000.005, 1 / SFREQ)
    ramp = np.arange(20.0)[:, None]
    items = [(1, old), (0, old), (1, Block(0, ramp[:10])), (1, new), (1, Block(10, ramp[10:]))]
    *_, block = play(node, [*items, (0, Block(0, ramp[:19]))])
    told = block.talkers[0, :, 0]
    np.testing.assert_array_equal(told[:10], ramp[:10, 0])  # each at its own time
    np.testing.assert_allclose(told[11:], np.arange(11, 19) - 0.005 * SFREQ, rtol=1e-9)


def test_clock_map_that_moves_back_does_not_repeat_times():
    node, _ = opened()
    clock, back = ClockMap(0, 5000.0, 1 / SFREQ), ClockMap(0, 5000.0 - 3 / SFREQ, 1 / SFREQ)
    x = np.arange(30.0)[:, None]
    play(node, [(0, clock), (1, clock), (1, Block(0, x[:10])), (1, back), (1, Block(10, 100 + x[10:]))])
    (_, block) = [clock, *play(node, [(0, Block(0, x[:20]))])][-2:]
    np.testing.assert_array_equal(block.talkers[0, :, 0], [*range(10), *range(113, 123)])


def test_neural_clock_map_precedes_its_samples():
    node, _ = opened()
    maps = [ClockMap(i, 5000.0 + i / SFREQ, 1 / SFREQ) for i in (0, 4)]
    x = np.zeros((4, 1))
    neural = [(0, maps[0]), (0, Block(0, x)), (0, maps[1]), (0, Block(4, x)), (0, Block(8, x))]
    assert play(node, neural) == []
    found = play(node, [(1, maps[0]), (1, Block(0, np.zeros((20, 1))))])
    assert [item if isinstance(item, ClockMap) else item.start for item in found] == [maps[0], 0, maps[1], 4, 8]


def test_gaps_of_any_input_are_gaps_of_the_output():
    neural = Sender(0, 600, gaps=((100, 120),), offset=0.001)
    a = Sender(1, 640, gaps=((200, 230), (400, 401)), seed=1)
    b = Sender(2, 640, gaps=((225, 300),), seed=2, first=0)
    found = play(two(), merged(neural, a, b))
    # neural sample i lies just after talker sample i: the last before a gap has lost its neighbour
    assert missing(found) == [*range(100, 120), *range(199, 300), 399, 400]
    assert assert_tiled(found, 0) >= 590
    told, true = talkers_of(found), neural_of(found)[:, 0]
    np.testing.assert_allclose(told[:, :, 0], np.stack([true, true]), rtol=0, atol=1e-9)


def test_empty_gap_does_not_prevent_interpolation():
    node, _ = opened()
    x = np.arange(20.0)[:, None]
    clocks = [(0, ClockMap(0, 5000.0 + 0.25 / SFREQ, 1 / SFREQ)), (1, ClockMap(0, 5000.0, 1 / SFREQ))]
    talker = [(1, Block(0, x[:10])), (1, Gap(10, 10)), (1, Block(10, x[10:]))]
    found = play(node, [*clocks, *talker, (0, Block(0, x[:10])), (0, Gap(10, 10)), (0, Block(10, x[10:19]))])
    assert not missing(found)
    assert found[2] == Gap(10, 10)
    np.testing.assert_allclose(talkers_of(found)[0, :, 0], neural_of(found)[:, 0] + 0.25, rtol=1e-9)


@pytest.mark.parametrize("talker_first", [True, False])
def test_masked_talker_gives_a_gap_and_masked_channel_does_not(talker_first):
    node, _ = opened(eeg(2, SFREQ, hop=2))
    clock, x = ClockMap(0, 5000.0, 1 / SFREQ), np.zeros((2, 2))
    play(node, [(0, clock), (1, clock)])
    bad, ok = np.array([False, True]), np.array([False, False])
    neural = [(0, Block(2 * i, x, {1: bad, 3: ok}.get(i))) for i in range(8)]
    talker = [(1, Block(i, x[:1, :1], np.array([True]) if i == 11 else None)) for i in range(16)]
    found = play(node, [*talker, *neural] if talker_first else [*neural, *talker])
    assert [(o.start, None if o.bad is None else list(o.bad)) for o in found if isinstance(o, Aligned)] == [
        *[(0, None), (2, [False, True]), (4, None), (6, None), (8, None), (10, None), (12, None), (14, None)]
    ]
    assert missing(found) == [11]


@pytest.mark.parametrize("silent", [0, 1])
def test_samples_without_a_clock_become_a_gap(silent):
    node, _ = opened(max_wait_s=0.25)
    clock, x = ClockMap(0, 5000.0, 1 / SFREQ), np.zeros((40, 1))
    found = play(node, [(1 - silent, clock), (1, Block(0, x)), (0, Block(0, x)), (0, Block(40, x))])
    assert not by_sample(found)
    assert missing(found)[:40] == list(range(40))


def test_waiting_ends_after_the_declared_time():
    node, _ = opened(max_wait_s=1.0)
    clock = ClockMap(0, 5000.0, 1 / SFREQ)
    play(node, [(0, clock), (1, clock)])
    given, held = [], []
    for i in range(0, 640, 2):
        given += play(node, [(0, Block(i, np.zeros((2, 1))))])
        held.append(i + 2 - len(missing(given)))
    assert not by_sample(given)
    assert max(held) == 64 + 2
    late = play(node, [(1, Block(i, np.ones((2, 1)))) for i in range(0, 640, 2)])
    assert missing(given) + sorted(by_sample(late)) == list(range(640))
    assert np.all(talkers_of(late) == 1)


def test_memory_is_bounded_if_an_input_stalls():
    for port in (0, 1):
        node, _ = opened(max_wait_s=0.5)
        clock = ClockMap(0, 5000.0, 1 / SFREQ)
        play(node, [(0, clock), (1, clock)])
        sizes = []
        for i in range(0, 4000, 2):
            stray = [(port, Gap(i + 2, i + 2)), (port, ClockMap(0, 5000.0 + 1e-9 * i, 1 / SFREQ))] * 3
            play(node, [(port, Block(i, np.zeros((2, 1)))), *stray])
            sizes.append(sum(value.nbytes for value in node.state().values()))
        assert max(sizes[500:]) <= max(sizes[:500])


def test_empty_gaps_do_not_accumulate():
    node, _ = opened(max_wait_s=0.5)
    clock = ClockMap(0, 5000.0, 1 / SFREQ)
    found = play(node, [(0, clock), (1, clock), (0, Block(0, np.zeros((2, 1)))), *[(0, Gap(2, 2))] * 1000])
    assert missing(found) == [0, 1]


def test_talkers_wait_for_a_neural_signal_with_filter_delay():
    spec = eeg(2, SFREQ, hop=2, delay=1.0, wait=0.1)
    node, _ = opened(spec, features("t", 2), n_features=2, max_wait_s=0.2)
    found = play(node, merged(Sender(0, 300, delay=1.1), Sender(1, 400, offset=-0.01)))
    assert not missing(found)
    assert len(by_sample(found)) == 300


def test_early_talker_features_are_stored():
    node, _ = opened(max_wait_s=1.0)
    clock = ClockMap(0, 5000.0, 1 / SFREQ)
    ramp = np.arange(640.0)[:, None]
    play(node, [(0, clock), (1, clock), *((1, Block(i, ramp[i : i + 2])) for i in range(0, 640, 2))])
    found = play(node, [(0, Block(i, ramp[i : i + 2])) for i in range(0, 638, 2)])
    samples = by_sample(found)
    assert sorted(samples) == list(range(min(samples), 638))
    assert 638 - min(samples) >= 64
    np.testing.assert_array_equal(talkers_of(found)[0, :, 0], neural_of(found)[:, 0])


def test_clock_step_is_followed():
    neural = [ClockMap(0, 5000.0, 1 / SFREQ), *(Block(i, np.zeros((2, 1))) for i in range(0, 1280, 2))]
    for step, whole in ((-3600.0, True), (3600.0, True), (-0.05, False), (0.05, False)):
        node, _ = opened(max_wait_s=0.5)
        found = play(node, [(0, neural[0]), (1, neural[0])])
        for i, block in enumerate(neural[1:]):
            if i == 200:
                found += play(node, [(1, ClockMap(0, 5000.0 + step, 1 / SFREQ))])
            if i == 400:
                found += play(node, [(1, neural[0])])
            found += play(
                node, [(0, block), (1, Block(block.start, np.arange(block.start, block.stop)[:, None] * 1.0))]
            )
        told = {k: np.frombuffer(v[1])[0] for k, v in by_sample(found).items()}
        assert all(told[i] == pytest.approx(i, abs=1e-6) for i in range(398))
        assert all(told[i] == pytest.approx(i, abs=1e-6) for i in range(900, 1276))  # recovered
        assert [i for i in range(430, 790) if i in told] == ([] if whole else list(range(430, 790)))
        if not whole:
            assert all(told[i] == pytest.approx(i - step * SFREQ, abs=1e-6) for i in range(430, 700))


@st.composite
def sessions(draw):
    """A neural stream and two talkers, with gaps, and an order of arrival."""

    def sender(port):
        gaps, at = [], 0
        for space, length in draw(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 30)), max_size=3)):
            gaps.append((at + space, at + space + length))
            at += space + length
        return Sender(
            port,
            160,
            draw(st.sampled_from([-100.0, 0.0, 100.0])),
            draw(st.sampled_from([0.0, -0.3, 0.0061])),
            draw(st.sampled_from([0.0, 0.003])),
            seed=draw(st.integers(0, 99)),
            delay=draw(st.sampled_from([0.0, 0.15, 0.4])),
            gaps=tuple(gaps),
            first=draw(st.sampled_from([0, 1000])) if not gaps else 0,
        )

    return [sender(port) for port in range(3)]


@settings(max_examples=40, deadline=None)
@given(sessions(), st.integers(0, 999), st.sampled_from([0.9, 0.5, 0.99]))
def test_order_of_arrival_does_not_change_samples(senders, seed, sticky):
    node = two(max_wait_s=1.0)
    wanted = play(node, merged(*senders))
    rng, left, order = np.random.default_rng(seed), [[i for _, i in s.items] for s in senders], []
    port = 0
    while any(left):
        if rng.random() > sticky or not left[port]:
            port = int(rng.choice([p for p in range(3) if left[p]]))
        order.append((port, left[port].pop(0)))
    other = two(max_wait_s=1.0)
    found = play(other, order)
    a, b = by_sample(wanted), by_sample(found)
    assert all(a[i] == b[i] for i in a.keys() & b.keys())
    for items in (wanted, found):
        assert_tiled(items, senders[0].first)
    again = two(max_wait_s=1.0)
    assert [exact(item) for item in play(again, order)] == [exact(item) for item in found]


@settings(max_examples=40, deadline=None)
@given(sessions())
def test_output_interpolates_between_adjacent_samples(senders):
    found = by_sample(play(two(max_wait_s=1.0), merged(*senders)))
    talkers = [(*stamps(s), np.concatenate([np.arange(*span) for span in spans(s)])) for s in senders[1:]]
    at = dict(zip(np.concatenate([np.arange(*s) for s in spans(senders[0])]), stamps(senders[0])[0], strict=True))
    assert found.keys() <= at.keys()
    end = min(time[-1] for time, _, _ in talkers)
    for i, t in at.items():
        told, lost = [], False
        for time, values, index in talkers:
            told.append([np.interp(t, time, values[:, f]) for f in range(2)])
            k = np.searchsorted(time, t)  # the first sample at or after
            lost |= k == len(time) or (time[k] != t and (k == 0 or index[k] - index[k - 1] > 1))
        assert (i in found) == (not lost) or t > end - 2 / SFREQ  # where a block may wait for its last sample
        if i in found:
            np.testing.assert_allclose(np.frombuffer(found[i][1]).reshape(2, 2), told, rtol=0, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(sessions(), st.floats(0, 1))
def test_restored_state_continues_bit_for_bit(senders, part):
    items = merged(*senders)
    middle = round(part * len(items))
    first, second = two(max_wait_s=1.0), two(max_wait_s=1.0)
    play(first, items[:middle])
    file = io.BytesIO()
    np.savez(file, **first.state())
    wanted = [exact(item) for item in play(first, items[middle:])]
    file.seek(0)
    with np.load(file, allow_pickle=False) as saved:
        second.restore(dict(saved))
    assert [exact(item) for item in play(second, items[middle:])] == wanted


def test_state_can_be_saved_at_any_item():
    gaps = ((10, 14), (20, 21))
    senders = [Sender(p, 40, offset=0.003 * p, delay=0.2 * p, gaps=gaps[:p], seed=p) for p in range(3)]
    items, first, second = merged(*senders), two(), two()
    whole = [[exact(out) for out in play(first, [item])] for item in items]
    first = two()
    for i, item in enumerate(items):
        second.restore(first.state())
        assert [exact(out) for out in play(second, items[i:])] == [out for one in whole[i:] for out in one]
        play(first, [item])


def test_latency_equals_the_declared_one():
    neural = eeg(2, SFREQ, hop=2, delay=0.04, wait=0.02)
    for talker in (features("t", 2, delay=0.1, wait=0.03), features("t", 2, wait=1 / SFREQ)):
        node, spec = opened(neural, talker, n_features=2)
        n, t = (Sender(p, 400, offset=-0.0078 * p, delay=s.latency - 1 / SFREQ) for p, s in enumerate((neural, talker)))
        lag = []
        for at, port, item in sorted(
            [(at, s.port, item) for s in (n, t) for at, item in s.items], key=lambda one: one[:2]
        ):
            out = play(node, [(port, item)])
            lag += [at - o.neural[0, 0] for o in out if isinstance(o, Aligned)]
        assert spec.latency - 1 / SFREQ < max(lag) <= spec.latency + 1e-9
        assert (spec.delay, spec.group_delay) == (0.04, 0.0)


def test_align_works_in_a_graph():
    node = Align(AlignConfig(n_streams=2))
    graph = Graph([Step("align", node, ("eeg", "a", "b"))], ["align"])
    specs = graph.open({"eeg": eeg(1, SFREQ, hop=2), "a": features("a"), "b": features("b")})
    assert specs["align"].ch_names == ("E1", "a/t0", "b/t0")
    clock = ClockMap(0, 5000.0, 1 / SFREQ)
    for name in ("eeg", "a", "b"):
        assert graph.feed(name, clock) == []
    for name in ("eeg", "a"):
        assert graph.feed(name, Block(0, np.ones((2, 1)))) == []
    (_, first), (_, block) = graph.feed("b", Block(0, np.ones((2, 1))))
    assert first == clock
    assert block.talkers.shape == (2, 2, 1)
    with pytest.raises(WiringError, match=r"node 'align': inputs are \['eeg', 'a'\], but must be 3 in number"):
        Graph([Step("align", node, ("eeg", "a"))], ["align"]).open({"eeg": eeg(1, SFREQ, hop=2), "a": features("a")})


@pytest.mark.parametrize("start", [0, 12_345])
def test_simultaneous_audio_and_neural_modulations_are_aligned(start):
    """A modulation in both audio and EEG is in the same row after both complete chains."""
    brain, sound = eeg(1, 500.0), features("sound", 1, 16000.0, hop=None)
    steps = [
        Step("neural", Reblock(ReblockConfig()), ("eeg",)),
        Step("slow", Resample(ResampleConfig(sfreq=SFREQ, passband_hz=9.0)), ("neural",)),
        Step("blocks", Reblock(ReblockConfig()), ("sound",)),
        Step("envelope", Envelope(EnvelopeConfig(power=1.0)), ("blocks",)),
        Step("align", Align(AlignConfig()), ("slow", "envelope")),
    ]
    graph = Graph(steps, ["align"])
    graph.open({"eeg": brain, "sound": sound})

    def swell(t):
        return 1 + 0.3 * np.sin(2 * np.pi * 2.1 * t) + 0.3 * np.sin(2 * np.pi * 5.3 * t)

    def tones(t):  # in all bands, whose delays differ: the mean is declared
        return np.sin(2 * np.pi * np.outer(t, hz) + np.arange(28)).sum(axis=1)

    hz = erb_spaced(50.0, 5000.0, 28)
    ahead = 0.0371  # the sound was started before the recording
    found = graph.feed("eeg", ClockMap(start, 700.0, 1 / 500)) + graph.feed(
        "sound", ClockMap(0, 700 - ahead, 1 / 16000)
    )
    for second in range(8):
        t = np.arange(500) / 500 + second
        found += graph.feed("eeg", Block(start + 500 * second, 100 * swell(t)[:, None]))
        t = np.arange(16000) / 16000 + second - ahead
        found += graph.feed("sound", Block(16000 * second, (swell(t) * tones(t))[:, None]))
    items = [item for _, item in found]
    x, y = neural_of(items)[64:, 0], talkers_of(items)[0, 64:, 0]
    assert len(x) > 400
    late = [np.corrcoef(x[10:-10], y[10 + k : len(y) - 10 + k])[0, 1] for k in range(-3, 4)]
    assert np.argmax(late) == 3
    assert late[3] > 0.999
    assert late[2] == pytest.approx(late[4], abs=0.02)


def ends(order):
    """Brain of 9 samples in blocks of 3 and sound of 7, then the end of each port in some order."""
    clock = ClockMap(0, 100.0, 1 / SFREQ)
    items = [(0, clock), (1, clock)]
    items += [(0, Block(i, np.ones((3, 1)))) for i in (0, 3, 6)]
    items += [(1, Block(0, np.arange(7.0)[:, None]))]
    return items + [(port, Gap(n, n)) for port, n in zip(order, [(9, 7)[port] for port in order], strict=True)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_end_of_all_inputs_flushes_the_queue(order):
    node, _ = opened(eeg(1, SFREQ, hop=3))
    found = play(node, ends(order))
    assert assert_tiled(found, 0) == 9
    np.testing.assert_array_equal(talkers_of(found)[0, :, 0], np.arange(7.0))
    assert missing(found) == [7, 8]


@pytest.mark.parametrize("order", [(0,), (1,)])
def test_end_of_one_input_does_not_flush_the_queue(order):
    node, _ = opened(eeg(1, SFREQ, hop=3))
    assert assert_tiled(play(node, ends(order)), 0) == 6


def test_input_after_an_end_restarts():
    node, _ = opened(eeg(1, SFREQ, hop=3))
    play(node, [*ends((0, 1)), (1, Block(7, np.arange(7.0, 10.0)[:, None])), (0, Block(9, np.ones((3, 1))))])
    assert play(node, [(0, Gap(12, 12))]) == [], "the talkers go on: they are waited for"
    found = play(node, [(1, Block(10, np.arange(10.0, 13.0)[:, None]))])
    np.testing.assert_array_equal(talkers_of(found)[0, :, 0], [9, 10, 11])


def test_ends_are_part_of_the_state():
    node, _ = opened(eeg(1, SFREQ, hop=3))
    items = ends((1, 0))
    play(node, items[:-1])
    other, _ = opened(eeg(1, SFREQ, hop=3))
    other.restore(node.state())
    assert [exact(one) for one in play(other, items[-1:])] == [exact(one) for one in play(node, items[-1:])] != []


def test_other_items_pass_only_from_the_neural_input():
    node, _ = opened()
    verdict = ChannelQuality(5, np.ones(1), np.zeros(1, dtype=bool), ("",))
    marker = Marker(1.0, "a")
    assert play(node, [(0, verdict), (0, marker)]) == [verdict, marker]
    assert play(node, [(1, verdict), (1, marker)]) == []


@pytest.mark.parametrize(
    ("specs", "config", "message"),
    [
        ((eeg(1, SFREQ), features()), {}, r"align: inputs\[0\] is 'eeg' in ragged blocks, but must be reblocked"),
        ((eeg(1, hop=2), features(hop=None)), {}, r"inputs\[1\] is 'talkers' in ragged blocks, but must be reblocked"),
        (
            (features(), features()),
            {},
            r"inputs\[0\] is 'talkers' with channel types \['misc'\], but must be electrodes",
        ),
        ((eeg(1, hop=2), eeg(1, hop=2)), {}, r"inputs\[1\] is 'eeg' with channel types \['eeg'\], but must be misc"),
        (
            (eeg(1, hop=2), features("a"), features("b", sfreq=100.0)),
            {},
            r"sfreq of inputs\[2\] is 100 Hz in 'b', but must be that of 'a', 64 Hz",
        ),
        (
            (eeg(1, hop=2), features("a", 3)),
            {"n_features": 2},
            "n_features is 2, with 3 channels in 'a', but must be a",
        ),
        ((eeg(1, hop=2), features()), {"n_features": 0}, "n_features is 0, but must be 1 or more"),
        ((eeg(1, hop=2),), {}, "n_streams is 0, but must be 1 or more"),
        (
            (eeg(1, SFREQ, hop=1), features(delay=0.5)),
            {"max_wait_s": 0.5},
            "max_wait_s is 0.5, but must be above 0.516 s, the delay of the talker features relative to 'eeg'",
        ),
    ],
)
def test_invalid_settings_and_streams_are_rejected(specs, config, message):
    with pytest.raises(WiringError, match=message):
        Align(AlignConfig(n_streams=len(specs) - 1, **config)).open(*specs)
