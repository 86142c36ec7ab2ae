"""What is said of a rate, when, and how often."""

import pytest

from devices.rate import RateWatch, rate_words

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
def test_a_difference_above_two_in_ten_thousand_is_said(real, blind, words):
    assert rate_words(real, SFREQ, blind) == words


def test_where_stamps_cannot_show_a_loss_the_rate_tells_of_it():
    words = rate_words(237.5, 250.0, blind=True)
    assert words.startswith("237.5 of 250 Hz: 5 % of the samples are missing, and where cannot be told")


@pytest.mark.parametrize(("real", "n", "wrong"), [(250.01, 0, False), (249.5, 1, False), (225.0, 1, True)])
def test_a_rate_is_said_once(real, n, wrong):
    watch, said = watched(real, 300)
    assert len(said) == n
    assert watch.wrong == wrong


def test_jitter_hides_a_small_difference_until_it_is_sure():
    watch, said = watched(249.9, 60, scatter=0.02)
    assert (said, watch.words) == ([], "")


def test_losses_are_summed_up_once_a_minute():
    _, said = watched(250.0, 185, lost=12)
    assert said == ["eeg: 720 samples in 60 gaps were missing in the last 60 s, 4.8 %"] * 3
    _, said = watched(250.0, 185, lost=1)
    assert said == [], "less than half a percent"


def test_losses_that_cannot_be_placed_are_said_every_minute():
    _, said = watched(237.5, 185, scatter=0.02, blind=True)
    assert len(said) == 3
    assert all("237.5 of 250 Hz: 5 % of the samples are missing" in words for words in said)
