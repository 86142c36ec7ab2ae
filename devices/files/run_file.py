"""Read and write runs: a continuous recording, what each talker said and who was attended, in one XDF file.

A run has an ``EEG`` stream as recorded; a ``Speech`` stream per talker, named after the talker, with the cochlear
envelope before any band-pass; and a marker stream with ``attend:NAME``, each valid until the next.
"""

from __future__ import annotations

import hashlib
import json
import logging
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files import xdf
from earmark.devices.files.recorded_run import RecordedRun, RunError, Signal, Trial, prepare
from earmark.devices.files.recording import Recording
from earmark.devices.files.sealed import Sealer, Soundness, seal_streams, seal_text, stretches
from earmark.devices.files.subjects import whose
from earmark.devices.sources.lsl_description import DTYPES, StreamDescription, StreamError, describe_xml, make_info
from earmark.pipeline.decoders.presets import Preset
from earmark.pipeline.run import Run
from earmark.pipeline.stream import StreamSpec

log = logging.getLogger(__name__)

ATTEND = "attend:"
#: Stream with the fingerprints of a run, see :mod:`earmark.devices.files.sealed`.
SEALS = "earmark-seals"
#: LSL content types of neural streams.
_NEURAL = ("EEG", "SEEG", "ECOG")


@dataclass(frozen=True, slots=True)
class Talker:
    """What one talker said.

    Attributes
    ----------
    name : str
        Name of the talker.
    envelope : array, shape (n_samples, n_features)
        One row per sample.
    sfreq : float
        Rate in Hz.
    start : float
        Start in seconds since the first neural sample.
    said : str
        Identity of what was said; by default, that of the envelope.
    """

    name: str
    envelope: NDArray[np.float64]
    sfreq: float
    start: float = 0.0
    said: str = ""

    @property
    def stimulus(self) -> str:
        """Identity of what was said, independent of its name."""
        if self.said:
            return self.said
        raw = np.ascontiguousarray(self.envelope, dtype="<f8").tobytes()
        return hashlib.blake2b(raw, digest_size=8).hexdigest()


def write_run(
    path: Path,
    recording: Recording,
    talkers: Sequence[Talker],
    attended: Sequence[tuple[float, str]],
    subject: str,
    origin: Mapping[str, str] | None = None,
) -> None:
    """Write a run.

    Parameters
    ----------
    path : Path
        File to create; it must not exist.
    recording : Recording
        The neural recording.
    talkers : sequence of Talker
        Two or more.
    attended : sequence of (float, str)
        Times in seconds from which each talker was attended; ``""`` for none.
    subject : str
        Identity of the listener.
    origin : dict of str to str, optional
        Where the run comes from, by key; :func:`read_origin` returns it.

    Raises
    ------
    RunError
        If talkers or events do not fit together, or the file exists.
    """
    names = [talker.name for talker in talkers]
    if len(names) < 2 or len(set(names)) < len(names):
        raise RunError(f"talkers are {names}, but must be two or more, each with a name of its own")
    shapes = {talker.name: (talker.sfreq, talker.envelope.shape[1]) for talker in talkers}
    if len(set(shapes.values())) > 1:
        each = ", ".join(f"{name} {n} at {hz:g} Hz" for name, (hz, n) in shapes.items())
        raise RunError(f"talkers must have the same number of features and one rate, but differ: {each}")
    for time, name in attended:
        if name not in ("", *names):
            raise RunError(f"attended at {time:g} s is {name!r}, but must be one of {', '.join(names)}")
    kind = next((k for k in ("eeg", "seeg", "ecog") if k in recording.spec.ch_types), "misc").upper()
    header = _described(make_info(recording.spec, kind, "run"), subject, origin)
    chunks = [xdf.file_header(), xdf.stream_header(1, header)]
    for number, talker in enumerate(talkers, 2):
        spec = feature_spec(talker.name, talker.sfreq, talker.envelope.shape[1])
        chunks.append(xdf.stream_header(number, make_info(spec, "Speech", talker.stimulus, "double64").as_xml()))
    attention = len(talkers) + 2
    marker = StreamSpec("attention", 0.0, ("talker",), ("misc",), ("",))
    chunks.append(xdf.stream_header(attention, make_info(marker, "Markers", "attention", "string").as_xml()))
    spec = StreamSpec(SEALS, 0.0, ("seal",), ("misc",), ("",))
    chunks.append(xdf.stream_header(attention + 1, make_info(spec, "Journal", SEALS, "string").as_xml()))
    try:
        with path.open("xb") as opened:
            file = _Sealing(opened, b"".join(chunks), attention + 1)
            for time, name in attended:
                file.write(xdf.text_sample(attention, time, [ATTEND + name]))
            file.seal()
            step = max(1, round(recording.spec.sfreq))
            for segment in recording.segments:
                for start in range(segment.start, segment.stop, step):
                    stop = min(start + step, segment.stop)
                    file.write(xdf.samples(1, recording.times(start, stop), recording.read(start, stop)))
                    file.seal()
            for number, talker in enumerate(talkers, 2):
                envelope, step = talker.envelope.astype(np.float64), max(1, round(talker.sfreq))
                stamps = talker.start + np.arange(len(envelope)) / talker.sfreq
                for begin in range(0, len(envelope), step):
                    file.write(xdf.samples(number, stamps[begin : begin + step], envelope[begin : begin + step]))
                    file.seal()
    except FileExistsError:
        raise RunError(f"{path} exists already, and runs are never overwritten") from None
    except OSError as error:
        path.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error.strerror}") from None


class _Sealing:
    """Write a run with the fingerprints that reveal damage."""

    def __init__(self, file: BinaryIO, headers: bytes, number: int) -> None:
        self._file, self._sealer, self._number = file, Sealer(headers), number
        file.write(headers)

    def write(self, chunk: bytes) -> None:
        self._sealer.add(chunk)
        self._file.write(chunk)

    def seal(self) -> None:
        self.write(xdf.boundary())
        seal = xdf.text_sample(self._number, 0.0, [json.dumps(self._sealer.seal({}))])
        self.write(seal)
        self._sealer.begin()


def feature_spec(name: str, sfreq: float, n_features: int) -> StreamSpec:
    """Describe a talker's speech features."""
    labels = tuple(f"band{i + 1}" for i in range(n_features)) if n_features > 1 else ("envelope",)
    return StreamSpec(name, sfreq, labels, ("misc",) * n_features, ("",) * n_features)


def _described(info: Any, subject: str, origin: Mapping[str, str] | None) -> str:
    info.desc().append_child("subject").append_child_value("id", subject)
    if origin:
        said = info.desc().append_child("origin")
        for key, value in origin.items():
            said.append_child_value(key, "".join(c for c in value if c.isprintable()))
    return str(info.as_xml())


def read_origin(path: Path) -> dict[str, str]:
    """Return where a run comes from, as it was given to :func:`write_run`; nothing if nothing was given.

    Raises
    ------
    RunError
        If the file is not a run.
    """
    try:
        headers = [chunk for chunk in xdf.read_headers(path) if chunk.tag == xdf.STREAM_HEADER]
        roots = [ET.fromstring(describe_xml(one.content.decode("utf-8", "replace")).xml) for one in headers]  # noqa: S314 - expat bounds entity expansion
    except (xdf.XdfError, StreamError) as error:
        raise RunError(f"{path} is not a run: {error}") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    return {one.tag: one.text or "" for root in roots for one in root.findall("desc/origin/*")}


def read_run(path: Path, preset: Preset) -> Run:
    """Read a run with the same nodes that a live session uses.

    Parameters
    ----------
    path : Path
        File written by :func:`write_run`.
    preset : Preset
        See :func:`earmark.pipeline.attention.decoding_graph.decoding_graph`.

    Returns
    -------
    Run

    Raises
    ------
    RunError
        If the file is not a run, or the preset does not fit its rate or channels.
    """
    neural, talkers, attended = _streams(path)
    root = ET.fromstring(neural.description.xml)  # noqa: S314 - expat bounds entity expansion
    subject = root.findtext("desc/subject/id") or whose(path)[0]
    names = tuple(stream.description.spec.name for stream in talkers)
    stimuli = tuple(stream.description.source_id for stream in talkers)
    whole = Trial(path.stem, -np.inf, np.inf, names, stimuli, tuple(attended))
    signals = [Signal(s.description.spec, s.stamps, _rows(s.data)) for s in (neural, *talkers)]
    return prepare(RecordedRun(str(path), subject, signals[0], tuple(signals[1:]), (whole,)), preset)[0]


def _rows(data: NDArray[Any]) -> Callable[[int, int], NDArray[Any]]:
    return lambda start, stop: data[start:stop]


@dataclass(slots=True)
class _Stream:
    description: StreamDescription
    stamps: NDArray[np.float64]
    data: NDArray[Any]


def _streams(path: Path) -> tuple[_Stream, list[_Stream], list[tuple[float, str]]]:
    descriptions: dict[int, StreamDescription] = {}
    contents: dict[int, list[bytes]] = {}
    found: dict[int, list[tuple[NDArray[np.float64], NDArray[Any]]]] = {}
    attended: list[tuple[float, str]] = []
    try:
        for chunk in _chunks(path):
            if chunk.tag == xdf.STREAM_HEADER:
                descriptions[chunk.stream_id] = describe_xml(chunk.content.decode("utf-8", "replace"))
            elif chunk.tag == xdf.SAMPLES and chunk.stream_id in descriptions:
                contents.setdefault(chunk.stream_id, []).append(chunk.content)
        # Checked first: files of other recorders leave out stamps, which is not damage.
        kinds = [descriptions[i].type for i in contents]
        _check_kinds(path, sum(kind in _NEURAL for kind in kinds), kinds.count("Speech"))
        for i, parts in contents.items():
            description = descriptions[i]
            dtype = DTYPES[description.format]
            if dtype is not None:
                found[i] = [xdf.parse_samples(part, dtype, description.spec.n_channels) for part in parts]
            elif description.spec.name == "attention":
                for part in parts:
                    time, (value,) = xdf.parse_text(part, 1)
                    if value.startswith(ATTEND):
                        attended.append((time, value.removeprefix(ATTEND)))
    except (xdf.XdfError, StreamError) as error:
        words = str(error).replace(f"{path} is", "it is")
        raise RunError(f"{path} is not a run: {words}. Make one with 'earmark import'") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    streams = [
        _Stream(descriptions[i], np.concatenate([s for s, _ in parts]), np.concatenate([d for _, d in parts]))
        for i, parts in found.items()
    ]
    (neural,) = [s for s in streams if s.description.type in _NEURAL]
    talkers = [s for s in streams if s.description.type == "Speech"]
    shapes = {(s.description.spec.sfreq, s.description.spec.n_channels) for s in talkers}
    if len(shapes) > 1:
        raise RunError(f"{path}: talkers differ in rate or number of features: {sorted(shapes)}")
    return neural, talkers, attended


def _chunks(path: Path) -> Iterator[xdf.Chunk]:
    """Yield the intact chunks of a run, as far as that can be checked; log the damaged ones.

    Raises
    ------
    RunError
        If the damage may have removed information on who was attended.
    """
    seals = seal_streams(path)
    n_samples = 0
    for stretch in stretches(path, partial(seal_text, seals)):
        if stretch.found is Soundness.DAMAGED:
            words = f"{path} is damaged: bytes {stretch.start} to {stretch.stop}: {stretch.why}"
            if not n_samples:
                raise RunError(f"{words}, in the record of who was attended")
            log.warning("%s; left out", words)
        keep = stretch.found is not Soundness.DAMAGED or not seals
        for chunk in stretch.chunks if keep else ():
            n_samples += chunk.tag == xdf.SAMPLES
            yield chunk


def _check_kinds(path: Path, n_neural: int, n_talkers: int) -> None:
    if n_neural != 1 or n_talkers < 2:
        raise RunError(
            f"{path} is not a run: {n_neural} neural streams and {n_talkers} talkers, but must be 1 and at least 2. "
            "Make one with 'earmark import'"
        )
