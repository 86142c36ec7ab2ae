"""Calibrated levels of sound outputs, as read from a sound level meter and stored per device."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
import tempfile
from pathlib import Path

from earmark.devices.audio.scene import AudioError


def levels_file() -> Path:
    """Return the file of levels, in the user's configuration folder."""
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    else:
        base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "earmark" / "levels.json"


def read_levels() -> dict[str, float]:
    """Return the level of a full-scale square wave by device, dB SPL; empty if none was measured.

    Raises
    ------
    AudioError
        If the file is damaged.
    """
    path = levels_file()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise AudioError(f"{path} cannot be read: {error}; remove it and run 'earmark level' again") from None
    if not isinstance(found, dict) or not all(
        isinstance(v, float | int) and not isinstance(v, bool) and math.isfinite(v) for v in found.values()
    ):
        raise AudioError(f"{path} is damaged: it must map devices to dB SPL; remove it and run 'earmark level' again")
    return {str(device): float(level) for device, level in found.items()}


def store_level(device: str, full_scale_spl: float) -> Path:
    """Store the level of a device; return the file.

    Raises
    ------
    AudioError
        If it cannot be written.
    """
    path, levels = levels_file(), {**read_levels(), device: full_scale_spl}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            json.dump(levels, file, indent=1)
        os.replace(file.name, path)
    except OSError as error:
        raise AudioError(f"{path} cannot be written: {error.strerror}") from None
    return path


def cap_dbfs(device: str, max_spl: float) -> float:
    """Return the cap in dBFS at which a device cannot be louder than ``max_spl``.

    A signal whose samples stay below a cap cannot have a higher RMS, so its level stays below ``max_spl``.

    Raises
    ------
    AudioError
        If the level of the device is not known.
    """
    levels = read_levels()
    if device not in levels:
        if device == "null" or device.startswith("file:"):
            raise AudioError(f"max_spl needs a sound output, but device is {device!r}: name another, or remove max_spl")
        known = f"known are {', '.join(map(repr, levels))}" if levels else "none is known"
        raise AudioError(
            f"max_spl needs the level of the sound output {device!r}, but {known}. With a sound level meter, run: "
            f"earmark level {shlex.quote(device)}"
        )
    return max_spl - levels[device]
