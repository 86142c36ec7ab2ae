import time

import pytest

from earmark.app.engine.inlets import CALM_S, LagEpisode, StreamStatus
from earmark.devices.sources.stamp_clock import other_clock
from earmark.pipeline.stream import Gap


def test_lag_episode_is_reported_at_start_and_end_only():
    behind, said = LagEpisode(), []
    for k in range(1000):  # for ten seconds, every second chunk is skipped
        if k % 2 == 0:
            said.append(behind.skip(Gap(100 * k, 100 * k + 100), 50.0 + 0.01 * k, 1.0 + 0.001 * k))
        said.append(behind.end(50.0 + 0.01 * k))
    said.append(behind.end(50.0 + 9.98 + CALM_S + 0.1))
    assert [words for words in said if words] == [
        "the graph fell behind by 1.0 s; samples are skipped from index 0 on",
        "fell behind by 2.0 s; 50000 samples skipped from index 0 to 99900",
    ]
    assert behind.end(1e9) == ""
    assert behind.skip(Gap(5, 6), 1e6, 1.5), "a new episode is reported"


def test_skipped_samples_count_for_the_rate():
    status = StreamStatus()
    for k in range(101):
        at = 10.0 + 0.1 * k
        if k % 3 == 2:
            status.skip(Gap(10 * k, 10 * k + 10), at)
        else:
            status.arrived(10, at)
    assert (status.n_samples, status.n_skipped) == (680, 330)
    assert status.effective_sfreq == pytest.approx(100.0)


def test_first_chunk_does_not_count_for_the_rate():
    """A source holds data back until it has checked the stamps: blocks and gaps of a second then arrive at once."""
    status = StreamStatus()
    for block, gap in ((48, 4), (30, 4), (14, 0)):
        status.arrived(block, 10.0)
        if gap:
            status.missed(gap, 10.0)
    assert status.effective_sfreq is None
    for k in range(1, 101):
        status.arrived(10, 10.0 + 0.1 * k)
    assert (status.n_gaps, status.n_missing) == (2, 8)
    assert status.effective_sfreq == pytest.approx(100.0)


def test_stamps_of_another_clock_are_reported_once_per_episode():
    status, said = StreamStatus(), []
    for k in range(1000):
        at = 100.0 + 0.01 * k
        ahead = 30.0 if 200 <= k < 700 or 800 <= k < 900 else 0.0  # 5 s, and 1 s
        said.append(status.stamped(at + ahead - 0.02, at))
        assert bool(status.other_clock) == (400 <= k < 700), k
    (words,) = filter(None, said)
    assert words.startswith("its time stamps are 30 s ahead of LSL's clock, so nothing can be aligned with it")


def test_message_names_unix_time():
    assert "ahead of LSL's clock, as Unix time is" in other_clock(time.time(), 1000.0)
    assert "behind LSL's clock, so" in other_clock(12.0, 1000.0)
    assert other_clock(1004.0, 1000.0) == other_clock(float("nan"), 1000.0) == ""


def test_stamps_are_not_checked_at_another_playback_speed():
    status = StreamStatus(timed=False)
    assert not any(status.stamped(2.0 * at, at) for at in range(100, 200))
    assert status.newest == 398.0
