"""The simulated listener is reproducible and causal, resembles EEG, and responds to speech."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt, welch

from earmark.devices.simulate.background import BackgroundConfig
from earmark.devices.simulate.electrodes import scalp, scalp_names, shafts
from earmark.devices.simulate.listener import ADAPT_S, ONSET_S, PRESETS, Listener, ListenerConfig
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.evaluation.evaluate import evaluate
from earmark.pipeline.run import Run

ENVELOPE_HZ = 64.0
SILENT = BackgroundConfig(
    brain_uv=0.0, sensor_uv=0.0, alpha_uv=0.0, blink_uv=0.0, line_uv=0.0, offset_uv=0.0, drift_uv=0.0, pops_per_min=0.0
)
FEW = ListenerConfig(ch_names=("Cz", "Oz", "Fpz", "P9"), clock_ppm=0.0)
QUIET = replace(FEW, background=SILENT, wandering=0.0)


def speech(seed: int, seconds: float, n_talkers: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Times and envelopes with the modulations of speech: slow, positive, with pauses."""
    n = round(seconds * ENVELOPE_HZ)
    white = np.random.default_rng(seed).normal(size=(n_talkers, n + 64))
    slow = sosfilt(butter(2, (1.0, 8.0), "bandpass", fs=ENVELOPE_HZ, output="sos"), white)[:, 64:]
    return np.arange(n) / ENVELOPE_HZ, np.maximum(0.3 + slow / slow.std(), 0.0)


def recorded(config: ListenerConfig, seconds: float, *, seed: int = 0, attended: int | None = 0) -> np.ndarray:
    listener = Listener(config, seed=seed)
    listener.hear(*speech(1, seconds))
    listener.attend(attended, -10.0)
    return listener.listen(round(seconds * config.sfreq))


# Reproducible, however it is cut


def test_equal_seeds_give_equal_samples_and_others_do_not():
    once, again = recorded(FEW, 3.0, seed=5), recorded(FEW, 3.0, seed=5)
    np.testing.assert_array_equal(once, again)
    assert once.dtype == np.float32
    assert np.abs(once - recorded(FEW, 3.0, seed=6)).max() > 1.0


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=12),
    ahead=st.lists(st.integers(0, 20), min_size=1, max_size=12),
    sfreq=st.sampled_from([500.0, 512.0, 1000.0]),
    start=st.sampled_from([0.0, 81234.567]),
)
@example(sizes=[1], ahead=[0], sfreq=500.0, start=0.0)
def test_samples_do_not_depend_on_how_calls_are_divided(sizes, ahead, sfreq, start):
    """Bit-identical for any division, as long as each event comes before the samples of its instant."""
    sizes, ahead = itertools.cycle(sizes), itertools.cycle(ahead)
    config = replace(FEW, sfreq=sfreq, clock_ppm=200.0)
    times, envelopes = speech(2, 1.5)
    times = times + start
    cues = [(start - 1.0, 1), (start + 0.35, 0), (start + 0.9, None), (start + 1.1, 1)]
    whole = Listener(config, seed=3, start=start)
    whole.hear(times, envelopes)
    for at, talker in cues:
        whole.attend(talker, at)
    n = int(1.3 * sfreq)
    expected = whole.listen(n)

    listener, parts, heard, left = Listener(config, seed=3, start=start), [], 0, list(cues)
    while (made := listener.n_samples) < n:
        count = min(n - made, next(sizes))
        last = listener.time(made + count - 1)
        needed = int(np.searchsorted(times, last, side="right"))
        to = min(len(times), needed + next(ahead))
        for cut in range(heard, to, 7):
            listener.hear(times[cut : min(cut + 7, to)], envelopes[:, cut : min(cut + 7, to)])
        heard = max(heard, to)
        while left and left[0][0] <= last:
            at, talker = left.pop(0)
            listener.attend(talker, at)
        parts.append(listener.listen(count))
    np.testing.assert_array_equal(np.concatenate(parts), expected)


# Causal


@pytest.mark.parametrize("preset", PRESETS)
def test_samples_do_not_depend_on_the_future(preset):
    times, envelopes = speech(3, 4.0)
    changed = envelopes.copy()
    changed[:, times >= 2.0] = 3.0
    config, made = PRESETS[preset], []
    for heard, cued in ((envelopes, 0), (changed, 1)):
        listener = Listener(config, seed=1)
        listener.hear(times, heard)
        listener.attend(0, -10.0)
        listener.attend(cued, 2.0)
        made.append(listener.listen(int(3.5 * config.sfreq)))
    instants = listener.time(np.arange(len(made[0])))
    differs = np.abs(made[0] - made[1]).max(axis=1) > 0
    assert not differs[instants < 2.0 + ONSET_S].any()
    assert differs[instants > 2.1].any()


def test_silence_and_missing_envelopes_have_no_response():
    listener = Listener(QUIET)
    times, envelopes = speech(4, 1.0)
    listener.hear(times, 0 * envelopes)
    listener.hear(times + 1.0, envelopes)
    listener.hear(times + 4.0, envelopes)
    x = np.abs(listener.listen(round(5.5 * QUIET.sfreq))).max(axis=1)
    at = np.arange(len(x)) / QUIET.sfreq
    silent = (at < 1.0) | ((at > 2.3) & (at < 4.0)) | (at > 5.3)
    assert x[silent].max() == 0
    for onset in (1.0, 4.0):
        assert x[(at > onset) & (at < onset + 1.2)].max() > 0.05


def test_late_envelopes_evoke_the_rest_of_the_response():
    times, envelopes = speech(4, 1.0)
    timely, late = Listener(QUIET), Listener(QUIET)
    for listener in (timely, late):
        listener.attend(0, -9.0)
    timely.hear(times, envelopes)
    a = timely.listen(750)
    n = 550  # the sound ended 0.1 s ago: N1 and P2 are still to come
    b = np.concatenate([late.listen(n), *(late.hear(times, envelopes) or late.listen(750 - n),)])
    assert np.abs(b[:n]).max() == 0
    np.testing.assert_array_equal(a[n:], b[n:])
    assert np.abs(b[n:]).max() > 0.05


# It resembles EEG


@pytest.fixture(scope="module")
def minutes():
    config = replace(PRESETS["typical"], ch_names=("Cz", "Oz", "Fpz", "C3", "C1"))
    x = Listener(config, seed=8).listen(round(120 * config.sfreq)).astype(np.float64)
    return config, x


def spectrum(x: np.ndarray, sfreq: float) -> tuple[np.ndarray, np.ndarray]:
    return welch(x, sfreq, nperseg=round(4 * sfreq), axis=0, average="median")


def test_background_falls_as_one_over_f(minutes):
    config, x = minutes
    hz, power = spectrum(x[:, [0, 3]], config.sfreq)
    fitted = ((hz >= 2) & (hz <= 30)) & ~((hz > 7) & (hz < 14))
    slope = np.polyfit(np.log(hz[fitted]), np.log(power[fitted]), 1)[0]
    assert np.all((slope > -1.35) & (slope < -0.75)), slope


def test_background_has_the_given_amplitude():
    config = replace(PRESETS["typical"], background=replace(SILENT, brain_uv=10.0), sfreq=400.0)
    x = Listener(config, seed=1).listen(60 * 400)
    hz, power = welch(x, 400.0, nperseg=4000, axis=0)
    inside = (hz >= 1) & (hz <= 40)
    rms = np.sqrt(np.mean(np.sum(power[inside], axis=0) * hz[1]))
    assert 9.0 < rms < 11.0


def test_background_is_correlated_between_neighbours(minutes):
    config, x = minutes
    sos = butter(2, (1.0, 30.0), "bandpass", fs=config.sfreq, output="sos")
    r = np.corrcoef(sosfilt(sos, x - x.mean(axis=0), axis=0)[5000:].T)
    assert r[3, 4] > 0.6  # C3 and C1
    assert r[3, 4] > abs(r[3, 1]) + 0.2  # C3 and Oz


def test_alpha_is_at_the_back_with_varying_amplitude(minutes):
    config, x = minutes
    hz, power = spectrum(x, config.sfreq)
    peak = power[(hz >= 9) & (hz <= 11)].max(axis=0) / power[((hz > 5) & (hz < 7)) | ((hz > 14) & (hz < 16))].mean(
        axis=0
    )
    assert peak[1] > 5
    assert peak[1] > 3 * peak[0]
    sos = butter(2, (8.0, 12.0), "bandpass", fs=config.sfreq, output="sos")
    amplitude = np.abs(sosfilt(sos, x[:, 1]))[5000:].reshape(-1, 500).mean(axis=1)
    assert amplitude.std() > 0.25 * amplitude.mean()


@pytest.mark.parametrize("line_hz", [50.0, 60.0])
def test_mains_has_its_frequency_and_amplitude(line_hz):
    config = replace(FEW, background=replace(FEW.background, line_hz=line_hz, line_uv=5.0))
    hz, power = spectrum(Listener(config, seed=2).listen(30_000), config.sfreq)
    beside = (np.abs(hz - line_hz) > 2) & (np.abs(hz - line_hz) < 8)
    assert np.all(power[np.argmin(np.abs(hz - line_hz))] > 10 * power[beside].mean(axis=0))


def test_blinks_are_at_the_front_at_random_times():
    config = replace(QUIET, background=replace(SILENT, blink_uv=110.0))
    x = Listener(config, seed=4).listen(60_000)
    front = x[:, 2]
    onsets = np.flatnonzero(np.diff((front > 10).astype(int)) == 1) / config.sfreq
    assert 20 <= len(onsets) <= 60  # in two minutes
    assert np.diff(onsets).std() > 0.5
    assert front.max() > 50
    assert np.abs(x[:, 1]).max() < 0.2 * front.max()


def test_electrodes_have_offset_and_slow_drift():
    config = replace(PRESETS["typical"], background=replace(SILENT, offset_uv=3000.0, drift_uv=25.0))
    x = Listener(config, seed=4).listen(60_000).astype(np.float64)
    assert 1500 < x.mean(axis=0).std() < 6000
    moved = x[-500:].mean(axis=0) - x[:500].mean(axis=0)
    assert 10 < np.std(moved) < 60
    assert np.abs(np.diff(x, axis=0)).max() < 0.5  # no steps


def test_pops_are_steps_of_single_electrodes_that_decay():
    config = replace(PRESETS["typical"], background=replace(SILENT, pops_per_min=20.0))
    x = Listener(config, seed=4).listen(60_000).astype(np.float64)
    steps = np.argwhere(np.abs(np.diff(x, axis=0)) > 40)
    assert 20 <= len(steps) <= 60  # 40 in two minutes
    assert len(set(steps[:, 1])) > 10
    at, channel = steps[0]
    before, after = x[at, channel], x[at + 1, channel]
    assert 40 < abs(after - before) < 310
    assert abs(x[at + 50, channel] - before) > 0.6 * abs(after - before)
    assert abs(x[at + 1000, channel] - before) < 0.3 * abs(after - before)


def test_amplifier_clock_drifts_against_lsl():
    """A fast clock takes samples sooner, so a sound has a later sample index."""
    for ppm in (-2000.0, 2000.0):
        listener = Listener(replace(QUIET, clock_ppm=ppm), start=100.0)
        assert listener.time(500_000) == pytest.approx(100 + 1000 / (1 + ppm * 1e-6), abs=1e-9)
        listener.attend(0, 0.0)
        at = 160.0  # one click
        listener.hear([at - 0.1, at, at + 1 / 64], [[0, 1, 0], [0, 0, 0]])
        x = np.abs(listener.listen(32_000)[:, 0])
        expected = (at + 0.1 - 100) * QUIET.sfreq * (1 + ppm * 1e-6)  # N1
        near = slice(int(expected) - 15, int(expected) + 15)
        assert abs(np.argmax(x[near]) - 15) <= 4


# It responds to speech


def test_waves_have_their_latencies_and_signs():
    listener = Listener(QUIET)
    listener.attend(0, -10.0)
    times = np.arange(0, 20, 1 / 64)
    clicks = np.zeros((2, len(times)))
    clicks[0, ::64] = 1.0
    listener.hear(times, clicks)
    x = listener.listen(10_000)[:, 0].reshape(-1, 500)[12:].mean(axis=0)  # Cz, after adapting to the loudness
    ms = np.arange(500) * 2
    for low, high, sign in ((40, 60, 1), (85, 115, -1), (165, 200, 1)):
        inside = (ms >= low) & (ms <= high)
        assert np.all(sign * x[inside] > 0), (low, high)
    assert abs(ms[np.argmin(x)] - 100) < 15
    assert np.abs(x[ms < 1e3 * ONSET_S]).max() == 0
    assert np.abs(x[(ms > 260) & (ms < 900)]).max() == 0


def test_response_to_attended_exceeds_response_to_ignored():
    config = replace(QUIET, ignored=0.3)
    times = speech(1, 20.0)[0]
    for attended in (0, 1):
        x = recorded(config, 20.0, attended=attended)[:, 0]
        weights = []
        for only in (0, 1):
            alone = Listener(config)
            heard = speech(1, 20.0)[1]
            heard[1 - only] = 0.0
            alone.hear(times, heard)
            alone.attend(only, -10.0)
            weights.append(alone.listen(len(x))[:, 0])
        found = np.linalg.lstsq(np.stack(weights, axis=1), x, rcond=None)[0]
        assert found[attended] == pytest.approx(1.0, abs=0.01)
        assert found[1 - attended] == pytest.approx(0.3, abs=0.01)


def test_response_is_smaller_when_nobody_is_attended():
    x = recorded(QUIET, 10.0, attended=None)
    both = [recorded(QUIET, 10.0, attended=k) for k in (0, 1)]
    assert x.std() < 0.7 * min(one.std() for one in both)
    assert x.std() > 0


def test_vertex_and_mastoids_see_opposite_signs():
    electrodes = scalp(scalp_names())
    at = dict(zip(electrodes.ch_names, electrodes.response, strict=True))
    for wave in range(3):
        assert at["FCz"][wave] > 0.5
        assert at["P9"][wave] < -0.5
        assert at["P10"][wave] == pytest.approx(at["P9"][wave], rel=0.05)
    assert not np.allclose(electrodes.response[:, 0], electrodes.response[:, 1], atol=0.05)
    np.testing.assert_array_equal(scalp(("Oz", "Cz")).response, np.array([at["Oz"], at["Cz"]]))


def test_attention_moves_with_human_delay():
    config = replace(QUIET, ignored=0.0, react_s=0.4, shift_s=0.8)
    rate = 64.0
    times = np.arange(0, 12, 1 / rate)
    one = np.zeros((2, len(times)))
    one[1] = 1.0 + np.sin(2 * np.pi * 8 * times)  # talker 1 all the time
    listener = Listener(config)
    listener.hear(times, one)
    listener.attend(0, 0.0)
    listener.attend(1, 5.0)
    x = listener.listen(6000)[:, 0]
    at = np.arange(6000) / 500

    def size(low, high):
        part = x[(at >= low) & (at < high)]
        return part.max() - part.min()

    full = size(8, 9)
    assert size(2, 5.35) == 0
    assert 0 < size(5.4, 5.6) < 0.4 * full
    assert size(6.3, 7.3) == pytest.approx(full, rel=0.05)


def test_response_does_not_depend_on_loudness():
    times, envelopes = speech(6, 20.0)
    made = []
    for factor in (1.0, 1000.0):
        listener = Listener(QUIET)
        listener.hear(times, factor * envelopes)
        made.append(listener.listen(10_000))
    np.testing.assert_allclose(made[0], made[1], atol=1e-5)
    assert ADAPT_S > 2  # slower than syllables, which must be preserved


def test_high_gamma_follows_the_attended_talker_where_the_response_is():
    config = replace(PRESETS["ieeg"], background=SILENT, response_uv=0.0, high_gamma_depth=0.4)
    times, envelopes = speech(1, 60.0)
    x = recorded(config, 60.0).astype(np.float64)
    sos = butter(4, (70.0, 150.0), "bandpass", fs=config.sfreq, output="sos")
    smooth = butter(2, 8.0, fs=config.sfreq, output="sos")
    power = sosfilt(smooth, np.abs(sosfilt(sos, x, axis=0)), axis=0)
    heard = np.stack([np.interp(np.arange(len(x)) / config.sfreq - 0.13, times, one) for one in envelopes])
    r = np.array([[np.corrcoef(one, power[:, c])[0, 1] for one in heard] for c in range(x.shape[1])])
    gain = shafts().high_gamma
    assert r[np.argmax(gain), 0] > 0.2
    assert r[np.argmax(gain), 0] > r[np.argmax(gain), 1] + 0.1
    assert np.abs(r[gain < 0.01]).max() < 0.1


def decode(preset: str, minutes: int = 4) -> float:
    """Accuracy of the project's decoder at 2 s, each minute held out."""
    config, runs = PRESETS[preset], []
    for k in range(minutes):
        times, envelopes = speech(100 + k, 60.0)
        listener = Listener(config, seed=k)
        listener.hear(times, envelopes)
        listener.attend(k % 2, -10.0)
        x = listener.listen(round(60 * config.sfreq)).astype(np.float64)
        sos = butter(2, (EEG.low_hz, EEG.high_hz), "bandpass", fs=config.sfreq, output="sos")
        x = sosfilt(sos, x - x[0], axis=0)
        x -= x.mean(axis=1, keepdims=True)
        rows = np.interp(times, np.arange(len(x)) / config.sfreq, np.arange(len(x))).astype(int)
        sos = butter(2, (EEG.low_hz, EEG.high_hz), "bandpass", fs=ENVELOPE_HZ, output="sos")
        talkers = sosfilt(sos, envelopes, axis=1)[:, :, None]
        neural, who = x[rows], np.full(len(rows), k % 2)
        names = listener.electrodes.ch_names
        runs.append(Run(f"{k}", "1", 64.0, names, neural, ("a", "b"), talkers, who, (f"a{k}", f"b{k}")))
    return evaluate(runs, lambda: LinearDecoder(EEG), "leave-one-run-out", [2.0], n_shifts=1).accuracy[2.0]


def test_presets_differ_in_accuracy():
    easy, typical, hard = (decode(preset) for preset in ("easy", "typical", "hard"))
    assert easy > 0.9
    assert easy > typical + 0.2
    assert typical > 0.54
    assert hard < typical + 0.02
    assert hard < 0.7


# Stream description and invalid arguments


def test_spec_describes_the_stream():
    spec = Listener(PRESETS["typical"]).spec
    assert spec.n_channels == 64
    assert set(spec.ch_types) == {"eeg"}
    assert set(spec.units) == {"uV"}
    assert spec.sfreq == 500.0
    places = dict(zip(spec.ch_names, np.array(spec.positions), strict=True))
    assert places["Cz"][2] > places["Oz"][2]
    assert places["Fpz"][1] > 0.05 > places["Oz"][1]
    assert places["T7"][0] < 0 < places["T8"][0]
    ieeg = Listener(PRESETS["ieeg"]).spec
    assert ieeg.n_channels == 36
    assert set(ieeg.ch_types) == {"seeg"}
    assert Listener(FEW).spec.ch_names == FEW.ch_names


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ch_names": ("Cz", "Nowhere")}, "ch_names has Nowhere"),
        ({"ch_names": ("Cz", "Cz")}, "ch_names has Cz"),
        ({"ch_type": "seeg", "ch_names": ("Cz",)}, "ch_names has Cz"),
        ({"ch_type": "meg"}, "ch_type is 'meg'"),
        ({"sfreq": 100.0}, "sfreq is 100 Hz"),
        ({"high_gamma_uv": 1.0, "sfreq": 300.0}, "sfreq is 300 Hz"),
        ({"react_s": 0.0}, "react_s is 0 s"),
        ({"shift_s": 0.0}, "shift_s is 0 s"),
    ],
)
def test_invalid_settings_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        Listener(replace(PRESETS["typical"], **changes))


def test_invalid_envelopes_and_cues_are_refused():
    listener = Listener(FEW)
    with pytest.raises(ValueError, match=r"must have \(2, 3\)"):
        listener.hear([0, 1, 2], [[1, 2, 3]])
    with pytest.raises(ValueError, match="finite"):
        listener.hear([0], [[np.nan], [1]])
    listener.hear([0.0, 0.1], [[1, 1], [1, 1]])
    with pytest.raises(ValueError, match=r"must rise, from 0\.1 s on"):
        listener.hear([0.1], [[1], [1]])
    listener.attend(1, 3.0)
    with pytest.raises(ValueError, match="must not be earlier"):
        listener.attend(0, 2.0)
    with pytest.raises(ValueError, match="talker is 2"):
        listener.attend(2, 4.0)
    with pytest.raises(ValueError, match="n_talkers is 0"):
        Listener(FEW, 0)
