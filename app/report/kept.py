"""Figures of a run, kept beside its recording, and computed again only if the recording or the rules changed.

The file is ignored unless its version, its checksum, and the fingerprints of the recording and of the rules are as
expected: figures that are damaged or were edited are never shown.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from earmark.app.engine.events_file import events_file, parts
from earmark.app.report.read_session import session_figures
from earmark.app.report.worker import figures_json
from earmark.devices.files.decoder_folder import load_decoder
from earmark.devices.files.regular_file import open_regular

log = logging.getLogger(__name__)

#: Version of the file, and its maximum size in bytes.
VERSION, MAX_BYTES = 1, 1 << 24
#: Figures by instant: a file that keeps them would be as large as a report.
_SERIES = ("times", "probability", "gains", "cues")


def kept_file(recording: Path) -> Path:
    """Return the path of the file with the figures of a recording."""
    return recording.with_suffix(".figures.json")


def run_figures(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the figures of a run, kept or computed.

    Figures that cannot be kept, for example in a read-only folder, are computed again each time.

    Parameters
    ----------
    folder : Path
        Folder of the run, with ``loop.xdf`` and its decoder.

    Returns
    -------
    fingerprint : str
        That of the recording, see :func:`fingerprint`.
    figures : dict
        As :func:`earmark.app.report.worker.figures_json` returns them, without those by instant.

    Raises
    ------
    OSError, earmark.kernels.errors.EarmarkError
        If the run cannot be replayed, or has no decision.
    """
    recording = folder / "loop.xdf"
    of, figures = kept_figures(folder)
    if figures is None:
        decoder, facts = load_decoder(recording.with_suffix(".decoder"))
        all_figures = figures_json(session_figures(recording), facts, decoder.spec.window)
        figures = {name: value for name, value in all_figures.items() if name not in _SERIES}
        _write(kept_file(recording), {**_key(of), "sha256": _checksum(figures), "figures": figures})
    return of, figures


def kept_figures(folder: Path) -> tuple[str, dict[str, Any] | None]:
    """Return the fingerprint of the recording of a run, and its figures if they are kept.

    Raises
    ------
    OSError
        If the recording cannot be read.
    """
    recording = folder / "loop.xdf"
    of = fingerprint(recording)
    return of, _read(kept_file(recording), _key(of))


def _key(of: str) -> dict[str, Any]:
    return {"version": VERSION, "recording": of, "rules": rules()}


def fingerprint(recording: Path) -> str:
    """Return the SHA-256 of everything that the figures of a run depend on: recording, events and decoders.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    copies = [recording.with_suffix(suffix) for suffix in (".decoder", ".fallback")]
    inside = sorted(file for copy in copies if copy.is_dir() for file in copy.iterdir())
    files = [*parts(recording), *(one for one in [events_file(recording)] if one.exists()), *inside]
    found = []
    for file in files:
        digest = hashlib.sha256()
        with open_regular(file) as content:
            while piece := content.read(1 << 20):
                digest.update(piece)
        found.append([file.relative_to(recording.parent).as_posix(), digest.hexdigest()])
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


@cache
def rules() -> str:
    """Return the SHA-256 of everything that computes figures: this program, numeric libraries, and parts of others."""
    house = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for folder in ("app", "devices", "kernels", "pipeline"):
        for file in sorted((house / folder).rglob("*.py")):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    packages = {
        (one.name, one.version)
        for one in metadata.distributions()
        if one.name in ("numpy", "scipy", "numba")
        or any(part.group.startswith("earmark.") for part in one.entry_points)
    }
    digest.update(json.dumps(sorted(packages)).encode())
    return digest.hexdigest()


def _checksum(figures: object) -> str:
    return hashlib.sha256(json.dumps(figures, sort_keys=True).encode()).hexdigest()


def _read(path: Path, key: dict[str, Any]) -> dict[str, Any] | None:
    """Return the kept figures; None if there are none, or others than those of ``key``."""
    try:
        with open_regular(path, MAX_BYTES) as file:
            found = json.loads(file.read())
        figures: dict[str, Any] = found["figures"]
        same = found == {**key, "sha256": _checksum(figures), "figures": figures}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        log.info("%s is computed again: %s", path, error)
        return None
    return figures if same else None


def _write(path: Path, content: dict[str, Any]) -> None:
    try:
        handle, fresh = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
            Path(fresh).replace(path)
        finally:
            Path(fresh).unlink(missing_ok=True)
    except OSError as error:
        log.info("%s cannot be written (%s): these figures are computed again next time", path, error.strerror)
