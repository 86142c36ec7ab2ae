"""Reading of TOML files, with clear errors, without imports that take seconds."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from earmark.devices.files import regular_file
from earmark.kernels.errors import EarmarkError

#: Name of the protocol file, which lies beside the session file.
PROTOCOL = "protocol.toml"


class ConfigError(EarmarkError, ValueError):
    """Raised when a configuration cannot be used; the message says where, what was found and what is expected."""


def read_text(path: Path) -> str:
    """Return the text of a file of settings.

    Raises
    ------
    ConfigError
        If it does not exist or cannot be read.
    """
    if path.is_dir():
        inside = sorted(path.glob("*.toml"), key=lambda one: (one.name != "session.toml", one.name))
        raise ConfigError(
            f"{path} is a folder, not a file: name {f'the file in it, {inside[0]}' if inside else 'a file'}"
        )
    try:
        return regular_file.read_text(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; 'earmark new' writes one") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} cannot be read: it is not UTF-8 ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def parse(text: str, where: str) -> dict[str, Any]:
    """Return the tables of a text; ``where`` is the origin that errors name.

    Raises
    ------
    ConfigError
        If it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where} is not valid TOML: {error}") from None
