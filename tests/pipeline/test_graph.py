"""Properties of whole graphs for any input."""

import io
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import MARKERS, assert_close, assert_same, bits, cut, eeg, noise, seeg

from earmark.pipeline.graph import Graph, Step
from earmark.pipeline.nodes.bandpass import Bandpass, BandpassConfig
from earmark.pipeline.nodes.epochs import Epochs, EpochsConfig
from earmark.pipeline.nodes.high_gamma import HighGamma, HighGammaConfig
from earmark.pipeline.nodes.notch import Notch, NotchConfig
from earmark.pipeline.nodes.pick import Pick, PickConfig
from earmark.pipeline.nodes.quality import Quality, QualityConfig
from earmark.pipeline.nodes.reblock import Reblock, ReblockConfig
from earmark.pipeline.nodes.reference import Reference, ReferenceConfig
from earmark.pipeline.nodes.resample import Resample, ResampleConfig
from earmark.pipeline.stream import Block, ChannelQuality, ClockMap, Epoch, Gap, Item, Marker, StreamSpec, WiringError


def chain(*nodes, source="raw"):
    """Steps one after the other, named by their classes."""
    steps = []
    for node in nodes:
        steps.append(Step(type(node).__name__.lower(), node, (source,)))
        source = steps[-1].name
    return steps


def scalp_graph(*, hop_s=0.02, reference_first=False):
    """The chain for scalp recordings, with all possible outputs."""
    reference = Reference(ReferenceConfig())
    filters = [Notch(NotchConfig(harmonics=2)), Bandpass(BandpassConfig())]
    steps = chain(
        Pick(PickConfig(types=("eeg", "eog"))),
        Reblock(ReblockConfig(hop_s=hop_s)),
        Quality(QualityConfig(window_s=0.2)),
        *([reference, *filters] if reference_first else [*filters, reference]),
        Resample(ResampleConfig(sfreq=64.0)),
    )
    epochs = Epochs(EpochsConfig(tmin=-0.1, tmax=0.3))
    return Graph(
        [*steps, Step("epochs", epochs, ("resample", "markers"))], ["quality", "reference", "resample", "epochs"]
    )


def depth_graph(kind="bipolar", *, hop_s=0.02):
    """The chain for depth electrodes."""
    steps = chain(
        Pick(PickConfig(types=("seeg",))),
        Reblock(ReblockConfig(hop_s=hop_s)),
        Quality(QualityConfig(window_s=0.2)),
        Notch(NotchConfig(harmonics=2)),
        Reference(ReferenceConfig(kind=kind)),
        HighGamma(HighGammaConfig()),
        Resample(ResampleConfig(sfreq=64.0)),
    )
    epochs = Epochs(EpochsConfig(tmin=-0.1, tmax=0.3))
    outputs = ["quality", "reference", "highgamma", "resample", "epochs"]
    return Graph([*steps, Step("epochs", epochs, ("resample", "markers"))], outputs)


def feed(graph, items):
    """Everything that a graph outputs for (source, item) pairs."""
    return [out for source, item in items for out in graph.feed(source, item)]


def play(graph, spec, items):
    """The same from the start."""
    graph.open({"raw": spec, "markers": MARKERS})
    return feed(graph, items)


def rechunk(items, at):
    """The same items, with blocks cut at the indices ``at``."""
    return [
        (source, piece) for source, item in items for piece in (cut(item, at) if isinstance(item, Block) else [item])
    ]


def dirty(rng, x, n_wrong, dtype):
    """The recording in a number format, with values that are no numbers where it has such."""
    if dtype is np.int16:
        return np.clip(x, -32768, 32767).astype(np.int16)
    x = x.astype(dtype)
    for _ in range(n_wrong):
        t, c = rng.integers(len(x)), rng.integers(x.shape[1])
        x[t : t + rng.choice([1, 1, 30]), c] = rng.choice([np.nan, np.inf, -np.inf, 3e38])
    return x


@dataclass
class Recording:
    """A stream, and all that arrives, in its longest possible blocks."""

    spec: StreamSpec
    items: list[tuple[str, Item]]
    start: int
    stop: int

    def __repr__(self) -> str:
        found = [f"{i.start}-{i.stop}" if isinstance(i, Block) else repr(i) for _, i in self.items]
        return f"{self.spec.n_channels} channels at {self.spec.sfreq:g} Hz: {', '.join(found)}"


@st.composite
def recordings(draw, make=eeg, rates=(500.0, 512.0), least_channels=1):
    """Any number of channels and format, gaps, markers, clock maps and values that are no numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    n_channels = draw(st.sampled_from([1, 2, 3, 5, 8, 17, 64, 128, 255, 256]))
    n_channels = max(n_channels, least_channels)
    sfreq, n = draw(st.sampled_from(rates)), draw(st.integers(30, 1500))
    dtype, unit = draw(st.sampled_from([(np.int16, "uV"), (np.float32, "uV"), (np.float64, "V"), (np.float32, "mV")]))
    scale = {"V": 1e-6, "mV": 1e-3, "uV": 1}[unit]
    gaps = dict(draw(st.lists(st.tuples(st.integers(0, n), st.integers(0, 300)), max_size=4)))
    markers = draw(st.lists(st.tuples(st.integers(0, n), st.integers(-400, 200)), max_size=4))
    clocks = draw(st.lists(st.integers(0, n), max_size=2))
    x = dirty(
        rng,
        scale * (rng.normal(0, 20, (n, n_channels)) + rng.normal(300, 50, n_channels)),
        draw(st.integers(0, 6)),
        dtype,
    )
    spec = make(n_channels, sfreq, units=(unit,) * n_channels, name="raw")
    if draw(st.booleans()):
        kinds = tuple("misc" if i == n_channels - 1 and i >= least_channels else k for i, k in enumerate(spec.ch_types))
        spec = spec.evolve(ch_types=kinds)
    start = index = draw(st.sampled_from([0, 7, 123_456_789]))

    items: list[tuple[str, Item]] = [("raw", ClockMap(start, 5000.0, 1 / sfreq))] if draw(st.booleans()) else []
    held = 0
    for position in sorted({*gaps, *clocks, *(p for p, _ in markers), n}):
        if position > held:
            items.append(("raw", Block(index, x[held:position])))
            index, held = index + position - held, position
        items += [
            ("raw", ClockMap(index, 5000.0 + (index - start) / sfreq + 1e-4 * rng.normal(), (1 + 1e-5) / sfreq))
            for p in clocks
            if p == position
        ]
        items += [
            ("markers", Marker(5000.0 + (index + offset - start) / sfreq, "x"))
            for p, offset in markers
            if p == position
        ]
        if position in gaps:
            items.append(("raw", Gap(index, index + gaps[position])))
            index += gaps[position]
    items.append(("raw", Gap(index, index)))
    return Recording(spec, items, start, index)


def cuttings():
    """Draw chunk boundaries, relative to the first sample."""
    return st.one_of(st.just(range(2000)), st.lists(st.integers(1, 1000), max_size=80))


def assert_tiled(recording, found, specs):
    """Blocks and gaps of every output follow each other without hole or overlap, from the first sample to the last."""
    for name, spec in specs.items():
        runs = [item for output, item in found if output == name and isinstance(item, Block | Gap)]
        if name == "epochs":
            assert not runs
            continue
        ratio = spec.sfreq / recording.spec.sfreq
        assert runs[0].start == np.ceil(recording.start * ratio), name
        assert runs[-1].stop == np.ceil(recording.stop * ratio), name
        for before, after in pairwise(runs):
            assert before.stop == after.start, name
        for run in runs:
            if isinstance(run, Block):
                assert 0 < len(run.data) <= spec.hop
                assert run.data.shape[1] == spec.n_channels
                assert run.data.dtype == np.float64
                assert np.isfinite(run.data).all()
                assert run.bad is None or run.bad.shape == (spec.n_channels,)


@settings(max_examples=60, deadline=None)
@given(recordings(), cuttings(), st.booleans(), st.sampled_from([0.02, 0.002, 0.05]))
def test_chunking_does_not_change_a_bit_for_scalp(recording, cuts, reference_first, hop_s):
    graph = scalp_graph(hop_s=hop_s, reference_first=reference_first)
    whole = play(graph, recording.spec, recording.items)
    pieces = play(graph, recording.spec, rechunk(recording.items, [recording.start + i for i in cuts]))
    assert_same(pieces, whole)
    assert_tiled(recording, whole, {name: graph.specs[name] for name in graph.outputs})


@settings(max_examples=60, deadline=None)
@given(
    recordings(seeg, (512.0, 1000.0), least_channels=2),
    cuttings(),
    st.sampled_from(["bipolar", "laplacian"]),
    st.sampled_from([0.02, 0.007]),
)
def test_chunking_does_not_change_a_bit_for_depth_electrodes(recording, cuts, kind, hop_s):
    graph = depth_graph(kind, hop_s=hop_s)
    whole = play(graph, recording.spec, recording.items)
    pieces = play(graph, recording.spec, rechunk(recording.items, [recording.start + i for i in cuts]))
    assert_same(pieces, whole)
    assert_tiled(recording, whole, {name: graph.specs[name] for name in graph.outputs})


@settings(max_examples=30, deadline=None)
@given(recordings())
def test_every_marker_gets_one_epoch(recording):
    found = play(scalp_graph(), recording.spec, recording.items)
    markers = [item for source, item in recording.items if source == "markers"]
    epochs = [item for name, item in found if name == "epochs" and isinstance(item, Epoch)]
    assert sorted(e.marker.time for e in epochs) == sorted(m.time for m in markers)
    blocks = [item for name, item in found if name == "resample" and isinstance(item, Block)]
    for epoch in epochs:
        assert (epoch.data is None) == bool(epoch.reason)
        if epoch.data is not None:
            held = np.concatenate(
                [
                    b.data[max(0, epoch.start - b.start) : max(0, epoch.start + len(epoch.data) - b.start)]
                    for b in blocks
                ]
            )
            np.testing.assert_array_equal(epoch.data, held)


@settings(max_examples=30, deadline=None)
@given(st.one_of(recordings(), recordings(seeg, (512.0,), least_channels=2)), cuttings(), st.floats(0, 1))
def test_state_restored_into_a_new_graph_continues_bit_for_bit(recording, cuts, part):
    def make():
        return scalp_graph() if "eeg" in recording.spec.ch_types else depth_graph()

    items = rechunk(recording.items, [recording.start + i for i in cuts])
    middle = round(part * len(items))
    first, second = make(), make()
    play(first, recording.spec, items[:middle])
    kept = first.state()
    file = io.BytesIO()
    np.savez(file, **{f"{node}/{key}": value for node, arrays in kept.items() for key, value in arrays.items()})
    wanted = feed(first, items[middle:])
    second.open({"raw": recording.spec, "markers": MARKERS})
    file.seek(0)
    with np.load(file, allow_pickle=False) as saved:
        state = {node: {key: saved[f"{node}/{key}"] for key in arrays} for node, arrays in kept.items()}
    second.restore(state)
    assert_same(feed(second, items[middle:]), wanted)


def samples_before(found, specs, sfreq, stop):
    """Bits of all output that may depend only on samples before ``stop`` of the source."""
    kept = []
    for name, item in found:
        limit = int(np.ceil(stop * specs[name].sfreq / sfreq)) if name != "epochs" else 0
        if isinstance(item, Block) and item.start < limit:
            kept.append((name, item.start, item.data[: limit - item.start].tobytes()))
            if item.stop <= limit:  # the mask of a block can depend on its last sample
                kept.append((name, None if item.bad is None else item.bad.tobytes()))
        elif isinstance(item, ChannelQuality) and item.stop <= limit:
            kept.append((name, *bits(item)))
    return kept


@pytest.mark.parametrize("stop", [500, 617, 743])
@pytest.mark.parametrize(("make", "spec"), [(scalp_graph, eeg(8, 500.0)), (depth_graph, seeg(8, 1000.0))])
@pytest.mark.parametrize("future", [1e5, np.nan])
def test_graph_is_causal(make, spec, stop, future):
    x = noise(0, 1200, 8)
    other = x.copy()
    other[stop:] = np.random.default_rng(1).normal(0, future, other[stop:].shape) if np.isfinite(future) else future
    known = []
    for data in (x, other):
        graph = make()
        found = play(graph, spec, [("raw", Block(0, data))])
        known.append(samples_before(found, graph.specs, spec.sfreq, stop if np.isfinite(future) else stop // 20 * 20))
        assert len({name for name, *_ in known[-1]}) == len(graph.outputs) - 1
    assert known[0] == known[1]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.integers(0, 7), st.sampled_from([9e5, 1e3, 0.0]), st.booleans())
def test_masked_channel_does_not_change_a_bit_of_the_others(seed, channel, scale, reference_first):
    x = noise(seed, 900, 8)
    x[::5, channel] = np.nan  # in every hop, so that it is masked from the first sample on
    wild = x.copy()
    wild[:, channel] = scale * np.random.default_rng(seed + 1).normal(size=900)
    wild[::5, channel] = np.nan
    graph, found = scalp_graph(reference_first=reference_first), []
    for data in (x, wild):
        outputs = play(graph, eeg(8), [("raw", Block(0, data))])
        blocks = [item for name, item in outputs if name == "resample" and isinstance(item, Block)]
        assert all(b.bad[channel] for b in blocks)
        found.append(np.delete(np.concatenate([b.data for b in blocks]), channel, axis=1).tobytes())
    assert found[0] == found[1]


def test_consecutive_recursive_filters_are_fused_with_equal_output():
    x = noise(0, 3005, 16)
    steps = chain(
        Reblock(ReblockConfig()),
        Notch(NotchConfig()),
        Bandpass(BandpassConfig()),
        Bandpass(BandpassConfig(high_hz=40.0)),
        Reference(ReferenceConfig()),
    )
    steps[3] = Step("narrow", steps[3].node, ("bandpass",))
    steps[4] = Step("reference", steps[4].node, ("narrow",))
    items = [("raw", Block(0, x)), ("raw", Gap(3005, 3005))]
    found = {}
    for outputs in (("reference",), ("notch", "bandpass", "narrow", "reference")):
        graph = Graph(steps, outputs)
        graph.open({"raw": eeg(16)})
        run = set(graph.state())
        assert run == ({"reblock", "narrow", "reference"} if len(outputs) == 1 else {"reblock", *outputs})
        assert set(graph.specs) == {"raw", "reblock", "notch", "bandpass", "narrow", "reference"}
        blocks = [item for name, item in feed(graph, items) if name == "reference" and isinstance(item, Block)]
        found[outputs] = np.concatenate([b.data for b in blocks])
    assert_close(*found.values())


def test_filter_with_another_listener_is_not_fused():
    steps = [
        *chain(Reblock(ReblockConfig()), Notch(NotchConfig()), Bandpass(BandpassConfig())),
        Step("aside", Reference(ReferenceConfig()), ("notch",)),
    ]
    graph = Graph(steps, ["bandpass", "aside"])
    graph.open({"raw": eeg()})
    assert set(graph.state()) == {"reblock", "notch", "bandpass", "aside"}
    found = graph.feed("raw", Block(0, noise(0, 10)))
    assert sorted(name for name, _ in found) == ["aside", "bandpass"]


def test_two_branches_of_one_node_get_the_same_items():
    steps = [
        *chain(Reblock(ReblockConfig())),
        Step("slow", Bandpass(BandpassConfig()), ("reblock",)),
        Step("clean", Notch(NotchConfig()), ("reblock",)),
        Step("fast", Bandpass(BandpassConfig(10.0, 40.0)), ("clean",)),
    ]
    graph = Graph(steps, ["slow", "fast"])
    graph.open({"raw": eeg()})
    assert set(graph.state()) == {"reblock", "slow", "fast"}
    x = noise(0, 100)
    found = feed(graph, [("raw", Block(0, x))])
    for name, nodes in (
        ("slow", [Bandpass(BandpassConfig())]),
        ("fast", [Notch(NotchConfig()), Bandpass(BandpassConfig(10.0, 40.0))]),
    ):
        alone = Graph(chain(Reblock(ReblockConfig()), *nodes), ["bandpass"])
        alone.open({"raw": eeg()})
        wanted = [(name, item) for _, item in feed(alone, [("raw", Block(0, x))])]
        assert_same([pair for pair in found if pair[0] == name], wanted)


def test_opening_again_resets_the_state():
    recording = [("raw", ClockMap(0, 0, 0.002)), ("raw", Block(0, noise(0, 505)))]
    graph = scalp_graph()
    first = play(graph, eeg(), recording)
    assert_same(play(graph, eeg(), recording), first)


@pytest.mark.parametrize(
    ("make", "spec", "shape", "hz"), [(scalp_graph, eeg(4), 0.06, 0.0), (depth_graph, seeg(4), 0.03, 110.0)]
)
@pytest.mark.parametrize("at", [5002.0, 5002.3517, 5002.999])
def test_pulse_is_found_at_its_time(make, spec, shape, hz, at):
    clock = ClockMap(1000, 5000.0, (1 + 3e-5) / spec.sfreq)
    t = clock.time(1000 + np.arange(6 * int(spec.sfreq)))
    pulse = np.exp(-0.5 * ((t - at) / shape) ** 2) * np.cos(2 * np.pi * hz * (t - at))
    graph = make()
    # The recursive band-pass shapes the pulse; what clock maps promise is about delay, so it stays out.
    steps = [s for s in graph.steps if s.name not in ("bandpass", "notch", "epochs", "reference", "quality")]
    steps = chain(*(s.node for s in steps))
    graph = Graph(steps, ["resample"])
    graph.open({"raw": spec})
    x = pulse[:, None] * [100.0, 50.0, 20.0, 10.0]
    found = [item for _, item in feed(graph, [("raw", clock), ("raw", Block(1000, x))])]
    out, blocks = found[0], found[1:]
    peak = blocks[0].start + np.argmax(np.concatenate([b.data[:, 0] for b in blocks]))
    assert abs(out.time(peak) - at) <= 0.5 / graph.specs["resample"].sfreq * (1 + 1e-4)


@pytest.mark.parametrize(("sfreq", "new"), [(500.0, 64.0), (512.0, 64.0), (500.0, 500.0), (64.0, 128.0)])
def test_measured_latency_equals_the_declared_one(sfreq, new):
    graph = Graph(chain(Reblock(ReblockConfig(hop_s=0.04)), Resample(ResampleConfig(sfreq=new))), ["resample"])
    spec = graph.open({"raw": eeg(1, sfreq)})["resample"]
    clock = ClockMap(0, 100.0, 1 / sfreq)
    ((_, moved),) = graph.feed("raw", clock)
    late = [
        clock.time(now) - moved.time(item.start)
        for now, x in enumerate(noise(0, 3000, 1)[:, None])
        for _, item in graph.feed("raw", Block(now, x))
    ]
    assert max(late) == pytest.approx(spec.latency, abs=1e-9)
    assert spec.latency == pytest.approx(spec.delay + spec.wait)


def test_each_declared_part_of_latency_comes_from_its_node():
    graph = scalp_graph()
    graph.open({"raw": eeg(), "markers": MARKERS})
    specs = graph.specs
    assert specs["reblock"].wait == specs["resample"].wait == pytest.approx(0.018)
    assert specs["epochs"].wait == pytest.approx(0.318)
    assert specs["notch"].group_delay == 0 < specs["bandpass"].group_delay == specs["resample"].group_delay
    assert specs["reference"].delay == 0 < specs["resample"].delay
    assert [specs[step.name].name for step in graph.steps] == [step.name for step in graph.steps]


def test_markers_before_or_after_the_signal_get_their_epoch():
    graph = scalp_graph()
    x = noise(0, 1000)
    clock = ClockMap(0, 10.0, 0.002)
    found = play(graph, eeg(), [("raw", clock), ("markers", Marker(11.0, "go")), ("raw", Block(0, x))])
    (epoch,) = [item for name, item in found if name == "epochs" and isinstance(item, Epoch)]
    (moved,) = [item for name, item in found if name == "resample" and isinstance(item, ClockMap)]
    assert abs(moved.time(epoch.start + 6) - 11.0) <= 0.5 / 64 + 1e-9
    assert epoch.data.shape == (6 + 1 + 19, 4)


def wired(steps, outputs=("reblock",), sources=None):
    return Graph(steps, outputs).open(sources or {"raw": eeg()})


REBLOCK = Step("reblock", Reblock(ReblockConfig()), ("raw",))


@pytest.mark.parametrize(
    ("steps", "outputs", "message"),
    [
        (
            [Step("reblock", Reblock(ReblockConfig()), ("rwa",))],
            ("reblock",),
            "node 'reblock': input is 'rwa', but must be a stream or an earlier node: did you mean 'raw'?",
        ),
        (
            [Step("notch", Notch(NotchConfig()), ("reblock",)), REBLOCK],
            ("reblock",),
            "node 'notch': input is 'reblock', but must be a stream or an earlier node: 'raw'",
        ),
        ([REBLOCK, REBLOCK], ("reblock",), "node 'reblock': name is taken already, but must be its own"),
        (
            [Step("raw", Reblock(ReblockConfig()), ("raw",))],
            ("raw",),
            "node 'raw': name is taken already, but must be its own",
        ),
        (
            [REBLOCK, Step("epochs", Epochs(EpochsConfig()), ("reblock",))],
            ("epochs",),
            "node 'epochs': inputs are ['reblock'], but must be 2 in number",
        ),
        (
            [REBLOCK, Step("slow", Bandpass(BandpassConfig(high_hz=300.0)), ("reblock",))],
            ("slow",),
            "node 'slow': bandpass: high_hz is 300.0, but must be below the Nyquist frequency, 250 Hz",
        ),
        (
            [REBLOCK, Step("bandpass", Bandpass(BandpassConfig(high_hz=300.0)), ("reblock",))],
            ("bandpass",),
            "node 'bandpass': high_hz is 300.0, but must be below the Nyquist frequency, 250 Hz",
        ),
        (
            [Step("slow", Bandpass(BandpassConfig()), ("raw",))],
            ("slow",),
            "node 'slow': filter: input is 'eeg' in ragged blocks, but must be reblocked: put reblock before it",
        ),
        ([REBLOCK], ("reblok",), "output: node is 'reblok', but must be a node: did you mean 'reblock'?"),
        ([REBLOCK], ("raw",), "output: node is 'raw', a stream, but must be a node"),
    ],
)
def test_wiring_errors_name_node_and_fix(steps, outputs, message):
    with pytest.raises(WiringError) as caught:
        wired(steps, outputs)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("steps", "hops"),
    [
        (chain(Reblock(ReblockConfig(hop_s=0.02))), (20,)),
        (chain(Pick(PickConfig()), Reblock(ReblockConfig(hop_s=0.02))), (20,)),
        (
            [
                *chain(Pick(PickConfig()), Reblock(ReblockConfig(hop_s=0.03))),
                Step("again", Pick(PickConfig(drop=("E1",))), ("pick",)),
                Step("finer", Reblock(ReblockConfig(hop_s=0.008)), ("again",)),
            ],
            (8, 30),
        ),
        (chain(Pick(PickConfig())), ()),
        (
            [*chain(Pick(PickConfig()), Reblock(ReblockConfig())), Step("leaf", Pick(PickConfig()), ("pick",))],
            (),
        ),
    ],
)
def test_hops_looks_through_nodes_without_a_hop(steps, hops):
    graph = Graph(steps, [steps[-1].name])
    graph.open({"raw": eeg(4, 1000.0)})
    assert graph.hops("raw") == hops


def test_hops_is_empty_if_unblocked_channels_leave_the_graph():
    steps = chain(Pick(PickConfig()), Reblock(ReblockConfig()))
    graph = Graph(steps, ["pick", "reblock"])
    graph.open({"raw": eeg(4, 1000.0)})
    assert graph.hops("raw") == ()
