import contextlib

import numpy as np
import pytest
import pyxdf
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.devices.files import xdf
from earmark.devices.sources.lsl_description import DTYPES, make_info
from earmark.pipeline.stream import StreamSpec


def spec(name, n_channels, sfreq):
    names = tuple(f"E{i}" for i in range(n_channels))
    return StreamSpec(name, sfreq, names, ("eeg",) * n_channels, ("uV",) * n_channels)


def header(number, name, n_channels, sfreq, fmt):
    return xdf.stream_header(number, make_info(spec(name, n_channels, sfreq), "EEG", name, fmt).as_xml())


def load(path):
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    return {s["info"]["name"][0]: s for s in streams}


NUMBERS = {fmt: dtype for fmt, dtype in DTYPES.items() if dtype}


@given(
    st.sampled_from(sorted(NUMBERS)),
    st.integers(1, 70),
    st.lists(st.integers(1, 300), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_pyxdf_reads_every_number_format(tmp_path_factory, fmt, n_channels, sizes, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path_factory.mktemp("xdf") / "x.xdf"
    raw = [rng.integers(-120, 120, (n, n_channels)).astype(NUMBERS[fmt]) for n in sizes]
    stamps = [rng.uniform(0, 1e6, n) for n in sizes]
    with path.open("wb") as file:
        file.write(xdf.file_header() + header(1, "x", n_channels, 100.0, fmt))
        for data, times in zip(raw, stamps, strict=True):
            file.write(xdf.samples(1, times, data))
        file.write(xdf.boundary() + xdf.clock_offset(1, 1.0, 0.5) + xdf.stream_footer(1, 0.0, 1.0, sum(sizes)))
    stream = load(path)["x"]
    np.testing.assert_array_equal(stream["time_series"], np.concatenate(raw))
    np.testing.assert_array_equal(stream["time_stamps"], np.concatenate(stamps))
    assert stream["footer"]["info"]["sample_count"] == [str(sum(sizes))]
    assert stream["clock_times"] == [1.0]
    assert stream["clock_values"] == [0.5]
    # and our own reader, which keeps the order of chunks
    tags = [c.tag for c in xdf.read_chunks(path)]
    assert tags == [xdf.FILE_HEADER, xdf.STREAM_HEADER, *[xdf.SAMPLES] * len(sizes), xdf.BOUNDARY, 4, 6]
    mine = [
        xdf.parse_samples(c.content, NUMBERS[fmt], n_channels) for c in xdf.read_chunks(path) if c.tag == xdf.SAMPLES
    ]
    for (times, data), want, want_times in zip(mine, raw, stamps, strict=True):
        np.testing.assert_array_equal(data, want)
        np.testing.assert_array_equal(times, want_times)


@given(st.lists(st.lists(st.text(max_size=400), min_size=2, max_size=2), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_strings_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("xdf") / "x.xdf"
    with path.open("wb") as file:
        file.write(xdf.file_header() + header(1, "m", 2, 0.0, "string"))
        for k, row in enumerate(rows):
            file.write(xdf.text_sample(1, k + 0.25, row))
    assert load(path)["m"]["time_series"] == rows
    parsed = [xdf.parse_text(c.content, 2) for c in xdf.read_chunks(path) if c.tag == xdf.SAMPLES]
    assert parsed == [(k + 0.25, row) for k, row in enumerate(rows)]


def written(path):
    data = np.arange(40, dtype=np.float32).reshape(10, 4)
    with path.open("wb") as file:
        file.write(xdf.file_header() + header(1, "x", 4, 100.0, "float32"))
        for k in range(5):
            file.write(xdf.samples(1, k + np.arange(10) / 100, data + k))
    return path


def test_a_file_cut_anywhere_reads_up_to_the_last_whole_chunk(tmp_path):
    whole = written(tmp_path / "whole.xdf").read_bytes()
    counts = []
    for size in range(4, len(whole) + 1, 7):
        cut = tmp_path / "cut.xdf"
        cut.write_bytes(whole[:size])
        counts.append(sum(c.tag == xdf.SAMPLES for c in xdf.read_chunks(cut)))
    assert counts == sorted(counts)
    assert counts[-1] >= 4


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damage_is_refused_or_skipped(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("xdf")
    raw = bytearray(written(folder / "x.xdf").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (folder / "x.xdf").write_bytes(raw)
    with contextlib.suppress(xdf.XdfError):  # anything else fails the test
        for chunk in xdf.read_chunks(folder / "x.xdf"):
            if chunk.tag == xdf.SAMPLES and chunk.stream_id == 1:
                _, values = xdf.parse_samples(chunk.content, "<f4", 4)
                assert values.shape[1] == 4


def test_files_that_are_not_xdf_are_refused(tmp_path):
    path = tmp_path / "x.xdf"
    path.write_bytes(b"RIFF....")
    with pytest.raises(xdf.XdfError, match="not an XDF file"):
        list(xdf.read_chunks(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x01\x01\x08" + bytes(8) + b"\x01\x02\xff\xfe", "it is not UTF-8"),
        (b"\x01\x01\x08" + bytes(3), "it is longer than its chunk"),
    ],
)
def test_a_damaged_sample_of_text_is_an_error_in_plain_words(content, words):
    with pytest.raises(xdf.XdfError, match=f"^a sample of strings is damaged: {words}$"):
        xdf.parse_text(content, 1)
