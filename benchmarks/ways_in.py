"""Import one recording through every input path, and compare the resulting runs.

::

    python -m benchmarks.ways_in [RECORDING_raw.fif] [--seconds 30]

The recording is written as FIF, XDF, EDF, BDF, BrainVision, and as a BIDS data set, each by the usual library for it.
Each file is imported; FIF, EDF and XDF are also played by ``earmark stream`` over LSL, recorded live by ``earmark
record``, and imported from there. The run that ``earmark import`` writes is compared with the source sample by sample,
and its signals as prepared for training are compared with those of the FIF file. EDF and BDF round samples to the
steps in the table. Samples that were played before the recording started are missing, at the beginning only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import edfio
import mne
import numpy as np
import pybv
import pyxdf
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from earmark.devices.files import xdf
from earmark.devices.files.bids import read_bids
from earmark.devices.files.recordings import open_recording
from earmark.devices.files.run_file import read_run
from earmark.devices.sources.lsl_description import make_info
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.run import Run
from earmark.pipeline.stream import StreamSpec

ROOT = Path(__file__).parents[1]
MARKERS = ((2.0, "begin"), (4.5, "tone"), (11.5, "tone"))
TALKERS, TALKER_HZ = ("her", "him"), 64.0
#: Formats whose files are played over LSL.
PLAYED = ("fif", "edf", "xdf")

SESSION = """
[streams.eeg]
source_id = "{source_id}"
[streams.markers]
source_id = "{source_id}-markers"
[[nodes]]
type = "pick"
input = "eeg"
types = ["eeg"]
[[nodes]]
type = "reblock"
hop_s = 0.05
[[nodes]]
type = "epochs"
inputs = ["reblock", "markers"]
tmin = -0.1
tmax = 0.3
"""


@dataclass(frozen=True, slots=True)
class Source:
    """Signal that is written into every file.

    Attributes
    ----------
    names, types : list of str
        Names and types of the channels.
    sfreq : float
        Sampling rate in Hz, a whole number.
    data : array, shape (n_samples, n_channels)
        Samples in microvolts.
    """

    names: list[str]
    types: list[str]
    sfreq: float
    data: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Result:
    """Difference between the source and the run from one input path.

    Attributes
    ----------
    way : str
        Name of the input path.
    missing : int
        Number of source samples that are not in the run.
    stamps_ms : float
        Largest error of a time stamp, relative to the first sample, ms.
    samples_uv, step_uv : float
        Largest error of a sample, and rounding step of the format (0 for single precision), µV.
    peak_uv : float
        Largest absolute sample of the source, µV.
    markers_ms : float
        Largest error of a marker's time, ms.
    prepared : float
        Largest difference of the signals prepared for training from those of a FIF file with the same samples, relative
        to the largest of the latter.
    """

    way: str
    missing: int
    stamps_ms: float
    samples_uv: float
    step_uv: float
    peak_uv: float
    markers_ms: float
    prepared: float


def simulated(seconds: int, n_channels: int = 16, sfreq: int = 250) -> Source:
    """Simulate noise with the spectrum of EEG, with electrode offsets."""
    rng = np.random.default_rng(11)
    x = rng.normal(0, 1, (seconds * sfreq, n_channels)).cumsum(axis=0)
    x -= np.linspace(0, 1, len(x))[:, None] * x[-1]
    data = 0.7 * x + rng.normal(0, 4, x.shape) + rng.uniform(-500, 500, n_channels)
    names = [f"E{i + 1}" for i in range(n_channels - 1)] + ["VEOG"]
    return Source(names, ["eeg"] * (n_channels - 1) + ["eog"], float(sfreq), data)


def from_fif(path: Path, seconds: int) -> Source:
    """Read the beginning of a recording."""
    raw = mne.io.read_raw_fif(path, verbose="ERROR").crop(0, seconds, include_tmax=False)
    return Source(raw.ch_names, raw.get_channel_types(), float(raw.info["sfreq"]), raw.get_data().T * 1e6)


# -- files ----------------------------------------------------------------------------------------------------------


def write_fif(source: Source, path: Path, markers: Sequence[tuple[float, str]] = MARKERS) -> float:
    """Write a FIF file, in volts of single precision; return 0, since it does not round."""
    info = mne.create_info(source.names, source.sfreq, source.types)
    raw = mne.io.RawArray(source.data.T * 1e-6, info, verbose="ERROR")
    raw.set_annotations(mne.Annotations([t for t, _ in markers], 0, [text for _, text in markers]))
    raw.save(path, fmt="single", verbose="ERROR")
    return 0.0


def write_edf(source: Source, path: Path) -> float:
    """Write EDF+ or BDF+; return the largest rounding step of a channel in µV."""
    kind, file, n_steps = (
        (edfio.BdfSignal, edfio.Bdf, 2**24 - 1) if path.suffix == ".bdf" else (edfio.EdfSignal, edfio.Edf, 2**16 - 1)
    )
    signals, step = [], 0.0
    for name, y in zip(source.names, source.data.T, strict=True):
        low, high = float(np.floor(y.min())), float(np.ceil(y.max()))
        signals.append(kind(y, source.sfreq, label=name, physical_dimension="uV", physical_range=(low, high)))
        step = max(step, (high - low) / n_steps)
    file(signals, annotations=[edfio.EdfAnnotation(t, None, text) for t, text in MARKERS]).write(path)
    return step


def write_brainvision(source: Source, path: Path) -> float:
    """Write BrainVision files, in microvolts of single precision; return 0, since they do not round."""
    events = [
        {"onset": round(t * source.sfreq), "duration": 1, "type": "Comment", "description": text} for t, text in MARKERS
    ]
    pybv.write_brainvision(
        data=source.data.T * 1e-6,
        sfreq=source.sfreq,
        ch_names=source.names,
        fname_base=path.stem,
        folder_out=path.parent,
        events=events,
        fmt="binary_float32",
        resolution=1.0,
        unit="\u00b5V",
    )
    return 0.0


def write_xdf(source: Source, path: Path) -> float:
    """Write XDF like LabRecorder: stamps of another clock, its measured offset, chunks of half a second."""
    spec = StreamSpec(
        "amp", source.sfreq, tuple(source.names), tuple(source.types), ("microvolts",) * len(source.names)
    )
    notes = StreamSpec("marks", 0.0, ("marks",), ("misc",), ("",))
    begin, offset, step = 5000.125, -1234.5, round(source.sfreq / 2)
    chunks = [
        xdf.file_header(),
        xdf.stream_header(1, make_info(spec, "EEG", "amp").as_xml()),
        xdf.stream_header(2, make_info(notes, "Markers", "marks", "string").as_xml()),
        *(xdf.clock_offset(number, begin, offset) for number in (1, 2)),
    ]
    for at in range(0, len(source.data), step):
        piece = source.data[at : at + step].astype(np.float32)
        chunks.append(xdf.samples(1, begin + (at + np.arange(len(piece))) / source.sfreq, piece))
    chunks += [xdf.text_sample(2, begin + t, [text]) for t, text in MARKERS]
    path.write_bytes(b"".join(chunks))
    return 0.0


def write_bids(source: Source, path: Path) -> float:
    """Write a BIDS data set with one BrainVision recording, with its tables at the root."""
    root = path.parents[2]
    path.parent.mkdir(parents=True)
    (root / "stimuli").mkdir()
    (root / "dataset_description.json").write_text(json.dumps({"Name": "ways in", "BIDSVersion": "1.9.0"}))
    rows = [f"{n}\t{t.upper()}\tuV\tgood" for n, t in zip(source.names, source.types, strict=True)]
    (root / "task-x_channels.tsv").write_text("\n".join(["name\ttype\tunits\tstatus", *rows]) + "\n")
    heard = [f"0\tn/a\t{name}.npz\t{name}\t{TALKERS[0]}\tn/a" for name in TALKERS]
    marks = [f"{t}\t0\tn/a\tn/a\tn/a\t{text}" for t, text in MARKERS]
    head = "onset\tduration\tstim_file\ttalker\tattended\ttrial_type"
    (root / "task-x_events.tsv").write_text("\n".join([head, *heard, *marks]) + "\n")
    for name in TALKERS:
        shutil.copy(root.parent / f"{name}.npz", root / "stimuli")
    return write_brainvision(source, path)


WRITERS = {
    "fif": (write_fif, "x_raw.fif"),
    "xdf": (write_xdf, "x.xdf"),
    "edf": (write_edf, "x.edf"),
    "bdf": (write_edf, "x.bdf"),
    "brainvision": (write_brainvision, "x.vhdr"),
    "bids": (write_bids, "data/sub-01/eeg/sub-01_task-x_eeg.vhdr"),
}


# -- the program ----------------------------------------------------------------------------------------------------


def earmark(folder: Path, *words: object) -> None:
    """Run a command; raise with its output if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "earmark.app.cli", *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"earmark {' '.join(map(str, words))} ended with {done.returncode}: {done.stdout}{done.stderr}"
        )


def import_run(folder: Path, file: Path, run: Path) -> Path:
    """Import a file as a run; return the path of the run."""
    talkers = [word for name in TALKERS for word in ("--talker", f"{name}={name}.npz")]
    earmark(folder, "import", file, *talkers, "--attended", TALKERS[0], "--subject", "sub-01", "-o", run)
    return run


def record(folder: Path, file: Path) -> Path:
    """Play a file over LSL and record it live; return the recording."""
    source_id = f"ways-{uuid.uuid4().hex}"
    (folder / f"{source_id}.toml").write_text(SESSION.format(source_id=source_id))
    command = [sys.executable, "-m", "earmark.app.cli", "stream", file, "--source-id", source_id, "--wait"]
    player = subprocess.Popen(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        seconds = len_s(file) + 3
        earmark(folder, "record", f"{source_id}.toml", "--out", source_id, "--seconds", seconds, "--quiet")
    finally:
        player.terminate()
        player.wait()
    return next((folder / source_id).glob("*.xdf"))


def len_s(file: Path) -> float:
    """Return the length of a recording in s."""
    return open_recording(file).duration


# -- the comparison -------------------------------------------------------------------------------------------------


def reference(source: Source, folder: Path, first: int) -> Run:
    """Return the run of a FIF file with the samples from ``first``, as prepared for training."""
    run = folder / f"from-{first}.run.xdf"
    if not run.exists():
        file = folder / f"from-{first}_raw.fif"
        write_fif(Source(source.names, source.types, source.sfreq, source.data[first:]), file, ())
        import_run(folder, file, run)
    return read_run(run, EEG)


def far_apart(found: Run, wanted: Run) -> float:
    """Return the largest difference of the signals prepared for training, relative to the largest value.

    A run begins at the first instant at which all signals are known: if stamps differ by microseconds, neural signal or
    talkers may begin one sample later.
    """
    if found.ch_names != wanted.ch_names:
        raise RuntimeError(f"channels are {found.ch_names}, but must be {wanted.ch_names}")
    n = min(len(found.neural), len(wanted.neural)) - 1
    far = []
    for a, b in ((0, 0), (0, 1), (1, 0)):
        pairs = (
            (found.neural[a : a + n], wanted.neural[b : b + n]),
            (found.talkers[:, a : a + n], wanted.talkers[:, b : b + n]),
        )
        far.append(max(float(np.abs(x - y).max() / np.abs(y).max()) for x, y in pairs))
    return min(far)


def compare(way: str, source: Source, file: Path, run: Path, step: float) -> Result:
    """Compare a run, and the file that it was made from, with their source."""
    streams, _ = pyxdf.load_xdf(str(run), synchronize_clocks=False, dejitter_timestamps=False)
    eeg = next(s for s in streams if s["info"]["type"][0] == "EEG")
    channels = eeg["info"]["desc"][0]["channels"][0]["channel"]
    names, kinds = ([c[key][0] for c in channels] for key in ("label", "type"))
    if names != source.names or [k.lower() for k in kinds] != source.types:
        raise RuntimeError(f"{way}: channels are {list(zip(names, kinds, strict=True))}")
    data, stamps = np.asarray(eeg["time_series"], float), np.asarray(eeg["time_stamps"])
    first = int(np.abs(source.data - data[0]).max(axis=1).argmin())
    wanted = source.data[first:]
    if len(data) > len(wanted):
        raise RuntimeError(f"{way}: {len(data)} samples, but {len(wanted)} were written")
    wanted = wanted[: len(data)]
    begin = first / source.sfreq
    # BrainVision adds a type before the text.
    found = [
        (begin + t, text) for t, text in open_recording(file).annotations if text.split("/")[-1] in ("begin", "tone")
    ]
    due = [(t, text) for t, text in MARKERS if t >= begin]
    if [text.split("/")[-1] for _, text in found] != [text for _, text in due]:
        raise RuntimeError(f"{way}: markers are {found}")
    return Result(
        way,
        len(source.data) - len(data),
        float(np.abs(stamps - stamps[0] - np.arange(len(data)) / source.sfreq).max() * 1e3),
        float(np.abs(data - wanted).max()),
        step,
        float(np.abs(source.data).max()),
        max(abs(t - d) for (t, _), (d, _) in zip(found, due, strict=True)) * 1e3,
        far_apart(read_run(run, EEG), reference(source, run.parent, first)),
    )


def measure(source: Source, folder: Path, played: tuple[str, ...] = PLAYED) -> list[Result]:
    """Measure every input path."""
    rng = np.random.default_rng(2)
    seconds = len(source.data) / source.sfreq
    for name in TALKERS:
        np.savez(folder / f"{name}.npz", envelope=np.abs(rng.normal(size=round(seconds * TALKER_HZ))), sfreq=TALKER_HZ)
    results: list[Result] = []
    for way, (write, name) in WRITERS.items():
        path = folder / name
        step = write(source, path)
        run = import_run(folder, path, folder / f"{way}.run.xdf")
        results.append(compare(f"{way}, imported", source, path, run, step))
        if way == "bids":
            (found,) = read_bids(path, EEG)
            apart = far_apart(found, reference(source, folder, 0))
            results.append(replace(results[-1], way="bids, read as a data set", prepared=apart))
        if way in played:
            session = record(folder, path)
            live = import_run(folder, session, folder / f"{way}.live.xdf")
            results.append(compare(f"{way}, played and recorded", source, session, live, step))
    return results


def main(
    recording: Annotated[Path | None, typer.Argument(help="A FIF file; simulated if not given.")] = None,
    seconds: Annotated[int, typer.Option(help="Length to read.")] = 30,
    played: Annotated[str, typer.Option(help="Formats to play over LSL, in real time.")] = " ".join(PLAYED),
) -> None:
    """Measure, and print a table."""
    source = from_fif(recording, seconds) if recording else simulated(seconds)
    with tempfile.TemporaryDirectory() as folder:
        results = measure(source, Path(folder), tuple(played.split()))
    table = Table(title=f"{len(source.names)} channels at {source.sfreq:g} Hz, {seconds} s")
    columns = ("way", "missing", "stamps, ms", "samples, µV", "step, µV", "markers, ms", "prepared")
    for column in columns:
        table.add_column(column, justify="left" if column == "way" else "right")
    for r in results:
        numbers = (
            f"{r.stamps_ms:.4f}",
            f"{r.samples_uv:.2g}",
            f"{r.step_uv:.2g}",
            f"{r.markers_ms:.3f}",
            f"{r.prepared:.1g}",
        )
        table.add_row(r.way, str(r.missing), *numbers)
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
