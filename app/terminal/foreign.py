"""Text of unknown origin: labels, markers, names on the network, words of a recording, made fit to be shown."""

from __future__ import annotations

import html
import logging


def plain(text: str, limit: int | None = None, *, lines: bool = False) -> str:
    r"""Make a text of unknown origin fit for a terminal, a log or a page.

    Whatever does not print (escape sequences, C1 controls, line ends, marks that turn the writing direction) is shown
    as ``\x1b`` and the like.

    Parameters
    ----------
    text : str
        From anybody.
    limit : int, optional
        Most characters; what is longer is cut.
    lines : bool
        Leave line ends and tabs as they are: in a text of several lines that this program made, of parts that are
        plain.
    """
    kept = "\n\t" if lines else ""
    shown = "".join(
        c if c.isprintable() or c in kept else c.encode("unicode_escape", "backslashreplace").decode()
        for c in (text if limit is None else text[: limit + 1])
    )
    return shown if limit is None or len(shown) <= limit else shown[: limit - 1] + "…"


def escaped(text: str) -> str:
    """Make a text of unknown origin fit for a page of HTML."""
    return html.escape(plain(text, lines=True))


class PlainFormatter(logging.Formatter):
    """Log lines in which no text of unknown origin can end a line or steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Format as usual; tracebacks keep their lines."""
        return plain(super().format(record), lines=bool(record.exc_info or record.stack_info))
