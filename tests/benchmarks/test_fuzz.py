"""A short fuzzing run of every command that reads files, and tests of the fuzzer."""

import importlib
import random
import shutil

import pytest

fuzz = importlib.import_module("benchmarks.fuzz")
inputs_of = importlib.import_module("benchmarks.fuzz_inputs")


def test_corrupted_files_cause_no_fault():
    found = list(fuzz.fuzz(600.0, seed=7, workers=2, most=3 * len(fuzz.JOBS)))
    assert len(found) == 3 * len(fuzz.JOBS)
    assert [(one.number, one.command[0], one.fault) for one in found if one.fault] == []
    assert {one.status for one in found} >= {0, 1}, "some files are read, some are refused"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "inputs"
    inputs_of.make_inputs(folder)
    return folder


def test_same_seed_gives_the_same_files(inputs, tmp_path):
    for number in range(2 * len(fuzz.JOBS)):
        made = []
        for _ in range(2):
            folder = tmp_path / "n"
            folder.mkdir()
            command = fuzz.make(inputs, folder, 3, number)
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            # An archive contains its time of writing.
            made.append((command, [path.read_bytes() for path in files if path.suffix != ".npz"]))
            shutil.rmtree(folder)
        assert made[0] == made[1]


def test_changed_recording_is_sealed_again(inputs, tmp_path):
    from earmark.devices.files.session_file import SessionFile

    run = inputs / "study" / "run-1" / "loop.xdf"
    fuzz.resealed(run, lambda chunk: chunk.raw, tmp_path / "same.xdf")
    assert (tmp_path / "same.xdf").read_bytes() == run.read_bytes()
    noted = b'"it is 1003 s"'
    fuzz.resealed(run, lambda chunk: chunk.raw.replace(noted, b'"it is 1999 s"'), tmp_path / "other.xdf")
    file = SessionFile(tmp_path / "other.xdf")
    assert any("it is 1999 s" in str(event) for event in file)
    assert not file.damage


def test_forbidden_characters_and_forged_lines_are_detected():
    for text in ("\x1b[31m", "\x9b", "a\u202eb", "\x07"):
        assert fuzz.FORBIDDEN.search(text)
    assert not fuzz.FORBIDDEN.search("Größe 5 µV\n\t…")
    assert fuzz.FORGED.search("said\nALARM: b")
    rng = random.Random(0)
    texts = {fuzz.spoil_text("sfreq = 128.0", rng) for _ in range(200)}
    assert {"sfreq = nan", "sfreq = 1e22", "sfreq = -1"} <= texts
