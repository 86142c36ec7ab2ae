import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, hilbert, sosfiltfilt
from streams import assert_close, bits, cut, eeg, hops, join, through

from earmark.kernels.gammatone import erb_spaced
from earmark.pipeline.nodes.envelope import LIMIT, Envelope, EnvelopeConfig, speech_envelope
from earmark.pipeline.stream import Block, ChannelQuality, ClockMap, Gap, Marker, StreamSpec, WiringError

SPEECH = Path(__file__).parents[3].parent / "shared" / "data" / "speech"
RATES = [8000, 16000, 22050, 44100, 48000]


def audio(rate=16000.0, names=("a",), hop=320, **changes):
    n = len(names)
    return StreamSpec("audio", float(rate), tuple(names), ("misc",) * n, ("",) * n, hop=hop).evolve(**changes)


def opened(spec, **config):
    node = Envelope(EnvelopeConfig(**config))
    return node, node.open(spec)


def babble(seed, n_samples, n_channels=1):
    """Noise with an amplitude modulation like syllables."""
    rng = np.random.default_rng(seed)
    swell = 1 + np.sin(np.arange(n_samples)[:, None] / 700 + rng.uniform(0, 6, n_channels))
    return 0.1 * rng.normal(size=(n_samples, n_channels)) * swell


@pytest.fixture(scope="module")
def speech():
    """Twelve seconds of read speech at 16 kHz."""
    soundfile = pytest.importorskip("soundfile")
    files = sorted(SPEECH.glob("*/*.flac"))
    if not files:
        pytest.skip("the shared recordings are not here")
    x, rate = soundfile.read(files[0])
    assert rate == 16000
    return x[: 12 * rate]


def test_node_and_array_function_give_the_same_bits():
    x = babble(0, 16000 * 2 + 77)
    node, spec = opened(audio())
    found = join(through(node, hops(x, 320)))
    np.testing.assert_array_equal(found, speech_envelope(x[:, 0], 16000.0, EnvelopeConfig()))
    assert spec.sfreq == 64
    assert len(found) == np.ceil(len(x) / 250)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 99),
    st.lists(st.integers(1, 6000), max_size=40),
    st.sampled_from([8000, 16000, 44100, 48000]),
    st.sampled_from([0, 7, 123_456_789]),
    st.booleans(),
)
def test_any_chunking_gives_the_same_bits(seed, cuts, rate, start, per_band):
    x, high = babble(seed, 6000, 2), 3000.0
    node, _ = opened(audio(rate, "ab", hop=6000), per_band=per_band, high_hz=high, n_bands=6)
    whole = join(through(node, [Block(start, x)]))
    node.open(audio(rate, "ab", hop=6000))
    pieces = join(through(node, cut(Block(start, x), [start + i for i in cuts])))
    np.testing.assert_array_equal(pieces, whole)


@pytest.mark.parametrize(("rate", "per_band"), [(16000, True), (44100, False)])
def test_restored_state_continues_bit_for_bit(rate, per_band):
    x = babble(3, 2 * rate, 2)
    bad = {5: np.array([True, False]), 6: np.array([False, True])}
    blocks = [Block(b.start, b.data, bad.get(i % 11)) for i, b in enumerate(hops(x, 320))]
    spec = audio(rate, "ab")
    (first, _), (second, _) = opened(spec, per_band=per_band), opened(spec, per_band=per_band)
    for middle in (1, 6, 40):
        first.open(spec)
        through(first, blocks[:middle])
        file = io.BytesIO()
        np.savez(file, **first.state())
        wanted = [bits(item) for item in through(first, blocks[middle:])]
        file.seek(0)
        with np.load(file, allow_pickle=False) as saved:
            second.restore(dict(saved))
        assert [bits(item) for item in through(second, blocks[middle:])] == wanted


def test_future_samples_do_not_change_past_output():
    x = babble(4, 16000)
    other = x.copy()
    other[9000:] = 1.0
    a, b = (speech_envelope(y[:, 0], 16000.0, EnvelopeConfig()) for y in (x, other))
    np.testing.assert_array_equal(a[:36], b[:36])  # up to sample 35 * 250 = 8750
    assert (a[36:] != b[36:]).all()


def test_each_channel_is_a_separate_talker():
    x = babble(5, 16000, 3)
    node, spec = opened(audio(names="abc"))
    found = join(through(node, hops(x, 320)))
    for i in range(3):
        assert_close(found[:, i : i + 1], speech_envelope(x[:, i], 16000.0, EnvelopeConfig()), 1e-13)
    assert (spec.ch_names, spec.ch_types, spec.units) == (("a", "b", "c"), ("misc",) * 3, ("",) * 3)


def test_bands_sum_to_the_envelope():
    x = babble(6, 16000, 2)
    (bands, spec), (whole, _) = opened(audio(names="ab"), per_band=True), opened(audio(names="ab"))
    found, summed = join(through(bands, hops(x, 320))), join(through(whole, hops(x, 320)))
    np.testing.assert_allclose(found.reshape(-1, 2, 28).sum(axis=2), summed, rtol=1e-9)
    assert spec.ch_names[:2] == ("a 50 Hz", "a 82 Hz")
    assert spec.ch_names[-1] == "b 5000 Hz"
    assert (len(spec.ch_types), len(spec.units)) == (56, 56)


def test_tone_gives_its_amplitude_raised_to_the_power_in_its_band():
    centres = erb_spaced(50.0, 5000.0, 28)
    t = np.arange(16000)[:, None] / 16000
    node, _ = opened(audio(names=tuple(map(str, range(28)))), per_band=True)
    last = join(through(node, hops(0.2 * np.sin(2 * np.pi * centres * t), 320)))[-1].reshape(28, 28)
    np.testing.assert_array_equal(np.argmax(last, axis=1), np.arange(28))
    np.testing.assert_allclose(np.diag(last), 0.2**0.6, rtol=0.02)


def sine(y, hz, sfreq):
    """Mean, amplitude and phase of a sine in ``y``."""
    t = np.arange(len(y)) / sfreq
    mean, a, b = np.linalg.lstsq(np.c_[np.ones(len(t)), np.sin(2 * np.pi * hz * t), np.cos(2 * np.pi * hz * t)], y)[0]
    return mean, np.hypot(a, b), np.arctan2(b, a)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("hz", [2.0, 5.0])
def test_delay_equals_the_declared_one(rate, hz):
    centres = erb_spaced(50.0, 5000.0, 28)
    t = np.arange(6 * rate) / rate
    carrier = np.sin(2 * np.pi * np.outer(t, centres[centres < 0.45 * rate]) + np.arange(np.sum(centres < 0.45 * rate)))
    x = (1 + 0.2 * np.sin(2 * np.pi * hz * t)) * carrier.sum(axis=1)
    _, spec = opened(audio(rate))
    y = speech_envelope(x, rate, EnvelopeConfig())[64:, 0]  # a whole number of periods later
    _, _, phase = sine(y, hz, 64)
    measured = -phase / (2 * np.pi * hz)
    assert measured == pytest.approx(spec.delay, abs=0.003)
    (clock,) = Envelope.process(opened(audio(rate))[0], ClockMap(100.0, 50.0, 1 / rate))
    for j in (0, 64, 1000):
        assert clock.time(j) == pytest.approx(50.0 + j / 64 - 100 / rate - spec.delay, abs=1e-9)


def test_default_delay_equals_that_of_the_usual_neural_chain():
    from earmark.pipeline.nodes.resample import Resample, ResampleConfig

    neural = Resample(ResampleConfig(sfreq=64.0)).open(eeg(hop=10, lowpass=9.0))
    _, spec = opened(audio(48000))
    assert spec.delay - neural.delay < 0.01
    assert opened(audio(48000), passband_hz=25.0)[1].delay > 2 * spec.delay


def test_passband_is_kept_and_aliases_are_removed():
    t = np.arange(16000 * 5) / 16000
    for hz, least, most in ((8.0, 0.95, 1.05), (60.0, 0.0, 0.01)):
        x = (1 + 0.3 * np.sin(2 * np.pi * hz * t)) * np.sin(2 * np.pi * 2000 * t)
        y = speech_envelope(x, 16000.0, EnvelopeConfig(n_bands=2, low_hz=1999.0, high_hz=2000.0, power=1.0))[64:, 0]
        mean, amplitude, _ = sine(y, abs(hz - 64) if hz > 32 else hz, 64)
        assert least * 0.3 <= amplitude / mean <= most * 0.3


def test_envelope_of_real_speech_correlates_with_a_reference_method(speech):
    _, spec = opened(audio())
    found = speech_envelope(speech, 16000.0, EnvelopeConfig())[:, 0]
    sos = butter(2, 9.0, fs=16000, output="sos")
    plain = np.maximum(sosfiltfilt(sos, np.abs(hilbert(speech))), 0) ** 0.6
    at = np.arange(len(found)) / 64 - spec.delay
    wanted = np.interp(at, np.arange(len(speech)) / 16000, plain)
    inside = at > 0.2
    here = np.corrcoef(found[inside], wanted[inside])[0, 1]
    assert here > 0.8
    for shift in (-0.03, 0.03):  # the delay taken off is the right one
        moved = np.interp(at + shift, np.arange(len(speech)) / 16000, plain)
        assert np.corrcoef(found[inside], moved[inside])[0, 1] < here


@pytest.mark.parametrize("rate", RATES)
def test_envelope_hardly_depends_on_the_sampling_rate(speech, rate):
    soxr = pytest.importorskip("soxr")
    y = speech_envelope(soxr.resample(speech, 16000, rate), float(rate), EnvelopeConfig())
    wanted = speech_envelope(speech, 16000.0, EnvelopeConfig())
    n = min(len(y), len(wanted))
    assert np.corrcoef(y[:n, 0], wanted[:n, 0])[0, 1] > (0.98 if rate < 16000 else 0.9999)
    _, spec = opened(audio(rate))
    assert spec.delay == pytest.approx(opened(audio())[1].delay, abs=0.001)


def test_gap_resets_the_filters_and_keeps_the_grid():
    x, y = babble(7, 16003), babble(8, 16000)
    node, _ = opened(audio())
    items = through(node, [*hops(x, 320), Gap(16003, 40_001), *hops(y, 320, 40_001)])
    gap = next(item for item in items if isinstance(item, Gap))
    assert gap == Gap(65, 161)  # 16003 / 250 = 64.01 and 40001 / 250 = 160.004
    fresh, _ = opened(audio())
    wanted = through(fresh, hops(y, 320, 40_001))
    assert [bits(item) for item in items[items.index(gap) + 1 :]] == [bits(item) for item in wanted]


def test_blocks_and_gaps_are_contiguous_at_any_rate():
    for rate in RATES:
        node, spec = opened(audio(rate, hop=round(rate / 50)))
        x = babble(9, rate)
        hop = round(rate / 50)
        gaps = [Gap(rate, rate + 1), Gap(rate + 1, rate + 5000)]
        items = through(node, [*hops(x, hop), *gaps, *hops(x, hop, rate + 5000), Gap(2 * rate + 5000, 2 * rate + 5000)])
        at = 0
        for item in items:
            assert item.start == at
            at = item.stop
            assert isinstance(item, Gap) or 0 < len(item.data) <= spec.hop
        assert at == np.ceil((2 * rate + 5000) * 64 / rate)


def test_mask_applies_to_all_bands_and_waits_for_an_output():
    node, _ = opened(audio(48000, "ab", hop=3), per_band=True, n_bands=2)
    bad = np.array([False, True])
    items = through(node, [Block(3 * i, np.zeros((3, 2)), bad if i == 1 else None) for i in range(600)])
    assert [None if item.bad is None else list(item.bad) for item in items] == [
        None,
        [False, False, True, True],
        None,
    ]


def test_audio_beyond_the_limit_is_masked_and_clipped():
    x = babble(10, 16000 * 4)
    wild = x.copy()
    wild[1000] = 1e300
    node, _ = opened(audio())
    items = through(node, hops(wild, 320))
    assert [item.start for item in items if item.bad is not None] == [4]
    assert np.isfinite(join(items)).all()
    wanted = speech_envelope(x[:, 0], 16000.0, EnvelopeConfig())
    np.testing.assert_allclose(join(items)[-64:], wanted[-64:], rtol=1e-6)
    assert LIMIT > 2.0**32


def test_channel_qualities_are_converted_to_the_new_rate_and_markers_pass():
    node, _ = opened(audio())
    verdict = ChannelQuality(5001, np.ones(1), np.zeros(1, dtype=bool), ("",))
    found, marker = through(node, [verdict, Marker(1.0, "a")])
    assert found.stop == 21  # 5001 / 250 = 20.004
    assert marker == Marker(1.0, "a")


def test_array_can_be_empty_but_must_be_one_finite_channel():
    assert speech_envelope(np.zeros(0), 16000.0, EnvelopeConfig()).shape == (0, 1)
    assert speech_envelope(np.zeros(16000, np.float32), 16000.0, EnvelopeConfig(per_band=True)).shape == (64, 28)
    for wrong in (np.zeros((10, 2)), np.array([0.0, np.nan])):
        with pytest.raises(ValueError, match=r"audio has shape .*, but must be one channel of finite numbers"):
            speech_envelope(wrong, 16000.0, EnvelopeConfig())


@pytest.mark.parametrize(
    ("spec", "config", "message"),
    [
        (audio(hop=None), {}, "envelope: input is 'audio' in ragged blocks, but must be reblocked"),
        (eeg(hop=10), {}, r"input is channel types \['eeg'\], but must be misc: the audio of talkers"),
        (audio(), {"n_bands": 1}, "n_bands is 1, but must be 2 or more"),
        (audio(), {"low_hz": 0.0}, "low_hz is 0.0, but must be above 0 and below high_hz, 5000 Hz"),
        (audio(), {"high_hz": 40.0}, "low_hz is 50.0, but must be above 0 and below high_hz, 40 Hz"),
        (audio(8000), {"low_hz": 4000.0}, "low_hz is 4000.0, but must be below 3600 Hz for audio at 8000 Hz"),
        (audio(8000), {"per_band": True}, "high_hz is 5000.0, but must be at most 3600 Hz for audio at 8000 Hz if"),
        (audio(), {"power": 0.0}, "power is 0.0, but must be above 0, at most 2"),
        (audio(), {"sfreq": 0.0}, "sfreq is 0.0, but must be above 0, at most the audio's 16000 Hz"),
        (audio(), {"sfreq": 16001.0}, "sfreq is 16001.0, but must be above 0, at most"),
        (audio(), {"sfreq": 100 / np.pi}, "sfreq is 31.8.*, but must be a ratio of integers below 10000 of"),
        (audio(), {"passband_hz": 32.0}, "passband_hz is 32.0, but must be above 0 and below 32 Hz"),
    ],
)
def test_invalid_settings_are_rejected(spec, config, message):
    with pytest.raises(WiringError, match=message):
        opened(spec, **config)
