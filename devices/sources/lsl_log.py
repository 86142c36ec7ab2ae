"""Reduce what liblsl prints on stderr."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pylsl

log = logging.getLogger(__name__)

#: Places where liblsl looks for its configuration, in this order.
_CONFIGS = (Path("lsl_api.cfg"), Path("~/lsl_api/lsl_api.cfg"), Path("/etc/lsl_api/lsl_api.cfg"))


def quiet_liblsl() -> None:
    """Let liblsl report errors only. Call this before any other use of liblsl.

    Does nothing if the user has configured liblsl, by ``LSLAPICFG`` or by a file in one of the usual places: the
    setting made here would replace that whole configuration, including known peers and session ids.
    """
    if os.environ.get("LSLAPICFG") or any(path.expanduser().is_file() for path in _CONFIGS):
        return
    try:
        pylsl.set_config_content("[log]\nlevel=-2\n")
    except NotImplementedError as error:  # the user's own liblsl is too old for this call
        log.debug("liblsl keeps its default log level: %s", error)
