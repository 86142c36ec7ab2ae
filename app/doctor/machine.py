"""Checks of the interpreter, its packages, and the machine they run on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

from earmark.app.doctor.check import Check, run_tool
from earmark.devices.processes.limits import address_space as limited_address_space
from earmark.devices.processes.limits import open_files as files
from earmark.devices.processes.limits import raise_open_files, too_few_files, too_little_address_space
from earmark.devices.processes.recorder import RING_BYTES
from earmark.devices.processes.shared_memory import MORE_ROOM, PLACE, Segment, SharedMemoryError, free_bytes

DISTRIBUTION = "earmark"
MIB = 2**20
#: Shared memory for a recording and the next, which overlap for a moment; and for the sound of two short talkers.
RECORDING_BYTES, SOUND_BYTES = 2 * RING_BYTES, 64 * MIB


def python() -> Check:
    """Check the version of Python."""
    found = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        return Check("Python", "fail", found, "use Python 3.11, 3.12 or 3.13")
    return Check("Python", "ok", found)


def packages() -> Check:
    """Check the packages that Earmark requires, as its own metadata lists them."""
    try:
        requirements = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return Check("packages", "warn", f"{DISTRIBUTION} itself is not installed", "pip install -e . in its folder")
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return Check("packages", "fail", "packaging is missing", f"pip install --force-reinstall {DISTRIBUTION}")
    shown, wrong = [], []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(str(requirement))
            continue
        shown.append(f"{requirement.name} {version}")
        # Pre-releases and local versions ("2.13.0+cpu") of the right number are accepted.
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(str(requirement))
    if wrong:
        wanted = " ".join(f"'{each}'" for each in wrong)
        return Check("packages", "fail", f"missing or of a wrong version: {', '.join(wrong)}", f"pip install {wanted}")
    return Check("packages", "ok", ", ".join(shown))


def system_clock() -> Check:
    """Check whether the time of day is synchronised; only file names and dates depend on it."""
    name = "system clock"
    if (answer := run_tool("timedatectl", "show", "--property=NTPSynchronized", "--value")) is None:
        return Check(name, "absent", "timedatectl does not answer", "make sure that the time of day is right")
    if answer.strip() != "yes":
        return Check(
            name, "warn", "not synchronised: dates in recordings may be wrong", "sudo timedatectl set-ntp true"
        )
    return Check(name, "ok", "synchronised")


def realtime() -> Check:
    """Check whether the sound process may have real-time priority."""
    name = "real-time priority"
    if sys.platform != "linux":
        return Check(name, "absent", "not checked on this system")
    import resource

    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError as error:
        fix = (
            "add '@audio - rtprio 95' to /etc/security/limits.d/audio.conf and yourself to the group audio; then log "
            "in again"
        )
        return Check(name, "warn", f"SCHED_FIFO is refused ({error.strerror}), RLIMIT_RTPRIO {limit}", fix)
    os.sched_setscheduler(0, policy, parameter)
    return Check(name, "ok", f"SCHED_FIFO is permitted, RLIMIT_RTPRIO {limit}")


def governor(root: Path = Path("/sys/devices/system/cpu")) -> Check:
    """Check how the processor chooses its frequency."""
    try:
        found = sorted({path.read_text().strip() for path in root.glob("cpu[0-9]*/cpufreq/scaling_governor")})
    except OSError as error:
        return Check("CPU governor", "absent", f"cannot be read: {error}")
    if not found:
        return Check("CPU governor", "absent", "not reported by the operating system")
    if found != ["performance"]:
        fix = "for steadier latency: sudo cpupower frequency-set -g performance"
        return Check("CPU governor", "warn", ", ".join(found), fix)
    return Check("CPU governor", "ok", "performance")


def disk(folder: Path = Path()) -> Check:
    """Check free space and write speed of the folder of recordings."""
    name, where = "disk", folder.absolute()
    block, blocks, written = os.urandom(MIB), 64, 0  # random: some file systems compress
    try:
        free = shutil.disk_usage(where).free
        if free < 2 * blocks * MIB:
            return Check(name, "fail", f"{free / MIB:.0f} MiB free in {where}", "free some space, or record elsewhere")
        with tempfile.TemporaryFile(dir=where) as file:
            start = time.perf_counter()
            while written < blocks and time.perf_counter() - start < 3.0:
                file.write(block)
                file.flush()
                os.fsync(file.fileno())
                written += 1
            speed = written / (time.perf_counter() - start)
    except OSError as error:
        return Check(name, "fail", f"{where}: {error.strerror or error}", "change to a folder that you may write to")
    found = f"{free / 2**30:.0f} GiB free, {speed:.0f} MiB/s with every MiB synced, in {where}"
    if free < 10 * 2**30 or speed < 20:
        return Check(name, "warn", found, "record to a disk with 10 GiB free and a write speed of 20 MiB/s")
    return Check(name, "ok", found)


def shared_memory() -> Check:
    """Check whether there is enough shared memory, through which the processes exchange signals, for a session."""
    name = "shared memory"
    try:
        Segment(None, MIB).close()
    except SharedMemoryError as error:
        found, _, fix = str(error).partition("; ")
        return Check(name, "fail", found, fix)
    free = free_bytes()
    if free is None:
        return Check(name, "ok", "a segment can be created")
    found = (
        f"{free / MIB:.0f} MiB free in {PLACE}; a session takes {RECORDING_BYTES / MIB:.0f} MiB, and 11 MiB for each "
        "minute of each talker's sound"
    )
    if free >= RECORDING_BYTES + SOUND_BYTES:
        return Check(name, "ok", found)
    return Check(name, "warn" if free >= RECORDING_BYTES else "fail", found, MORE_ROOM)


def open_files() -> Check:
    """Check whether a session may have as many files open as it needs."""
    name = "open files"
    raise_open_files()
    if problem := too_few_files():
        what, _, fix = problem.partition(": ")
        return Check(name, "fail", what, fix)
    found = files()
    return Check(name, "ok", "not limited" if found is None else f"{found[1]} at a time")


def address_space() -> Check:
    """Check whether a session may have as much address space as its processes reserve."""
    name = "address space"
    if problem := too_little_address_space():
        what, _, fix = problem.partition(": ")
        return Check(name, "fail", what, fix)
    found = limited_address_space()
    return Check(name, "ok", "not limited" if found is None else f"{found / 2**30:.0f} GiB")


def folders() -> Check:
    """Check whether the folders of configuration and cache can be written."""
    home = Path.home()
    if sys.platform == "win32":
        wanted = [Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")]
    elif sys.platform == "darwin":
        wanted = [home / "Library/Caches", home / "Library/Application Support"]
    else:
        wanted = [
            Path(os.environ.get(name) or home / usual)
            for name, usual in (("XDG_CACHE_HOME", ".cache"), ("XDG_CONFIG_HOME", ".config"))
        ]
    wanted = [folder / "earmark" for folder in wanted]
    for folder in wanted:
        # The folder itself is created when something is first stored there.
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        try:
            with tempfile.TemporaryFile(dir=existing):
                pass
        except OSError as error:
            found = f"{folder} cannot be written: {error.strerror or error}"
            return Check("folders", "fail", found, f"make {existing} a folder that you may write to")
    return Check("folders", "ok", ", ".join(map(str, wanted)))
