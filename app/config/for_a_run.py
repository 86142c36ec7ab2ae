"""What a session calibrates and runs by: its configuration with other settings of attention, and names of files."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path

from earmark.app.config.session import Config, ConfigError, parse_config

#: Name of the folder of a session's own decoder.
DECODER = "decoder"


def deciding(config: Config, out: Path, sham: bool) -> Config:
    """Return the configuration of a run, by the decoder that is named there or else the one that ``out`` has.

    Raises
    ------
    ConfigError
        If there is no decoder.
    """
    found = config.decoder or out / DECODER
    if not found.is_dir():
        raise ConfigError(f"there is no decoder in {found}: 'earmark calibrate' makes one")
    changes: dict[str, str | bool | None] = {"sham": sham}
    if config.decoder is not None:
        return with_attention(config, changes)
    changes[DECODER] = DECODER
    if config.attention is not None and config.attention.fallback:  # which lies where the configuration does
        changes["fallback"] = str((config.folder / config.attention.fallback).resolve())
    return with_attention(dataclasses.replace(config, folder=out), changes)


def free(folder: Path, pattern: str) -> Path:
    """Return the first name of a pattern that is not taken."""
    number = 1
    while (folder / pattern.format(number)).exists():
        number += 1
    return folder / pattern.format(number)


def with_attention(config: Config, changes: dict[str, str | bool | None]) -> Config:
    """Change keys of [attention], also in the text that goes into the recording; None leaves a key out.

    Raises
    ------
    ConfigError
        If the table is written in a way in which that cannot be done.
    """
    wanted = tomllib.loads(config.text)
    table = {key: value for key, value in wanted["attention"].items() if key not in changes}
    wanted["attention"] = table | {key: value for key, value in changes.items() if value is not None}
    lines, inside = [], False
    for line in config.text.splitlines():
        if header := re.match(r"\s*\[", line):
            inside = re.match(r"\s*\[\s*attention\s*\]", line) is not None
        if inside and re.match(rf"\s*({'|'.join(changes)})\s*=", line):
            continue
        lines.append(line)
        if inside and header:
            lines += [f"{key} = {json.dumps(value)}" for key, value in changes.items() if value is not None]
    text = "\n".join(lines) + "\n"
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        found = {}
    if found != wanted:
        raise ConfigError(f"[attention] must be a table of its own, with {' and '.join(changes)} in a line each")
    return parse_config(text, "the session", config.folder)
