"""Checks before a session compare the measured rate of samples with the nominal one."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from earmark.app.report.figures import stream_rates
from earmark.app.session import preflight
from earmark.app.session.preflight import _rate
from earmark.devices.sources.rate import RateWatch
from earmark.devices.sources.source import describe
from earmark.pipeline.stream import StreamSpec


def engine(real, *, blind=False, missing=0, came=250.0):
    watch = RateWatch("eeg", 250.0)
    watch.look(1250, 1 / real, 0.001 if blind else 0.0, blind)
    amplifier = describe(StreamSpec("amp", 250.0, ("Cz",), ("eeg",), ("uV",)), "amp-1")
    inlet = SimpleNamespace(rate=watch, description=amplifier)
    status = SimpleNamespace(n_missing=missing, n_samples=1250, effective_sfreq=came, other_clock="")
    return SimpleNamespace(inlets={"eeg": inlet}, streams={"eeg": status})


@pytest.mark.parametrize(
    ("found", "ok", "words"),
    [
        (engine(250.0), True, ""),
        (engine(249.5), True, "the real rate is 249.5 Hz, 0.2 % below the nominal 250 Hz"),
        (engine(225.0), False, "sfreq = 225 in [streams.eeg]"),
        (engine(375.0), False, "the real rate is 375 Hz, 50 % above the nominal 250 Hz"),
        (engine(237.5, blind=True), False, "5 % of the samples are missing, and where cannot be told"),
        (engine(250.0, missing=62), True, "62 more are missing, 4.7 %"),
        (engine(250.0, came=25.0), False, "25 Hz by this machine's clock"),
    ],
)
def test_wrong_rate_fails_and_loss_is_reported(found, ok, words):
    fine, said = _rate("eeg", found, found.streams["eeg"].effective_sfreq / 250.0)
    assert fine == ok
    assert words in said


@pytest.mark.parametrize(("calms", "shortest"), [(True, 0.2), (False, 0.8)])
def test_late_samples_that_come_in_a_burst_are_waited_for(monkeypatch, calms, shortest):
    """A sender on a busy machine sends what it held back at once; its rate over a few seconds is too high then."""
    monkeypatch.setattr(preflight, "MEASURE_S", 0.2)
    monkeypatch.setattr(preflight, "LONGEST_S", 0.8)
    found = engine(250.0, came=300.0)
    found.descriptions, found.failure = {"eeg": found.inlets["eeg"].description}, None
    reads = []

    def status():
        reads.append(1)
        found.streams["eeg"].effective_sfreq = 260.0 if calms and len(reads) >= 2 else 300.0
        return SimpleNamespace(peak=np.full(2, 0.1 * len(reads)))

    audio = SimpleNamespace(scene=SimpleNamespace(talkers=["a", "b"]), status=status)
    peaks, measured, rates = preflight._measure(found, audio, threading.Event())
    found.streams["eeg"].effective_sfreq = 180.0  # samples that were late come while the engine stops
    assert measured >= shortest
    (check,) = preflight._streams(found, found.descriptions, measured, rates)
    assert check.ok == calms
    assert ("by this machine's clock" in check.words) != calms
    np.testing.assert_allclose(peaks, 0.1 * len(reads))


def rates(periods, missing, events=()):
    nominal, n_samples = {"eeg": 250.0, "speech": 64.0}, {"eeg": 9500, "speech": 2400}
    return stream_rates(nominal, periods, n_samples, missing, events)


def test_report_shows_measured_rate_and_missing_samples():
    periods = {"eeg": [1 / 250] * 10 + [1 / 249.5] * 30, "speech": [1 / 64] * 40}
    found = rates(periods, {"eeg": 500})
    assert found == {"eeg": "the real rate is 249.5 Hz, 0.2 % below the nominal 250 Hz; 5 % of the samples are missing"}


def test_report_shows_that_position_of_loss_is_unknown_if_reported_live():
    said = "eeg: 237.5 of 250 Hz: 5 % of the samples are missing, and where cannot be told, since the receiver …"
    found = rates({"eeg": [1 / 237.5] * 40}, {}, [said])
    assert "5 % of the samples are missing, and where cannot be told" in found["eeg"]


def test_a_sender_whose_computer_is_unknown_is_named_without_it():
    described = describe(StreamSpec("amp", 250.0, ("Cz",), ("eeg",), ("uV",)), "amp-1")
    there = SimpleNamespace(streams={"eeg": SimpleNamespace(n_samples=0, other_clock="")})
    (check,) = preflight._streams(there, {"eeg": described}, 1.0, {"eeg": 1.0})
    assert check.words.startswith("amp, 1 channels: no data in 1 s")
