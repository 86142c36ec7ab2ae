"""Checks of TOML files before imports that take seconds."""

from __future__ import annotations

from pathlib import Path

from earmark.app.config.toml_file import ConfigError, parse, read_text
from earmark.app.terminal.console import fail


def must_be_toml(*paths: Path) -> None:
    """End the command unless these files can be read and contain TOML."""
    for path in paths:
        try:
            parse(read_text(path), str(path))
        except ConfigError as error:
            fail(str(error))
