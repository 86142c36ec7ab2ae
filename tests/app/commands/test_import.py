"""Import of runs: the user's options, start times of talkers, and no run is written that cannot be used."""

import re

import mne
import numpy as np
import pytest
import pyxdf
import soundfile
from typer.testing import CliRunner

from earmark.app.command_line import app
from earmark.devices.files.xdf import boundary, file_header, samples, stream_header, text_sample
from earmark.devices.sources.lsl_description import make_info
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.stream import StreamSpec

RUNNER = CliRunner()
SFREQ, SECONDS = 250.0, 30.0
NAMES = ("E0", "E1", "E2", "E3", "Aux")


def common(seconds=SECONDS, sfreq=SFREQ):
    t = np.arange(round(seconds * sfreq)) / sfreq
    f, p = np.random.default_rng(0).uniform((2, 0), (8, 6), (12, 2)).T
    return 20 * np.cos(2 * np.pi * t[:, None] * f + p).sum(axis=1)


def signal(n=5, scale=1.0):
    noise = np.random.default_rng(1).normal(0, 3, (round(SECONDS * SFREQ), n))
    return (common()[:, None] + noise) * scale


def write_xdf(path, *, kind="EEG", types=("EEG",) * 5, unit="", nominal=SFREQ, fmt="float32", scale=1.0, markers=()):
    """Write a file as LabRecorder does, with metadata as some sender states them."""
    import pylsl

    info = pylsl.StreamInfo("amp", kind, 5, nominal, fmt, "x")
    channels = info.desc().append_child("channels")
    for name, channel_type in zip(NAMES, types, strict=True):
        channel = channels.append_child("channel")
        for key, value in (("label", name), ("type", channel_type), ("unit", unit)):
            channel.append_child_value(key, value)
    spec = StreamSpec("marks", 0.0, ("m",), ("misc",), ("",))
    chunks = [
        file_header(),
        stream_header(1, info.as_xml()),
        stream_header(2, make_info(spec, "Markers", "m", "string").as_xml()),
    ]
    data = np.round(signal(scale=scale)).astype(np.int16) if fmt == "int16" else signal(scale=scale).astype(np.float32)
    chunks += [samples(1, 100 + np.arange(len(data)) / SFREQ, data)]
    chunks += [text_sample(2, 100 + time, [text]) for time, text in markers]
    path.write_bytes(b"".join([*chunks, boundary()]))
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for k, name in enumerate("ab"):
        envelope = np.abs(np.random.default_rng(k).normal(size=64 * 20))
        np.savez(tmp_path / f"{name}.npz", envelope=envelope, sfreq=64.0)
    return tmp_path


def run_import(*arguments, talkers=("a=a.npz", "b=b.npz")):
    heard = [word for talker in talkers for word in ("--talker", talker)]
    result = RUNNER.invoke(app, ["import", *map(str, arguments), *heard, "--attended", "a", "-o", "sub-1.xdf"])
    assert "Traceback" not in result.output
    return result


def streams(path="sub-1.xdf"):
    found, _ = pyxdf.load_xdf(str(path), synchronize_clocks=False, dejitter_timestamps=False)
    return {s["info"]["name"][0]: s for s in found}


def units(stream):
    return [c["unit"][0] for c in stream["info"]["desc"][0]["channels"][0]["channel"]]


# -- the user's options ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "options", "microvolts"),
    [
        ({"scale": 1e-6}, ("--unit", "V"), 1e6),
        ({"unit": "none"}, ("--unit", "uV"), 1.0),
        ({"fmt": "int16", "scale": 20.0}, ("--unit", "0.05 uV"), 0.05),
        ({"unit": "V"}, ("--unit", "1 uV"), 1.0),
    ],
)
def test_unit_option_applies_if_none_is_stated_or_with_a_number(folder, written, options, microvolts):
    raw = write_xdf(folder / "raw.xdf", **written)
    result = run_import(raw, *options)
    assert result.exit_code == 0, result.output
    run = streams()["raw"]
    assert units(run) == ["uV"] * 5
    np.testing.assert_allclose(run["time_series"], streams(raw)["amp"]["time_series"] * microvolts, rtol=1e-5)


def test_channels_types_bads_and_rate_are_those_of_the_options(folder):
    raw = write_xdf(folder / "raw.xdf", kind="ExG", types=("ExG",) * 5, unit="uV", nominal=0.0)
    words = ("--ch-type", "eeg", "--channels", "!Aux", "--bads", "E2", "--sfreq", "250")
    result = run_import(raw, *words)
    assert result.exit_code == 0, result.output
    run = streams()["raw"]
    assert [c["label"][0] for c in run["info"]["desc"][0]["channels"][0]["channel"]] == ["E0", "E1", "E2", "E3"]
    assert {c["type"][0] for c in run["info"]["desc"][0]["channels"][0]["channel"]} == {"EEG"}
    assert float(run["info"]["nominal_srate"][0]) == 250
    assert np.isnan(run["time_series"][:, 2]).all()
    from earmark.devices.files.run_file import read_run

    neural = read_run(folder / "sub-1.xdf", EEG).neural
    assert not neural[:, 2].any(), "masked throughout"
    assert neural[:, [0, 1, 3]].any(axis=0).all()


def test_wrong_stated_rate_is_corrected_if_time_stamps_agree(folder, caplog):
    raw = write_xdf(folder / "raw.xdf", unit="uV", nominal=500.0)
    assert run_import(raw, "--sfreq", "250").exit_code == 0
    assert "raw: sfreq 250 Hz is used instead of 500 Hz" in caplog.text
    run = streams()["raw"]
    assert float(run["info"]["nominal_srate"][0]) == 250
    np.testing.assert_allclose(run["time_stamps"], np.arange(len(run["time_stamps"])) / SFREQ, atol=1e-3)


# -- an unusable run is never written ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "options", "words"),
    [
        ({}, (), "give 'unit'"),
        ({"unit": "furlong"}, (), "give 'unit'"),
        ({"unit": "mV"}, ("--unit", "uV"), "'mV' of 'E0'"),
        ({"unit": "uV", "kind": "ExG", "types": ("ExG",) * 5}, (), "--ch-type"),
        ({"unit": "uV"}, ("--channels", "e1"), "did you mean 'E1'"),
        ({"unit": "uV", "scale": 1e-6}, (), "% of the signal is masked"),
        ({"unit": "uV"}, ("--bads", "X*"), "bads names 'X*'"),
        ({"unit": "uV", "nominal": 0.0}, (), "'sfreq'"),
        ({"unit": "uV"}, ("--sfreq", "500"), "sfreq is 500, but its time stamps say 250 Hz"),
        ({"unit": "uV"}, ("--ch-type", "seeg"), "high_gamma"),
        ({"unit": "uV"}, ("--at", "31"), "they have no time in common. Give the start of each with --at"),
        ({"unit": "uV"}, ("--at", "a=18.5"), "attention is known for 1."),
        ({"unit": "uV"}, ("--bads", "*"), "% of the signal is masked"),
    ],
)
def test_unusable_run_is_refused_with_the_fix_and_leaves_no_file(folder, written, options, words):
    raw = write_xdf(folder / "raw.xdf", **written)
    before = sorted(folder.iterdir())
    result = run_import(raw, *options)
    assert result.exit_code == 1, result.output
    assert words in result.stderr
    assert ".sub-1" not in result.stderr, "only files that the user knows are named"
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("suffix", ["fif", "edf", "vhdr"])
def test_options_apply_to_every_format(folder, suffix):
    info = mne.create_info(["E0", "E1", "E2", "DC1"], SFREQ, "eeg")
    # The FIF file, whose unit is volts, holds microvolts, as happens; the others are right, and state microvolts.
    raw = mne.io.RawArray(signal(4).T * (1.0 if suffix == "fif" else 1e-6), info, verbose="ERROR")
    path = folder / f"x_raw.{suffix}"
    if suffix == "fif":
        raw.save(path, verbose="ERROR")
    else:
        raw.export(path, fmt="edf" if suffix == "edf" else "brainvision", verbose="ERROR")
    result = run_import(path, "--channels", "E*", "--bads", "E1", "--ch-type", "eeg", "--unit", "1 uV")
    assert result.exit_code == 0, result.output
    run = streams()["x_raw"]
    data = run["time_series"]
    assert data.shape[1] == 3
    assert np.isnan(data[:, 1]).all()
    np.testing.assert_allclose(data[:, 0], signal(4)[:, 0], rtol=0, atol=0.05)


# -- start times of talkers --------------------------------------------------------------------------------------

MARKS = ((2.0, "start"), (5.5, "start"), (3.25, "7"), (4.0, "go=now"))


@pytest.mark.parametrize(
    ("at", "a", "b"),
    [
        (("3.5",), 3.5, 3.5),
        (("start",), 2.0, 2.0),
        (("marker:7",), 3.25, 3.25),
        (("go=now",), 4.0, 4.0),
        (("b=go=now",), 0.0, 4.0),
        (("a=start", "b=1.25"), 2.0, 1.25),
        (("1.0", "b=start"), 1.0, 2.0),
    ],
)
def test_talkers_start_at_the_given_times(folder, at, a, b):
    raw = write_xdf(folder / "raw.xdf", unit="uV", markers=MARKS)
    result = run_import(raw, *(word for one in at for word in ("--at", one)))
    assert result.exit_code == 0, result.output
    found = streams()
    assert found["a"]["time_stamps"][0] == pytest.approx(a, abs=1 / SFREQ)
    assert found["b"]["time_stamps"][0] == pytest.approx(b, abs=1 / SFREQ)
    assert f"a 20.0 s from {a:.3f} s" in result.output


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (("stat",), "no such marker in raw: did you mean 'start'"),
        (("7",), "Write 7.0 or marker:7"),
        (("a=1", "a=2"), "two start times for 'a': give one"),
        (("inf",), "not a finite number of seconds"),
    ],
)
def test_unclear_start_time_is_an_error(folder, at, words):
    raw = write_xdf(folder / "raw.xdf", unit="uV", markers=MARKS)
    result = run_import(raw, *(word for one in at for word in ("--at", one)))
    assert result.exit_code == 1
    assert words in result.stderr


# -- channels of a sound file ------------------------------------------------------------------------------------


def test_channel_of_a_sound_file_is_a_talker(folder, caplog):
    rng = np.random.default_rng(3)
    n = 8000 * 20
    bursts = [np.repeat(rng.uniform(0, 1, 200), n // 200)[:, None] * rng.normal(0, 0.1, (n, 1)) for _ in range(2)]
    soundfile.write(folder / "both.wav", np.hstack(bursts), 8000)
    for k, one in enumerate(bursts, 1):
        soundfile.write(folder / f"{k}.wav", one, 8000)
    raw = write_xdf(folder / "raw.xdf", unit="uV")
    result = run_import(raw, talkers=("a=both.wav:1", "b=both.wav:2"))
    assert result.exit_code == 0, result.output
    found = {name: streams()[name]["time_series"] for name in "ab"}
    (folder / "sub-1.xdf").unlink()
    assert run_import(raw, talkers=("a=1.wav", "b=2.wav")).exit_code == 0
    for name in "ab":
        np.testing.assert_allclose(found[name], streams()[name]["time_series"], rtol=1e-6, atol=1e-9)
    (folder / "sub-1.xdf").unlink()
    assert "both.wav has no channel 3, but 2" in run_import(raw, talkers=("a=both.wav:3", "b=2.wav")).stderr
    caplog.clear()
    run_import(raw, talkers=("a=both.wav", "b=2.wav"))
    assert re.search("both.wav: the mean of its 2 channels is used", caplog.text)
