"""Messages about the sample rate: content, time and frequency."""

import numpy as np
import pytest

from earmark.devices.files.timeline import read_timeline
from earmark.devices.sources.continuity import Continuity
from earmark.devices.sources.rate import RateWatch, rate_words

SFREQ = 250.0


def watched(real, seconds, scatter=0.0, blind=False, lost=0):
    watch, said = RateWatch("eeg", SFREQ), []
    for second in range(1, seconds + 1):
        watch.count(250 - lost)
        if lost:
            watch.lose(lost)
        said += watch.look(second * 250, 1 / real, scatter, blind)
    return watch, said


@pytest.mark.parametrize(
    ("real", "blind", "words"),
    [
        (250.0, False, ""),
        (250.04, False, ""),
        (249.5, False, "the real rate is 249.5 Hz, 0.2 % below the nominal 250 Hz"),
        (250.1, True, "the real rate is 250.1 Hz, 0.04 % above the nominal 250 Hz"),
        (225.0, False, "the real rate is 225 Hz, 10 % below the nominal 250 Hz"),
    ],
)
def test_rate_difference_above_two_in_ten_thousand_is_reported(real, blind, words):
    assert rate_words(real, SFREQ, blind) == words


def test_losses_that_stamps_cannot_show_appear_in_the_rate():
    words = rate_words(237.5, 250.0, blind=True)
    assert words.startswith("237.5 of 250 Hz: 5 % of the samples are missing, and where cannot be told")


@pytest.mark.parametrize(("real", "n", "wrong"), [(250.01, 0, False), (249.5, 1, False), (225.0, 1, True)])
def test_wrong_rate_is_reported_once(real, n, wrong):
    watch, said = watched(real, 300)
    assert len(said) == n
    assert watch.wrong == wrong


def test_small_difference_is_not_reported_while_jitter_hides_it():
    watch, said = watched(249.9, 60, scatter=0.02)
    assert (said, watch.words) == ([], "")


def test_losses_are_summarised_once_a_minute():
    _, said = watched(250.0, 185, lost=12)
    assert said == ["eeg: 720 samples in 60 gaps were missing in the last 60 s, 4.8 %"] * 3
    _, said = watched(250.0, 185, lost=1)
    assert said == [], "less than half a percent"


def test_losses_without_position_are_reported_every_minute():
    _, said = watched(237.5, 185, scatter=0.02, blind=True)
    assert len(said) == 3
    assert all("237.5 of 250 Hz: 5 % of the samples are missing" in words for words in said)


def chunks_of_ten(nominal, real, seconds=30):
    """Stamps of a sender whose true rate differs from the declared one: it stamps chunks at the nominal rate."""
    watch = Continuity("eeg", nominal)
    said = []
    for k in range(int(seconds * real / 10)):
        newest = 100.0 + 10 * (k + 1) / real
        stamps = newest - (9 - np.arange(10)) / 250.0
        placed = watch.add(np.zeros((10, 1), np.float32), stamps, newest)
        said += [item for item, _ in placed if isinstance(item, str)]
    return watch, said


@pytest.mark.parametrize(("real", "n", "about"), [(100.0, 15, 100), (227.27272, 1, 227), (225.63, 1, 227)])
def test_gaps_after_every_chunk_suggest_a_lower_rate(real, n, about):
    watch, said = chunks_of_ten(250.0, real)
    assert watch.n_gaps > 100
    assert watch.rate.wrong
    assert watch.rate.likely == pytest.approx(real, rel=0.01)
    words = f"after every 10 samples {n} are missing: they are lost regularly, or the real rate is about {about} Hz"
    assert [words in one for one in said].count(True) == 1
    stamps = (100.0 + 10 * np.arange(1, 300)[:, None] / real - (9 - np.arange(10)) / 250.0).ravel()
    assert any(words in one for one in read_timeline("x", stamps, 250.0).words), "for a file, too"


@pytest.mark.parametrize("real", [225.0, 240.0, 275.0, 375.0])
def test_wrong_rate_is_reported_despite_jumps_of_stamps(real):
    watch, said = chunks_of_ten(250.0, real)
    assert watch.rate.wrong
    assert watch.rate.likely == pytest.approx(real, rel=0.02)
    assert said


def test_corrected_rate_ends_the_gaps():
    watch, said = chunks_of_ten(225.0, 225.0)
    assert watch.n_gaps <= 1, "the first stamps alone may be misleading"
    assert (watch.rate.wrong, said) == (False, [])


def test_occasional_packet_loss_is_not_a_wrong_rate():
    watch = RateWatch("eeg", SFREQ)
    rng = np.random.default_rng(0)
    for run in rng.geometric(0.05, 200):
        watch.count(12 * int(run))
        watch.lose(12)
    assert (watch.regular, watch.wrong, watch.words) == (None, False, "")
