"""Fuzz the commands that read files: ``python -m benchmarks.fuzz --seconds 120 --seed 0``.

Valid files of every kind are corrupted at random, in their bytes and in their contents, and given to replay, report,
train, evaluate, stream, import and describe, in processes with limits of time and memory. Journals and headers of
recordings are sealed again, so that checksums match. Faults are tracebacks, processes that died, exceeded limits, and
control characters or forged lines that reach the terminal. Exit status 1 if there was a fault. A seed reproduces the
files.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import logging
import multiprocessing as mp
import random
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, unescape

import numpy as np
import psutil
import typer

import earmark.app.terminal.console as app_console
import earmark.devices.simulate.player
from benchmarks.fuzz_inputs import make_inputs
from earmark.app.command_line import app
from earmark.app.replay.player import RecordingPlayer
from earmark.app.terminal.warned import forward_warnings
from earmark.devices.files import xdf
from earmark.devices.files.sealed import Sealer

#: Limits of CPU time (s), wall time (s) and memory (bytes) of a command: many times the need of a valid file, so that
#: they hold on a busy machine.
LIMIT_S, WAIT_S, LIMIT_BYTES = 60.0, 900.0, 6 << 30
#: Never written to a terminal: control characters except line breaks and tabs, C1 controls, and direction marks.
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: A line that starts as in one of :data:`WORDS`.
FORGED = re.compile(r"^ALARM: b", re.MULTILINE)
NUMBERS = ["0", "-1", "1", "2", "7", "nan", "inf", "-inf", "1e22", "1e308", "-1e308", "1e-300", "4294967296", "0.001"]
WORDS = ["", "E0[/x]", "[bold]x", "\x1b[31mred", "a\nALARM: b", "\u202eright", "\x9b2J", "x" * 5000, "../../etc", "a/b"]
VALUES: list[Any] = [None, True, False, 0, -1, 2**60, 1e22, float("nan"), float("inf"), "", [], {}, [[]], *WORDS]


# Corrupting files


def spoil_bytes(raw: bytes, rng: random.Random) -> bytes:
    """Flip, overwrite, remove, repeat or truncate bytes."""
    out = bytearray(raw)
    for _ in range(rng.choice([1, 1, 2, 5])):
        if not out:
            break
        at = rng.randrange(len(out))
        n = min(rng.choice([1, 2, 4, 8, 64, 1000]), len(out) - at)
        match rng.randrange(6):
            case 0:
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                out[at : at + n] = rng.randbytes(n)
            case 2:
                out[at : at + n] = rng.choice([b"\0", b"\xff", b"\x7f", b"0", b"9"]) * n
            case 3:
                del out[at : at + n]
            case 4:
                out[at:at] = out[at : at + n] * rng.choice([1, 3])
            case 5:
                del out[at:]
    return bytes(out)


def spoil_head(raw: bytes, rng: random.Random) -> bytes:
    """Apply :func:`spoil_bytes` to the beginning of a file, where headers are."""
    n = min(len(raw), rng.choice([64, 512, 4096]))
    return spoil_bytes(raw[:n], rng) + raw[n:]


def spoil_text(text: str, rng: random.Random) -> str:
    """Replace numbers and words by others."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        found = list(re.finditer(r"-?\d+(\.\d+)?|[A-Za-z][A-Za-z0-9_.-]+", text))
        if not found:
            return text
        one = rng.choice(found)
        if one[0][:1] in "-0123456789" and rng.random() < 0.9:
            new = rng.choice(NUMBERS)
        elif rng.random() < 0.6:  # passes the parser and reaches deeper code
            new = rng.choice(found)[0]
        else:
            new = rng.choice(WORDS)
        text = text[: one.start()] + new + text[one.end() :]
    return text


def spoil_json(value: Any, rng: random.Random) -> Any:
    """Change, add or remove a random value or key."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        match rng.randrange(8):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {**value, rng.choice(WORDS): value[key]}
        return {**value, key: spoil_json(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        match rng.randrange(6):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return [*value, value[at]]
        return [*value[:at], spoil_json(value[at], rng), *value[at + 1 :]]
    if isinstance(value, str) and value and rng.random() < 0.7:
        return spoil_text(value, rng)
    if isinstance(value, (int, float)) and rng.random() < 0.5:
        return rng.choice([-value, value + 1, value * 1000, value / 3])
    return rng.choice(VALUES)


def resealed(path: Path, change: Callable[[xdf.Chunk], bytes], target: Path) -> None:
    """Write a recorded session with changed chunks and matching checksums.

    Parameters
    ----------
    path, target : Path
        File to read, and file to write.
    change : callable
        Returns the bytes to write for a chunk; not called for seals.
    """
    out = xdf.MAGIC
    sealer: Sealer | None = None
    for chunk in xdf.read_chunks(path):
        seal: dict[str, Any] = {}
        if chunk.tag == xdf.SAMPLES and b'{"file": "' in chunk.content:
            stamp, (line,) = xdf.parse_text(chunk.content, 1)
            seal = json.loads(line)
        if not seal:
            raw = change(chunk)
            if sealer is None and chunk.tag not in (xdf.FILE_HEADER, xdf.STREAM_HEADER):
                sealer = Sealer(out)
            if sealer is not None:
                sealer.add(raw)
            out += raw
            continue
        sealer = sealer or Sealer(out)
        made = sealer.seal(seal.get("from", {}))
        raw = xdf.text_sample(chunk.stream_id, stamp, [json.dumps({key: made[key] for key in seal})])
        sealer.add(raw)
        sealer.begin()
        out += raw
    target.write_bytes(out)


def spoil_recording(path: Path, rng: random.Random, target: Path) -> None:
    """Change the header, a stream header or journal lines of a recording, and seal it again."""
    chunks = list(xdf.read_chunks(path))
    lines = [c.start for c in chunks if c.tag == xdf.SAMPLES and c.content[:1] == b"\1" and b'{"' in c.content[:40]]
    heads = [c.start for c in chunks if c.tag == xdf.STREAM_HEADER]
    others = [c.start for c in chunks if c.tag in (xdf.SAMPLES, xdf.STREAM_FOOTER, xdf.CLOCK_OFFSET)]
    chosen = set(rng.sample(lines, rng.choice([1, 1, 3])))
    if rng.random() < 0.5:
        chosen = {rng.choice(heads if rng.random() < 0.8 else others)}

    def change(chunk: xdf.Chunk) -> bytes:
        if chunk.start not in chosen:
            return chunk.raw
        if rng.random() < 0.1:
            return rng.choice([b"", chunk.raw * 2])
        if chunk.tag == xdf.STREAM_HEADER:
            return xdf.stream_header(chunk.stream_id, _spoil_header(chunk.content.decode(), rng))
        if chunk.start in lines:
            stamp, (line,) = xdf.parse_text(chunk.content, 1)
            spoilt = json.dumps(spoil_json(json.loads(line), rng))
            return xdf.text_sample(chunk.stream_id, rng.choice([stamp, stamp, stamp, float("nan")]), [spoilt])
        return xdf.chunk(
            chunk.tag, chunk.raw[-len(chunk.content) - 4 : -len(chunk.content)] + spoil_bytes(chunk.content, rng)
        )

    resealed(path, change, target)


def _spoil_header(xml: str, rng: random.Random) -> str:
    start, stop = xml.find("<earmark>"), xml.find("</earmark>")
    if start < 0:
        if rng.random() < 0.1:
            return xml.replace("<desc>", "<desc>" + "<a>" * 20_000)
        if rng.random() < 0.2:
            return spoil_text(xml, rng)
        values = list(re.finditer(r">([^<>]+)<", xml))
        one = rng.choice(values)
        new = rng.choice([*NUMBERS, *WORDS, *(value[1] for value in values)])
        return xml[: one.start(1)] + escape(re.sub(r"[\x00-\x08\x0b-\x1f]", "", new)) + xml[one.end(1) :]
    about = json.loads(unescape(xml[start + len("<earmark>") : stop], {"&quot;": '"'}))
    return xml[:start] + "<earmark>" + escape(json.dumps(spoil_json(about, rng))) + xml[stop:]


def spoil_decoder(folder: Path, rng: random.Random) -> None:
    """Change a decoder's text or weights, with a matching checksum."""
    text, weights = folder / "decoder.toml", folder / "weights.safetensors"
    raw = weights.read_bytes()
    if rng.random() < 0.3:
        changed = spoil_head(raw, rng) if rng.random() < 0.7 else spoil_bytes(raw, rng)
        weights.write_bytes(changed)
        content = text.read_text().replace(hashlib.sha256(raw).hexdigest(), hashlib.sha256(changed).hexdigest())
    else:
        content = spoil_text(text.read_text(), rng)
        content = re.sub(r"weights_sha256 = .*", f'weights_sha256 = "{hashlib.sha256(raw).hexdigest()}"', content)
    text.write_text(content, encoding="utf-8")


# Jobs: each writes a corrupted file into a folder, and returns a command that reads it.


def _replayed(inputs: Path, folder: Path, rng: random.Random) -> list[str]:
    shutil.copytree(inputs / "study", folder / "study")
    run = folder / "study" / "run-1" / "loop.xdf"
    match rng.randrange(10):
        case 0:
            run.write_bytes(spoil_bytes(run.read_bytes(), rng))
        case 1:
            spoil_decoder(run.with_suffix(".decoder"), rng)
            sha = hashlib.sha256(
                b"".join(
                    (run.with_suffix(".decoder") / n).read_bytes() for n in ("decoder.toml", "weights.safetensors")
                )
            )
            old = re.compile(rb'("sha256": ?"|&quot;sha256&quot;: ?&quot;|"sha256":")[0-9a-f]{64}')
            digest = sha.hexdigest().encode()
            resealed(
                run,
                lambda c: (
                    xdf.chunk(
                        c.tag,
                        c.raw[-len(c.content) - 4 : -len(c.content)] + old.sub(lambda m: m[1] + digest, c.content),
                    )
                    if c.tag == xdf.STREAM_HEADER
                    else c.raw
                ),
                run,
            )
        case _:
            spoil_recording(run, rng, run)
    return rng.choice([["replay", str(run), "--verify"], ["replay", str(run), "--out", str(folder / "o.npz")],
                       ["report", str(run.parent)], ["watch", str(run)]])  # fmt: skip


def _trained(inputs: Path, folder: Path, rng: random.Random) -> list[str]:
    shutil.copytree(inputs / "study", folder / "study")
    study = folder / "study"
    session, run = study / "calibration-1.xdf", study / "imported.xdf"
    match rng.randrange(6):
        case 0:
            session.write_bytes(spoil_bytes(session.read_bytes(), rng))
        case 1 | 2:
            spoil_recording(session, rng, session)
        case 3:
            run.write_bytes(spoil_bytes(run.read_bytes(), rng))
        case 4:
            run.write_bytes(spoil_head(run.read_bytes(), rng))
        case 5:
            spoil_decoder(study / "decoder", rng)
            return ["evaluate", str(run), "--decoder", str(study / "decoder"), "--window", "1"]
    chosen = [str(session)] if session.stat().st_size and rng.random() < 0.5 else [str(study)]
    return rng.choice([["train", *chosen, "--out", str(folder / "dec")], ["evaluate", *chosen, "--window", "1"]])


def _imported(inputs: Path, folder: Path, rng: random.Random) -> list[str]:
    shutil.copytree(inputs / "eeg", folder / "eeg")
    path = folder / "eeg" / rng.choice(["amp.xdf", "amp.xdf", "amp.edf", "amp.bdf", "amp.vhdr", "amp_raw.fif"])
    spoilt = path
    if path.suffix == ".vhdr":
        spoilt = path.with_suffix(rng.choice([".vhdr", ".vhdr", ".vmrk", ".eeg"]))
    raw = spoilt.read_bytes()
    if spoilt.suffix in (".vhdr", ".vmrk") and rng.random() < 0.7:
        spoilt.write_text(spoil_text(raw.decode(), rng), encoding="utf-8")
    elif spoilt.suffix == ".xdf" and rng.random() < 0.5:
        chunks = list(xdf.read_chunks(path))
        chosen = rng.choice([c.start for c in chunks if c.tag in (xdf.STREAM_HEADER, xdf.STREAM_FOOTER)])
        path.write_bytes(
            xdf.MAGIC
            + b"".join(
                xdf.chunk(c.tag, c.stream_id.to_bytes(4, "little") + _spoil_header(c.content.decode(), rng).encode())
                if c.start == chosen
                else c.raw
                for c in chunks
            )
        )
    elif spoilt.suffix in (".edf", ".bdf") and rng.random() < 0.5:
        spoilt.write_bytes(
            spoil_text(raw[:2048].decode("latin-1"), rng)[:2048].encode("latin-1", "replace") + raw[2048:]
        )
    else:
        spoilt.write_bytes(rng.choice([spoil_bytes, spoil_head])(raw, rng))
    heard = [one for name in "ab" for one in ("--talker", f"{name}={inputs / 'heard' / name}.npz")]
    if rng.random() < 0.5:
        return ["stream", str(path)]
    return ["import", str(path), *heard, "--attended", "a", "--out", str(folder / "r.xdf")]


def _heard(inputs: Path, folder: Path, rng: random.Random) -> list[str]:
    shutil.copytree(inputs / "heard", folder / "heard")
    kind = rng.choice(["npz", "npz", "wav", "flac", "csv"])
    spoilt = folder / "heard" / ("attended.csv" if kind == "csv" else f"a.{kind}")
    raw = spoilt.read_bytes()
    if kind == "csv":
        spoilt.write_text(spoil_text(raw.decode(), rng), encoding="utf-8")
    elif kind == "npz" and rng.random() < 0.6:
        _spoil_npz(spoilt, rng)
    else:
        spoilt.write_bytes(rng.choice([spoil_bytes, spoil_head])(raw, rng))
    talker = "npz" if kind == "csv" else kind
    heard = [one for name in "ab" for one in ("--talker", f"{name}={folder / 'heard' / name}.{talker}")]
    events = ["--attended-events", str(folder / "heard" / "attended.csv")]
    return ["import", str(inputs / "eeg" / "amp.edf"), *heard, *events, "--out", str(folder / "r.xdf")]


def _spoil_npz(path: Path, rng: random.Random) -> None:
    arrays: dict[str, Any] = dict(np.load(path))
    odd = [
        np.array(["x"]), np.array("text"), np.array(0.0), np.array([[1.0]]), np.zeros((3, 0)), np.zeros((2, 2, 2)),
        np.array([1 + 2j]), np.array([np.nan, 1.0]), np.array([1e300] * 40), np.array(1e22), np.array(-1.0),
        np.array(np.inf), np.array([64.0, 64.0]), np.array([], float), np.array(["2020-01-01"], "datetime64[D]"),
        np.zeros(4, [("a", "f8")]), np.array([True, False]), np.zeros((100, 5000)),
    ]  # fmt: skip
    arrays[rng.choice(["envelope", "sfreq"])] = rng.choice(odd)
    np.savez(path, **arrays)


def _described(inputs: Path, folder: Path, rng: random.Random) -> list[str]:
    path = folder / "session.toml"
    healthy = inputs / rng.choice(["session.toml", "graph.toml", "graph.toml"])
    path.write_text(spoil_text(healthy.read_text(encoding="utf-8"), rng), encoding="utf-8")
    return ["describe", str(path), "--recording", str(inputs / "eeg" / "amp.edf"), "--wait", "0.1"]


JOBS: tuple[Callable[[Path, Path, random.Random], list[str]], ...] = (
    _replayed, _replayed, _replayed, _trained, _trained, _imported, _imported, _heard, _described,
)  # fmt: skip


def make(inputs: Path, folder: Path, seed: int, number: int) -> list[str]:
    """Write the corrupted file with the given number into a folder, and return the command that reads it."""
    rng = random.Random(f"{seed} {number}")  # noqa: S311 - not security-relevant
    return JOBS[number % len(JOBS)](inputs, folder, rng)


# Running the commands in worker processes


@dataclass
class Outcome:
    """Result of one command; ``fault`` describes a fault, or is empty."""

    number: int
    command: list[str]
    status: int
    fault: str
    output: str


class _Silent:
    """Replaces the player of ``earmark stream``: reads the whole recording, and sends nothing."""

    def __init__(self, recording: Any, speed: float, **_: Any) -> None:
        self.name, self.type, self.source_id, self.marker_name = recording.spec.name, "EEG", "x", "x"
        step = max(1, int(recording.spec.sfreq))
        for segment in recording.segments:
            for at in range(segment.start, segment.stop, step):
                recording.read(at, min(at + step, segment.stop))

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    has_consumer = True

    def play(self, *_: Any) -> None:
        """Do nothing."""


def _do(command: list[str]) -> int:
    try:
        if command[0] != "watch":
            return int(app(command, prog_name="earmark", standalone_mode=False) or 0)
        with app_console.failures():
            RecordingPlayer(Path(command[1]), lambda text, at: app_console.print_event(text))
    except typer.Exit as ended:
        return int(ended.exit_code)
    return 0


def _work(pipe: Connection) -> None:
    earmark.devices.simulate.player.Player = _Silent  # type: ignore[assignment,misc]
    forward_warnings(app_console.warn)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    while (job := pipe.recv()) is not None:
        number, command = job
        output = io.StringIO()
        fault, status = "", -1
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(output)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            app_console.console.file = app_console._errors.file = output
            try:
                status = _do(command)
            except BaseException as error:  # noqa: BLE001 - any exception is a fault
                if type(error).__module__.startswith("click") or type(error).__name__ == "UsageError":
                    status = 2
                else:
                    where = traceback.extract_tb(error.__traceback__)[-6:]
                    place = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(where))
                    fault = f"{type(error).__name__}: {str(error)[:200]} at {place}"
        words = output.getvalue()
        if not fault and "Traceback (most recent call last)" in words:
            fault = f"a traceback in the log: {words.strip().splitlines()[-1]}"
        if not fault and (bad := FORBIDDEN.search(words) or FORGED.search(words)):
            fault = f"{bad[0]!r} reaches the terminal: {words[max(0, bad.start() - 60) : bad.start() + 20]!r}"
        pipe.send(Outcome(number, command, status, fault, words[-2000:]))


class _Worker:
    """A process that runs one command after another, and is replaced when it exceeds a limit."""

    def __init__(self) -> None:
        self.pipe, theirs = mp.get_context("spawn").Pipe()
        self._process = mp.get_context("spawn").Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.job: tuple[int, list[str]] | None = None
        self.folder: Path | None = None
        self.since = self._at = 0.0

    def begin(self, number: int, command: list[str], folder: Path) -> None:
        self.job, self.folder, self.since, self._at = (number, command), folder, time.monotonic(), self._computed()
        self.pipe.send(self.job)

    def _computed(self) -> float:
        """Return the CPU time of the process in s; if it has died, that at the start of the job."""
        try:
            used = psutil.Process(self._process.pid).cpu_times()
        except psutil.NoSuchProcess:
            return self._at
        return float(used.user + used.system)

    def late(self) -> str:
        """Return the time limit that was exceeded, or an empty string."""
        if self._computed() - self._at > LIMIT_S:
            return f"{LIMIT_S:g} s of CPU time"
        return f"{WAIT_S:g} s" if time.monotonic() - self.since > WAIT_S else ""

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def fuzz(seconds: float, seed: int, workers: int = 2, first: int = 0, most: int | None = None) -> Iterator[Outcome]:
    """Corrupt files and run commands on them, up to a time or a number of files; yield the outcome of each."""
    with tempfile.TemporaryDirectory(prefix="earmark-fuzz-") as place:
        inputs = Path(place) / "inputs"
        with contextlib.redirect_stdout(io.StringIO()):
            make_inputs(inputs)
        team = [_Worker() for _ in range(workers)]
        number, stop = first, time.monotonic() + seconds
        try:
            while True:
                for k, worker in enumerate(team):
                    if worker.job is not None and (late := worker.late()):
                        job, fault = worker.job, f"did not end within {late}"
                        worker.end()
                        yield Outcome(*job, -1, fault, "")
                        shutil.rmtree(worker.folder or "", ignore_errors=True)
                        team[k] = _Worker()
                for worker in team:
                    more = time.monotonic() < stop and (most is None or number < first + most)
                    if worker.job is None and more:
                        folder = Path(place) / f"n{number}"
                        folder.mkdir()
                        worker.begin(number, make(inputs, folder, seed, number), folder)
                        number += 1
                busy = [worker for worker in team if worker.job is not None]
                if not busy:
                    return
                for pipe in wait([worker.pipe for worker in busy], timeout=0.5):
                    worker = next(one for one in busy if one.pipe is pipe)
                    try:
                        found = worker.pipe.recv()
                    except (EOFError, ConnectionResetError):
                        assert worker.job is not None
                        found = Outcome(*worker.job, -1, "the process died", "")
                        worker.end()
                        team[team.index(worker)] = _Worker()
                    shutil.rmtree(worker.folder or "", ignore_errors=True)
                    worker.job = None
                    yield found
        finally:
            for worker in team:
                worker.end()


def main() -> None:
    """Fuzz, and print each fault and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--most", type=int, help="largest number of files")
    parser.add_argument("--show", action="store_true", help="print the output of each command")
    parser.add_argument("--keep", type=Path, help="only write the file --first into this folder, and print its command")
    asked = parser.parse_args()
    if asked.keep is not None:
        make_inputs(asked.keep / "inputs")
        (asked.keep / "case").mkdir()
        print(*make(asked.keep / "inputs", asked.keep / "case", asked.seed, asked.first))
        return
    faults, by_command, status = Counter[str](), Counter[str](), Counter[int]()
    for found in fuzz(asked.seconds, asked.seed, asked.workers, asked.first, asked.most):
        by_command[found.command[0]] += 1
        status[found.status] += 1
        if asked.show:
            print(
                found.number,
                found.command[0],
                found.status,
                found.output.strip()[-300:].encode("ascii", "backslashreplace").decode(),
            )
        if found.fault:
            faults[re.sub(r"\d{3,}|0x\w+", "N", found.fault.split(" at ")[-1])] += 1
            print(f"{found.number} {' '.join(found.command)[:150]}: {found.fault!r}", flush=True)
    print(f"{sum(by_command.values())} files: {dict(by_command)}; exit statuses {dict(status)}")
    print(f"{sum(faults.values())} faults of {len(faults)} kinds")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
