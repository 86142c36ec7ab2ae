"""``earmark bench audio``: the figures measure what their names say; their size is not tested."""

import importlib
import time

import numpy as np
import pytest

from earmark.devices.audio.render import Renderer
from earmark.devices.audio.scene import AudioError, Control
from earmark.devices.audio.sinks import FileSink, NullSink

audio = importlib.import_module("earmark.app.bench.audio")  # the package has a command of the same name


def test_cost_is_per_buffer(monkeypatch):
    found = audio.cost(2, "left_right", 50)
    render = Renderer.render

    def slow(self, n_frames, control):
        assert n_frames == 256
        time.sleep(0.005)
        return render(self, n_frames, control)

    monkeypatch.setattr(Renderer, "render", slow)
    monkeypatch.setattr(audio, "N_WARM", 0)
    slower = audio.cost(2, "left_right", 50)
    assert found["CPU p50 (µs)"] == pytest.approx(found["CPU p50 (% of the buffer)"] / 100 * 256 / 0.048)
    assert slower["wall p50 (µs)"] > 5000 > slower["CPU p50 (µs)"], "sleep costs no processor time"
    assert slower["CPU p50 (µs)"] <= slower["CPU p99 (µs)"]


@pytest.mark.parametrize("own_process", [False, True])
def test_playback_under_load_counts_late_buffers(own_process):
    found = audio._played(NullSink(), 0.5, own_process)
    assert found["due"] == pytest.approx(93.75)
    assert 0 <= found["p50"] <= found["p99"] <= found["max"]
    assert found["late"] >= 0
    assert found["fifo"] == 0


def test_mixture_is_rendered_with_its_talkers_told_apart():
    found = audio.cost_of(audio._mixture(), 50)
    assert found["CPU p99 (% of the buffer)"] > 0
    renderer = Renderer(audio._mixture())
    for _ in range(400):
        renderer.render(256, Control((3.0, -9.0)))
    assert renderer.places is not None
    assert renderer.places.delivered_db[0] > 3


def test_mixture_is_compared_with_talkers_in_opposite_order(monkeypatch):
    order = []

    def played(sink, seconds, own_process, prepared=None):
        assert own_process
        order.append(prepared is not None and prepared.scene.microphones is not None)
        return {"due": 100, "late": order[-1], "missed": 0, "xruns": 0, "p50": 1, "p99": 1, "max": 1, "fifo": True}

    monkeypatch.setattr(audio, "_played", played)
    found = audio.mixture_against_talkers(NullSink(), 1.0)
    assert order == [False, True, True, False]
    assert found["late (% of them), talkers"] == 0
    assert found["late (% of them), mixture"] == 1


def test_failed_measurement_reports_the_reason(tmp_path):
    with pytest.raises(AudioError, match="under load failed: cannot write"):
        audio._played(FileSink(tmp_path / "no/such/x.wav"), 0.5, own_process=True)


def test_comparison_pools_both_runs_of_each_process(monkeypatch):
    order = []

    def played(sink, seconds, own_process):
        order.append(own_process)
        n = len(order)
        return {"due": 100, "late": n, "missed": 0, "xruns": 0, "p50": n, "p99": n, "max": n, "fifo": own_process}

    monkeypatch.setattr(audio, "_played", played)
    found = audio.against_in_process(NullSink(), 1.0)
    assert order == [False, True, True, False]
    assert found["late (% of them), in-process"] == pytest.approx(2.5)
    assert found["late (% of them), own process"] == pytest.approx(2.5)
    assert found["jitter max (ms), in-process"] == 4
    assert found["jitter max (ms), own process"] == 3
    assert found["real-time priority, own process"]
    assert not found["real-time priority, in-process"]


def test_control_to_dac_includes_the_limiters_look_ahead():
    found = audio.control_to_dac(NullSink(), 0.6, load=False)
    assert found["included: limiter look-ahead (ms)"] == 3.0
    assert 3.0 < found["p50 (ms)"] <= found["p99 (ms)"] <= found["max (ms)"]
    assert found["changes"] > 3
    assert found["changes replaced before they were played"] <= found["changes"]


def test_missing_sound_device_is_reported(monkeypatch):
    def refuse(self):
        self.stop()
        raise AudioError("there is none")

    monkeypatch.setattr("earmark.devices.audio.engine.AudioEngine.start", refuse)
    sink, words = audio._sink()
    assert sink == NullSink()
    assert "NO SOUND DEVICE (there is none)" in words


def test_number_and_level_of_talkers():
    prepared = audio._talkers(4, "left_right")
    assert len(prepared.scene.talkers) == len(prepared.pcm) == 4
    assert [np.std(pcm) for pcm in prepared.pcm] == pytest.approx([0.05] * 4, rel=0.01)
