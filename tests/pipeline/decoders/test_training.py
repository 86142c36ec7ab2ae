"""Training of networks: training data, losses, stopping, and continuation after an interruption."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fitted_networks import QUICK, RUNS, SIZE, fitted, make
from planted import SMALL, planted

from earmark.pipeline.decoders.decoder import DecoderError
from earmark.pipeline.decoders.examples import HELD_OUT, Batch, Examples
from earmark.pipeline.decoders.matcher import matcher
from earmark.pipeline.decoders.training import Mixture, TrainingConfig, contrastive, correlation, margins, mixture

SPEC = fitted("matcher").spec
SWITCHING = [planted(20 + i, 3, seconds=90, switch_every=20.0) for i in range(2)]


def test_segments_have_one_attended_talker_and_end_before_the_held_out_part():
    examples, rng = Examples(SWITCHING, SPEC), np.random.default_rng(0)
    names = [name for run in SWITCHING for name in run.stimuli]
    length = SPEC.reach + examples.n_windows * SPEC.n_window
    seen = set()
    for _ in range(20):
        batch = examples.batch(8, rng)
        assert batch.neural.shape == (8, 6, length)
        for i, (stimulus, start) in enumerate(zip(batch.stimulus.tolist(), batch.start.tolist(), strict=True)):
            run = next(r for r in SWITCHING if names[stimulus] in r.stimuli)
            rows, talker = slice(start, start + length), run.stimuli.index(names[stimulus])
            assert (run.attended[rows] == talker).all()
            assert rows.stop <= round((1 - HELD_OUT) * len(run.neural))
            np.testing.assert_array_equal(batch.neural[i], run.neural[rows].T.astype(np.float32))
            np.testing.assert_array_equal(batch.attended[i], run.talkers[talker, rows].T.astype(np.float32))
            assert any(
                np.array_equal(batch.other[i], run.talkers[k, rows].T.astype(np.float32))
                for k in range(3)
                if k != talker
            )
            seen.add(stimulus)
    assert len(seen) == 6
    assert batch.has_other.all()


def test_held_out_part_starts_where_training_data_end():
    parts = list(Examples(SWITCHING, SPEC).tests())
    assert parts
    for neural, talkers, attended, listener in parts:
        run = next(r for r in SWITCHING if np.isin(neural[0, :, 0], r.neural.astype(np.float32)).all())
        at = int(np.flatnonzero((run.neural.astype(np.float32) == neural[0, :, 0].numpy()).all(axis=1))[0])
        assert at + SPEC.reach >= round((1 - HELD_OUT) * len(run.neural))
        assert (run.attended[at : at + neural.shape[-1]] == attended).all()
        assert talkers.shape[0] == 3
        assert listener == 0


def test_short_trials_are_not_lost():
    short = [planted(i, seconds=200, switch_every=5.0) for i in range(2)]
    assert Examples(short, SPEC).n_windows == 2
    assert Examples(RUNS, SPEC).n_windows == 4


def test_scales_are_robust_to_artefacts():
    wild = [replace(run, neural=run.neural.copy()) for run in RUNS]
    for run in wild:
        run.neural[100:110] = 1e5
    np.testing.assert_allclose(Examples(wild, SPEC).spread(), Examples(RUNS, SPEC).spread(), rtol=0.05)


def batch_of(n: int, stimulus: list[int], start: list[int], rival: bool = True) -> Batch:
    torch.manual_seed(0)
    x, y, z = torch.randn(n, 6, 80), torch.randn(n, 1, 80), torch.randn(n, 1, 80)
    return Batch(x, y, z, torch.full((n,), rival), torch.zeros(n, dtype=torch.long), torch.tensor(stimulus),
                 torch.tensor(start))  # fmt: skip


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(1)
    return matcher(6, 1, 4, 5, size=SIZE).eval()


def test_same_speech_is_not_a_negative_example(net):
    """Two listeners heard the same speech: it increases the loss if it counts as different, but not as the same."""
    reach = net.reach
    one = batch_of(3, [0, 1, 2], [0, 0, 0])
    attended = torch.cat([one.attended[:2], one.attended[:1]])
    as_other = replace(one, attended=attended)
    as_same = replace(as_other, stimulus=torch.tensor([0, 1, 0]))
    n = 80 - reach
    with torch.no_grad():
        assert contrastive(net, as_same, n) < contrastive(net, as_other, n)
        # What was heard at another time is other speech, though it is of the same story.
        later = replace(as_same, start=torch.tensor([0, 0, n]))
        torch.testing.assert_close(contrastive(net, later, n), contrastive(net, as_other, n))


def test_single_talker_has_no_rival(net):
    n = 80 - net.reach
    with torch.no_grad():
        alone = batch_of(3, [0, 1, 2], [0, 0, 0], rival=False)
        assert torch.isfinite(contrastive(net, alone, n))
        silent = replace(alone, other=torch.zeros_like(alone.other))
        torch.testing.assert_close(contrastive(net, alone, n), contrastive(net, silent, n))


def test_loss_is_a_cross_entropy_of_correlations(net):
    """Against plain NumPy, for the nonlinear components."""
    n, one = 80 - net.reach, batch_of(4, [0, 1, 2, 3], [0] * 4, rival=False)
    with torch.no_grad():
        x = net.embed_neural(one.neural)[:, 1:].double().numpy()
        y = net.embed_talkers(one.attended)[:, 1:].double().numpy()
        u = net.embed_neural(one.neural)[:, :1].double().numpy()
        v = net.embed_talkers(one.attended)[:, :1].double().numpy()
        found = float(contrastive(net, one, n))
    total = 0.0
    for a, b in ((x, y), (u, v)):
        r = np.array([[np.mean([np.corrcoef(p, q)[0, 1] for p, q in zip(i, j, strict=True)]) for j in b] for i in a])
        s = np.exp(2.0) * r
        for rows in (s, s.T):
            total += np.mean(np.log(np.exp(rows).sum(axis=1)) - np.diag(rows)) / 2
    assert found == pytest.approx(total, abs=1e-4)


def test_correlation_loss_is_negative_for_similar_signals(net):
    one = batch_of(2, [0, 1], [0, 0])
    with torch.no_grad():
        assert -1 <= float(correlation(net, one, 80 - net.reach)) <= 1


def test_share_favours_the_components_that_are_correct():
    rng = np.random.default_rng(0)
    noise, good = rng.normal(size=500), rng.normal(size=500) + 2
    assert mixture(np.stack([good, noise], axis=1), 1).share < 0.3
    assert mixture(np.stack([noise, good], axis=1), 1).share > 0.7
    none = mixture(np.stack([noise, -np.abs(good)], axis=1), 0)
    assert none == Mixture(1.0, pytest.approx(np.log(2)), 0.0)


def test_same_seed_gives_the_same_weights():
    again = make("matcher").fit(RUNS)
    for name, value in fitted("matcher").arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], value)
    other = make("matcher", config=replace(QUICK, seed=4)).fit(RUNS)
    assert any(not np.array_equal(other.arrays()[name], value) for name, value in again.arrays().items())


@pytest.mark.parametrize("kind", ["matcher", "eegnet"])
def test_interrupted_training_continues_bit_for_bit(kind):
    config = replace(QUICK, epochs=3, patience=3)
    whole, states = make(kind, config=config), []
    for _, state in whole.training(RUNS):
        states.append(state())
        torch.rand(5)  # whatever else draws numbers
    assert len(states) == 3
    for state in states:
        gone_on = make(kind, config=config)
        epochs = [epoch.number for epoch, _ in gone_on.training(RUNS, state)]
        assert epochs == list(range(int(state["at"][0]) + 1, 4))
        assert gone_on.chosen == whole.chosen
        for name, value in whole.arrays().items():
            np.testing.assert_array_equal(gone_on.arrays()[name], value)


def test_state_of_another_network_is_rejected():
    _, state = next(iter(make("eegnet").training(RUNS)))
    with pytest.raises(DecoderError, match="another network"):
        next(iter(make("matcher").training(RUNS, state())))


def test_training_stops_without_progress_and_keeps_the_best_epoch():
    """With random labels the held-out loss does not improve, and the best epoch is kept."""
    runs = [planted(i, seconds=96, switch_every=8.0) for i in range(2)]
    for run in runs:
        run.attended[:] = np.repeat(np.random.default_rng(0).integers(0, 2, 12), 256)
    decoder = make("matcher", config=replace(QUICK, epochs=12, patience=2))
    epochs = [epoch for epoch, _ in decoder.training(runs)]
    assert len(epochs) < 12
    losses = [epoch.test_loss for epoch in epochs]
    assert [e.best for e in epochs] == [loss < min(losses[:i], default=np.inf) for i, loss in enumerate(losses)]
    assert decoder.chosen.epochs == int(np.argmin(losses)) + 1
    assert decoder.chosen.test_loss == pytest.approx(min(losses), rel=1e-6)


def test_mixed_precision_training_works():
    decoder = make("eegnet", config=replace(QUICK, mixed=True)).fit(RUNS)
    assert decoder.chosen.test_accuracy > 0.9
    assert all(value.dtype == np.float32 for value in decoder.arrays().values())


def test_single_talker_is_compared_with_itself_at_other_times():
    alone = [replace(r, talkers=r.talkers[:1], talker_names=("t0",), stimuli=r.stimuli[:1]) for r in RUNS]
    decoder = make("eegnet").fit(alone)
    assert decoder.chosen.test_accuracy > 0.9
    gaps = margins(decoder.net, Examples(alone, decoder.spec))
    assert gaps.shape[1] == 2
    assert not gaps[:, 0].any()  # it has no linear components


@pytest.mark.parametrize("setting", [{"rate": 0.0}, {"epochs": -1}, {"patience": 0}, {"batch": 1}, {"decay": -1.0}])
def test_invalid_settings_are_rejected(setting):
    with pytest.raises(DecoderError, match=next(iter(setting))):
        TrainingConfig(**setting)


def test_reconstruction_equals_that_of_the_linear_decoder():
    """Before its temporal filter: ridge regression on scaled and clipped channels."""
    from earmark.pipeline.decoders.linear import LinearDecoder
    from earmark.pipeline.decoders.networks import CLIP_SD

    decoder = fitted("matcher")
    scale = decoder.net.standardise.scale[:, 0].double().numpy()
    cut = [replace(run, neural=(run.neural * scale).clip(-CLIP_SD, CLIP_SD)) for run in RUNS]
    linear = LinearDecoder(SMALL).fit(cut)
    rebuild = decoder.net.neural.chains()[0][0]
    with torch.no_grad():
        found = rebuild(torch.tensor(cut[0].neural.T[None], dtype=torch.float32))[0, 0].numpy()
    wanted = linear.project_neural(cut[0].neural)[:, 0]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
