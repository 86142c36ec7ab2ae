"""The audio process, its sound and its shared memory when processes die."""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound_scenes import TOLERANCE, left_behind, noise_scene, rerendered, running, wait_until

from earmark.devices.audio.control_block import PLAYING
from earmark.devices.audio.engine import LIMITS, AudioEngine
from earmark.devices.audio.scene import AudioError
from earmark.devices.audio.sinks import FileSink, NullSink

ROOT = Path(__file__).parents[2]


def test_sound_file_equals_the_reference_rendering_and_no_shared_memory_is_left(tmp_path):
    prepared = noise_scene(n_talkers=3)
    with AudioEngine(prepared, FileSink(tmp_path / "x.wav")) as engine:
        for k in range(8):
            engine.set_gains([-3.0 * k, 1.5 * k, float("-inf")], ramp_s=0.02 * k, decision=k)
            time.sleep(0.1)
        engine.mute()
        engine.override([0.0, -20.0, 6.0])
        time.sleep(0.1)
        engine.mute(False)
        engine.master(-6.0)
        engine.move([90.0, 0.0, -90.0])
        engine.seek([0.5, float("nan"), 3.0])
        time.sleep(0.2)
        status, names = engine.status(), engine.names
        assert status.state == PLAYING
        assert left_behind(names)
    heard, rate = soundfile.read(tmp_path / "x.wav", dtype="float32")
    assert rate == 48_000
    assert len(heard) == engine.status().frames
    assert abs(heard - rerendered(prepared, engine)).max() < TOLERANCE
    kinds = [entry.applied.kind for entry in engine.applied()]
    assert kinds[0] == "start"
    assert kinds[-1] == "stop"
    assert set(range(8)) <= {entry.decision for entry in engine.applied()}
    assert not left_behind(names)
    assert not running(status.pid)


def test_faster_than_real_time_rendering_ends_at_the_given_frame(tmp_path):
    prepared = noise_scene()
    with AudioEngine(prepared, FileSink(tmp_path / "x.wav", realtime=False, n_frames=300_100)) as engine:
        assert engine.join(60)
        assert not engine.failure
        clock = engine.status().clock
    assert clock.time(300_100) - clock.time(0) == pytest.approx(300_100 / 48_000), "the clock counts frames of the file"
    heard, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    assert len(heard) == 300_100
    assert abs(heard - rerendered(prepared, engine)).max() < TOLERANCE


def test_null_sink_has_a_steady_clock():
    with AudioEngine(noise_scene(), NullSink()) as engine:
        first = engine.status()
        wait_until(lambda: engine.status().frames > first.frames + 12_000)
        second = engine.status()
    assert second.clock.time(first.frames) == pytest.approx(first.clock.time(first.frames), abs=1e-6)


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSTOP])
def test_dead_or_stalled_process_is_replaced_at_the_same_position(tmp_path, sig):
    prepared, events, notes = noise_scene(), [], []
    with AudioEngine(prepared, FileSink(tmp_path / "x.wav"), on_event=events.append) as engine:
        engine.listen(lambda entry, lsl_time: notes.append((entry.applied.kind, lsl_time)))
        engine.set_gains([-6.0, -9.0])
        engine.trim([-3.0, 0.0], [False, True])
        wait_until(lambda: engine.status().frames > 24_000)
        pid = engine.status().pid
        os.kill(pid, sig)
        struck = time.monotonic()
        engine.mute()
        muted = time.monotonic() - struck
        wait_until(lambda: engine.restarts)
        assert muted < 0.5 * (time.monotonic() - struck), "mute does not wait for the watchdog"
        engine.mute(False)
        wait_until(lambda: engine.status().pid != pid)
        assert not running(pid)
        again = engine.status().first_frame
        wait_until(lambda: engine.status().frames > again + 24_000)
        assert tuple(engine.status().gains_db[:2]) == (pytest.approx(-9.0), -math.inf), (
            "the operator's settings persist"
        )
        names = engine.names
    kinds = [entry.applied for entry in engine.applied() if entry.applied.kind != "control"]
    assert [entry.kind for entry in kinds] == ["start", "lost", "start", "stop"]
    lost, start = kinds[1:3]
    assert start.positions == tuple(lost.frame % len(pcm) for pcm in prepared.pcm)
    heard, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    rendered = rerendered(prepared, engine)
    whole = min(len(heard), len(rendered))
    differs = np.flatnonzero(np.abs(heard[:whole] - rendered[:whole]).max(axis=1) > TOLERANCE)
    assert not len(differs) or (lost.frame - 256 <= differs[0] and differs[-1] < lost.frame + 512), (
        "except in the last buffer"
    )
    assert any("back after" in event for event in events)
    times = [at for kind, at in notes if kind in ("lost", "start")]
    assert times == sorted(times)
    assert 0.1 < times[-1] - times[-2] < 10
    assert (start.frame - lost.frame) / 48_000 == pytest.approx(times[-1] - times[-2], abs=0.05), (
        "frames follow the clock"
    )
    assert not left_behind(names)


def test_seek_while_no_process_runs_is_done_by_the_next_process():
    with AudioEngine(noise_scene(), NullSink()) as engine:
        wait_until(lambda: engine.status().frames > 12_000)
        os.kill(engine.status().pid, signal.SIGKILL)
        engine.seek([2.0, float("nan")])
        wait_until(lambda: engine.restarts)
        starts = [entry.applied for entry in engine.applied() if entry.applied.kind in ("lost", "start")]
        assert starts[2].positions == (96_000, starts[1].frame)


def test_process_that_keeps_dying_is_restarted_after_a_pause(monkeypatch):
    monkeypatch.setattr("earmark.devices.audio.engine.LIMITS", replace(LIMITS, rest_s=2.0))
    events = []
    with AudioEngine(noise_scene(), NullSink(), on_event=events.append) as engine:
        pids = set()
        end = time.monotonic() + 180
        while not engine.failure and time.monotonic() < end:
            pid = engine.status().pid
            if pid not in pids:
                pids.add(pid)
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        assert "replaced 5 times within 20 s" in engine.failure
        assert engine.failure in events[-1]
        assert engine.join(0)
        assert len(pids) == 6
        wait_until(lambda: not engine.failure, 60)
        assert not engine.join(0)
        back = engine.status().frames
        wait_until(lambda: engine.status().frames > back + 24_000)
    kinds = [entry.applied.kind for entry in engine.applied()]
    assert kinds.count("start") == 7
    assert not any(map(running, pids))


@pytest.mark.parametrize("sig", ["SIGTERM", "SIGINT", "SIGHUP", "SIGTSTP"])
def test_process_ignores_signals_to_end_or_pause(tmp_path, sig):
    prepared, events = noise_scene(), []
    with AudioEngine(prepared, FileSink(tmp_path / "x.wav"), on_event=events.append) as engine:
        wait_until(lambda: engine.status().frames > 24_000)
        pid = engine.status().pid
        os.kill(pid, getattr(signal, sig))
        struck = engine.status().frames
        wait_until(lambda: engine.status().frames > struck + 48_000)
        assert engine.status().pid == pid
    assert not events
    heard, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    assert abs(heard - rerendered(prepared, engine)).max() < TOLERANCE
    assert {entry.applied.kind for entry in engine.applied()} == {"start", "control", "stop"}


def test_unrequested_exit_counts_as_a_crash_even_with_exit_code_0(tmp_path, monkeypatch):
    """Exit code 0 does not imply that the exit was requested."""
    (tmp_path / "sitecustomize.py").write_text(ENDS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT / '.links'}")
    events = []
    with AudioEngine(noise_scene(), NullSink(), on_event=events.append) as engine:
        wait_until(lambda: engine.status().frames > 24_000)
        pid = engine.status().pid
        os.kill(pid, signal.SIGUSR1)
        wait_until(lambda: engine.restarts)
        assert engine.status().pid != pid
        back = engine.status().frames
        wait_until(lambda: engine.status().frames > back + 24_000)
    assert "the audio process died (exit code 0)" in events[0]
    assert "sound has ended" not in events


ENDS = """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))
"""


PARENT = """
import json, sys, time
from pathlib import Path
sys.path[:0] = {folders!r}
import mne  # heavy, and not needed by the audio process
from earmark.devices.audio.engine import LIMITS, AudioEngine
from earmark.devices.audio.sinks import FileSink
from sound_scenes import noise_scene
if __name__ == "__main__":
    with AudioEngine(noise_scene(), FileSink(Path({path!r}))) as engine:
        while engine.status().frames < 24_000:
            time.sleep(0.01)
        names = engine.names
        print(json.dumps([engine.status().pid, [names.gains, names.status, names.pcm]]), flush=True)
        {then}
"""


@contextlib.contextmanager
def parent(tmp_path, then):
    path = tmp_path / "x.wav"
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(folders=[*map(str, sys.path)], path=str(path), then=then))
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".links")}
    out = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, str(script)], **out, env=env, start_new_session=True) as p:
        pid, names = json.loads(p.stdout.readline())
        yield p, pid
        p.wait(20)
    wait_until(lambda: not running(pid), 10)
    wait_until(lambda: not any(os.path.exists(f"/dev/shm/{name}") for name in names), 10)


def test_process_ends_when_the_parent_exits_without_stopping_it(tmp_path):
    with parent(tmp_path, "AudioEngine.__exit__ = lambda *_: None"):
        pass
    heard, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    ends_faded(heard)


@pytest.mark.parametrize("sig", ["SIGKILL", "SIGINT"])
def test_process_fades_out_and_ends_when_the_parent_is_killed_or_interrupted(tmp_path, sig):
    with parent(tmp_path, "time.sleep(60)") as (process, pid):
        modules = Path(f"/proc/{pid}/maps").read_text()
        assert "numpy" in modules
        for heavy in ("pylsl", "liblsl", "torch", "mne", "soundfile", "libsndfile", "numba", "llvmlite"):
            assert heavy not in modules, "the audio process loads only what it needs"
        if sig == "SIGINT":
            os.killpg(process.pid, signal.SIGINT)  # to all processes of a terminal
        else:
            process.kill()
    heard, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    ends_faded(heard)


def test_process_ends_after_an_exception_in_the_parent(tmp_path):
    with parent(tmp_path, "raise RuntimeError('bug')"):
        pass
    heard, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    ends_faded(heard)


def ends_faded(heard):
    """Assert that the last 0.1 s of sound fades out smoothly."""
    last = np.flatnonzero(np.abs(heard).max(axis=1))[-1]
    level = [np.sqrt(np.mean(heard[last - 4800 + k * 600 : last - 4200 + k * 600] ** 2)) for k in range(8)]
    before = np.sqrt(np.mean(heard[last - 14_400 : last - 4800] ** 2))
    assert level == sorted(level, reverse=True)
    assert level[-1] < 0.05 * before < level[0]


def test_audio_process_imports_only_what_it_needs():
    code = "import sys, earmark.devices.audio.child, sounddevice; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    loaded = [name.split(".") for name in out.split()]
    loaded = {".".join(name[: 2 if name[0] == "earmark" else 1]) for name in loaded}
    foreign = {name for name in loaded - set(sys.stdlib_module_names) if not name.startswith(("__", "_distutils"))}
    ours = {"earmark", "earmark.devices", "earmark.pipeline", "earmark.kernels"}
    assert foreign <= {*ours, "lazy_loader", "numpy", "sounddevice", "_sounddevice", "_cffi_backend"}
    kernels = {name for name in out.split() if name.startswith("earmark.kernels.")}
    assert kernels <= {"earmark.kernels.errors", "earmark.kernels.extras"}, "no compiled kernel"


def test_files_are_not_overwritten_and_a_second_stop_does_nothing(tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(b"precious")
    engine = AudioEngine(noise_scene(), FileSink(path))
    with pytest.raises(AudioError, match="exists already"):
        engine.start()
    assert path.read_bytes() == b"precious"
    assert not left_behind(engine.names)
    engine.stop()
    with pytest.raises(AudioError, match="has stopped"):
        engine.mute()
    with pytest.raises(AudioError, match="cannot write"):
        AudioEngine(noise_scene(), FileSink(tmp_path / "nowhere" / "x.wav")).start()
