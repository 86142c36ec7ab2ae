"""An inlet receives what a player sends: samples, stamps, gaps, markers, description."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import mne
import numpy as np
import pylsl
import pytest

from earmark.devices.files.recording import Recording, RecordingError, Segment
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.timeline import read_timeline
from earmark.devices.simulate.player import Player
from earmark.devices.sources.lsl_description import StreamError, describe_xml
from earmark.pipeline.stream import StreamSpec

RNG = np.random.default_rng(11)
PATIENCE_S = 180
ROOT = Path(__file__).parents[3]


def unique() -> str:
    return f"play-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def recording(
    *,
    sfreq: float = 250.0,
    segments: Sequence[Segment] = (Segment(0, 400, 0.0),),
    annotations=(),
    types: Sequence[str] = ("eeg", "eeg", "misc"),
) -> Recording:
    n = segments[-1].stop
    data = RNG.normal(size=(n, len(types))).astype(np.float32)
    spec = StreamSpec(
        name=unique(),
        sfreq=sfreq,
        ch_names=tuple(f"Kanal {i} µ<&" for i in range(len(types))),
        ch_types=tuple(types),
        units=tuple("uV" if t != "misc" else "%" for t in types),
        positions=((0.01, 0.08, -0.09), *((float("nan"),) * 3 for _ in types[1:])),
    )
    return Recording(spec, n, segments, annotations, lambda a, b: data[a:b].copy())


def connect(name: str) -> pylsl.StreamInlet:
    found = pylsl.resolve_byprop("name", name, timeout=PATIENCE_S)
    assert len(found) == 1
    inlet = pylsl.StreamInlet(found[0], recover=False)
    inlet.open_stream(timeout=PATIENCE_S)
    return inlet


def pull(inlet: pylsl.StreamInlet, count: int) -> tuple[list, np.ndarray]:
    values, stamps = [], []
    give_up = time.monotonic() + PATIENCE_S
    while len(stamps) < count and time.monotonic() < give_up:
        new, at = inlet.pull_chunk(timeout=0.2, max_samples=1000)
        values.extend(new)
        stamps.extend(at)
    assert len(stamps) == count
    return values, np.array(stamps)


def listen(player: Player, source: Recording) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Play to two inlets; returns samples, their stamps, markers, their stamps."""
    samples = connect(player.name)
    markers = connect(player.marker_name) if player.marker_name else None
    stop = threading.Event()
    thread = threading.Thread(target=player.play, args=(stop,))
    thread.start()
    try:
        values, stamps = pull(samples, sum(s.stop - s.start for s in source.segments))
        texts, marks = pull(markers, len(source.annotations)) if markers else ([], np.zeros(0))
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
    return np.array(values, np.float32), stamps, [t for (t,) in texts], marks


@pytest.mark.parametrize(("speed", "sfreq"), [(1.0, 250.0), (10.0, 250.0), (4.0, 1000 / 3)])
def test_inlet_receives_samples_stamps_gaps_and_markers(speed, sfreq):
    late = 400 / sfreq + 0.75
    annotations = [(0.0, "first"), (0.333, "tone/left"), (late - 0.5, "in the gap"), (late + 0.1, "ö")]
    source = recording(sfreq=sfreq, segments=[Segment(10, 410, 0.0), Segment(500, 750, late)], annotations=annotations)
    with Player(source, speed) as player:
        before = pylsl.local_clock()
        values, stamps, texts, marks = listen(player, source)
        after = pylsl.local_clock()
    np.testing.assert_array_equal(values, np.concatenate([source.read(10, 410), source.read(500, 750)]))
    times = np.concatenate([np.arange(400) / sfreq, late + np.arange(250) / sfreq])
    np.testing.assert_allclose(stamps - stamps[0], times, atol=1e-9, rtol=0)
    assert texts == [text for _, text in annotations]
    np.testing.assert_allclose(marks - stamps[0], [t for t, _ in annotations], atol=1e-9, rtol=0)
    assert before < stamps[0] < after
    # Nothing is sent before its time.
    assert after - stamps[0] >= times[-1] / speed


def test_stamps_follow_the_true_rate_of_the_recording():
    source = recording(segments=[Segment(0, 500, 0.0)])
    source.timeline = read_timeline("slow", np.arange(500) / 249.5, 250.0)
    with Player(source, 2.0) as player:
        _, stamps, _, _ = listen(player, source)
    np.testing.assert_allclose(stamps - stamps[0], np.arange(500) / 249.5, atol=1e-4, rtol=0)


def test_inlet_receives_the_description():
    source = recording(types=("seeg", "eog", "misc"), annotations=[(0.5, "a")])
    with Player(source, 2.0, source_id="amp-7") as player:
        inlet, markers = connect(player.name), connect(player.marker_name)
        description = describe_xml(inlet.info(PATIENCE_S).as_xml())
        of_markers = describe_xml(markers.info(PATIENCE_S).as_xml())
    spec = description.spec
    for key in ("name", "sfreq", "ch_names", "ch_types", "units"):
        assert getattr(spec, key) == getattr(source.spec, key), key
    np.testing.assert_allclose(spec.positions, source.spec.positions, atol=1e-12)
    assert (description.type, description.format, description.speed) == ("SEEG", "float32", 2.0)
    assert (description.source_id, of_markers.source_id) == ("amp-7", "amp-7-markers")
    assert (of_markers.type, of_markers.format, of_markers.spec.sfreq) == ("Markers", "string", 0)
    assert of_markers.spec.name == f"{spec.name}-markers"
    assert of_markers.speed == 2.0


def test_streams_have_names_and_types():
    for types, kind in ((("misc", "eeg", "ecog"), "EEG"), (("ecog", "seeg"), "SEEG"), (("ecog",), "ECOG")):
        source = recording(types=types)
        with Player(source) as player:
            assert (player.type, player.name, player.source_id) == (kind, source.spec.name, f"earmark-{player.name}")
            assert player.marker_name is None
    with Player(source, name="other") as player:
        assert (player.name, player.source_id) == ("other", f"earmark-{source.spec.name}")


def test_deadlines_are_absolute():
    """A slow read delays the chunks that were due meanwhile, but no later ones."""
    source = recording(sfreq=100.0, segments=[Segment(0, 300, 0.0)])
    quick = source.read

    def slow(start: int, stop: int) -> np.ndarray:
        if start == 100:
            time.sleep(0.8)
        return quick(start, stop)

    source.read = slow  # type: ignore[method-assign]
    sent: list[tuple[float, float]] = []
    with Player(source, chunk_s=0.1) as player:
        start = time.monotonic()
        player.play(threading.Event(), lambda t: sent.append((t, time.monotonic() - start)))
    whole = [(t, at) for t, at in sent if round(t * 100) % 10 == 9 and abs(t * 100 - round(t * 100)) < 1e-6]
    assert {round(t, 6) for t, _ in whole} >= {round(0.09 + 0.1 * k, 6) for k in range(30)}
    lateness = [at - t for t, at in whole]
    assert min(lateness) >= 0
    assert max(lateness) > 0.5
    # Caught up: with relative deadlines the last chunk would be late by the delay of the reader.
    assert lateness[-1] < 0.4


def test_playback_starts_when_a_listener_connects():
    source = recording(sfreq=100.0, segments=[Segment(0, 50, 0.0)], annotations=[(0.0, "first")])
    with Player(source, wait_for_consumer_s=PATIENCE_S) as player:
        thread = threading.Thread(target=player.play, args=(threading.Event(),))
        thread.start()
        time.sleep(0.3)
        assert not player.has_consumer
        found = pylsl.resolve_byprop("source_id", f"{player.source_id}-markers", timeout=PATIENCE_S)
        markers = pylsl.StreamInlet(found[0], recover=False)
        markers.open_stream(timeout=PATIENCE_S)
        values, _ = pull(connect(player.name), 50)
        texts, _ = pull(markers, 1)
        thread.join(PATIENCE_S)
    np.testing.assert_array_equal(np.array(values, np.float32), source.read(0, 50))
    assert texts == [["first"]]


def test_wait_without_listener_ends_with_an_error():
    with Player(recording(), wait_for_consumer_s=0.1) as player, pytest.raises(StreamError, match=r"within 0\.1 s"):
        player.play(threading.Event())


@pytest.mark.parametrize("wait_s", [None, PATIENCE_S])
def test_stop_is_obeyed_in_a_long_gap_and_while_waiting(wait_s):
    source = recording(segments=[Segment(0, 10, 0.0), Segment(10, 20, 1000.0)])
    stop = threading.Event()
    with Player(source, wait_for_consumer_s=wait_s) as player:
        thread = threading.Thread(target=player.play, args=(stop,))
        thread.start()
        time.sleep(0.3)
        assert thread.is_alive()
        stop.set()
        thread.join(PATIENCE_S)  # far less than the gap
    assert not thread.is_alive()


def test_progress_advances_through_gaps():
    source = recording(sfreq=100.0, segments=[Segment(0, 50, 0.0), Segment(50, 100, 5.5)])
    seen: list[float] = []
    with Player(source, 5.0) as player:
        player.play(threading.Event(), seen.append)
    assert seen == sorted(seen)
    assert any(1 < t < 5 for t in seen)
    assert seen[-1] == pytest.approx(5.99)


@pytest.mark.parametrize("wrong", [{"speed": 0}, {"speed": -1}, {"speed": float("nan")}, {"chunk_s": float("inf")}])
def test_invalid_parameters_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .* must be a positive number"):
        Player(recording(), **wrong)


def test_errors_of_the_file_are_raised_by_play():
    source = recording()
    source._read = lambda a, b: (_ for _ in ()).throw(RecordingError("disk gone"))
    with Player(source) as player:
        with pytest.raises(RecordingError, match="disk gone"):
            player.play(threading.Event())
        player.close()
        with pytest.raises(StreamError, match="was closed"):
            player.play(threading.Event())


# -- earmark stream --------------------------------------------------------------------------------------------

# A shell makes background jobs ignore Ctrl-C; this simulates the person at the keyboard.
COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import typer
from earmark.app.commands.stream import stream
app = typer.Typer()
app.command()(stream)
sys.argv[0] = "stream"
app()
"""


def start(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    name = unique()
    path = tmp_path_factory.mktemp("stream") / f"{name}_raw.fif"
    info = mne.create_info(["Fz", "Cz"], 200.0, "eeg")
    raw = mne.io.RawArray(RNG.normal(size=(2, 4000)) * 1e-5, info, verbose="ERROR")
    raw.set_annotations(mne.Annotations([1.0, 2.0], 0, ["a", "b"]))
    raw.save(path, verbose="ERROR")
    return path


def test_command_plays_a_file_to_the_end(file):
    process = start(file, "--speed", 10, "--wait")
    try:
        values, stamps = pull(connect(file.stem), 4000)
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    np.testing.assert_array_equal(np.array(values, np.float32), open_recording(file).read(0, 4000))
    np.testing.assert_allclose(np.diff(stamps), 1 / 200, atol=1e-9)
    assert process.returncode == 0
    assert f"Publishing '{file.stem}' (type EEG, source_id 'earmark-{file.stem}'): 2 channels at 200 Hz" in out
    assert "2 markers" in out
    assert "error" not in err


def test_ctrl_c_ends_the_command_with_130(file):
    process = start(file)
    try:
        assert "Publishing" in process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 130, "it did not end at the end of the file"
    assert "Ended by Ctrl-C" in out
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("/nowhere/x.fif",), "no such file"),
        (("--speed", "0"), "must be a positive number"),
        (("--stream", "EEG"), "only XDF, EDF and BDF files have several streams"),
    ],
)
def test_command_reports_errors(file, arguments, words):
    process = start(*([] if arguments[0].endswith(".fif") else [file]), *arguments)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert words in err
    assert "Traceback" not in err


def test_liblsl_is_quiet_unless_configured_by_the_user(tmp_path):
    code = (
        "from earmark.devices.sources import lsl_log; lsl_log.quiet_liblsl(); import pylsl; pylsl.resolve_streams(0.1)"
    )
    clean = {key: value for key, value in os.environ.items() if key != "LSLAPICFG"}
    clean.update(HOME=str(tmp_path), PYTHONPATH=str(ROOT / ".links"))
    (tmp_path / "mine.cfg").write_text("[log]\nlevel=0\n")

    def said(**more: str) -> str:
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**clean, **more},
            cwd=tmp_path,
            capture_output=True,
            check=True,
            text=True,
        )
        return run.stderr

    assert "INFO|" not in said()
    assert "INFO|" in said(LSLAPICFG=str(tmp_path / "mine.cfg"))
    (tmp_path / "mine.cfg").rename(tmp_path / "lsl_api.cfg")
    assert "INFO|" in said()
