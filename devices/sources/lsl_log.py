"""How much liblsl says on stderr."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pylsl

log = logging.getLogger(__name__)

#: Where liblsl looks for its configuration, in this order.
_CONFIGS = (Path("lsl_api.cfg"), Path("~/lsl_api/lsl_api.cfg"), Path("/etc/lsl_api/lsl_api.cfg"))


def quiet_liblsl() -> None:
    """Let liblsl report errors only. Has to be called before anything else is asked of it.

    Somebody who has configured liblsl, by ``LSLAPICFG`` or by a file in one of the usual places, is left alone: what
    is set here would replace all of it, known peers and session ids included.
    """
    if os.environ.get("LSLAPICFG") or any(path.expanduser().is_file() for path in _CONFIGS):
        return
    try:
        pylsl.set_config_content("[log]\nlevel=-2\n")
    except NotImplementedError as error:  # an older liblsl brought by the user
        log.debug("liblsl stays talkative: %s", error)
