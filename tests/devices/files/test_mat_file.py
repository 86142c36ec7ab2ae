"""MATLAB and HDF5 files: one tree for all formats, bounds on what is read, and errors for damage."""

import os
import sys

import numpy as np
import pytest
from corpora_made import cell, dtu_data, dtu_table, kul_trial, struct_array, write_mat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from earmark.devices.files import mat_file, mat_table
from earmark.devices.files.mat_file import read_mat
from earmark.devices.files.mat_table import read_table
from earmark.devices.files.mat_tree import Node, listing
from earmark.devices.files.mat_v5 import Opaque
from earmark.devices.files.recording import RecordingError
from earmark.kernels.extras import MissingExtra


def the_extra():
    """Skip without the packages of the extra."""
    pytest.importorskip("matio", reason="needs the extra 'matlab': pip install 'earmark[matlab]'")
    return pytest.importorskip("h5py", reason="needs the extra 'matlab': pip install 'earmark[matlab]'")


def assert_same(found, wanted, where=""):
    assert type(found) is type(wanted), where
    if isinstance(wanted, dict):
        assert set(found) == set(wanted), where  # HDF5 sorts names
        for key in wanted:
            assert_same(found[key], wanted[key], f"{where}/{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), where
        for k, (one, other) in enumerate(zip(found, wanted, strict=True)):
            assert_same(one, other, f"{where}/{k}")
    elif isinstance(wanted, np.ndarray):
        assert found.dtype == wanted.dtype, where
        np.testing.assert_array_equal(found, wanted)
    else:
        assert found == wanted, where


NUMBERS = st_numpy.arrays(
    st.sampled_from([np.float64, np.float32, np.int16, np.uint8, np.int64, np.bool_, np.complex128]),
    st_numpy.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=4),
    elements={"allow_nan": False, "allow_infinity": False},
)
FIELD = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,8}", fullmatch=True)
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc", "Zs"]), max_size=8)
TREES = st.dictionaries(
    FIELD,
    st.recursive(
        NUMBERS | TEXT,
        lambda inner: st.dictionaries(FIELD, inner, min_size=1, max_size=3) | st.lists(inner, max_size=3),
        max_leaves=8,
    ),
    min_size=1,
    max_size=3,
)


def as_matlab(value):
    """Return a tree as SciPy writes it."""
    if isinstance(value, dict):
        return {key: as_matlab(one) for key, one in value.items()}
    return cell([as_matlab(one) for one in value]) if isinstance(value, list) else value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(tree=TREES, packed=st.booleans())
def test_what_was_written_is_read(tmp_path, tree, packed):
    path = tmp_path / "one.mat"
    assert_same(read_mat(write_mat(path, as_matlab(tree), "packed" if packed else "plain")), tree)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(tree=TREES)
def test_v73_gives_the_tree_of_v5(tmp_path, tree):
    the_extra()
    before = read_mat(write_mat(tmp_path / "one.mat", as_matlab(tree)))
    assert_same(read_mat(write_mat(tmp_path / "other.mat", as_matlab(tree), "v7.3")), before)


def test_both_corpora_have_one_tree_in_both_formats(tmp_path):
    the_extra()
    rows = [dict(zip(dtu_table(), row, strict=True)) for row in zip(*dtu_table().values(), strict=True)]
    content = {
        "trials": cell([kul_trial(1, seconds=2.0)]),
        "data": dtu_data(seconds=1.0),
        "expinfo": struct_array(rows),
    }
    before = read_mat(write_mat(tmp_path / "one.mat", content))
    assert_same(read_mat(write_mat(tmp_path / "other.mat", content, "v7.3")), before)
    assert len(before["expinfo"]) == 5
    assert before["trials"][0]["FileHeader"]["Channels"][0]["Label"] == "Fp1"


def test_a_file_in_the_layout_that_matlab_writes(tmp_path):
    """Reversed axes, texts as numbers, cells as references, marks for empty values, a block of 512 bytes before it."""
    h5py = the_extra()
    path = tmp_path / "one.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")

        def put(group, name, data, kind, **attrs):
            made = group.create_dataset(name, data=data)
            made.attrs["MATLAB_class"] = np.bytes_(kind)
            for key, value in attrs.items():
                made.attrs[key] = value
            return made

        put(file, "eeg", np.arange(6.0).reshape(3, 2), "double")
        put(file, "flag", np.array([[1]], np.uint8), "logical", MATLAB_int_decode=np.int32(1))
        word = np.array([[ord(c)] for c in "Fp1"], np.uint16)
        put(refs, "a", word, "char", MATLAB_int_decode=np.int32(2))
        put(refs, "b", np.zeros(2, np.uint64), "char", MATLAB_empty=np.uint8(1))
        names = file.create_dataset("names", (2, 1), h5py.ref_dtype)
        names[:, 0] = [refs["a"].ref, refs["b"].ref]
        names.attrs["MATLAB_class"] = np.bytes_("cell")
        rows = file.create_group("rows")
        rows.attrs["MATLAB_class"] = np.bytes_("struct")
        rows.create_dataset("Label", (2, 1), h5py.ref_dtype)[:, 0] = [refs["a"].ref, refs["a"].ref]
        table = put(file, "expinfo", np.zeros((1, 6), np.uint32), "table", MATLAB_object_decode=np.int32(3))
        assert table.shape == (1, 6)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    tree = read_mat(path)
    np.testing.assert_array_equal(tree["eeg"], [[0, 2, 4], [1, 3, 5]])
    assert tree["flag"].dtype == bool
    assert tree["names"] == ["Fp1", ""]
    assert tree["rows"] == [{"Label": "Fp1"}, {"Label": "Fp1"}]
    assert tree["expinfo"] == Opaque("table")
    assert read_mat(path, shapes_only=True)["eeg"].shape == (2, 3)


def test_hdf5_of_others_keeps_its_axes(tmp_path):
    h5py = the_extra()
    path = tmp_path / "one.h5"
    with h5py.File(path, "w") as file:
        file["recording/eeg"] = np.arange(6).reshape(3, 2)
        file["recording/names"] = ["Fp1", "Cz"]
        file["subject"] = "S3"
    tree = read_mat(path)
    assert tree["recording"]["eeg"].shape == (3, 2)
    assert tree["recording"]["names"] == ["Fp1", "Cz"]
    assert tree["subject"] == "S3"


def test_no_link_leads_out_of_the_file(tmp_path):
    h5py = the_extra()
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["key"] = np.arange(4)
    (tmp_path / "raw.bin").write_bytes(bytes(range(32)))
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file["link"] = h5py.ExternalLink("secret.h5", "key")
        file["loop"] = h5py.SoftLink("/")
        file.create_dataset("raw", (4,), "f8", external=[(str(tmp_path / "raw.bin"), 0, 32)])
        layout = h5py.VirtualLayout((4,), "i8")
        layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "key", (4,))
        file.create_virtual_dataset("virtual", layout)
    assert all(isinstance(value, Opaque) for value in read_mat(tmp_path / "one.h5").values())


def test_references_in_a_circle_end_in_an_error(tmp_path):
    h5py = the_extra()
    with h5py.File(tmp_path / "one.mat", "w") as file:
        around = file.create_dataset("around", (2,), h5py.ref_dtype)
        around[:] = [around.ref, around.ref]
    with pytest.raises(RecordingError, match="fields and cells"):
        read_mat(tmp_path / "one.mat")


@pytest.mark.parametrize("form", ["packed", "v7.3"])
def test_more_than_the_limit_is_refused_before_it_is_read(tmp_path, monkeypatch, form):
    if form == "v7.3":
        the_extra()
    path = write_mat(tmp_path / "one.mat", {"zeros": np.zeros((1000, 1000))}, form)
    monkeypatch.setattr(mat_file, "MAX_BYTES", 1 << 20)
    with pytest.raises(RecordingError, match="more than 0 GB: divide it"):
        read_mat(path)


def test_a_declared_size_does_not_allocate_memory(tmp_path):
    """A structure of two thousand million elements without fields, and an array as large, in a few bytes."""
    path = write_mat(tmp_path / "one.mat", {"x": np.zeros((2, 3))})
    raw = bytearray(path.read_bytes())
    at = raw.index((2).to_bytes(4, "little") + (3).to_bytes(4, "little"), 128)
    raw[at : at + 8] = (1 << 30).to_bytes(4, "little") * 2
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match="damaged or not in MAT format"):
        read_mat(path)


def write_form(path, form):
    content = {"trials": cell([kul_trial(1, seconds=2.0)]), "data": dtu_data(seconds=1.0)}
    if form == "table":
        import pandas

        content["expinfo"] = pandas.DataFrame(dtu_table())
    return write_mat(path, content, "v7" if form == "table" else form).read_bytes()


@pytest.mark.parametrize("form", ["plain", "packed", "v7.3", "table"])
def test_damaged_files_are_read_or_refused(tmp_path, form):
    if form in ("v7.3", "table"):
        the_extra()
    whole = write_form(tmp_path / "whole.mat", form)
    words, path = [], tmp_path / "one.mat"
    for seed in range(80):
        rng = np.random.default_rng(seed)
        raw = bytearray(whole)
        if seed % 4 == 0:
            raw = raw[: int(rng.integers(len(raw)))]
        elif seed % 4 == 1:
            for _ in range(int(rng.integers(1, 8))):
                raw[int(rng.integers(len(raw)))] ^= 1 << int(rng.integers(8))
        elif seed % 4 == 2:
            at = int(rng.integers(min(len(raw), 3000)))
            raw[at : at + int(rng.integers(1, 16))] = rng.bytes(8)
        else:
            at = int(rng.integers(128, len(raw) - 8))
            raw[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x01\x01\x01\x01"])
        path.write_bytes(raw)
        try:
            tree = read_mat(path)
            list(listing(tree))
            if isinstance(tree.get("expinfo"), Opaque):
                read_table(path, "expinfo")
        except RecordingError as error:
            words.append(str(error))
    assert len(words) > 20
    assert all(str(path) in one for one in words)


@pytest.mark.parametrize("content", [b"", b"x" * 200, b"MATLAB 5.0 MAT-file".ljust(126) + b"IM" + b"\0" * 7])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "one.mat"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="damaged or not in MAT format"):
        read_mat(path)
    with pytest.raises(RecordingError, match="no such file"):
        read_mat(tmp_path / "none.mat")
    with pytest.raises(RecordingError, match="it is a folder"):
        read_mat(tmp_path)


def test_a_table_gives_its_columns(tmp_path):
    the_extra()
    path = tmp_path / "one.mat"
    write_form(path, "table")
    assert read_mat(path)["expinfo"] == Opaque("table")
    columns = read_table(path, "expinfo")
    assert columns["attend_mf"] == [1.0, 2.0, 1.0, 2.0, 1.0]
    assert columns["wavfile_female"][1:3] == ["marianne_story1_trial_2.wav", ""]
    with pytest.raises(RecordingError, match="table2struct"):
        read_table(path, "data")


def crash(answer, file, name):
    os._exit(1)


def test_a_crash_while_a_table_is_read_ends_in_an_error(tmp_path, monkeypatch):
    the_extra()
    write_form(tmp_path / "one.mat", "table")
    monkeypatch.setattr(mat_table, "_send_table", crash)
    with pytest.raises(RecordingError, match=r"one\.mat: the table 'expinfo' cannot be read, because it is damaged"):
        read_table(tmp_path / "one.mat", "expinfo")


def test_without_the_extra_the_error_names_it(tmp_path, monkeypatch):
    the_extra()
    path = write_mat(tmp_path / "one.mat", {"x": 1.0}, "v7.3")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtra, match=r"one\.mat is an HDF5 file .* pip install '\.\[matlab\]'"):
        read_mat(path)


def test_places_are_found_and_errors_list_what_is_there():
    root = Node({"trials": [{"eeg": np.zeros((5, 2)), "names": ["a", "b"]}] * 2, "one": [["x"]]}, "S1.mat")
    assert root.at("trials/2/names/1").text() == "a"
    assert root.at("trials/eeg").where == "S1.mat/trials/eeg"
    assert root.at("one").texts() == ["x"]
    for place, words in (
        ("trail", "S1.mat has no 'trail': did you mean 'trials'"),
        ("trials/3", "S1.mat/trials has no element 3: it has 2"),
        ("trials/1/eeg/x", "S1.mat/trials/1/eeg has no 'x': it is an array of 5 x 2"),
    ):
        with pytest.raises(RecordingError, match=words):
            root.at(place)
    with pytest.raises(RecordingError, match=r"S1\.mat/trials/1/eeg is an array of 5 x 2 .* but must be a text"):
        root.at("trials/1/eeg").text()
