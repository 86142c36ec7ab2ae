"""One recording by every way in: are the runs equal?

::

    python -m benchmarks.ways_in [RECORDING_raw.fif] [--seconds 30]

The recording is written as FIF, XDF, EDF, BDF, BrainVision, and as a BIDS data set, each by the library that others
use for it; each file is imported, and FIF, EDF and XDF are also played by ``earmark stream`` over LSL, recorded live by
``earmark record``, and imported from there. What is compared is the run that ``earmark import`` writes, sample by
sample, with what was written into the files; and what training makes of it, with what it makes of the FIF file's.
Samples of EDF and BDF are rounded to steps of the file, which are given in the table. What is played while nobody
records yet is missing, at the beginning only.
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
#: Whose files are played over LSL.
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
    """What is written into every file.

    Attributes
    ----------
    names, types : list of str
        Of the channels.
    sfreq : float
        In Hz, a whole number.
    data : array, shape (n_samples, n_channels)
        In microvolts.
    """

    names: list[str]
    types: list[str]
    sfreq: float
    data: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Result:
    """How far one way leads from the source.

    Attributes
    ----------
    way : str
        Which.
    missing : int
        Samples of the source that are not in the run.
    stamps_ms : float
        Largest difference of a stamp, counted from the first sample there is.
    samples_uv, step_uv : float
        Largest difference of a sample, and the step by which the format rounds (0 for single precision).
    peak_uv : float
        Largest sample.
    markers_ms : float
        Largest difference of the time of a marker.
    prepared : float
        Largest difference of what training makes of the run from what it makes of the same samples in a FIF file, in
        parts of the largest number there.
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
    """Noise with the spectrum of EEG, on offsets as electrodes have them."""
    rng = np.random.default_rng(11)
    x = rng.normal(0, 1, (seconds * sfreq, n_channels)).cumsum(axis=0)
    x -= np.linspace(0, 1, len(x))[:, None] * x[-1]
    data = 0.7 * x + rng.normal(0, 4, x.shape) + rng.uniform(-500, 500, n_channels)
    names = [f"E{i + 1}" for i in range(n_channels - 1)] + ["VEOG"]
    return Source(names, ["eeg"] * (n_channels - 1) + ["eog"], float(sfreq), data)


def from_fif(path: Path, seconds: int) -> Source:
    """Take the beginning of a recording."""
    raw = mne.io.read_raw_fif(path, verbose="ERROR").crop(0, seconds, include_tmax=False)
    return Source(raw.ch_names, raw.get_channel_types(), float(raw.info["sfreq"]), raw.get_data().T * 1e6)


# -- files ----------------------------------------------------------------------------------------------------------


def write_fif(source: Source, path: Path, markers: Sequence[tuple[float, str]] = MARKERS) -> float:
    """Write single precision volts."""
    info = mne.create_info(source.names, source.sfreq, source.types)
    raw = mne.io.RawArray(source.data.T * 1e-6, info, verbose="ERROR")
    raw.set_annotations(mne.Annotations([t for t, _ in markers], 0, [text for _, text in markers]))
    raw.save(path, fmt="single", verbose="ERROR")
    return 0.0


def write_edf(source: Source, path: Path) -> float:
    """Write EDF+ or BDF+; return the coarsest step of a channel."""
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
    """Write single precision, in microvolts."""
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
    """Write what LabRecorder does: stamps of another clock, its measured offset, chunks of half a second."""
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
    """Write a data set with one BrainVision recording, whose tables lie at the root."""
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
    """Run a command, or end with what it said."""
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
    """Make a run of a file."""
    talkers = [word for name in TALKERS for word in ("--talker", f"{name}={name}.npz")]
    earmark(folder, "import", file, *talkers, "--attended", TALKERS[0], "--subject", "sub-01", "-o", run)
    return run


def record(folder: Path, file: Path) -> Path:
    """Play a file over LSL, and record it live."""
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
    """Seconds of a recording."""
    return open_recording(file).duration


# -- the comparison -------------------------------------------------------------------------------------------------


def reference(source: Source, folder: Path, first: int) -> Run:
    """What training makes of a FIF file with the samples from one on."""
    run = folder / f"from-{first}.run.xdf"
    if not run.exists():
        file = folder / f"from-{first}_raw.fif"
        write_fif(Source(source.names, source.types, source.sfreq, source.data[first:]), file, ())
        import_run(folder, file, run)
    return read_run(run, EEG)


def far_apart(found: Run, wanted: Run) -> float:
    """Largest difference of what decoders learn from, in parts of the largest number.

    A run begins with the first instant of which everything is known: where stamps differ by microseconds that may be
    the next one, for the neural side and the talkers alike.
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
    """Say how far a run, and the file that it was made of, are from their source."""
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
    # BrainVision has a type before the text.
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
    """Take every way in."""
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
    seconds: Annotated[int, typer.Option(help="How much of it.")] = 30,
    played: Annotated[str, typer.Option(help="Which files are played over LSL, at real time.")] = " ".join(PLAYED),
) -> None:
    """Print the table."""
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
