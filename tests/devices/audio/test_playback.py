import contextlib
import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rerender import rerender

from earmark.devices.audio import playback
from earmark.devices.audio.control_block import ENDED, PLAYING, STOPPING, Gains, Operator, Seqlock, Status, padded
from earmark.devices.audio.inputs import Microphone
from earmark.devices.audio.playback import Names, Playback, Resume, compose
from earmark.devices.audio.rings import AppliedLog, PcmReader, PcmRing
from earmark.devices.audio.scene import AudioError, Control, Prepared, Scene, Talker
from earmark.devices.audio.sources import LiveSource
from earmark.devices.audio.space import impulse_responses
from earmark.pipeline.stream import Block, ClockMap

SFREQ = 48_000.0
RNG = np.random.default_rng(3)
PCM = tuple((0.3 * RNG.standard_normal(n)).astype(np.float32) for n in (9_000, 14_000))
SCENE = Scene((Talker("a", "a.wav", -50, loop=True), Talker("b", "b.wav", 50)), space="itd_ild")
PREPARED = Prepared(SCENE, PCM, *impulse_responses(SCENE.space, SCENE.sfreq))
START = Operator(padded([-50.0, 50.0]), override_db=padded([0.0, 0.0]), seek_s=padded([math.nan] * 2))


class Stage:
    """All shared memory of a playback, and the other end of it."""

    def __init__(self, prepared=PREPARED, live=None, resume=None):
        n = len(prepared.scene.talkers)
        self._made = contextlib.ExitStack()

        def made(thing):
            return self._made.enter_context(contextlib.closing(thing))

        self.gains, self.operator, self.status = made(Seqlock(Gains)), made(Seqlock(Operator)), made(Seqlock(Status))
        self.log, self.pcm = made(AppliedLog(n)), made(PcmRing(n, 48_000))
        self.gains.write(Gains(padded([0.0] * n)))
        self.operator.write(START)
        names = Names(self.gains.name, self.operator.name, self.status.name, self.log.name, self.pcm.name, ("",) * n)
        self.microphone = Microphone(prepared.scene)
        sources = {k: LiveSource(pull(self.microphone), SFREQ) for k, pull in (live or {}).items()}
        self.play = Playback(prepared, names, sources, self.microphone, resume)
        for lock in ("_gains", "_operator", "_status", "_applied", "_pcm"):
            self._made.callback(getattr(self.play, lock).close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._made.close()

    def buffer(self, n=256):
        return self.play.buffer(n, 100.0 + self.play.frame / SFREQ)


gains = st.floats(-60, 20)
trims = st.sampled_from([0.0, 0.0, -6.0, -40.0, -99.0, 5.0])
seconds = st.one_of(st.just(math.nan), st.floats(0, 0.4))


@st.composite
def scripts(draw):
    """Buffers of any length, with or without a new control before each."""
    script = []
    for _ in range(draw(st.integers(1, 25))):
        move = draw(st.sampled_from(["nothing", "gains", "operator", "operator"]))
        if move == "gains":
            script.append(Gains(padded([draw(gains), draw(gains)]), draw(st.floats(0, 0.2)), draw(st.integers(0, 99))))
        elif move == "operator":
            script.append(
                Operator(
                    padded([draw(st.floats(-90, 90)), draw(st.floats(-90, 90))]),
                    draw(st.floats(-30, 0)),
                    draw(st.booleans()),
                    draw(st.booleans()),
                    padded([draw(gains), draw(gains)]),
                    draw(st.floats(0, 0.2)),
                    draw(st.integers(0, 3)),
                    padded([draw(seconds), draw(seconds)]),
                    trims_db=padded([draw(trims), draw(trims)]),
                    mutes=padded([draw(st.booleans()), draw(st.booleans())]),
                )
            )
        script.append(draw(st.sampled_from([256, 256, 256, 64, 1, 700])))
    return script


@given(scripts())
@settings(max_examples=40, deadline=None)
def test_what_is_played_equals_the_rerendering_from_the_log(script):
    with Stage() as stage:
        out, reader = [], PcmReader(stage.pcm.name, 1)
        for item in script:
            if isinstance(item, Gains):
                stage.gains.write(item)
            elif isinstance(item, Operator):
                stage.operator.write(item)
            else:
                out.append(stage.buffer(item))
        stage.operator.write(stage.operator.read()._replace(stop=True))
        while not stage.play.finished:
            out.append(stage.buffer())
        played = np.concatenate(out)
        entries = stage.log.take()
        status = stage.status.read()
        rendered = rerender(PREPARED, [entry.applied for entry in entries], len(played))
        assert abs(played - rendered).max() < 1e-6
        assert status.frames == len(played) == stage.pcm.written
        assert status.state == ENDED
        assert status.torn == 0
        assert [entry.applied.kind for entry in entries][:: max(1, len(entries) - 1)] == ["start", "stop"]
        reader.close()


def test_operator_takes_precedence_over_steering():
    steered = Gains(padded([1.0, 2.0]), 0.3, 5)
    wanted = START._replace(master_db=-3.0, mute=True, override_db=padded([7.0, 8.0]), ramp_s=0.7, seek_id=4)
    control = compose(steered, wanted, 2)
    assert control.gains_db == (1.0, 2.0)
    assert (control.ramp_s, control.master_db, control.mute, control.seek_id) == (0.3, -3.0, True, 4)
    assert control.azimuths == (-50.0, 50.0)
    overridden = compose(steered, wanted._replace(override=True), 2)
    assert isinstance(overridden, Control)
    assert (overridden.gains_db, overridden.ramp_s) == ((7.0, 8.0), 0.7)
    for override in (False, True):
        trimmed = wanted._replace(override=override, trims_db=padded([-6.0, 0.0]), mutes=padded([False, True]))
        assert compose(steered, trimmed, 2).trims_db == (-6.0, 0.0)
        assert compose(steered, trimmed, 2).mutes == (False, True)


def test_mute_is_silence_within_20_ms_of_the_next_buffer():
    with Stage() as stage:
        for _ in range(100):
            stage.buffer()
        stage.operator.write(START._replace(mute=True))
        out = np.concatenate([stage.buffer() for _ in range(8)])
        assert abs(out[: 4 * 48]).max() > 0.01
        assert abs(out[20 * 48 - 256 :]).max() == 0


def test_trims_add_to_gains_and_mute_takes_20_ms():
    with Stage() as stage:
        stage.gains.write(Gains(padded([3.0, 0.0])))
        for _ in range(30):
            stage.buffer()
        trimmed = START._replace(trims_db=padded([-12.0, 0.0]), mutes=padded([False, True]))
        stage.operator.write(trimmed)
        after = [(stage.buffer(), stage.play._renderer.peak.copy()) for _ in range(40)]
        assert [peak[1] == 0 for _, peak in after] == [False] * 2 + [True] * 38, "8 ms"
        status = stage.status.read()
        assert tuple(status.gains_db[:2]) == (pytest.approx(-9.0), -math.inf), "heard as reported"
        stage.gains.write(Gains(padded([-30.0, 0.0])))
        stage.operator.write(trimmed._replace(mutes=padded([False, False])))
        for _ in range(40):
            stage.buffer()
        assert tuple(stage.status.read().gains_db[:2]) == pytest.approx((-42.0, 0.0)), "below the bounds of gains, too"
        assert after[-1][1][0] > 0


def test_trim_never_increases_level():
    with Stage() as stage:
        stage.operator.write(START._replace(trims_db=padded([40.0, math.nan])))
        for _ in range(30):
            stage.buffer()
        status = stage.status.read()
        assert tuple(status.gains_db[:2]) == (0.0, 0.0)
        assert status.refused == 1


def test_status_describes_what_is_played():
    with Stage() as stage:
        stage.play.describe("the card", 0.01)
        stage.gains.write(Gains(padded([-6.0, -20.0]), 0.05, 42))
        for k in range(100):
            stage.play.buffer(256, 100.0 + k * 256 / SFREQ, underflow=k == 50)
            assert stage.status.read().heartbeat == k + 1
        status = stage.status.read()
        assert status.state == PLAYING
        assert (status.sink, status.latency_s, status.decision, status.xruns) == (b"the card", 0.01, 42, 1)
        assert status.gains_db[:2] == pytest.approx([-6.0, -20.0])
        assert status.clock.time(25_600) == pytest.approx(100.0 + 25_600 / SFREQ, abs=1e-5)
        assert status.clock.period == pytest.approx(1 / SFREQ)
        assert tuple(status.positions[:2]) == (25_600 % 9000, 14_000)
        for k, gain_db in enumerate((-6.0, -20.0)):
            rms = 0.3 * 10 ** (gain_db / 20)
            assert status.peak[k] > 2 * rms or k == 1
        assert status.rms[0] == pytest.approx(0.3 * 10 ** (-6 / 20), rel=0.25)
        assert 0 < status.rms[1] < 0.03, "its file has ended, and its level decays"
        assert status.out_peak.min() > status.out_rms.min() > 0
        assert 0 < status.cost_s < 1
        stage.play.stopping = True
        stage.buffer()
        assert stage.status.read().state == STOPPING
        assert not stage.play.finished
        for _ in range(25):
            stage.buffer()
        assert stage.play.finished
        assert stage.status.read().state == ENDED


def test_peaks_fall_by_20_db_a_second_and_the_limiter_is_shown():
    with Stage() as stage:
        stage.gains.write(Gains(padded([12.0, 12.0])))
        for _ in range(60):
            stage.buffer()
        loud = stage.status.read()
        assert loud.limiter_db > 1
        assert loud.out_peak.max() <= 10 ** (-6 / 20)
        stage.operator.write(START._replace(override=True, override_db=padded([-40.0, -40.0]), ramp_s=0.02))
        for _ in range(188):
            stage.buffer()
        quiet = stage.status.read()
        assert 20 * np.log10(quiet.peak[0] / loud.peak[0]) == pytest.approx(-20, abs=1)
        assert quiet.limiter_db == pytest.approx(loud.limiter_db - 20, abs=1)


@pytest.fixture
def computing_s(monkeypatch):
    """Set the time that each buffer takes, s; the clock of the process stands still otherwise."""
    now, cost = [0.0], [0.0]

    def perf_counter():
        now[0] += cost[0]
        return now[0]

    monkeypatch.setattr(playback, "time", SimpleNamespace(perf_counter=perf_counter))
    return cost


def test_buffers_rendered_slower_than_real_time_count_as_late(computing_s):
    with Stage() as stage:
        for computing_s[0] in (0.0, 0.9 * 256 / SFREQ, 1.1 * 256 / SFREQ, 0.0, 5 * 256 / SFREQ):
            stage.buffer()
        assert stage.status.read().late == 2


@pytest.mark.usefixtures("computing_s")
def test_missed_and_late_buffers_are_counted():
    with Stage() as stage:
        for k in range(400):
            skipped = 3 * 256 / SFREQ if k >= 200 else 0.0
            stage.play.buffer(256, 100.0 + k * 256 / SFREQ + skipped)
        status = stage.status.read()
        assert status.missed == 3
        assert 1 <= status.late <= 20
        assert status.clock_since == pytest.approx(200 * 256, abs=40 * 256)


def test_replacement_process_resumes_at_the_right_position_and_time():
    clock = ClockMap(1000.0, 50.0, 1 / SFREQ)
    for when, frame in ((50.5, 25_000), (49.0, 10_000)):
        with Stage(resume=Resume(10_000, (777, 888), clock)) as stage:
            assert stage.play.resumed
            out = stage.play.buffer(256, when)
            status = stage.status.read()
            assert (status.first_frame, status.frames) == (frame, frame + 256), "never backwards"
            (entry,) = stage.log.take()
            assert (entry.applied.frame, entry.applied.positions) == (frame, (777, 888))
            assert abs(out[0]).max() == 0, "with a fade"
            reader = PcmReader(stage.pcm.name, 256)
            reader.cursor = 10_000
            items = [reader.read(), reader.read()]
            block = next(item for item in items if isinstance(item, Block))
            assert block.start == frame
            np.testing.assert_array_equal(block.data[:, 0], PCM[0][777 : 777 + 256])
            reader.close()
    with Stage(resume=Resume(10_000, (777, 888), None)) as stage:
        stage.play.buffer(256, 1e9)
        assert stage.play.frame == 10_256


def test_seek_before_the_first_buffer_does_not_move_a_resumed_scene():
    with Stage(resume=Resume(0, (777, 888), None)) as stage:
        stage.operator.write(START._replace(seek_id=9, seek_s=padded([0.1, 0.1])))
        stage.buffer()
        assert tuple(stage.status.read().positions[:2]) == (777 + 256, 888 + 256)


def test_the_sound_input_is_heard_channel_by_channel():
    scene = Scene((Talker("a", "input:3"), Talker("b", "input:1")), space="left_right", block=100)
    prepared = Prepared(scene, (None, None), *impulse_responses(scene.space, scene.sfreq))
    live = {0: lambda mic: mic.channel("input:3"), 1: lambda mic: mic.channel("input:1")}
    with Stage(prepared, live) as stage:
        assert stage.microphone.n_channels == 3
        reader = PcmReader(stage.pcm.name, 256)
        for k in range(4):
            heard = (np.arange(k * 256, k * 256 + 256)[:, None] + [0.0, 1e4, 2e4]).astype(np.float32) / 1e5
            stage.microphone.hear(heard)
            stage.buffer()
        blocks = [reader.read().data for _ in range(4)]
        np.testing.assert_array_equal(blocks[3], heard[:, [2, 0]])
        stage.buffer()  # no new input
        assert tuple(stage.status.read().missing[:2]) == (256, 256)
        assert tuple(stage.status.read().dry[:2]) == (1, 1)
        reader.close()
    with pytest.raises(AudioError, match="input:0"):
        Microphone(Scene((Talker("a", "input:0"),)))


def test_unread_log_does_not_stop_playback():
    with Stage() as stage:
        for k in range(4200):
            stage.gains.write(Gains(padded([0.0, 0.0]), 0.1, k))
            stage.play.buffer(1, 100.0 + k / SFREQ)
        assert stage.status.read().lost == 4200 - 4096


def test_extra_latency_is_added_to_every_frame_time():
    late = dataclasses.replace(PREPARED, scene=dataclasses.replace(PREPARED.scene, extra_latency_s=0.2))
    times = []
    for prepared in (PREPARED, late):
        with Stage(prepared) as stage:
            for _ in range(100):
                stage.buffer()
            clock = stage.status.read().clock
            times.append(clock.time(np.array([0, 1000, 20_000])))
    np.testing.assert_allclose(times[1] - times[0], 0.2, atol=1e-9)
