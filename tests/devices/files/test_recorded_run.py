"""Runs made from recordings: a planted response is decoded in either band, and bad channels are zero, as live."""

from dataclasses import replace

import numpy as np
import pytest
from planted import accuracy
from scipy.signal import firwin, lfilter

from earmark.devices.files.recorded_run import RecordedRun, RunError, Signal, Trial, prepare
from earmark.pipeline.decoders.cca import CcaDecoder
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.presets import EEG, IEEG
from earmark.pipeline.stream import StreamSpec

SFREQ, SPEECH = 500.0, 128.0


def recorded(neural, voices, attended=((0.0, "a"),), *, start=0.0, sfreq=SFREQ, kind="seeg", trials=None):
    """A recording of neural channels, shape (n, n_channels), and of voices, shape (n_talkers, n)."""
    n = neural.shape[1]
    spec = StreamSpec("rec", sfreq, tuple(f"A{i + 1}" for i in range(n)), (kind,) * n, ("uV",) * n)
    names = tuple("abcd"[: len(voices)])
    voice = StreamSpec("voice", SPEECH, ("envelope",), ("misc",), ("",))
    speech = [
        Signal(voice, start + np.arange(len(v)) / SPEECH, lambda a, b, v=v: v[a:b, None]) for v in np.asarray(voices)
    ]
    stamps = start + np.arange(len(neural)) / sfreq
    whole = (Trial("run", -np.inf, np.inf, names, names, tuple(attended)),)
    return RecordedRun("file", "sub", Signal(spec, stamps, lambda a, b: neural[a:b]), tuple(speech), trials or whole)


def listener(seed, band, seconds=40.0, n_channels=4):
    """Electrodes that follow the first talker in one band, 150 ms later; the other band is noise."""
    rng, n = np.random.default_rng(seed), round(seconds * SFREQ)
    t, slow = np.arange(n) / SFREQ, np.arange(round(seconds * SPEECH)) / SPEECH
    voices = np.stack([lfilter(firwin(33, 6, fs=SPEECH), 1, rng.normal(size=len(slow))) for _ in "ab"])
    voices = 1 + 0.3 * voices / voices.std()
    heard = np.interp(t - 0.15, slow, voices[0])[:, None] - 1
    # All share a reference: channels without a common signal would count as disconnected.
    x = 2 * lfilter([1.0], [1.0, -0.97], rng.normal(size=(n, n_channels)) + rng.normal(size=(n, 1)), axis=0)
    carrier = lfilter(firwin(201, [75, 145], pass_zero=False, fs=SFREQ), 1, rng.normal(size=(n, n_channels)), axis=0)
    x += 20 * carrier * (1 + (2 * heard if band == "high-gamma" else 0))
    if band == "low":
        x += 60 * heard
    return replace(prepare(recorded(x, voices), IEEG)[0], name=f"run {seed}")


@pytest.mark.parametrize("band", ["high-gamma", "low"])
@pytest.mark.parametrize("decoder", [LinearDecoder, CcaDecoder])
def test_response_in_a_single_band_is_decoded(band, decoder):
    runs = [listener(seed, band) for seed in range(3)]
    fitted = decoder(IEEG, penalties=(0.1,), shrinks=(0.0,)).fit(runs[:2])
    assert accuracy(fitted, runs[2]) >= 8 / 9
    deaf = replace(runs[2], neural=runs[2].neural * [band not in name for name in runs[2].ch_names])
    r = {}
    for name, run in (("whole", runs[2]), ("deaf", deaf)):
        x, y = fitted.project_neural(run.neural)[:, 0], fitted.project_talkers(run.talkers)[0, :, 0]
        r[name] = np.corrcoef(x, y)[0, 1]
    assert abs(r["whole"]) > 0.4
    assert abs(r["deaf"]) < 0.2, "the other band holds no information"


def test_dead_channel_is_zero_and_left_out_of_the_reference():
    rng = np.random.default_rng(0)
    x = cortex(0, 10_000, 6)
    x[5000:, 2] = 4000.0
    voices = rng.normal(size=(2, 2560))
    run = prepare(recorded(x, voices, kind="eeg"), EEG)[0]
    late = 12 * 64
    assert run.neural[100 : 9 * 64, 2].any()
    assert not run.neural[late:, 2].any()
    alone = prepare(recorded(np.delete(x, 2, axis=1), voices, kind="eeg"), EEG)[0]
    np.testing.assert_allclose(np.delete(run.neural, 2, axis=1)[late:], alone.neural[late:], atol=1e-6)


def test_channel_without_data_is_masked_from_the_first_sample():
    rng = np.random.default_rng(0)
    x = cortex(0, 5000, 6)
    x[:, 4] = np.nan
    run = prepare(recorded(x, rng.normal(size=(2, 1280)), kind="eeg"), EEG)[0]
    assert not run.neural[:, 4].any()
    assert np.isfinite(run.neural).all()


def cortex(seed, n, n_channels=4):
    """Noise with a part that all channels share."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 20, (n, n_channels)) + rng.normal(0, 20, (n, 1))


def test_trials_become_runs_with_their_own_talkers_and_attention():
    rng = np.random.default_rng(0)
    x, voices = cortex(0, 15_000), rng.normal(size=(2, 30 * 128))
    trials = (
        Trial("one", 102.0, 110.0, ("a", "b"), ("p", "q"), ((101.0, "b"), (106.0, "a"))),
        Trial("two", 115.0, 125.0, ("c", "d"), ("r", "s"), ((117.0, "d"), (119.0, ""))),
    )
    one, two = prepare(recorded(x, voices, start=100.0, kind="eeg", trials=trials), EEG)
    whole = prepare(recorded(x, voices, start=100.0, kind="eeg"), EEG)[0]
    assert [(r.name, r.subject, r.talker_names, r.stimuli) for r in (one, two)] == [
        ("one", "sub", ("a", "b"), ("p", "q")),
        ("two", "sub", ("c", "d"), ("r", "s")),
    ]
    assert [run.duration for run in (one, two)] == pytest.approx([8, 10], abs=0.02)
    at = next(i for i in range(len(whole.neural)) if (whole.neural[i] == two.neural[0]).all())
    np.testing.assert_array_equal(two.neural, whole.neural[at : at + len(two.neural)])
    np.testing.assert_array_equal(two.talkers, whole.talkers[:, at : at + len(two.neural)])
    assert np.flatnonzero(np.diff(one.attended)).tolist() == [pytest.approx(4 * 64, abs=1)]
    assert (one.attended[0], one.attended[-1]) == (1, 0)
    assert [int(two.attended[round(s * 64)]) for s in (1, 3, 5)] == [-1, 1, -1]


def test_last_of_two_simultaneous_attention_events_counts():
    rng = np.random.default_rng(0)
    events = ((0.0, "b"), (0.0, "a"))
    x, voices = cortex(0, 2500), rng.normal(size=(2, 640))
    run = prepare(recorded(x, voices, events, kind="eeg"), EEG)[0]
    assert set(run.attended[64:-64]) == {0}


def test_refusals_name_the_file():
    rng = np.random.default_rng(0)
    x, voices = cortex(0, 2500), rng.normal(size=(2, 640))
    with pytest.raises(
        RunError, match=r"^file: node 'high_gamma': .* at 250 Hz, but must be sampled at more than 300 Hz"
    ):
        prepare(recorded(x, voices, sfreq=250.0), IEEG)
    late = (Trial("late", 50.0, 60.0, ("a", "b"), ("p", "q"), ((50.0, "a"),)),)
    with pytest.raises(RunError, match="file: nothing was recorded of 'late'"):
        prepare(recorded(x, voices, kind="eeg", trials=late), EEG)
    apart = recorded(x, voices, kind="eeg")
    apart = replace(apart, speech=tuple(replace(s, stamps=s.stamps + 100) for s in apart.speech))
    with pytest.raises(RunError, match="file: neural signal and talkers do not overlap in time"):
        prepare(apart, EEG)
