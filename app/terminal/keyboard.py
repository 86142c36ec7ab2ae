"""Single keys from a terminal, as they are pressed."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from types import TracebackType

#: What terminals send for keys with a name.
_NAMES = {"\x1b": "esc", "\x1b[C": "right", "\x1b[D": "left", "\x1bOC": "right", "\x1bOD": "left"}
#: One key: a sequence that begins with escape, or a character. An escape that ends what was read is the key Esc.
_KEY = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|.", re.DOTALL)
#: How often a Windows console is asked, s: it cannot be waited for together with anything else.
_ASK_S = 0.02


def split_keys(text: str) -> list[str]:
    """Return the keys behind what a terminal sent: characters, ``esc``, ``left``, ``right``, and sequences as sent."""
    return [_NAMES.get(key, key) for key in _KEY.findall(text)]


class Keyboard:
    """The terminal at standard input, which hands over each key at once while this is entered; if it is none, no keys.

    Parameters
    ----------
    stop : threading.Event
        Where there are no keys, waiting ends when it is set; it is set when the terminal goes away.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        #: Whether there is a terminal.
        self.there = sys.stdin is not None and sys.stdin.isatty()

    if sys.platform == "win32":

        def __enter__(self) -> Keyboard:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def wait(self, seconds: float) -> list[str]:
            """Return the keys pressed, waiting for one up to so many seconds."""
            import msvcrt

            end = time.monotonic() + seconds
            while not (self.there and msvcrt.kbhit()):
                if self._stop.wait(_ASK_S) or time.monotonic() > end:
                    return []
            key = msvcrt.getwch()
            if key in "\x00\xe0":
                return [{"K": "left", "M": "right"}.get(msvcrt.getwch(), "")]
            return split_keys(key)

    else:

        def __enter__(self) -> Keyboard:
            if self.there:
                import termios
                import tty

                self._as_it_was = termios.tcgetattr(sys.stdin)
                tty.setcbreak(sys.stdin)  # Ctrl-C remains a signal
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            if self.there:
                import termios

                try:
                    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._as_it_was)
                except termios.error:  # the terminal was closed: nobody is left to type into it
                    self.there = False

        def wait(self, seconds: float) -> list[str]:
            """Return the keys pressed, waiting for one up to so many seconds."""
            import select

            if not self.there:
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
