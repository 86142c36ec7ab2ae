"""The bundled speech, whose files are named as ``speech:joe`` where a sound file is asked for."""

from __future__ import annotations

import difflib
from pathlib import Path

from pydantic_core import PydanticCustomError

#: Folder of the bundled speech, and how its files are named.
SPEECH, SHIPPED_SPEECH = Path(__file__).parents[1] / "speech", "speech:"


def check_source(source: str) -> str:
    """Return a source, unless it names bundled speech that does not exist; for a validator of a field."""
    known = sorted(SHIPPED_SPEECH + path.stem for path in SPEECH.glob("*.ogg"))
    if source.startswith(SHIPPED_SPEECH) and source not in known:
        near = difflib.get_close_matches(source, known, n=1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise PydanticCustomError("speech", f"the bundled speech is {', '.join(known)}{hint}")
    return source


def source_at(source: str, folder: Path) -> str:
    """Return the path of a sound file that is relative to ``folder``, or of bundled speech."""
    if source.startswith(SHIPPED_SPEECH):
        return str(SPEECH / f"{source.removeprefix(SHIPPED_SPEECH)}.ogg")
    return str(folder / source)
