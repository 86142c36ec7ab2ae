"""A simulated listener in a separate process: LSL input and output, and termination."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl
import pytest

from earmark.devices.simulate.background import BackgroundConfig
from earmark.devices.simulate.listener import Listener, ListenerConfig
from earmark.devices.simulate.live import CUE, ListenerProcess, LiveConfig, SimulatedListener
from earmark.devices.sources.lsl_description import StreamError, describe_xml, make_info
from earmark.pipeline.stream import StreamSpec

PATIENCE_S = 180
ROOT = Path(__file__).parents[2]
RATE = 64.0
SILENT = BackgroundConfig(
    brain_uv=0.0, sensor_uv=0.0, alpha_uv=0.0, blink_uv=0.0, line_uv=0.0, offset_uv=0.0, drift_uv=0.0, pops_per_min=0.0
)
#: No response to ignored talkers, so that a response identifies the attended talker.
CLEAR = ListenerConfig(
    ch_names=("Cz", "Oz"), ignored=0.0, wandering=0.0, clock_ppm=400.0, react_s=0.05, shift_s=0.1, background=SILENT
)


def settings(source_id: str, **changes) -> LiveConfig:
    return replace(
        LiveConfig(("joe", "ada"), f"envelopes {source_id}", name=f"eeg {source_id}", source_id=source_id),
        listener=CLEAR,
        **changes,
    )


@contextlib.contextmanager
def envelopes(source_id: str, names: tuple[str, ...] = ("noise", "ada", "joe"), late_s: float = 0.0) -> Iterator[None]:
    """Send envelopes in another order than the listener's, with an unknown talker; only ada has sound, in clicks."""
    spec = StreamSpec(f"envelopes {source_id}", RATE, names, ("misc",) * len(names), ("",) * len(names))
    outlet = pylsl.StreamOutlet(make_info(spec, "Envelope", f"{source_id}-envelopes"))
    stop = threading.Event()

    def send() -> None:
        begun, k = pylsl.local_clock(), 0
        while not stop.is_set():
            stop.wait(max(0.0, begun + k / RATE - pylsl.local_clock()))
            row = [1.0 if name == "ada" and k % 8 == 0 else 0.0 for name in names]
            outlet.push_sample(row, begun + k / RATE - late_s)
            k += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def connect(source_id: str) -> pylsl.StreamInlet:
    found = pylsl.resolve_byprop("source_id", source_id, timeout=PATIENCE_S)
    assert len(found) == 1
    inlet = pylsl.StreamInlet(found[0], recover=False)
    inlet.open_stream(timeout=PATIENCE_S)
    return inlet


def wait_for_size(inlet: pylsl.StreamInlet, answered: bool) -> None:
    """Wait until there is a response, or none, for half a second."""
    give_up = time.monotonic() + PATIENCE_S
    recent = np.empty((0, 2))
    while time.monotonic() < give_up:
        values, _ = inlet.pull_chunk(timeout=0.1, max_samples=50)
        recent = np.concatenate([recent, np.reshape(values, (-1, 2))])[-250:]
        if len(recent) == 250 and (np.abs(recent).max() > 0.01 if answered else not recent.any()):
            return
    raise AssertionError(f"timed out: the talker was not {'answered' if answered else 'ignored'}")


@contextlib.contextmanager
def process(config: LiveConfig) -> Iterator[ListenerProcess]:
    listener = ListenerProcess(config)
    try:
        yield listener
    finally:
        listener.stop()
        assert listener.process.exitcode is not None


def test_listener_responds_to_the_attended_talker(source_id):
    with process(settings(source_id)) as listener:
        inlet = connect(source_id)
        described = describe_xml(inlet.info(PATIENCE_S).as_xml())
        assert described.type == "EEG"
        expected = Listener(CLEAR).spec
        assert described.spec.ch_names == expected.ch_names
        assert described.spec.units == ("uV", "uV")
        np.testing.assert_allclose(described.spec.positions, expected.positions)
        with envelopes(source_id):
            listener.attend("joe")
            wait_for_size(inlet, answered=False)
            listener.attend("nobody that is known")
            listener.attend("ada")
            wait_for_size(inlet, answered=True)
            listener.attend("")
            wait_for_size(inlet, answered=False)
            listener.attend("ada")
            wait_for_size(inlet, answered=True)
        wait_for_size(inlet, answered=False)  # the envelopes are gone
        with envelopes(source_id):
            wait_for_size(inlet, answered=True)
        listener.stop()
        assert listener.process.exitcode == 0


def test_follows_cue_markers_and_a_script(source_id):
    spec = StreamSpec(f"cues {source_id}", 0.0, ("marker",), ("misc",), ("",))
    cues = pylsl.StreamOutlet(make_info(spec, "Markers", f"{source_id}-cues", "string"))
    config = settings(source_id, cues=f"cues {source_id}", script=((0.2, "ada"),))
    with envelopes(source_id), process(config):
        inlet = connect(source_id)
        wait_for_size(inlet, answered=True)  # by the script
        assert cues.wait_for_consumers(PATIENCE_S)
        for cue in ("attend:joe", "attend ada", "attend:joe", "attend:ada", "attend:"):
            time.sleep(0.3)  # an inlet receives only samples that are sent after its start
            cues.push_sample(["something else"])
            cues.push_sample(["attend:stranger"])
            cues.push_sample([cue])
            wait_for_size(inlet, answered=cue.endswith("ada"))


def test_stamps_follow_the_amplifiers_clock_and_delivery_is_delayed(source_id):
    with process(settings(source_id, delivery_s=0.2)):
        inlet = connect(source_id)
        stamps: list[float] = []
        give_up = time.monotonic() + PATIENCE_S
        while len(stamps) < 1500 and time.monotonic() < give_up:
            _, at = inlet.pull_chunk(timeout=0.2)
            if at:
                assert at[-1] <= pylsl.local_clock() - 0.2
            stamps += at
    period = np.diff(stamps)
    assert len(stamps) >= 1500
    assert period.mean() == pytest.approx(1 / (500 * 1.0004), rel=2e-5)
    assert np.abs(period - period.mean()).max() < 1e-5


def test_sigterm_ends_the_listener(source_id):
    with process(settings(source_id)) as listener:
        connect(source_id)
        os.kill(listener.process.pid, signal.SIGTERM)
        listener.process.join(PATIENCE_S)
        assert listener.process.exitcode == 0
        with pytest.raises(BrokenPipeError):
            listener.attend("joe")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_listener_ends_with_its_parent_process(source_id, tmp_path):
    code = (
        "import sys, time\n"
        "from earmark.devices.simulate.live import ListenerProcess, LiveConfig\n"
        "if __name__ == '__main__':\n"
        "    process = ListenerProcess(LiveConfig(('a', 'b'), 'none', name=sys.argv[1], source_id=sys.argv[1]))\n"
        "    print(process.process.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".links")}
    script = tmp_path / "starts_a_listener.py"
    script.write_text(code)
    with subprocess.Popen(
        [sys.executable, str(script), source_id], env=env, stdout=subprocess.PIPE, text=True
    ) as parent:
        pid = int(parent.stdout.readline())
        connect(source_id)
        parent.kill()
    give_up = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        assert time.monotonic() < give_up, "the listener outlived its parent"
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_envelopes_of_other_talkers_are_refused(source_id):
    listener = SimulatedListener(settings(source_id))
    with envelopes(source_id, ("joe", "eve")), pytest.raises(StreamError, match="ada is missing"):
        listener.run()
    with pytest.raises(StreamError, match="has ended"):
        listener.run()


def test_unknown_names_are_errors(source_id):
    with pytest.raises(ValueError, match="no talker 'eve'"):
        SimulatedListener(settings(source_id, script=((1.0, "eve"),)))
    with pytest.raises(ValueError, match="no talker 'eve'"):
        SimulatedListener(settings(source_id)).attend("eve")


def test_late_envelopes_are_reported_once(source_id, caplog):
    listener = SimulatedListener(settings(source_id))
    thread = threading.Thread(target=listener.run)
    with envelopes(source_id, late_s=0.3), caplog.at_level("WARNING"):
        thread.start()
        give_up = time.monotonic() + PATIENCE_S
        while "too late" not in caplog.text and time.monotonic() < give_up:
            time.sleep(0.05)
        listener.stop()
        thread.join()
    assert caplog.text.count("too late") == 1


def test_cue_pattern():
    assert CUE.fullmatch("attend:a b")[1] == CUE.fullmatch("attend a b")[1] == "a b"
    assert CUE.fullmatch("attend:")[1] == ""
    assert CUE.fullmatch("attended") is None
