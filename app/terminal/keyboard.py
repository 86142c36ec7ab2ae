"""Single keys from a terminal, read as they are pressed."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from types import TracebackType

#: Names of keys, by what terminals send for them.
_NAMES = {"\x1b": "esc", "\x1b[C": "right", "\x1b[D": "left", "\x1bOC": "right", "\x1bOD": "left"}
#: One key: an escape sequence, or a character. An escape at the end of the input is the key Esc.
_KEY = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|.", re.DOTALL)
#: Interval of polling a Windows console, s: it cannot be waited for together with an event.
_POLL_S = 0.02


def split_keys(text: str) -> list[str]:
    """Split terminal input into keys: characters, ``esc``, ``left``, ``right``, and other sequences as sent."""
    return [_NAMES.get(key, key) for key in _KEY.findall(text)]


class Keyboard:
    """Context manager that reads single keys from the terminal at standard input; without a terminal, there are none.

    Parameters
    ----------
    stop : threading.Event
        Ends :meth:`wait` if there is no terminal; it is set when the terminal is closed.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        #: Whether keys can be read: there is a terminal, and --headless was not given.
        self.available = sys.stdin is not None and sys.stdin.isatty()

    if sys.platform == "win32":

        def __enter__(self) -> Keyboard:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def wait(self, seconds: float) -> list[str]:
            """Wait up to ``seconds`` for a key; return the keys that were pressed."""
            import msvcrt

            end = time.monotonic() + seconds
            while not (self.available and msvcrt.kbhit()):
                if self._stop.wait(_POLL_S) or time.monotonic() > end:
                    return []
            key = msvcrt.getwch()
            if key in "\x00\xe0":
                return [{"K": "left", "M": "right"}.get(msvcrt.getwch(), "")]
            return split_keys(key)

    else:

        def __enter__(self) -> Keyboard:
            if self.available:
                import termios
                import tty

                self._saved = termios.tcgetattr(sys.stdin)
                tty.setcbreak(sys.stdin)  # Ctrl-C remains a signal
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            if self.available:
                import termios

                try:
                    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._saved)
                except termios.error:  # the terminal was closed
                    self.available = False

        def wait(self, seconds: float) -> list[str]:
            """Wait up to ``seconds`` for a key; return the keys that were pressed."""
            import select

            if not self.available:
                self._stop.wait(seconds)
                return []
            if not select.select([sys.stdin], [], [], seconds)[0]:
                return []
            try:
                text = os.read(sys.stdin.fileno(), 1024)
            except OSError:  # a terminal that was closed
                text = b""
            if not text:
                self._stop.set()
            return split_keys(text.decode(errors="replace"))
