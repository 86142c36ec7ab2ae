"""What this machine lets one process have: open files and address space."""

from __future__ import annotations

import os
import sys

from earmark.kernels.errors import EarmarkError

if sys.platform != "win32":
    import resource

#: Files that a session keeps open in its busiest process, with eight talkers: shared memory, sockets, pipes.
FILES = 256
#: As many as are asked for, where more are permitted.
_ENOUGH_FILES = 4096
#: Bytes of address space below which a session is not begun: with libraries and threads, which reserve more than they
#: use, its busiest process took 2.2e9 with two talkers.
ADDRESS_SPACE = 3 * 2**30
_MORE_FILES = "ulimit -n 1024, before it starts"


class LimitError(EarmarkError):
    """Raised when the system permits too few open files or too little address space."""


def raise_open_files() -> None:
    """Let this process, and those that it starts, open as many files as the system permits without more rights."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def open_files() -> tuple[int, int] | None:
    """Files that this process has open, and how many it may have; None where nothing limits them or it is not told."""
    if sys.platform == "win32":
        return None
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else (len(os.listdir("/dev/fd")), limit)


def address_space() -> int | None:
    """Bytes of address space that this process may have; None where nothing limits them."""
    if sys.platform == "win32":
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def too_few_files(needed: int = FILES) -> str:
    """Say that fewer files than ``needed`` may be open, and the fix; empty if it is not so."""
    found = open_files()
    if found is None or found[1] >= needed:
        return ""
    return f"only {found[1]} files may be open at a time, but a session needs {needed}: {_MORE_FILES}"


def files_are_used_up() -> str:
    """Say that no more files can be opened by this process, and the fix; empty if it is not so."""
    found = open_files()
    if found is None or found[0] < found[1] - 4:
        return ""
    return f"{found[0]} of {found[1]} files that may be open at a time are open: {_MORE_FILES}"


def too_little_address_space(needed: int = ADDRESS_SPACE) -> str:
    """Say that there is less address space than ``needed``, and the fix; empty if it is not so."""
    found = address_space()
    if found is None or found >= needed:
        return ""
    return (
        f"address space is limited to {found / 2**20:.0f} MiB, but {needed / 2**20:.0f} MiB are needed: "
        "ulimit -v unlimited, before it starts"
    )


def check_limits() -> None:
    """Refuse to begin a session that would fail in its middle.

    Raises
    ------
    LimitError
        If too few files or too little address space is permitted.
    """
    for problem in (too_few_files(), too_little_address_space()):
        if problem:
            raise LimitError(problem)
