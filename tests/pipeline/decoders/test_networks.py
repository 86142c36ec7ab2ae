"""Networks as decoders: causal, equal in streaming and batch, independent of talker order, and compilable."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from fitted_networks import KINDS, PLACES, RUNS, SIZE, damaged, fitted, make
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import SMALL, accuracy, planted
from torch import nn

from earmark.pipeline.decoders.baselines import eegnet, vlaai
from earmark.pipeline.decoders.decoder import DecoderError, DecoderMismatch, HopByHop, Projections
from earmark.pipeline.decoders.matcher import MatcherDecoder, matcher
from earmark.pipeline.decoders.networks import Block, Filter, Listener, multiply_adds, n_parameters
from earmark.pipeline.decoders.sliding import SlidingScores
from earmark.pipeline.decoders.spatial import SpatialAttention, head_coordinates

RUN = planted(7, 3, seconds=16)


def push(sliding, run, start, edges=()):
    found = []
    for a, b in zip([0, *edges], [*edges, len(run.neural)], strict=True):
        found += list(sliding.push(start + a, run.neural[a:b], run.talkers[:, a:b]))
    return found


# Causal


@pytest.mark.parametrize("kind", KINDS)
def test_future_samples_do_not_change_past_output(kind):
    decoder, at = fitted(kind), 300
    late = damaged(RUN, at)
    for project, whole, cut in (
        (decoder.project_neural, RUN.neural, late.neural),
        (lambda y: decoder.project_talkers(y)[0], RUN.talkers, late.talkers),
    ):
        before, after = project(whole), project(cut)
        n = np.flatnonzero(np.isnan(after).any(axis=1))[0]
        # The brain is waited for, speech is not: its row t is of sample t + ahead.
        assert n == (at - decoder.spec.reach if whole is RUN.neural else at - decoder.spec.ahead)
        assert before[:n].tobytes() == after[:n].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_samples_beyond_the_reach_do_not_matter(kind):
    decoder = fitted(kind)
    net, at = decoder.net, 40
    neural, talkers = RUN.neural.copy(), RUN.talkers.copy()
    neural[at] = talkers[:, at] = np.nan
    x = np.isnan(decoder.project_neural(neural)).any(axis=1)
    assert x.sum() == min(at + 1 + net.neural.reach - decoder.spec.reach, net.neural.reach + 1)
    y = np.isnan(decoder.project_talkers(talkers)[0]).any(axis=1)
    rows = np.flatnonzero(y) + decoder.spec.ahead
    assert rows.max() == at + net.talkers.reach if len(rows) else at + net.talkers.reach < decoder.spec.ahead


# Streamed


@pytest.mark.parametrize("kind", KINDS)
def test_streaming_equals_batch(kind):
    decoder = fitted(kind)
    assert isinstance(decoder, HopByHop)
    spec, scores = decoder.spec, push(SlidingScores(decoder, 3, 0.25), RUN, 0)
    assert len(scores) > 20
    for one in scores:
        a, b = one.start - spec.ahead, one.newest + 1
        assert b - a == spec.n_window + spec.reach
        neural, talkers = RUN.neural[a:b], RUN.talkers[:, a:b]
        np.testing.assert_allclose(one.scores, decoder.score(neural, talkers), rtol=0, atol=1e-5)
        np.testing.assert_allclose(one.scores, Projections.score(decoder, neural, talkers), rtol=0, atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    edges=st.lists(st.integers(0, 512), max_size=12).map(sorted),
    at=st.integers(0, 512),
    late=st.integers(0, 40),
)
def test_chunking_restoring_and_start_do_not_change_a_bit(kind, edges, at, late):
    decoder = fitted(kind)
    wanted = {s.stop: s.scores.tobytes() for s in push(SlidingScores(decoder, 3, 0.25), RUN, 5)}
    first, second = SlidingScores(decoder, 3, 0.25), SlidingScores(decoder, 3, 0.25)
    found = list(first.push(5, RUN.neural[:at], RUN.talkers[:, :at]))
    second.restore(first.state())
    rest = replace(RUN, neural=RUN.neural[at:], talkers=RUN.talkers[:, at:], attended=RUN.attended[at:])
    found += push(second, rest, 5 + at, [e - at for e in edges if e > at])
    assert {s.stop: s.scores.tobytes() for s in found} == wanted
    part = replace(RUN, neural=RUN.neural[late:], talkers=RUN.talkers[:, late:], attended=RUN.attended[late:])
    later = push(SlidingScores(decoder, 3, 0.25), part, 5 + late)
    assert later
    assert all(s.scores.tobytes() == wanted[s.stop] for s in later)


@pytest.mark.parametrize("kind", KINDS)
def test_cost_of_a_hop_does_not_depend_on_the_reach(kind):
    """After the first hop, every convolution computes one hop of output, regardless of the reach."""
    decoder, n_hop, lengths = fitted(kind), 8, []
    hops = decoder.hops(3, n_hop)
    need = n_hop + decoder.spec.reach
    hops.hop(RUN.neural[:need], RUN.talkers[:, :need])
    hooks = [
        module.register_forward_hook(lambda _m, _i, out: lengths.append(out.shape[-1]))
        for module in decoder.net.modules()
        if isinstance(module, nn.Conv1d | nn.Conv2d)
    ]
    hops.hop(RUN.neural[n_hop : need + n_hop], RUN.talkers[:, n_hop : need + n_hop])
    for hook in hooks:
        hook.remove()
    assert len(lengths) >= len(hooks) > 0
    assert set(lengths) == {n_hop}


# Fair


@pytest.mark.parametrize("kind", KINDS)
def test_number_and_order_of_talkers_do_not_change_scores(kind):
    decoder, many = fitted(kind), planted(5, 7, seconds=8)
    scores = decoder.score(many.neural, many.talkers)
    assert scores.shape == (7,)
    order = np.array([3, 0, 6, 2, 1, 5, 4])
    np.testing.assert_allclose(decoder.score(many.neural, many.talkers[order]), scores[order], rtol=0, atol=1e-6)
    alone = [decoder.score(many.neural, one[None])[0] for one in many.talkers]
    np.testing.assert_allclose(alone, scores, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["matcher", "placed", "vlaai"])
def test_level_of_a_talker_does_not_change_scores(kind):
    decoder = fitted(kind)
    louder = RUN.talkers * np.array([0.01, 1.0, 50.0])[:, None, None]
    np.testing.assert_allclose(
        decoder.score(RUN.neural, louder), decoder.score(RUN.neural, RUN.talkers), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_silence_gives_zero_scores(kind):
    talkers = RUN.talkers.copy()
    talkers[1] = 0.0
    scores = fitted(kind).score(RUN.neural, talkers)
    assert abs(scores[1]) < 1e-6
    assert abs(scores[0]) > 1e-3


@pytest.mark.parametrize("kind", ["matcher", "placed", "eegnet"])
def test_recovers_the_attended_talker_of_simulated_runs(kind):
    assert accuracy(fitted(kind), planted(9, 2, attended=1)) > 0.9


@pytest.mark.parametrize("kind", ["matcher", "eegnet"])
def test_shuffled_labels_give_chance_accuracy(kind):
    right = []
    for seed in range(4):
        runs = [planted(100 * seed + i, seconds=96, switch_every=8.0) for i in range(3)]
        rng = np.random.default_rng(seed)
        for run in runs:
            run.attended[:] = np.repeat(rng.integers(0, 2, 12), 256)
        right.append(accuracy(make(kind).fit(runs[:2]), runs[2]))
    assert 0.25 < np.mean(right) < 0.75  # 48 stretches: 3.5 sd


# Any cap, any listener


def test_electrodes_are_identified_by_position():
    decoder, order = fitted("placed"), [4, 2, 0, 5, 1, 3]
    layer = next(m for m in decoder.net.modules() if isinstance(m, SpatialAttention))
    x = torch.randn(2, 6, 30)
    shuffled = SpatialAttention(layer.places.numpy()[order], SIZE.n_virtual).eval()
    shuffled.load_state_dict({"queries": layer.queries, "places": layer.places[order]})
    with torch.no_grad():
        assert torch.allclose(layer(x), shuffled(x[:, order]), atol=1e-6)
    xyz = np.array(list(PLACES.values()))
    np.testing.assert_allclose(head_coordinates(1e3 * xyz), head_coordinates(xyz))
    with pytest.raises(ValueError, match="finite"):
        head_coordinates([(0.0, 1.0, np.nan)])


def test_base_can_be_used_with_another_cap():
    cap = {f"X{i}": (np.cos(i + 0.5), np.sin(i + 0.5), 0.1 * i) for i in range(4)}
    runs = [replace(r, ch_names=tuple(cap), neural=r.neural[:, :4], subject="new") for r in RUNS]
    tuned = MatcherDecoder(SMALL, make("matcher").config, positions=cap, base=fitted("placed")).fit(runs)
    assert tuned.size == SIZE
    assert tuned.spec.ch_names == tuple(cap)
    at = planted(9)
    assert accuracy(tuned, replace(at, ch_names=tuple(cap), neural=at.neural[:, :4])) > 0.9
    still = make("placed", config=replace(make("placed").config, epochs=0), base=fitted("placed")).fit(RUNS)
    for name, value in fitted("placed").arrays().items():
        if "queries" in name or "norm" in name:
            np.testing.assert_array_equal(still.arrays()[name], value)


@pytest.mark.parametrize(
    ("base", "changes", "words"),
    [
        ("matcher", {"ch_names": tuple("abcdef")}, "channels"),
        ("placed", {}, "where electrodes are"),
    ],
)
def test_base_that_does_not_fit_is_rejected(base, changes, words):
    with pytest.raises(DecoderMismatch, match=words):
        make("matcher", base=fitted(base)).fit([replace(run, **changes) for run in RUNS])


def test_each_listener_has_its_own_layer():
    runs = [replace(run, subject=f"{i % 2}") for i, run in enumerate(RUNS)]
    decoder = make("matcher").fit(runs)
    assert decoder.listeners == ("0", "1")
    matrices = next(m for m in decoder.net.modules() if isinstance(m, Listener)).matrices
    assert matrices.shape == (2, SIZE.n_virtual, SIZE.n_virtual)
    assert not torch.equal(matrices[0], matrices[1])
    decoder.net.weigh(1.0)  # linear components do not depend on the listener
    scores = {who: decoder.for_listener(who).score(RUN.neural, RUN.talkers).tobytes() for who in ("0", "1", "else")}
    assert len(set(scores.values())) == 3
    assert scores["else"] == decoder.score(RUN.neural, RUN.talkers).tobytes()


def test_missing_positions_are_an_error():
    with pytest.raises(DecoderError, match="E2"):
        MatcherDecoder(SMALL, positions={"E1": (0.0, 0.0, 1.0)}, size=SIZE).fit(RUNS)


# To be compiled


@pytest.mark.parametrize("kind", KINDS)
def test_network_to_compile_gives_the_scores_of_the_decoder(kind):
    decoder = fitted(kind)
    module, (neural, talkers) = decoder.network(3)
    assert not module.training
    n = decoder.spec.n_window + decoder.spec.reach
    assert neural.shape == (1, 6, n)
    assert talkers.shape == (3, 1, n)
    assert neural.dtype == talkers.dtype == torch.float32
    with torch.no_grad():
        wanted = module(neural, talkers).numpy()
    found = decoder.score(neural[0].T.numpy().astype(float), talkers.transpose(1, 2).numpy().astype(float))
    np.testing.assert_array_equal(found, wanted.astype(float))


@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_has_a_tensorrt_converter(kind):
    module, inputs = fitted(kind).network()
    program = torch.export.export(module, inputs)
    names = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert names
    assert not [name for name in names if any(word in name for word in ("fft", "cholesky", "cumsum", "linalg"))]
    torch.testing.assert_close(program.module()(*inputs), module(*inputs))


def test_compiled_scorer_is_used_only_for_its_shapes():
    decoder, met = make("matcher").fit(RUNS), []
    n = decoder.spec.n_window + decoder.spec.reach
    decoder.use(lambda x, y: met.append((x.shape, y.shape)) or torch.tensor([1.0, 2.0, 3.0]), n_talkers=3)
    assert decoder.score(RUN.neural[:n], RUN.talkers[:, :n]).tolist() == [1.0, 2.0, 3.0]
    assert met == [((1, 6, n), (3, 1, n))]
    decoder.score(RUN.neural[: n + 1], RUN.talkers[:, : n + 1])
    decoder.score(RUN.neural[:n], RUN.talkers[:2, :n])
    assert len(met) == 1


def test_compiled_scorer_is_used_at_every_hop():
    decoder, calls = copy.copy(fitted("matcher")), []
    wanted = push(SlidingScores(decoder, 3, 0.25), RUN, 5)
    decoder.use(lambda x, y: calls.append(1) or decoder.net(x, y), n_talkers=3)
    found = push(SlidingScores(decoder, 3, 0.25), RUN, 5, [7, 100, 301])
    assert [(s.start, s.stop, s.newest) for s in found] == [(s.start, s.stop, s.newest) for s in wanted]
    np.testing.assert_allclose([s.scores for s in found], [s.scores for s in wanted], rtol=0, atol=1e-5)
    assert len(calls) == len(found)
    first, second = SlidingScores(decoder, 3, 0.25), SlidingScores(decoder, 3, 0.25)
    list(first.push(5, RUN.neural[:200], RUN.talkers[:, :200]))
    second.restore(first.state())
    rest = replace(RUN, neural=RUN.neural[200:], talkers=RUN.talkers[:, 200:], attended=RUN.attended[200:])
    later = push(second, rest, 205)
    assert [s.scores.tobytes() for s in later] == [s.scores.tobytes() for s in found[-len(later) :]]


def test_parameters_and_multiply_adds_equal_hand_counts():
    net = matcher(5, 2, 4, 5, size=SIZE)
    t, n_features, n_hidden = 40, 2, 12
    by_hand = 5 * n_features * 5 + n_features * 5  # taps of the reconstruction, and its shape
    by_hand += 5 * 8 + 8 * 8 + 8 * n_hidden + n_hidden * 4
    blocks = (4 * n_hidden**2) * 2
    speech = 2 * (n_features * 5 + n_features * 6 + 4 * 6**2 + 6 * 4)
    counted = multiply_adds(net, 1000 + t) - multiply_adds(net, 1000)
    assert counted == t * (by_hand + blocks + speech)
    assert n_parameters(nn.Sequential(Filter(3, 4, 5), Block(4, 1, 0.0))) == 3 * 4 * 5 + 4 + 12 * 4 + 4 + 8 + 16 + 4
    assert 1e6 < n_parameters(matcher(64, 1, 16, 17)) < 2e6


def test_baselines_have_the_documented_sizes():
    assert vlaai(64, 1, 16).neural.reach == 4 * (5 * 7 + 31)
    assert n_parameters(vlaai(64, 1, 16)) == n_parameters(vlaai(64, 1, 16, n_blocks=2))  # blocks share their weights
    assert n_parameters(eegnet(64, 1, 16, 64.0)) < 4000


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], "no run"),
        ([replace(RUNS[0], sfreq=64.0)], "64 Hz"),
        ([replace(r, neural=0 * r.neural) for r in RUNS], "constant"),
        ([replace(r, talkers=0 * r.talkers) for r in RUNS], "constant"),
        ([r.part(0, 60) for r in RUNS], "same attended talker"),
        ([RUNS[0], damaged(RUNS[1], 50)], "not finite"),
        ([replace(r, attended=np.full_like(r.attended, -1)) for r in RUNS], "same attended talker"),
    ],
)
def test_data_that_cannot_be_learned_from_are_rejected(runs, words):
    with pytest.raises(DecoderError, match=words):
        make("matcher").fit(runs)
