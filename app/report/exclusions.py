"""The file in the folder of a study that excludes runs, with the reasons. No recording is changed or deleted."""

from __future__ import annotations

import os
from pathlib import Path

import tomlkit

from earmark.app.config.toml_file import ConfigError, parse, read_text

#: Name of the file: path of a run or folder, from the folder of the study = reason.
EXCLUDED = "excluded.toml"


def exclusions(folder: Path) -> dict[str, str]:
    """Return the excluded paths and the reasons.

    Raises
    ------
    ConfigError
        If the file cannot be read, or gives no reason.
    """
    file = folder / EXCLUDED
    if not file.exists():
        return {}
    found = parse(read_text(file), str(file))
    for path, reason in found.items():
        if not isinstance(reason, str) or not reason.strip():
            raise ConfigError(f'{file}: {path!r} needs a reason, in quotes: "alice/run-2" = "fell asleep"')
    return {path: reason.strip() for path, reason in found.items()}


def exclude(folder: Path, run: str, reason: str) -> None:
    """Exclude a run, given by its path from the folder of the study; comments of the file are kept.

    Raises
    ------
    ConfigError
        If the file has mistakes; it is not changed then.
    OSError
        If it cannot be written.
    """
    exclusions(folder)
    file = folder / EXCLUDED
    text = read_text(file).rstrip() if file.exists() else ""
    document = tomlkit.parse(f"{text}\n" if text else "")
    document[run] = reason
    _write(file, tomlkit.dumps(document))


def include(folder: Path, run: str) -> None:
    """Include a run again.

    Raises
    ------
    ConfigError
        If the file has mistakes, or excludes the run together with others.
    OSError
        If the file cannot be written.
    """
    file = folder / EXCLUDED
    if run not in exclusions(folder):
        raise ConfigError(f"{run} is excluded together with other runs, by a folder in {file}: edit that file")
    document = tomlkit.parse(read_text(file))
    document.remove(run)
    _write(file, tomlkit.dumps(document))


def _write(file: Path, text: str) -> None:
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.write_text(text, encoding="utf-8")
    new.replace(file)
