"""A session's configuration with other settings of attention, as a recording has to tell it."""

from __future__ import annotations

import json
import re
import tomllib

from app.config import Config, ConfigError, parse_config


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
