"""Check the limits of one process on this machine: open files and address space."""

from __future__ import annotations

import os
import sys

from earmark.kernels.errors import EarmarkError

if sys.platform != "win32":
    import resource

#: Files open in the busiest process of a session with eight talkers: shared memory, sockets, pipes.
FILES = 256
#: Number of open files that is requested, if permitted.
_ENOUGH_FILES = 4096
#: Minimum bytes of address space for a session: libraries and threads reserve more than they use, and the busiest
#: process took 2.2e9 with two talkers.
ADDRESS_SPACE = 3 * 2**30
_MORE_FILES = "ulimit -n 1024, before it starts"


class LimitError(EarmarkError):
    """Raised when the system permits too few open files or too little address space."""


def raise_open_files() -> None:
    """Raise the limit of open files for this process and its children as far as permitted."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def open_files() -> tuple[int, int] | None:
    """Return the number of open files of this process, and its limit; None if unlimited or unknown."""
    if sys.platform == "win32":
        return None
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else (len(os.listdir("/dev/fd")), limit)


def address_space() -> int | None:
    """Return the limit of this process' address space in bytes; None if unlimited."""
    if sys.platform == "win32":
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def too_few_files(needed: int = FILES) -> str:
    """Return a message with the fix if fewer than ``needed`` files may be open; else an empty string."""
    found = open_files()
    if found is None or found[1] >= needed:
        return ""
    return f"only {found[1]} files may be open at a time, but a session needs {needed}: {_MORE_FILES}"


def files_are_used_up() -> str:
    """Return a message with the fix if this process can open no more files; else an empty string."""
    found = open_files()
    if found is None or found[0] < found[1] - 4:
        return ""
    return f"{found[0]} of {found[1]} files that may be open at a time are open: {_MORE_FILES}"


def too_little_address_space(needed: int = ADDRESS_SPACE) -> str:
    """Return a message with the fix if the address space is below ``needed``; else an empty string."""
    found = address_space()
    if found is None or found >= needed:
        return ""
    return (
        f"address space is limited to {found / 2**20:.0f} MiB, but {needed / 2**20:.0f} MiB are needed: "
        "ulimit -v unlimited, before it starts"
    )


def check_limits() -> None:
    """Refuse to start a session that would fail later.

    Raises
    ------
    LimitError
        If too few open files or too little address space are permitted.
    """
    for problem in (too_few_files(), too_little_address_space()):
        if problem:
            raise LimitError(problem)
