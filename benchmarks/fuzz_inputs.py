"""Small valid files of every kind that a command reads, as inputs of :mod:`benchmarks.fuzz`."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import edfio
import mne
import numpy as np
import pybv
import soundfile

from benchmarks.sessions import CONFIG, SFREQ, slow, write_session
from earmark.app.commands.import_run import import_run
from earmark.app.commands.train import train
from earmark.devices.files import xdf

SECONDS = 20
#: A graph with nodes of most kinds, with their settings.
GRAPH = """
[streams.eeg]
type = "EEG"
unit = "uV"
sfreq = 128.0
n_channels = 4

[streams.markers]
type = "Markers"

[engine]
resolve_s = 1.0
max_lag_s = 1.0
budget_s = 0.1

[[nodes]]
type = "pick"
input = "eeg"
types = ["eeg"]

[[nodes]]
type = "reblock"
hop_s = 0.02

[[nodes]]
type = "quality"

[[nodes]]
type = "notch"
line_hz = 50.0

[[nodes]]
type = "bandpass"
low_hz = 1.0
high_hz = 9.0

[[nodes]]
type = "reference"
kind = "average"

[[nodes]]
type = "resample"
sfreq = 64.0

[[nodes]]
type = "epochs"
inputs = ["reference", "markers"]
tmin = -0.2
tmax = 0.8

[[outputs]]
node = "resample"
publish = "eeg-clean"
"""
NAMES = tuple(f"E{i}" for i in range(4))


def _eeg(seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    n = round(SECONDS * SFREQ)
    x = rng.normal(0, 10, (n, len(NAMES))) + rng.normal(0, 20, (n, 1))
    x[:, 0] += 20 * slow(seed, SECONDS, SFREQ)
    return x


def labrecorder(path: Path) -> None:
    """Write an XDF file like LabRecorder: omitted stamps, clock offsets, markers of two kinds, footers."""
    labels = "".join(f"<channel><label>{n}</label><unit>microvolts</unit><type>EEG</type></channel>" for n in NAMES)
    heads = (
        ("Amp", "EEG", len(NAMES), SFREQ, "float32", f"<channels>{labels}</channels>"),
        ("Keys", "Markers", 1, 0.0, "string", ""),
        ("Codes", "Markers", 1, 0.0, "int32", ""),
    )
    out = [xdf.file_header()]
    for number, (name, kind, n, rate, fmt, desc) in enumerate(heads, 1):
        info = (
            f'<?xml version="1.0"?><info><name>{name}</name><type>{kind}</type><channel_count>{n}</channel_count>'
            f"<channel_format>{fmt}</channel_format><source_id>{name}-1</source_id><nominal_srate>{rate}</nominal_srate>"
            f"<version>1.1</version><uid>{uuid.UUID(int=number)}</uid><hostname>PC</hostname><desc>{desc}</desc></info>"
        )
        out.append(xdf.stream_header(number, info))
    x = _eeg().astype("<f4")
    step = round(SFREQ)
    for at in range(0, len(x), step):
        rows = [struct.pack("<Bd", 8, 50 + at / SFREQ) + x[at].tobytes()]
        rows += [b"\0" + row.tobytes() for row in x[at + 1 : at + step]]
        out.append(xdf.chunk(xdf.SAMPLES, struct.pack("<IBB", 1, 1, len(rows)) + b"".join(rows)))
        out.append(xdf.text_sample(2, 50 + at / SFREQ, [f"key {at}"]))
        out.append(xdf.samples(3, np.array([50 + at / SFREQ]), np.array([[at]], "<i4")))
        if at % (5 * step) == 0:
            out += [xdf.clock_offset(k, 50 + at / SFREQ, 1e-3) for k in (1, 2, 3)]
            out.append(xdf.boundary())
    out += [xdf.stream_footer(k, 50.0, 50.0 + SECONDS, n) for k, n in ((1, len(x)), (2, SECONDS), (3, SECONDS))]
    path.write_bytes(b"".join(out))


def edf(path: Path, bdf: bool = False) -> None:
    """Write an EDF+ or BDF file with an annotation each second."""
    x = _eeg(1)[:, : len(NAMES)].T
    if bdf:
        signals: Sequence[Any] = [
            edfio.BdfSignal(row, SFREQ, label=name, physical_dimension="uV", physical_range=(-500, 500))
            for name, row in zip(NAMES, x.clip(-499, 499), strict=True)
        ]
        edfio.Bdf(signals).write(path)
        return
    signals = [
        edfio.EdfSignal(row, SFREQ, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for name, row in zip(NAMES, x.clip(-499, 499), strict=True)
    ]
    notes = [edfio.EdfAnnotation(k, None, f"second {k}") for k in range(SECONDS)]
    edfio.Edf(signals, annotations=notes).write(path)


def brainvision(path: Path) -> None:
    """Write a BrainVision header, markers and data."""
    pybv.write_brainvision(
        data=_eeg(2).T * 1e-6,
        sfreq=SFREQ,
        ch_names=list(NAMES),
        fname_base=path.stem,
        folder_out=str(path.parent),
        events=[{"onset": 128 * k, "duration": 1, "type": "Stimulus", "description": k + 1} for k in range(SECONDS)],
        unit="µV",
        overwrite=True,
    )


def fif(path: Path) -> None:
    """Write a FIF file with annotations."""
    raw = mne.io.RawArray(_eeg(3).T * 1e-6, mne.create_info(list(NAMES), SFREQ, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations([1.0, 2.0], 0.0, ["one", "two"]))
    raw.save(path, verbose="ERROR", overwrite=True)


def make_inputs(folder: Path) -> None:
    """Write one file of each kind: ``study/`` (calibration, run, decoder), ``eeg/``, ``heard/``, ``session.toml``."""
    study, eeg, heard = folder / "study", folder / "eeg", folder / "heard"
    for place in (study, eeg, heard):
        place.mkdir(parents=True)
    trials = (("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0))
    write_session(study / "calibration-1.xdf", trials)
    train([study / "calibration-1.xdf"], study / "decoder")
    write_session(study / "run-1" / "loop.xdf", (("Joe", 5.0), ("Ada", 5.0)), seed=3, decoder=study / "decoder")
    labrecorder(eeg / "amp.xdf")
    edf(eeg / "amp.edf")
    edf(eeg / "amp.bdf", bdf=True)
    brainvision(eeg / "amp.vhdr")
    fif(eeg / "amp_raw.fif")
    for k, name in enumerate(("a", "b")):
        np.savez(heard / f"{name}.npz", envelope=np.abs(slow(k, SECONDS, 64.0)), sfreq=64.0)
        sound = np.random.default_rng(k).normal(0, 0.1, 8000 * SECONDS)
        soundfile.write(heard / f"{name}.wav", sound, 8000)
        soundfile.write(heard / f"{name}.flac", sound, 8000)
    (heard / "attended.csv").write_text("0,a\n5,b\n12.5,a\n", encoding="utf-8")
    talkers = [f"{name}={heard / f'{name}.npz'}" for name in ("a", "b")]
    import_run(eeg / "amp.edf", study / "imported.xdf", talkers, attended="a", subject="x")
    (folder / "session.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "graph.toml").write_text(GRAPH, encoding="utf-8")
