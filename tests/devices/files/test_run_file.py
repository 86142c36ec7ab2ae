"""Runs round-trip aligned, with their gaps; other files are refused."""

import struct

import numpy as np
import pytest
from planted import accuracy

from earmark.devices.files import xdf
from earmark.devices.files.recorded_run import RunError
from earmark.devices.files.recording import Recording, Segment
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.run_file import Talker, read_run, write_run
from earmark.devices.sources.lsl_description import make_info
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.presets import EEG, IEEG
from earmark.pipeline.stream import StreamSpec

SFREQ = 250.0


def recording(x, segments=None, kind="eeg"):
    n = x.shape[1]
    spec = StreamSpec("rec", SFREQ, tuple(f"A{i + 1}" for i in range(n)), (kind,) * n, ("uV",) * n)
    segments = segments or [Segment(0, len(x), 0.0)]
    return Recording(spec, len(x), segments, [], lambda start, stop: x[start:stop].astype(np.float32))


def slow(rng, seconds, sfreq):
    """A signal of 2 to 6 Hz, the same for every sampling rate."""
    t = np.arange(round(seconds * sfreq)) / sfreq
    f, p = rng.uniform(2, 6, 12), rng.uniform(0, 6, 12)
    return np.cos(2 * np.pi * t[:, None] * f + p).sum(axis=1)


def talkers(seconds=30.0, sfreq=128.0):
    return [Talker(name, slow(np.random.default_rng(k), seconds, sfreq)[:, None], sfreq) for k, name in enumerate("ab")]


def test_speech_and_recording_share_one_time_grid(tmp_path):
    x = np.stack([slow(np.random.default_rng(k), 30, SFREQ) for k in (0, 1, 2)], axis=1)
    write_run(tmp_path / "r.xdf", recording(x), talkers(), [(0.0, "a"), (10.0, "b"), (20.0, "")], "sub-7")
    run = read_run(tmp_path / "r.xdf", EEG)
    assert (run.subject, run.name, run.sfreq, run.talker_names) == ("sub-7", "r", 64.0, ("a", "b"))
    # Channel 0 minus the average follows talker a; equal filters on both sides keep them aligned.
    middle = slice(200, 1700)
    for k in (0, 1):
        mine = run.neural[:, k] + 0.0
        lags = range(-3, 4)
        r = [np.corrcoef(mine[200 + lag : 1700 + lag], run.talkers[k, middle, 0])[0, 1] for lag in lags]
        assert lags[int(np.argmax(r))] == 0
        assert max(r) > 0.75
    seconds = np.arange(len(run.attended)) / 64.0
    assert set(run.attended[(seconds > 0.2) & (seconds < 9.8)]) == {0}
    assert set(run.attended[(seconds > 10.2) & (seconds < 19.8)]) == {1}
    assert set(run.attended[seconds > 20.2]) == {-1}


def test_nobody_is_attended_in_a_gap(tmp_path):
    x = np.random.default_rng(0).normal(0, 10, (5000, 3))
    parts = [Segment(0, 2500, 0.0), Segment(2500, 5000, 15.0)]
    write_run(tmp_path / "r.xdf", recording(x, parts), talkers(), [(0.0, "a")], "s")
    run = read_run(tmp_path / "r.xdf", EEG)
    seconds = np.arange(len(run.attended)) / 64.0
    inside = (seconds > 10.2) & (seconds < 14.8)
    assert (run.attended[inside] == -1).all()
    assert not run.neural[inside].any()
    assert (run.attended[(seconds > 15.3) & (seconds < 24.5)] == 0).all()


def test_intracranial_runs_are_high_gamma_amplitudes(tmp_path):
    rng = np.random.default_rng(0)
    t = np.arange(30 * 1000) / 1000
    envelope = 1 + 0.8 * np.cos(2 * np.pi * 3 * t)
    x = (envelope * np.cos(2 * np.pi * 110 * t))[:, None] * 20 + rng.normal(0, 1, (len(t), 2))
    spec = StreamSpec("rec", 1000.0, ("A1", "A2"), ("seeg",) * 2, ("uV",) * 2)
    rec = Recording(spec, len(x), [Segment(0, len(x), 0.0)], [], lambda a, b: x[a:b].astype(np.float32))
    write_run(tmp_path / "r.xdf", rec, talkers(), [(0.0, "a")], "s")
    run = read_run(tmp_path / "r.xdf", IEEG)
    assert run.sfreq == 100.0
    spectrum = np.abs(np.fft.rfft(run.neural[500:2500, 0]))
    assert np.argmax(spectrum) == (3 * 20)


def test_invalid_run_is_refused_and_nothing_is_overwritten(tmp_path):
    x = np.zeros((500, 2))
    path = tmp_path / "r.xdf"
    with pytest.raises(RunError, match="two or more"):
        write_run(path, recording(x), talkers()[:1], [(0.0, "a")], "s")
    with pytest.raises(RunError, match="attended at 1 s is 'c', but must be one of a, b"):
        write_run(path, recording(x), talkers(), [(1.0, "c")], "s")
    assert not path.exists()
    path.write_bytes(b"XDF:")
    with pytest.raises(RunError, match="exists already"):
        write_run(path, recording(x), talkers(), [(0.0, "a")], "s")
    with pytest.raises(RunError, match="0 neural streams and 0 talkers"):
        read_run(path, EEG)
    (tmp_path / "x.xdf").write_bytes(b"nonsense")
    with pytest.raises(RunError, match="not an XDF file"):
        read_run(tmp_path / "x.xdf", EEG)
    with pytest.raises(RunError, match="cannot be read"):
        read_run(tmp_path / "nowhere.xdf", EEG)


def test_file_of_another_recorder_is_not_a_run_rather_than_damaged(tmp_path):
    info = make_info(recording(np.zeros((1, 2))).spec, "EEG", "amp")
    one = struct.pack("<I", 1)
    stamped, deduced = struct.pack("<Bd2f", 8, 5000.0, 1, 2), struct.pack("<B2f", 0, 3, 4)
    path = tmp_path / "lab.xdf"
    path.write_bytes(
        xdf.file_header()
        + xdf.stream_header(1, info.as_xml())
        + xdf.chunk(xdf.SAMPLES, one + struct.pack("<BB", 1, 2) + stamped + deduced)
    )
    with pytest.raises(RunError, match=r"is not a run: 1 neural streams and 0 talkers.*Make one with 'earmark import'"):
        read_run(path, EEG)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """Return a run, as bytes and as read."""
    path = tmp_path_factory.mktemp("run") / "r.xdf"
    x = np.random.default_rng(0).normal(0, 10, (6 * 250, 3))
    write_run(path, recording(x), talkers(6.0), [(0.0, "a"), (3.0, "b")], "s")
    return path.read_bytes(), read_run(path, EEG)


@pytest.mark.parametrize("share", np.linspace(0.01, 0.99, 12))
@pytest.mark.parametrize("cut", [0, 3000])
def test_damage_of_a_run_is_reported_and_shifts_nothing(healthy, tmp_path, caplog, share, cut):
    raw, whole = bytearray(healthy[0]), healthy[1]
    at = int(share * len(raw))
    if cut:
        del raw[at : at + cut]
    else:
        raw[at] ^= 4
    (tmp_path / "r.xdf").write_bytes(raw)
    try:
        run = read_run(tmp_path / "r.xdf", EEG)
    except RunError:
        assert share < 0.5, "only headers and attention are indispensable"
        return
    assert f"{tmp_path / 'r.xdf'} is damaged: bytes " in caplog.text or (cut and at + cut > len(raw))
    # A run begins at the first time for which it has all streams.
    n, later = len(run.attended), len(whole.attended) - len(run.attended)
    k = min(range(later + 1), key=lambda k: np.abs(run.talkers[:, -64:] - whole.talkers[:, k : k + n][:, -64:]).mean())
    now, then = run.part(0, n), whole.part(k, k + n)
    known = now.attended >= 0
    assert (now.attended[known] == then.attended[known]).all()
    assert (then.attended[~known] >= 0).sum() <= (4 if cut else 2) * 64, "the damaged seconds, and little more"
    # Lost samples are a gap: far from it, and from restarted filters, everything is unchanged.
    steady = np.convolve(~known, np.ones(129), "same") == 0
    steady[:64] = False
    assert np.abs(now.talkers[:, steady] - then.talkers[:, steady]).max(initial=0) < 0.2


def heard_by(seed, clock, folder, seconds=100.0, lost=0.0):
    """Import a run from an amplifier that declares 250 Hz and whose clock has another rate."""
    rng = np.random.default_rng(seed)
    pair = [
        Talker(n, 1 + slow(np.random.default_rng([seed, k]), seconds, 128.0)[:, None], 128.0)
        for k, n in enumerate("ab")
    ]
    rows = np.arange(round(seconds * SFREQ))
    times = rows / SFREQ + clock(rows / SFREQ)
    kept = (rng.random(len(rows) // 12 + 1) >= lost)[rows // 12]
    rows, times = rows[kept], times[kept]
    response = np.interp(times - 0.1, np.arange(len(pair[0].envelope)) / 128.0, pair[0].envelope[:, 0])
    common = rng.normal(0, 12, (len(rows), 1))
    data = response[:, None] * np.array([4.0, -4.0, 2.0, 0.0]) + common + rng.normal(0, 12, (len(rows), 4))
    spec = StreamSpec("amp", SFREQ, tuple("ABCD"), ("eeg",) * 4, ("uV",) * 4)
    path = folder / f"amp-{seed}.xdf"
    chunks = [xdf.file_header(), xdf.stream_header(1, make_info(spec, "EEG", "amp").as_xml())]
    path.write_bytes(b"".join([*chunks, xdf.samples(1, 7000.0 + times, data.astype(np.float32))]))
    out = folder / f"run-{seed}.xdf"
    write_run(out, open_recording(path), pair, [(0.0, "a")], "s")
    return read_run(out, EEG)


CLOCKS = {
    "0.04 % slow": (lambda t: 4e-4 * t, 0.0),
    "0.2 % slow": (lambda t: 2e-3 * t, 0.0),
    "0.2 % fast": (lambda t: -2e-3 * t, 0.0),
    "drifting": (lambda t: 0.1 * np.sin(2 * np.pi * t / 100), 0.0),
    "packets lost": (lambda t: 0.0 * t, 0.05),
}


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """Runs of amplifiers with an exact clock."""
    folder = tmp_path_factory.mktemp("exact")
    runs = [heard_by(seed, lambda t: 0.0 * t, folder) for seed in range(2)]
    return LinearDecoder(EEG, penalties=(0.1,), shrinks=(0.0,)).fit(runs)


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_run_of_an_amplifier_with_a_wrong_clock_decodes_like_an_exact_one(clock, decoder, tmp_path):
    drift, lost = CLOCKS[clock]
    run = heard_by(2, drift, tmp_path, lost=lost)
    late = run.part(len(run.neural) // 2, len(run.neural))  # late enough for the error of a wrong rate to add up
    assert accuracy(decoder, late) >= 0.85
