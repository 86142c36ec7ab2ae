"""The ``earmark`` command's entry: Ctrl-C is obeyed and errors are words from the first moment on."""

from __future__ import annotations

import os
import signal
import sys

from earmark.devices.processes.limits import too_little_address_space  # all of it, while there is memory


def main() -> None:
    """Entry point."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # what is half loaded has nothing to put in order
    try:
        from earmark.app.command_line import start

        if heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        start()
    except Exception as error:
        _say_memory(error)
        raise


def _say_memory(error: Exception) -> None:
    """End the command in words where so little memory is permitted that anything may fail."""
    if problem := too_little_address_space():
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        sys.stderr.write(f"error: {problem} ({said})\n")
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
