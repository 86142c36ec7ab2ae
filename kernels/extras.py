"""How optional packages are installed."""

from __future__ import annotations


def install(extra: str) -> str:
    """Return the command that installs an extra of ``pyproject.toml``, and where it works."""
    return f"pip install '.[{extra}]' in the folder of Earmark's source"
