"""FIF files: trigger channels become markers, channels marked as bad become NaN."""

from __future__ import annotations

import mne
import numpy as np
import pytest

from earmark.devices.files.recordings import open_recording


def write(path, stim, *, bads=(), notes=(), n=2000, first_samp=0):
    """Two electrodes and trigger channels, ``stim`` their codes by name; 200 Hz."""
    names = ["Fz", "Cz", *stim]
    info = mne.create_info(names, 200.0, ["eeg", "eeg"] + ["stim"] * len(stim))
    data = np.random.default_rng(0).normal(size=(len(names), n)) * 1e-5
    data[2:] = 0
    for row, codes in zip(data[2:], stim.values(), strict=True):
        for start, stop, value in codes:
            row[start:stop] = value
    raw = mne.io.RawArray(data, info, first_samp=first_samp, verbose="ERROR")
    raw.info["bads"] = list(bads)
    for onset, text in notes:
        raw.annotations.append(raw.first_time + onset, 0, text)
    raw.save(path, verbose="ERROR")
    return data


@pytest.mark.parametrize("first_samp", [0, 500])
def test_codes_become_markers_where_mne_finds_events(tmp_path, caplog, first_samp):
    codes = [(200, 210, 1), (400, 401, 255), (600, 700, 2), (650, 700, 6)]
    path = tmp_path / "x_raw.fif"
    write(path, {"STI 014": codes}, first_samp=first_samp)
    recording = open_recording(path)
    events = mne.find_events(
        mne.io.read_raw_fif(path, verbose="ERROR"), shortest_event=1, consecutive=True, verbose="ERROR"
    )
    wanted = [((at - first_samp) / 200, str(value)) for at, _, value in events]
    assert len(wanted) == 4
    assert recording.annotations == [(pytest.approx(t), text) for t, text in wanted]
    assert recording.spec.ch_types[-1] == "misc"
    assert "4 codes on trigger channel 'STI 014' are markers" in caplog.text


def test_combined_trigger_channel_is_used_alone(tmp_path):
    one, both = [(200, 210, 5)], [(200, 210, 1), (400, 410, 65535)]
    write(tmp_path / "x_raw.fif", {"STI001": one, "STI 014": one, "STI101": both})
    assert [text for _, text in open_recording(tmp_path / "x_raw.fif").annotations] == ["1", "65535"]
    write(tmp_path / "y_raw.fif", {"STI001": one, "STI002": [(300, 310, 5)]})
    assert open_recording(tmp_path / "y_raw.fif").annotations == [(1.0, "STI001/5"), (1.5, "STI002/5")]


def test_codes_stored_as_signed_16_bit_numbers_are_read(tmp_path):
    write(tmp_path / "x_raw.fif", {"STI 014": [(200, 210, -32768), (400, 410, -1)]})
    assert [text for _, text in open_recording(tmp_path / "x_raw.fif").annotations] == ["32768", "65535"]


def test_annotations_are_not_listed_twice(tmp_path):
    codes = [(200, 210, 1), (400, 410, 2)]
    write(tmp_path / "x_raw.fif", {"STI 014": codes}, notes=[(1.0, "tone"), (2.0, "bad blink")])
    assert open_recording(tmp_path / "x_raw.fif").annotations == [(1.0, "tone"), (2.0, "2"), (2.0, "bad blink")]


def test_bad_channels_are_nan_and_logged(tmp_path, caplog):
    path = tmp_path / "x_raw.fif"
    data = write(path, {"STI 014": []}, bads=["Cz"])
    got = open_recording(path).read(10, 500)
    assert np.isnan(got[:, 1]).all()
    np.testing.assert_allclose(got[:, 0], data[0, 10:500] * 1e6, rtol=1e-5)
    assert "bad channels, by the file: Cz" in caplog.text
