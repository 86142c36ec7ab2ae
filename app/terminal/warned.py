"""Forwarding of warnings of this program's modules to the user, from every process."""

from __future__ import annotations

import logging
from collections.abc import Callable

from earmark.app.terminal.foreign import PlainFormatter, plain
from earmark.app.terminal.log import add_log_handlers

#: Prefix of an event that is a warning of another process.
WARNING = "warning: "
#: Loggers whose warnings concern the user's data: those of this program and of its reader of XDF files.
_OURS = ("earmark", "pyxdf")


class _Handler(logging.Handler):
    def __init__(self, on_warning: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._on_warning = on_warning

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in _OURS and record.levelno < logging.ERROR:
            self._on_warning(plain(record.getMessage()))


def forward_warnings(on_warning: Callable[[str], None]) -> None:
    """From here on, call ``on_warning`` with each warning of this process; log errors on stderr, with their module."""
    errors = logging.StreamHandler()
    errors.setLevel(logging.ERROR)
    errors.setFormatter(PlainFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[errors, _Handler(on_warning)], force=True)
    add_log_handlers()
