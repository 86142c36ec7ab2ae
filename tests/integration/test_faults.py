"""Faults of senders, recorder, disk and graph, with real processes and LSL; the replay must always be identical."""

import contextlib
import os
import signal
import time

import numpy as np
import pytest
import senders
from rig import CHAIN, Rig, check_tiling, consumed, position, recording, replayed, rows, sender, small_disk
from too_busy import Queueing

from earmark.devices.sources.lsl_description import StreamError
from earmark.devices.sources.lsl_search import StreamSelector, find_one, find_streams
from earmark.pipeline.stream import Block, ClockMap, Gap


def check_values(blocks):
    """Return all samples, and the index of the first one, which is recovered from its values."""
    data = np.concatenate([block.data for block in blocks])
    return data, position(data, senders.samples(range(200_000)))


def test_restarted_sender_leaves_one_gap(source_id, tmp_path):
    with sender("plain", source_id) as first, recording(CHAIN.format(source_id=source_id), tmp_path) as rig:
        rig.run(2)
        first.kill()
        rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "lost")
        rig.run(1)
        with sender("plain", source_id):
            rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "live")
            rig.run(2)
    blocks, gaps = check_tiling(consumed(rig.path))
    assert len(gaps) == 1
    assert 0.9 * senders.SFREQ < gaps[0].stop - gaps[0].start < 20 * senders.SFREQ
    after = rows([b for b in blocks if b.start >= gaps[0].stop])
    first_after = position(after, senders.samples(range(200_000)))
    np.testing.assert_array_equal(after, senders.samples(np.arange(first_after, first_after + len(after))))
    assert any("lost" in e for e in rig.events)
    assert any("is back" in e for e in rig.events)
    out = replayed(rig.path)["resample"]
    assert any(isinstance(item, Gap) for item in out)


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("other-channels", "6 channels instead of 8"),
        ("other-rate", "rate 250 Hz instead of 500 Hz"),
        ("other-names", "other channel names"),
    ],
)
def test_changed_stream_is_refused_until_it_matches_again(source_id, tmp_path, scenario, words):
    with sender("plain", source_id) as first, recording(CHAIN.format(source_id=source_id), tmp_path) as rig:
        rig.run(1)
        first.kill()
        first.wait()
        with sender(scenario, source_id):
            rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "refused")
            n_samples = rig.engine.streams["eeg"].n_samples
            rig.run(1.5)
            assert rig.engine.streams["eeg"].n_samples == n_samples
            with sender("plain", source_id):  # the wrong sender still runs
                rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "live")
                rig.run(1)
    refusals = [e for e in rig.events if "refused" in e]
    assert len(refusals) == 1, "reported once"
    assert words in refusals[0]
    check_tiling(consumed(rig.path))
    replayed(rig.path)


def test_published_output_is_not_mistaken_for_the_lost_input(source_id, tmp_path):
    text = CHAIN.replace('source_id = "{source_id}"', f'name = "sender {source_id}"\ntype = "EEG"')
    text += f'[[outputs]]\nnode = "bandpass"\npublish = "sender {source_id}"\n'
    with sender("plain", source_id) as process, recording(text, tmp_path) as rig:
        rig.run(1)
        process.kill()
        rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "lost")
        rig.run(3)
        assert rig.engine.inlets["eeg"].status == "lost"
    replayed(rig.path)


def test_frozen_sender_is_silent_and_resumes_without_loss(source_id, tmp_path):
    with sender("plain", source_id) as process, recording(CHAIN.format(source_id=source_id), tmp_path) as rig:
        rig.run(1)
        os.kill(process.pid, signal.SIGSTOP)
        rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "silent")
        os.kill(process.pid, signal.SIGCONT)
        rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "live")
        rig.run(2)
    blocks, gaps = check_tiling(consumed(rig.path))
    assert not gaps, "the sender catches up, so nothing is missing"
    data, first = check_values(blocks)
    np.testing.assert_array_equal(data, senders.samples(np.arange(first, first + len(data))))
    assert any("no data" in e for e in rig.events)
    replayed(rig.path)


@pytest.mark.parametrize("scenario", ["late", "early", "duplicate-stamps", "clock-step"])
def test_irregular_timing_neither_loses_nor_invents_samples(source_id, tmp_path, scenario):
    with sender(scenario, source_id), recording(CHAIN.format(source_id=source_id), tmp_path) as rig:
        rig.run(6)
        if scenario == "clock-step":
            rig.wait_for(lambda: sum("clock stepped" in e for e in rig.events) >= 2)
    blocks, gaps = check_tiling(consumed(rig.path))
    assert not gaps
    data, first = check_values(blocks)
    np.testing.assert_array_equal(data, senders.samples(np.arange(first, first + len(data))))
    n_steps = sum("clock stepped" in e for e in rig.events)
    assert n_steps >= 2 if scenario == "clock-step" else n_steps == 0
    replayed(rig.path)


def test_bad_values_stay_in_their_channel(source_id, tmp_path):
    with sender("bad-values", source_id), recording(CHAIN.format(source_id=source_id), tmp_path) as rig:
        rig.run(6)
    raw = rows(consumed(rig.path))
    assert np.isnan(raw).any(), "the recording contains the sent values"
    blocks = [item for item in replayed(rig.path)["resample"] if isinstance(item, Block)]
    data = np.concatenate([b.data for b in blocks])
    assert np.isfinite(data).all()
    masked = blocks[-1].bad
    assert masked[[0, 1, 2, 3]].all(), "not finite, never finite, constant, saturated"
    assert not masked[[4, 5, 6, 7]].any()
    late = data[len(data) // 2 :]
    assert np.abs(late[:, 4:]).max() < 100, "bad channels do not affect good ones"
    assert any("masked channels" in e for e in rig.events)


def test_killed_recorder_is_replaced_without_loss(source_id, tmp_path):
    with sender("plain", source_id), recording(CHAIN.format(source_id=source_id), tmp_path) as rig:
        for _ in range(3):
            rig.run(1.5)
            os.kill(rig.recorder.pid, signal.SIGKILL)
        rig.run(1.5)
    blocks, gaps = check_tiling(consumed(rig.path))
    assert not gaps
    assert rig.recorder.restarts == 3
    assert sum(len(b.data) for b in blocks) == rig.engine.streams["eeg"].n_samples
    replayed(rig.path)


def test_full_disk_does_not_stop_the_graph_and_loses_nothing_once_space_is_freed(source_id, tmp_path):
    with small_disk(tmp_path / "disk", "300k") as disk:
        (disk / "ballast").write_bytes(bytes(200_000))
        with sender("plain", source_id), recording(CHAIN.format(source_id=source_id), disk) as rig:
            rig.wait_for(lambda: any("No space left" in alarm for alarm in rig.alarms))
            status = rig.engine.streams["eeg"]
            n_samples, n_late = status.n_samples, rig.engine.n_late
            queued = Queueing(os.getpid())
            rig.run(3)
            late, skipped, n_new = rig.engine.n_late - n_late, status.n_skipped, status.n_samples - n_samples
            queued.note()
            (disk / "ballast").unlink()  # whatever was found: the recording is to end well
            rig.run(1)
            with queued.excuses():
                assert n_new > 2 * senders.SFREQ, "the graph keeps running"
                assert skipped == 0
                assert late < 30, "of about 150 chunks"
        blocks, gaps = check_tiling(consumed(rig.path))
        assert not gaps
        assert sum(len(b.data) for b in blocks) == rig.engine.streams["eeg"].n_samples
        replayed(rig.path)


def test_graph_that_falls_behind_skips_samples_as_a_recorded_gap(source_id, tmp_path, monkeypatch):
    with sender("plain", source_id), recording(CHAIN.format(source_id=source_id), tmp_path) as rig:
        rig.run(1)
        feed = rig.engine.graph.feed
        stuck = iter([2.5])

        def slow(stream, item):
            time.sleep(next(stuck, 0.0))
            return feed(stream, item)

        monkeypatch.setattr(rig.engine.graph, "feed", slow)
        rig.run(5)
    status = rig.engine.streams["eeg"]
    assert status.n_skipped > 0.5 * senders.SFREQ
    _, gaps = check_tiling(consumed(rig.path))
    assert sum(g.stop - g.start for g in gaps) == status.n_skipped
    assert rig.engine.latency.percentiles(50)[0] < 0.5, "it has caught up"
    begun, ended = (event for event in rig.events if "behind" in event)
    assert f"samples are skipped from index {gaps[0].start} on" in begun
    assert f"{status.n_skipped} samples skipped from index {gaps[0].start} to {gaps[-1].stop}" in ended
    assert ended.startswith("eeg: fell behind by 2.")
    replayed(rig.path)


def test_stream_is_received_in_hops_whatever_the_sender_pushes(source_id, tmp_path):
    text = CHAIN.format(source_id=source_id).replace(
        'type = "reblock"\ninput = "eeg"',
        'type = "pick"\ninput = "eeg"\ntypes = ["eeg"]\n[[nodes]]\ntype = "reblock"\nhop_s = 0.05',
    )
    with sender("single-samples", source_id), recording(text, tmp_path) as rig:
        rig.run(4)
    blocks, gaps = check_tiling(consumed(rig.path))
    assert not gaps
    assert len(blocks) < sum(len(b.data) for b in blocks) / 10, "a hop has 25 samples"
    hop = 25
    for block in blocks:
        assert len(block.data) <= hop - block.start % hop, "no block waits for samples of the next one"
    replayed(rig.path)


def test_sender_with_a_new_source_id_is_reconnected(source_id, tmp_path):
    text = CHAIN.format(source_id="").replace('source_id = ""', f'name = "sender {source_id}"')
    with sender("drawn-id", source_id) as first, recording(text, tmp_path) as rig:
        rig.run(1)
        first.kill()
        rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "lost")
        with sender("drawn-id", source_id):
            rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "live")
            rig.run(1)
    assert any("is back, as source_id" in event for event in rig.events)
    _, gaps = check_tiling(consumed(rig.path))
    assert len(gaps) == 1
    replayed(rig.path)


def test_second_stream_of_the_same_name_is_not_mistaken_for_the_lost_one(source_id, tmp_path):
    text = CHAIN.format(source_id="").replace('source_id = ""', f'name = "sender {source_id}"')
    name = StreamSelector(name=f"sender {source_id}")
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(sender("drawn-id", source_id))
        rig = stack.enter_context(recording(text, tmp_path))
        stack.enter_context(sender("drawn-id", source_id))
        rig.wait_for(lambda: len(find_streams(name, 0.5, at_least=2)) == 2)
        rig.run(2)
        first.kill()
        rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "refused")
        n = rig.engine.streams["eeg"].n_samples
        rig.run(2)
        assert rig.engine.streams["eeg"].n_samples == n
        stack.enter_context(sender("drawn-id", source_id))
        rig.wait_for(lambda: rig.engine.inlets["eeg"].status == "live")
    assert len([event for event in rig.events if "was there beside it: not taken" in event]) == 1
    replayed(rig.path)


def test_sender_with_unix_time_stamps_is_reported_once(source_id, tmp_path):
    with sender("unix-time", source_id), recording(CHAIN.format(source_id=source_id), tmp_path) as rig:
        rig.wait_for(lambda: rig.engine.streams["eeg"].other_clock)
        rig.run(3)
    (event,) = (event for event in rig.events if "time stamps" in event)
    assert event.startswith("eeg: its time stamps are")
    assert "as Unix time is" in event
    blocks, gaps = check_tiling(consumed(rig.path))
    assert blocks
    assert not gaps
    replayed(rig.path)


def test_missing_and_ambiguous_streams_are_errors(source_id, tmp_path):
    with pytest.raises(StreamError, match=f"no LSL stream with source_id '{source_id}'"):
        Rig(CHAIN.format(source_id=source_id), tmp_path, resolve_s=1)
    selector = StreamSelector(source_id=source_id)
    with sender("plain", source_id), sender("plain", source_id):
        end = time.monotonic() + 180
        while len(find_streams(selector, 0.5, at_least=2)) < 2:
            assert time.monotonic() < end
        with pytest.raises(StreamError, match="more than one"):
            find_one(selector, 5.0)


def test_clock_maps_of_a_live_stream_have_the_nominal_rate(source_id, tmp_path):
    with sender("plain", source_id), recording(CHAIN.format(source_id=source_id), tmp_path) as rig:
        rig.run(4)
    maps = [item for item in consumed(rig.path) if isinstance(item, ClockMap)]
    assert len(maps) >= 3
    assert all(abs(m.period * senders.SFREQ - 1) < 1e-3 for m in maps)
