"""Feedback from the ears to the microphones."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import iirpeak, lfilter, lfilter_zi, resample_poly

from earmark.app.config.sound import SPEECH
from earmark.pipeline.scene.array import preset
from earmark.pipeline.scene.howl import DUCK_DB, HOLD_S, LASTS_S, RISE_S, HowlGuard
from earmark.pipeline.scene.remix import Known, Remix
from earmark.pipeline.scene.separator import BeamMasks
from earmark.pipeline.scene.transform import Analysis, Framing

FRAMING = Framing(48000.0)
HOP_S = FRAMING.hop / FRAMING.sfreq


def guarded(x, guard=None):
    """Return the gain in dB after each hop of a signal, shape (n_hops,), and the guard."""
    guard = guard or HowlGuard(FRAMING)
    analysis = Analysis(FRAMING, 2)
    found = []
    for at in range(0, len(x) - FRAMING.hop + 1, FRAMING.hop):
        guard.update(analysis.push(np.tile(x[at : at + FRAMING.hop], (2, 1)).astype(np.float32)))
        found.append(guard.gain_db)
    return np.array(found), guard


def tone(frequency, seconds=1.0, level=0.2):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * FRAMING.sfreq)) / FRAMING.sfreq)


def speech(name):
    x, sfreq = soundfile.read(SPEECH / f"{name}.ogg")
    return resample_poly(x, round(FRAMING.sfreq), sfreq)


@pytest.mark.parametrize("name", ["joe", "ada"])
@pytest.mark.parametrize("level", [1.0, 8.0])
def test_speech_is_never_turned_down(name, level):
    gains, guard = guarded(level * speech(name))
    assert guard.n_found == 0
    assert (gains == 0).all()


def test_two_voices_are_never_turned_down():
    joe, ada = speech("joe"), speech("ada")
    n = min(len(joe), len(ada))
    assert guarded(joe[:n] + ada[:n])[1].n_found == 0


@settings(max_examples=30, deadline=None)
@given(st.floats(700.0, 20000.0), st.integers(0, 10))
def test_tone_that_stays_is_turned_down_in_time(frequency, seed):
    noise = 0.002 * np.random.default_rng(seed).standard_normal(round(FRAMING.sfreq))
    gains, guard = guarded(tone(frequency) + noise)
    assert guard.n_found == 1
    first = int(np.flatnonzero(gains < 0)[0])
    assert LASTS_S <= (first + 1) * HOP_S <= LASTS_S + 3 * HOP_S
    assert gains.min() == DUCK_DB


def test_gain_returns_slowly_and_is_exactly_one_then():
    silence = np.zeros(round((HOLD_S + RISE_S + 0.5) * FRAMING.sfreq))
    gains, guard = guarded(np.concatenate([tone(2000.0), silence]))
    assert guard.n_found == 1
    after = gains[round(1.0 / HOP_S) :]
    assert (after[: round((HOLD_S - 0.1) / HOP_S)] == DUCK_DB).all()
    assert np.all(np.diff(after) >= 0)
    assert guard.gain_db == 0.0
    assert guard.update(np.zeros((2, FRAMING.n_bins), np.complex64)) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("x", "why"),
    [
        (tone(2000.0, LASTS_S - 0.05), "short"),
        (tone(2000.0, level=0.01), "quiet"),
        (tone(300.0), "a voice may be so low"),
        (tone(1000.0) + tone(3000.0), "harmonics"),
        (0.2 * np.random.default_rng(0).standard_normal(48000), "noise"),
        (np.zeros(48000), "silence"),
        (np.full(48000, np.nan), "not a number"),
        (1e30 * np.random.default_rng(0).standard_normal(48000), "huge"),
        (0.2 * np.sin(2 * np.pi * np.cumsum(np.linspace(700, 12000, 48000)) / 48000), "moves"),
    ],
)
def test_nothing_else_is_turned_down(x, why):
    with np.errstate(all="ignore"):
        _, guard = guarded(np.concatenate([x, np.zeros(9600)]))
    assert guard.n_found == 0, why


def test_every_howl_is_counted_once():
    pause = np.zeros(round((HOLD_S + 0.5) * FRAMING.sfreq))
    _, guard = guarded(np.concatenate([tone(2000.0), pause, tone(5000.0, 2.0), pause]))
    assert guard.n_found == 2


@pytest.mark.parametrize("guard", [True, False])
def test_loop_that_would_grow_without_bound_is_held(guard):
    """An ear that leaks into its microphone with a resonance at 2.7 kHz, where the gain of the loop is 1.4."""
    b, a = iirpeak(2700.0, 8.0, FRAMING.sfreq)
    state = 0 * lfilter_zi(b, a)
    voice = 0.5 * speech("joe")[: round(6 * FRAMING.sfreq)]
    watch, analysis = HowlGuard(FRAMING), Analysis(FRAMING, 2)
    out = np.zeros(FRAMING.hop)
    loudest = []
    for at in range(0, len(voice) - FRAMING.hop + 1, FRAMING.hop):
        leak, state = lfilter(b, a, 1.4 * out, zi=state)
        mic = (voice[at : at + FRAMING.hop] + leak).clip(-4, 4)
        first, last = watch.update(analysis.push(np.tile(mic, (2, 1)).astype(np.float32)))
        out = analysis.past[0, : FRAMING.hop] * (np.linspace(first, last, FRAMING.hop) if guard else 1.0)
        loudest.append(np.abs(mic).max())
    late = np.median(loudest[len(loudest) // 2 :])
    assert (late < 0.5) if guard else (late == 4.0)


def test_remix_turns_down_both_ears_without_a_click_and_is_exact_before_and_after():
    x = np.concatenate([speech("joe")[:48000], tone(3000.0), speech("joe")[: round((HOLD_S + RISE_S + 1) * 48000)]])
    mics = np.tile(x, (2, 1)).astype(np.float32)
    separator = BeamMasks(preset("ears2"), FRAMING)
    remix = Remix(FRAMING, separator, Known(np.array([-30.0, 30.0])), guard=(guard := HowlGuard(FRAMING)))
    out = remix.process(mics, np.ones((2, mics.shape[1])))
    assert guard.n_found == 1
    np.testing.assert_array_equal(out[0], out[1])
    late = mics[0, : -remix.delay]
    same = out[0, remix.delay :] == late
    assert same[:48000].all(), "before"
    assert same[-24000:].all(), "after"
    assert np.abs(out[0, round(1.5 * 48000) : round(1.9 * 48000)]).max() < 0.2 * 10 ** (DUCK_DB / 20) * 1.01
    assert np.abs(np.diff(out[0, 48000 : round(1.9 * 48000)])).max() < 1.05 * np.abs(np.diff(tone(3000.0))).max()
