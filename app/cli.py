"""Entry point of the ``earmark`` command; it handles Ctrl-C and low memory even while modules are being imported."""

from __future__ import annotations

import os
import signal
import sys

from earmark.devices.processes.limits import too_little_address_space  # imported while memory is left


def main() -> None:
    """Entry point."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # there is nothing to clean up while modules load
    try:
        from earmark.app.command_line import start

        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        start()
    except Exception as error:
        _exit_if_memory_is_limited(error)
        raise


def _exit_if_memory_is_limited(error: Exception) -> None:
    """Exit with a clear message if the limit of the address space is so low that anything may fail."""
    if problem := too_little_address_space():
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        sys.stderr.write(f"error: {problem} ({cause})\n")
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
