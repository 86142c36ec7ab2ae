"""Warnings of this program's modules reach the user, whichever process they come from."""

from __future__ import annotations

import logging
from collections.abc import Callable

from earmark.app.terminal.foreign import PlainFormatter, plain
from earmark.app.terminal.log import log_as_asked

#: How an event begins that is a warning of another process.
WARNING = "warning: "
#: Where warnings come from that say something of the user's data: this program, and its reader of XDF files.
_OURS = ("earmark", "pyxdf")


class _Handler(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in _OURS and record.levelno < logging.ERROR:
            self._tell(plain(record.getMessage()))


def tell_warnings(tell: Callable[[str], None]) -> None:
    """From here on, have this process's warnings told, in words; its errors go to stderr, with their place."""
    errors = logging.StreamHandler()
    errors.setLevel(logging.ERROR)
    errors.setFormatter(PlainFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[errors, _Handler(tell)], force=True)
    log_as_asked()
