"""Changes of a session's configuration for a calibration or a run, and names of its files."""

from __future__ import annotations

import dataclasses
from collections.abc import MutableMapping, Sequence
from pathlib import Path

import tomlkit

from earmark.app.config.session import Config, ConfigError, parse_config

#: Name of the folder of the decoder that a session trains.
DECODER = "decoder"


def deciding(config: Config, out: Path, sham: bool) -> Config:
    """Return the configuration of a run, with the decoder that ``config`` names or else the one in ``out``.

    Raises
    ------
    ConfigError
        If there is no decoder.
    """
    found = config.decoder or out / DECODER
    if not found.is_dir():
        raise ConfigError(f"there is no decoder in {found}: 'earmark calibrate' trains one")
    changes: dict[str, str | bool | None] = {"sham": sham}
    if config.decoder is not None:
        return with_attention(config, changes)
    changes[DECODER] = DECODER
    if config.attention is not None and config.attention.fallback:  # relative to the configuration
        changes["fallback"] = str((config.folder / config.attention.fallback).resolve())
    return with_attention(dataclasses.replace(config, folder=out), changes)


def free(folder: Path, pattern: str) -> Path:
    """Return the first path of a numbered pattern that does not exist."""
    number = 1
    while (folder / pattern.format(number)).exists():
        number += 1
    return folder / pattern.format(number)


def with_bads(config: Config, stream: str, bads: Sequence[str]) -> Config:
    """Change the bad channels of a stream, also in the file of the configuration if it has one.

    Raises
    ------
    ConfigError
        If the file has changed since it was read.
    OSError
        If the file cannot be written.
    """
    document = tomlkit.parse(config.text)
    table = document["streams"][stream]  # type: ignore[index]
    assert isinstance(table, MutableMapping)
    table.pop("bads", None)
    if bads:
        table["bads"] = list(bads)
    text = tomlkit.dumps(document)
    changed = parse_config(text, config.where or "the session", config.folder)
    file = Path(config.where)
    if config.where and file.is_file():
        if file.read_text(encoding="utf-8") != config.text:
            raise ConfigError(f"{file} was changed since this session was started: set 'bads' there and start again")
        fresh = file.with_name(f".{file.name}-new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)
    return changed


def with_attention(config: Config, changes: dict[str, str | bool | None]) -> Config:
    """Change keys of ``[attention]``, also in the text that is recorded; None removes a key.

    Raises
    ------
    ConfigError
        If a value cannot be used.
    """
    document = tomlkit.parse(config.text)
    table = document["attention"]
    assert isinstance(table, MutableMapping)  # a Config has been checked
    for key, value in changes.items():
        table.pop(key, None)
        if value is not None:
            table[key] = value
    return parse_config(tomlkit.dumps(document), config.where or "the session", config.folder)
