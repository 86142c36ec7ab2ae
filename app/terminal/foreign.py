"""Safe display of untrusted text: labels, markers, names on the network, text in recordings."""

from __future__ import annotations

import html
import logging


def plain(text: str, limit: int | None = None, *, lines: bool = False) -> str:
    r"""Make untrusted text safe for a terminal, a log or a page.

    Characters that do not print (escape sequences, C1 controls, line ends, marks that change the writing direction) are
    escaped, as in ``\x1b``.

    Parameters
    ----------
    text : str
        Untrusted text.
    limit : int, optional
        Maximum number of characters; longer text is cut.
    lines : bool
        Keep line ends and tabs, for text of several lines that this program made from safe parts.

    Returns
    -------
    str
        Printable text.
    """
    kept = "\n\t" if lines else ""
    shown = "".join(
        c if c.isprintable() or c in kept else c.encode("unicode_escape", "backslashreplace").decode()
        for c in (text if limit is None else text[: limit + 1])
    )
    return shown if limit is None or len(shown) <= limit else shown[: limit - 1] + "…"


def escaped(text: str) -> str:
    """Make untrusted text safe for a page of HTML."""
    return html.escape(plain(text, lines=True))


class PlainFormatter(logging.Formatter):
    """Formats log lines so that untrusted text in them cannot end a line or control a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Format as usual; tracebacks keep their lines."""
        return plain(super().format(record), lines=bool(record.exc_info or record.stack_info))
