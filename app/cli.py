"""The ``earmark`` command's entry: Ctrl-C is obeyed from the first moment on, whatever is being loaded."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Entry point."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # what is half loaded has nothing to put in order
    from app.command_line import start

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    start()


if __name__ == "__main__":
    main()
