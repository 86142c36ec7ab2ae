"""Separators that are not embedded, in real processes: what they do wrong is reported, and the sound has no gap."""

import os
import signal

import numpy as np
import pytest
import soundfile
from installing import installed
from mask_models import helper, leaky, onnx, save, slow
from mixtures import arrive, speech
from sound_scenes import left_behind, wait_until
from too_busy import Queueing

from earmark.devices.audio.engine import AudioEngine
from earmark.devices.audio.prepare import prepare
from earmark.devices.audio.scene import AudioError, Microphones, Scene, Talker
from earmark.devices.audio.sinks import FileSink, NullSink
from earmark.pipeline.scene.array import preset

SFREQ, HOP, WINDOW, LIMITER = 48_000, 192, 384, 144
ARRAY, AZIMUTHS = preset("glasses6"), (-40.0, 35.0)
TALKERS = tuple(Talker(f"t{k + 1}", f"place:{k + 1}", at) for k, at in enumerate(AZIMUTHS))


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    """Two talkers as glasses hear them, shape (6, n), and the file."""
    x = sum(0.01 * arrive(ARRAY, speech(3.0, k, SFREQ), at, SFREQ) for k, at in enumerate(AZIMUTHS)).astype("f4")
    path = tmp_path_factory.mktemp("mixture") / "m.wav"
    soundfile.write(path, x.T, SFREQ, subtype="FLOAT")
    return x, path


def scene_of(path, separator, block=256):
    positions = tuple(map(tuple, ARRAY.positions.tolist()))
    mics = Microphones(str(path), positions, ARRAY.ears, starts=AZIMUTHS, loop=True, separator=separator)
    return Scene(TALKERS, microphones=mics, block=block)


def is_whole(path, mixture, delay):
    """Assert that the ears heard their microphones, to the last bit, from the fade-in to the fade-out."""
    heard, _ = soundfile.read(path, dtype="float32")
    frames = np.arange(20_000, len(heard) - 6_000)
    wanted = mixture[list(ARRAY.ears)][:, (frames - delay) % mixture.shape[1]].T
    np.testing.assert_array_equal(heard[frames], wanted)


def reported(events, words):
    return [one for one in events if words in one]


def test_onnx_file_separates_in_a_process_of_its_own(tmp_path, mixture):
    x, path = mixture
    events, file = [], save(tmp_path / "m.onnx", *leaky())
    with AudioEngine(scene_of(path, f"onnx:{file}"), FileSink(tmp_path / "x.wav"), events.append) as engine:
        assert reported(events, "runs in a process of its own (sha256 ")
        queueing = Queueing(engine.separator.pid, engine.status().pid)
        wait_until(lambda: engine.status().frames > 3 * SFREQ)
        queueing.note()
        status, names = engine.status(), engine.names
        assert status.masks_wrong == 0
        assert min(status.rms[:2]) > 0
    is_whole(tmp_path / "x.wav", x, WINDOW + 2 * HOP + LIMITER)
    assert not left_behind(names)
    assert names.masks
    with queueing.excuses():
        assert status.masks_late < status.frames // HOP / 2, "most answers are in time"


def test_slow_model_is_late_and_reported_and_the_sound_is_whole(tmp_path, mixture):
    x, path = mixture
    nodes, inputs, outputs, weights = slow()
    file, events = save(tmp_path / "m.onnx", nodes, inputs, outputs, weights=weights), []
    with AudioEngine(scene_of(path, f"onnx:{file}"), FileSink(tmp_path / "x.wav"), events.append) as engine:
        wait_until(lambda: engine.status().frames > 3 * SFREQ)
        status = engine.status()
        assert status.masks_late > 100
        assert status.separator == b"no answer in time"
        assert min(status.rms[:2]) > 0
        wait_until(lambda: reported(events, "answers late: "))
    assert len(reported(events, "no answer in time; the masks of the embedded one are used")) == 1
    is_whole(tmp_path / "x.wav", x, WINDOW + 2 * HOP + LIMITER)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_killed_or_hanging_process_is_replaced_and_the_sound_is_whole(tmp_path, mixture, how):
    x, path = mixture
    file, events = save(tmp_path / "m.onnx", *leaky()), []
    with AudioEngine(scene_of(path, f"onnx:{file}"), FileSink(tmp_path / "x.wav"), events.append) as engine:
        wait_until(lambda: engine.status().frames > SFREQ)
        killed = engine.separator.pid
        os.kill(killed, how)
        words = "its process died (exit code -9)" if how == signal.SIGKILL else "its process hangs"
        wait_until(lambda: reported(events, f"{words}; the embedded one takes its place"))
        wait_until(lambda: reported(events, "is back"))
        wait_until(lambda: not engine.status().separator)
        assert engine.separator.pid != killed
        assert engine.status().masks_late > 0
        assert engine.restarts == 0
    is_whole(tmp_path / "x.wav", x, WINDOW + 2 * HOP + LIMITER)


def test_replaced_sound_process_finds_the_separator_again(tmp_path, mixture):
    file = save(tmp_path / "m.onnx", *leaky())
    with AudioEngine(scene_of(mixture[1], f"onnx:{file}"), NullSink()) as engine:
        wait_until(lambda: engine.status().frames > 20_000)
        separator = engine.separator.pid
        os.kill(engine.status().pid, signal.SIGKILL)
        wait_until(lambda: engine.restarts == 1 and engine.status().frames > 60_000)
        wait_until(lambda: not engine.status().separator)
        assert engine.separator.pid == separator


def test_file_that_cannot_be_used_is_refused_before_there_is_sound(tmp_path, mixture):
    nodes, inputs, outputs = leaky()
    with pytest.raises(AudioError, match="has a hop of 96"):
        prepare(scene_of(mixture[1], f"onnx:{save(tmp_path / 'a.onnx', nodes, inputs, outputs, hop=96)}"))
    broken = [helper.make_node("Mul", ["spectra", "wide"], ["squares"]), *nodes[1:]]
    wide = onnx.numpy_helper.from_array(np.zeros(7, np.float32), "wide")
    file = save(tmp_path / "b.onnx", broken, inputs, outputs, weights=[wide])
    engine = AudioEngine(scene_of(mixture[1], f"onnx:{file}"), NullSink())
    names = engine.names
    with pytest.raises(AudioError, match="ONNX Runtime refuses it"):
        engine.start()
    assert not left_behind(names)


FOREIGN = """
import os, time
import numpy as np
from earmark.pipeline.scene.separator import BeamMasks

class Odd(BeamMasks):
    n = 0
    def process(self, spectra, directions):
        self.n += 1
        if self.n > 150:
            {odd}
        return BeamMasks.process(self, spectra, directions)
"""


def foreign(tmp_path, odd):
    offers = {"earmark.separators": {"odd": "odd_lab:Odd"}}
    return installed(tmp_path / "site", offers, "odd-lab", code=FOREIGN.format(odd=odd))


def test_separator_of_another_package_that_raises_costs_no_sound(tmp_path, mixture):
    x, path = mixture
    events = []
    with (
        foreign(tmp_path, 'raise RuntimeError("no more")'),
        AudioEngine(scene_of(path, "odd"), FileSink(tmp_path / "x.wav"), events.append) as engine,
    ):
        wait_until(lambda: engine.status().frames > 3 * SFREQ)
        status = engine.status()
        assert status.masks_wrong == 1
        assert status.separator == b"it raised RuntimeError: no more"
    assert reported(events, "separator odd: it raised RuntimeError: no more; the masks of the embedded one are used")
    is_whole(tmp_path / "x.wav", x, WINDOW + LIMITER)


@pytest.mark.parametrize("odd", ["time.sleep(1e6)", "os.abort()"])
def test_separator_of_another_package_that_hangs_or_crashes_is_left_out(tmp_path, mixture, odd):
    events = []
    with (
        foreign(tmp_path, odd),
        AudioEngine(scene_of(mixture[1], "odd"), NullSink(), events.append) as engine,
    ):
        wait_until(lambda: engine.restarts == 1 and engine.status().state == 1)
        frames = engine.status().frames
        wait_until(lambda: engine.status().frames > frames + 2 * SFREQ)
        assert engine.restarts == 1
    assert reported(events, "separator odd may be why: the embedded one takes its place until another output is chosen")
