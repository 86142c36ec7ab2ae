"""Tool tips whose text may come from outside: names of streams, talkers and files, notes, answers and messages."""

from __future__ import annotations

from html import escape


def tip(text: str) -> str:
    """Return a tool tip that shows a text as it is, and wraps it; Qt would take a text with tags for HTML."""
    return f"<qt>{escape(text).replace(chr(10), '<br>')}</qt>" if text else ""
