"""Save and load training checkpoints, so that an interrupted training resumes after its last epoch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor


def write_checkpoint(folder: Path, name: str, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Replace a checkpoint atomically: after a kill at any instant, either the old one or the new one is complete.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    name : str
        Name of one training among several.
    state : mapping of str to Tensor
    facts : mapping
        Readable details, as JSON values.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = save({key: value.detach().cpu().contiguous() for key, value in state.items()})
    digest = hashlib.sha256(weights).hexdigest()
    file = f"{name}-{digest[:12]}.safetensors"
    _write(folder / file, weights)
    text = {**facts, "weights": file, "sha256": digest}
    _write(folder / f"{name}.json", (json.dumps(text, indent=1) + "\n").encode())
    for old in folder.glob(f"{name}-*.safetensors"):
        if old.name != file:
            old.unlink()


def read_checkpoint(folder: Path, name: str) -> dict[str, Tensor] | None:
    """Read the last checkpoint; None if there is none or it is damaged."""
    try:
        text = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        weights = (folder / Path(text["weights"]).name).read_bytes()
        if hashlib.sha256(weights).hexdigest() != text["sha256"]:
            return None
        return dict(load(weights))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, SafetensorError):
        return None


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
