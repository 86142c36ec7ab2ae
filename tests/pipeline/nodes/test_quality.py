from pathlib import Path

import numpy as np
import pytest
from streams import bits, eeg, hops, noise, through

from earmark.pipeline.nodes.quality import Quality, QualityConfig
from earmark.pipeline.nodes.reblock import Reblock, ReblockConfig
from earmark.pipeline.stream import Block, ChannelQuality, ClockMap, Gap, WiringError

SFREQ, HOP, WINDOW = 500.0, 10, 250
COCKTAIL = Path(__file__).parents[3].parent / "shared" / "data" / "cocktail" / "sub-01_task-cocktail_run-01_raw.fif"


def opened(spec, **config):
    node = Quality(QualityConfig(**config))
    node.open(spec)
    return node


def verdicts(items):
    return [item for item in items if isinstance(item, ChannelQuality)]


def judge(spec, x, **config):
    """Channel qualities of a recording, which can contain NaN."""
    reblock, quality = Reblock(ReblockConfig()), Quality(QualityConfig(**config))
    quality.open(reblock.open(spec))
    return verdicts(through(quality, through(reblock, [Block(0, x)])))


def cap(n_channels):
    """Positions on the upper half of a head, in metres."""
    z = (np.arange(n_channels) + 0.5) / n_channels
    angle = np.pi * (1 + 5**0.5) * np.arange(n_channels)
    radius = np.sqrt(1 - z**2)
    return 0.09 * np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)


def pink(rng, n_samples, n_sources):
    """1/f noise of standard deviation 1."""
    spectrum = rng.normal(size=(n_samples // 2 + 1, n_sources)) + 1j * rng.normal(size=(n_samples // 2 + 1, n_sources))
    f = np.maximum(np.fft.rfftfreq(n_samples, 1 / SFREQ), 0.2)
    x = np.fft.irfft(spectrum / f[:, None], n_samples, axis=0)
    return x / x.std(axis=0)


def scalp(seed, seconds=24, n_channels=32):
    """Spatially smooth 1/f activity, alpha, blinks, drift, line and amplifier noise on offsets, in microvolts."""
    rng = np.random.default_rng(seed)
    n, where = int(seconds * SFREQ), cap(n_channels)
    t = np.arange(n) / SFREQ
    distance = np.linalg.norm(where[:, None] - cap(80), axis=2)
    x = 12 * pink(rng, n, 80) @ np.exp(-0.5 * (distance / 0.03) ** 2).T / 3
    alpha = np.sin(2 * np.pi * 10 * t) * np.abs(np.sin(2 * np.pi * 0.1 * t))
    x += 8 * alpha[:, None] * (where[:, 1] < 0)
    blinks = sum(np.exp(-0.5 * ((t - at) / 0.06) ** 2) for at in np.arange(2, seconds, 4) + rng.random())
    x += 150 * blinks[:, None] * np.maximum(where[:, 1] / 0.09, 0) ** 3
    x += 10 * np.sin(2 * np.pi * 50 * t)[:, None] * rng.uniform(0.5, 1.5, n_channels)
    x += 30 * t[:, None] / seconds * rng.normal(size=n_channels)
    return x + rng.normal(size=x.shape) + rng.normal(0, 20_000, n_channels)


def scalp_spec(n_channels=32, known=True):
    return eeg(n_channels, SFREQ, positions=tuple(map(tuple, cap(n_channels))) if known else None)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_clean_recording_has_no_faults(seed, known):
    found = judge(scalp_spec(known=known), scalp(seed))
    assert len(found) == 48
    assert not any(v.bad.any() for v in found)
    assert np.mean([[fault != "" for fault in v.faults] for v in found]) < 0.02


def flat(x, rng):
    x[:] = 250_000.0


def non_finite(x, rng):
    x[::200] = np.nan


def railed(x, rng):
    np.clip(x, *np.quantile(x, [0.2, 0.8]), out=x)


def line(x, rng):
    x += 200 * np.sqrt(2) * np.sin(2 * np.pi * 50 * np.arange(len(x)) / SFREQ + 1)


def loud(x, rng):
    x += 20 * (x - x.mean())


def quiet(x, rng):
    x -= 0.98 * (x - x.mean())


def detached(x, rng):
    x[:] = x.mean() + x.std() * pink(rng, len(x), 1)[:, 0]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("spoil", "fault", "found_s", "gone_s"),
    [
        (flat, "flat", 0.5, 3.5),
        (non_finite, "non-finite", 0.5, 2.5),
        (railed, "railed", 0.5, 3.5),
        (line, "line", 2.5, 2.0),
        (loud, "variance", 2.5, 3.5),
        (quiet, "variance", 2.5, 3.5),
        (detached, "correlation", 9.0, 6.0),
    ],
)
def test_each_fault_is_detected_named_and_cleared(spoil, fault, found_s, gone_s, known):
    x, bad_channel = scalp(3, seconds=34), 5
    first, last = 6.0, 20.0
    spoil(x[int(first * SFREQ) : int(last * SFREQ), bad_channel], np.random.default_rng(4))
    found = judge(scalp_spec(known=known), x)
    for v in found:
        others = np.delete(v.bad, bad_channel)
        assert not others.any(), "only the spoilt channel is masked"
        end = v.stop / SFREQ
        if end <= first:
            assert not v.bad[bad_channel]
        elif first + found_s <= end <= last:
            assert v.bad[bad_channel], f"not masked at {end} s"
        elif end > last + gone_s:
            assert not v.bad[bad_channel], f"still masked at {end} s"
    named = [fault in v.faults[bad_channel].split("+") for v in found if first + found_s <= v.stop / SFREQ <= last]
    assert np.mean(named) > 0.9


def test_hard_faults_mask_immediately_and_soft_faults_gradually():
    x = noise(0, 12 * WINDOW, 1)
    tone = 300 * np.sin(2 * np.pi * 50 * np.arange(4 * WINDOW) / SFREQ)
    x[WINDOW : 5 * WINDOW, 0] += tone
    x[9 * WINDOW : 10 * WINDOW] = 7.0
    found = judge(eeg(1), x)
    wanted = [1.0, 0.7, 0.49, 0.343, 0.2401, 0.46807, 0.627649, 0.7393543, 0.81754801, 0.0, 0.3, 0.51]
    np.testing.assert_allclose([v.score[0] for v in found], wanted, rtol=1e-12)
    assert [bool(v.bad[0]) for v in found] == [False] * 4 + [True] * 3 + [False] * 2 + [True] * 3
    assert [v.faults[0] for v in found] == [""] + ["line"] * 4 + [""] * 4 + ["flat"] + [""] * 2


def test_quality_follows_its_window_and_masks_later_blocks():
    x = noise(0, 2 * WINDOW, 2)
    x[:WINDOW, 1] = 3.0
    node = opened(eeg(2, hop=HOP))
    own = np.array([True, False])
    blocks = hops(x, HOP)
    blocks[30] = Block(blocks[30].start, blocks[30].data, own)
    items = through(node, blocks)
    assert [type(i) for i in items] == ([Block] * 25 + [ChannelQuality]) * 2
    assert all(item.bad is None for item in items[:25])
    assert items[25].stop == WINDOW
    assert items[25].ch_names == ("E1", "E2")
    np.testing.assert_array_equal([item.bad for item in items[26:51] if item.start != 300], [[False, True]] * 24)
    np.testing.assert_array_equal(items[31].bad, [True, True])
    assert all(out.data is block.data for out, block in zip(items[:25], blocks[:25], strict=True))


@pytest.mark.parametrize("phase", [0.0, 1.0, 2.5])
@pytest.mark.parametrize(("line_hz", "window_s", "sfreq"), [(50, 0.5, 500.0), (60, 0.51, 512.0), (50, 0.3, 2000.0)])
def test_line_noise_is_measured_at_its_frequency(line_hz, window_s, sfreq, phase):
    t = np.arange(2 * int(sfreq)) / sfreq
    rms = np.array([97.0, 103.0, 300.0])
    frequencies = np.array([line_hz, line_hz, line_hz - 12])
    x = 1e5 + np.sqrt(2) * rms * np.sin(2 * np.pi * frequencies * t[:, None] + phase)
    x += np.random.default_rng(0).normal(size=x.shape)  # else its peaks, all alike, look like a limit
    for v in judge(eeg(3, sfreq), x, line_hz=line_hz, window_s=window_s):
        assert v.faults == ("", "line", "")


@pytest.mark.parametrize(("line_uv", "fault"), [(120, ""), (90, "line")])
def test_outlying_first_sample_counts_in_line_noise_like_any_other(line_uv, fault):
    x = noise(0, 2700, 1) / 20
    x[::270] += 20_000  # once in each window, which holds 31.6 periods: sqrt(2) / 270 of it, 105 microvolts
    found = judge(eeg(1, 512.0), x, line_hz=60, window_s=0.51, line_uv=line_uv)
    assert {v.faults for v in found} == {(fault,)}


@pytest.mark.parametrize(("std", "fault"), [(5e-4, "flat"), (2e-3, "")])
def test_offset_costs_no_precision(std, fault):
    x = 9e5 + std * noise(0, 2 * WINDOW, 1) / 20
    assert {v.faults for v in judge(eeg(1), x, flat_uv=1e-3)} == {(fault,)}


def test_small_difference_among_similar_channels_is_no_outlier():
    common = noise(0, 6 * WINDOW, 1)
    x = common * np.r_[np.ones(9), 1.5, 5.0] + 0.01 * noise(1, 6 * WINDOW, 11)
    assert {v.faults for v in judge(eeg(11), x)} == {("",) * 10 + ("variance",)}


def test_different_channels_are_no_outliers():
    x = noise(0, 6 * WINDOW, 1) * np.geomspace(0.1, 10, 11) + 0.01 * noise(1, 6 * WINDOW, 11)
    assert {v.faults for v in judge(eeg(11), x)} == {("",) * 11}


def test_line_frequency_above_nyquist_is_not_assessed():
    t = np.arange(640) / 64
    found = judge(eeg(1, 64.0), 300 * np.sin(2 * np.pi * 14 * t)[:, None])  # where 50 Hz would appear
    assert {v.faults for v in found} == {("",)}


def test_rails_are_counted_over_the_whole_window():
    x = noise(0, WINDOW, 3)
    order = np.argsort(x, axis=0)
    x[order[:20, 0], 0] = x[order[20, 0], 0]  # 21 + 1 extreme samples of 250
    x[order[:30, 1], 1] = x[order[30, 1], 1]
    x[order[-30:, 1], 1] = x[order[-30, 1], 1]  # 31 + 30
    x[order[:60, 2], 2] = x[order[60, 2], 2]  # 61 + 1
    (v,) = judge(eeg(3), x)
    assert v.faults == ("", "railed", "railed")


@pytest.mark.parametrize(("known", "fault"), [(True, "correlation"), (False, "")])
def test_only_the_nearest_channels_are_neighbours(known, fault):
    x = scalp(5)
    where = cap(32)
    nearest = np.argsort(np.linalg.norm(where - where[20], axis=1))
    x[:, 20] = x[:, nearest[-1]] + np.random.default_rng(0).normal(size=len(x))  # moves with the farthest of all
    found = judge(scalp_spec(known=known), x)[-10:]
    assert {v.faults[20] for v in found} == {fault}


def test_faulty_neighbour_does_not_count():
    x, rng = scalp(5), np.random.default_rng(0)
    x[:, 31] = 20 * pink(rng, len(x), 1)[:, 0]
    x[:, 20] = x[:, 31] + rng.normal(size=len(x))
    assert {v.faults[20] for v in judge(scalp_spec(known=False), x)[-10:]} == {""}
    x[::100, 31] = np.nan
    assert {v.faults[20] for v in judge(scalp_spec(known=False), x)[-10:]} == {"correlation"}


def test_all_channels_of_the_type_are_neighbours_without_positions():
    positions = [tuple(p) for p in cap(32)]
    x = scalp(5)
    x[:, 20] = x[:, 31] + np.random.default_rng(0).normal(size=len(x))
    positions[20] = (np.nan,) * 3
    found = judge(scalp_spec().evolve(positions=tuple(positions)), x)[-10:]
    assert {v.faults[20] for v in found} == {""}


def test_channels_of_another_type_are_no_neighbours():
    x = scalp(6)
    spec = scalp_spec().evolve(ch_types=("eog",) * 4 + ("eeg",) * 28)
    x[:, :4] = 1000 + 20 * pink(np.random.default_rng(1), len(x), 4)
    x[:, 10] = x[:, 0] + np.random.default_rng(2).normal(size=len(x))
    last = judge(spec.evolve(positions=None), x)[-1]
    assert [fault for fault in last.faults if fault] == ["correlation"] * 5
    assert "correlation" in last.faults[10]


def test_correlation_waits_for_two_seconds():
    x = 20 * pink(np.random.default_rng(0), 3000, 5)
    found = judge(eeg(5), x)
    assert [v.faults[0] == "correlation" for v in found[:3]] == [False] * 3
    assert [v.faults[0] == "correlation" for v in found[6:]] == [True] * 6


def test_three_channels_are_not_compared():
    x = 20 * pink(np.random.default_rng(0), 3000, 3) * [1, 1, 100]
    assert {v.faults for v in judge(eeg(3), x)} == {("", "", "")}
    with_a_dead_fourth = np.c_[x, np.zeros(3000)]
    assert {v.faults for v in judge(eeg(4), with_a_dead_fourth)} == {("", "", "", "flat")}


def test_dead_channels_do_not_make_others_outliers():
    x = scalp(7)
    x[:, :15] = 0.0
    last = judge(scalp_spec(), x)[-1]
    np.testing.assert_array_equal(last.bad, np.arange(32) < 15)


def test_channels_that_are_no_electrodes_are_not_assessed():
    x = noise(0, 4 * WINDOW, 3)
    x[:, 1] = 0.0
    x[5, 1] = np.nan
    found = judge(eeg(3, ch_types=("eeg", "misc", "eeg")), x)
    assert {v.faults for v in found} == {("", "", "")}
    assert all(v.score[1] == 1 and not v.bad[1] for v in found)


@pytest.mark.parametrize("level", [0.0, 1e6, -7.3])
def test_silence_is_flat_and_gives_finite_scores(level):
    for v in judge(eeg(6), np.full((10 * WINDOW, 6), level)):
        assert v.faults == ("flat",) * 6
        np.testing.assert_array_equal(v.score, 0.0)


def test_state_decays_to_zero_not_to_denormal_numbers():
    node = opened(eeg(6, 50.0, hop=25))
    through(node, hops(noise(0, 2500, 6), 25))
    through(node, [Block(2500 + 25 * i, np.zeros((25, 6))) for i in range(500)])
    assert not node.state()["covariance"].any()


def test_gap_discards_the_current_window_and_keeps_the_mask():
    x = noise(0, 2000, 2)
    x[:300, 1] = 3.0  # flat over one window and into the next
    node = opened(eeg(2, hop=HOP))
    before = through(node, hops(x[:305], HOP))
    score = verdicts(before)[-1].score
    assert list(score) == [1.0, 0.0]
    first, *after = through(node, [Gap(305, 1000), *hops(x[1000:], HOP, 1000)])
    assert first == Gap(305, 1000)
    np.testing.assert_array_equal(after[0].bad, [False, True])
    assert [v.stop for v in verdicts(after)] == [1250, 1500, 1750, 2000]
    assert [v.faults for v in verdicts(after)] == [("", "")] * 4
    np.testing.assert_allclose([v.score[1] for v in verdicts(after)], [0.3, 0.51, 0.657, 0.7599])


def test_step_across_a_gap_does_not_count():
    x, y = noise(0, 1000, 5), noise(1, 500, 5)
    covariances = []
    for jump in (0.0, 64.0):  # powers of two: differences stay exact
        node = opened(eeg(5, hop=HOP))
        through(node, [*hops(x, HOP), Gap(1000, 1100), *hops(y + jump * np.arange(5), HOP, 1100)])
        covariances.append(node.state()["covariance"])
    np.testing.assert_allclose(covariances[0], covariances[1], rtol=1e-9)


def test_restored_state_continues_bit_for_bit():
    blocks = hops(scalp(8, seconds=8), HOP)
    whole, second = opened(scalp_spec().evolve(hop=HOP)), opened(scalp_spec().evolve(hop=HOP))
    through(whole, blocks[:163])
    kept = whole.state()
    wanted = [bits(item) for item in through(whole, blocks[163:170])]
    second.restore(kept)
    assert [bits(item) for item in through(second, blocks[163:170])] == wanted
    for name, value in vars(whole).items():  # verdicts are coarse: all that is remembered must agree
        if name not in ("config", "_x", "_scratch", "_groups"):
            np.testing.assert_array_equal(getattr(second, name), value, err_msg=name)


def test_other_items_pass():
    node = opened(eeg(2, hop=HOP))
    assert through(node, [ClockMap(0, 1, 2)]) == [ClockMap(0, 1, 2)]


@pytest.mark.parametrize(
    ("spec", "config", "message"),
    [
        (eeg(), {}, "quality: input is 'eeg' in ragged blocks, but must be reblocked: put reblock before it"),
        (eeg(1, hop=10, ch_types=("misc",)), {}, "input is 'eeg' without electrodes, but must be with eeg, seeg, ecog"),
        (eeg(hop=10), {"window_s": 0.05}, "window_s is 0.05, but must be at least 0.1 s"),
        (eeg(sfreq=64.0, hop=2), {"window_s": 0.2}, "window_s is 0.2, but must be at least 0.25 s"),
        (eeg(hop=10), {"flat_uv": 0.0}, "flat_uv is 0.0, but must be above 0"),
        (eeg(hop=10), {"line_hz": 0}, "line_hz is 0, but must be above 0"),
        (eeg(hop=10), {"line_uv": np.nan}, "line_uv is nan, but must be above 0"),
        (eeg(hop=10), {"rail_fraction": 1.0}, "rail_fraction is 1.0, but must be between 0 and 1"),
        (eeg(hop=10), {"min_correlation": 1.0}, "min_correlation is 1.0, but must be at least 0 and below 1"),
    ],
)
def test_invalid_settings_are_rejected(spec, config, message):
    with pytest.raises(WiringError, match=message):
        opened(spec, **config)


@pytest.fixture(scope="module")
def cocktail():
    """Twenty seconds of a real recording: spec and microvolts."""
    if not COCKTAIL.exists():
        pytest.skip("the shared recordings are not here")
    mne = pytest.importorskip("mne")
    raw = mne.io.read_raw_fif(COCKTAIL, verbose="error").crop(10, 30).load_data(verbose="error")
    spec = eeg(len(raw.ch_names), raw.info["sfreq"], ch_names=tuple(raw.ch_names))
    where = tuple(tuple(float(p) for p in ch["loc"][:3]) for ch in raw.info["chs"])
    return spec.evolve(positions=where), raw.get_data().T * 1e6


def test_a_real_recording_is_mostly_good(cocktail):
    spec, x = cocktail
    found = judge(spec, x)
    assert len(found) == 38
    assert np.mean([v.bad for v in found]) < 0.05


def test_faults_in_a_real_recording_are_found(cocktail):
    spec, x = cocktail
    x, rng = x.copy(), np.random.default_rng(0)
    x[:, 10] = 5.0
    x[:, 60] = x[:, 60].std() * pink(rng, len(x), 1)[:, 0]
    x[:, 90] *= 20
    last = judge(spec, x)[-1]
    assert [last.faults[i] for i in (10, 60, 90)] == ["flat", "correlation", "variance"]
    assert last.bad[[10, 60, 90]].all()
    assert last.bad.sum() < 3 + 0.05 * len(last.bad)
