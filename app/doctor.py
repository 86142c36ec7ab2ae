"""``earmark doctor``: what of this machine will help or hinder a session, and what to do about it."""

from __future__ import annotations

import configparser
import ctypes.util
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

log = logging.getLogger(__name__)

Status = Literal["ok", "warn", "fail", "absent"]
STYLES: dict[Status, str] = {"ok": "green", "warn": "yellow", "fail": "bold red", "absent": "dim"}

DISTRIBUTION = "earmark"
MIB = 2**20
LIBLSL_GROUPS = ("224.0.0.183", "239.255.172.215")
QT_LIBRARIES = {"EGL": "libegl1", "xkbcommon": "libxkbcommon0", "xcb-cursor": "libxcb-cursor0", "dbus-1": "libdbus-1-3"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at.

    Attributes
    ----------
    name : str
        What was looked at.
    status : {'ok', 'warn', 'fail', 'absent'}
        ``warn`` costs comfort or latency, ``fail`` keeps Earmark from working, ``absent`` is optional or could not
        be looked at here.
    found : str
        What was found.
    fix : str
        What to do about it, in words; empty if nothing.
    """

    name: str
    status: Status
    found: str
    fix: str = ""


class ProbeError(RuntimeError):
    """A question put to a child process got no answer."""


def _run(*command: str, timeout: float = 3.0) -> str | None:
    """What a system tool prints, or None if it is not there or gives no answer."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        # LC_ALL: the answers are read by us, not by the user.
        done = subprocess.run(  # noqa: S603 - fixed commands, no shell
            [program, *command[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.debug("%s: %s", command[0], error)
        return None
    return done.stdout if done.returncode == 0 else None


def _probe(code: str, *arguments: str, timeout: float) -> dict[str, Any]:
    """Run a piece of Python that prints one JSON object as its last line.

    A driver that crashes or hangs, and the noise that sound and graphics libraries write to stderr, stay in the child.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own code, no shell
            [sys.executable, "-P", "-W", "ignore", "-c", code, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(f"no answer within {timeout:g} s") from None
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ProbeError(f"ended with code {done.returncode}: {said}")
    try:
        answer: dict[str, Any] = json.loads(last)
    except json.JSONDecodeError:
        raise ProbeError(f"answered {last!r}") from None
    return answer


# --- Python and its packages


def python() -> Check:
    """The interpreter."""
    found = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        return Check("Python", "fail", found, "use Python 3.11, 3.12 or 3.13")
    return Check("Python", "ok", found)


def packages() -> Check:
    """The packages Earmark requires, as its own metadata lists them."""
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
        # Pre-releases and local versions ("2.13.0+cpu") of the right number are right.
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(str(requirement))
    if wrong:
        wanted = " ".join(f"'{each}'" for each in wrong)
        return Check("packages", "fail", f"missing or of another version: {', '.join(wrong)}", f"pip install {wanted}")
    return Check("packages", "ok", ", ".join(shown))


def library(name: str, module: str, distributions: tuple[str, ...], fix: str) -> Check:
    """Whether an optional library is installed; it is not imported, some crash on machines without a GPU."""
    if importlib.util.find_spec(module) is None:
        return Check(name, "absent", "not installed", fix)
    for distribution in distributions:
        try:
            return Check(name, "ok", f"{distribution} {importlib.metadata.version(distribution)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return Check(name, "ok", "installed, version unknown")


# --- the Lab Streaming Layer


def lsl_library() -> Check:
    """Pylsl and the liblsl it loads."""
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as error:  # pylsl raises RuntimeError where liblsl is not found
        return Check("LSL library", "fail", f"cannot be loaded: {error}", "pip install --force-reinstall pylsl")
    version = pylsl.library_version()
    found = f"pylsl {pylsl.__version__}, liblsl {version // 100}.{version % 100}"
    if version < 117:
        return Check("LSL library", "warn", found, "unset PYLSL_LIB: it points to a liblsl older than 1.17")
    return Check("LSL library", "ok", found)


def _lsl_config() -> tuple[Path | None, configparser.ConfigParser]:
    """The configuration file that liblsl reads (the first of these there is), and what is in it."""
    named = os.environ.get("LSLAPICFG")
    places = [Path(named)] if named else []
    places += [Path("lsl_api.cfg"), Path.home() / "lsl_api/lsl_api.cfg", Path("/etc/lsl_api/lsl_api.cfg")]
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    for place in places:
        if os.access(place, os.R_OK) and place.is_file():
            parser.read(place, encoding="utf-8")
            return place, parser
    return None, parser


def lsl_config() -> Check:
    """Which network configuration LSL uses."""
    name = "LSL configuration"
    named = os.environ.get("LSLAPICFG")
    if named and not os.access(named, os.R_OK):
        return Check(name, "fail", f"LSLAPICFG names {named}, which cannot be read", "correct or unset LSLAPICFG")
    try:
        path, parser = _lsl_config()
    except (configparser.Error, UnicodeDecodeError) as error:
        line = str(error).replace("\n", " ")
        return Check(name, "fail", f"not an INI file: {line}", "correct the file, see the LSL manual, 'lsl_api.cfg'")
    if path is None:
        return Check(name, "ok", "the defaults: no lsl_api.cfg")
    settings = [f"{key}={value}" for part in parser.sections() for key, value in parser.items(part)]
    return Check(name, "ok", f"{path.absolute()}: {', '.join(settings) or 'empty'}")


def lsl_ports() -> tuple[int, int, int]:
    """Multicast port, first and last port of the services, as configured."""
    try:
        _, parser = _lsl_config()
        numbers = [
            parser.getint("ports", key, fallback=default)
            for key, default in (("MulticastPort", 16571), ("BasePort", 16572), ("PortRange", 32))
        ]
    except (configparser.Error, ValueError):  # reported by lsl_config; liblsl falls back to its defaults, too
        numbers = [16571, 16572, 32]
    return numbers[0], numbers[1], numbers[1] + numbers[2]


def lsl_round_trip() -> Check:
    """A stream of our own: announced, found, opened, and samples sent through it."""
    import pylsl

    name = "LSL round trip"
    stream = f"earmark-doctor-{uuid.uuid4().hex}"
    fix = "see the lines on LSL configuration, multicast and firewall"
    delays = []
    try:
        outlet = pylsl.StreamOutlet(pylsl.StreamInfo(stream, "doctor", 1, pylsl.IRREGULAR_RATE, "double64", stream))
        start = time.perf_counter()
        infos = pylsl.resolve_byprop("name", stream, timeout=3.0)
        if not infos:
            return Check(name, "fail", "a stream of this very process was not found within 3 s", fix)
        found_after = time.perf_counter() - start
        inlet = pylsl.StreamInlet(infos[0], recover=False)
        inlet.open_stream(timeout=3.0)
        for i in range(100):
            start = time.perf_counter()
            outlet.push_sample([float(i)])
            sample, _ = inlet.pull_sample(timeout=1.0)
            if sample != [float(i)]:
                return Check(name, "fail", f"sample {i} came as {sample}", fix)
            delays.append((time.perf_counter() - start) * 1e3)
    except RuntimeError as error:  # what pylsl raises for everything, time-outs included
        return Check(name, "fail", str(error), fix)
    found = f"found after {found_after * 1e3:.0f} ms; a sample takes {statistics.median(delays):.2f} ms, "
    return Check(name, "ok", found + f"worst of {len(delays)} {max(delays):.2f} ms")


# MulticastMinRTT: after that time liblsl asks this machine's ports directly, which would hide that multicast is dead.
MULTICAST_PROBE = """
import json, sys, time, uuid
import pylsl
name = uuid.uuid4().hex
port, groups = sys.argv[1:]
pylsl.set_config_content(
    "[log]\\nlevel=-2\\n[ports]\\nMulticastPort=" + port + "\\n[multicast]\\nAddressesOverride={" + groups
    + "}\\n[lab]\\nSessionID=" + name + "\\n[tuning]\\nMulticastMinRTT=60\\n"
)
outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "doctor", 1, 0, "float32", name))
start = time.perf_counter()
found = pylsl.resolve_byprop("name", name, timeout=2.0)
print(json.dumps({"found": len(found), "seconds": time.perf_counter() - start}))
"""


def multicast(groups: tuple[str, ...] = LIBLSL_GROUPS) -> Check:
    """Whether LSL finds a stream through multicast alone, as it must to find one on another machine."""
    name = "LSL multicast"
    try:
        answer = _probe(MULTICAST_PROBE, str(lsl_ports()[0]), ", ".join(groups), timeout=8.0)
    except ProbeError as error:
        return Check(name, "fail", str(error), "pip install --force-reinstall pylsl")
    if not answer["found"]:
        fix = (
            "streams of other machines will not be found: open the firewall, leave the VPN, or list the senders in "
            "lsl_api.cfg as KnownPeers={host, ...} under [lab]"
        )
        return Check(name, "warn", f"no answer through {', '.join(groups)} within 2 s", fix)
    return Check(name, "ok", f"works: answered after {answer['seconds'] * 1e3:.0f} ms")


def _addresses() -> Iterator[tuple[str, str]]:
    """Network interfaces that have an IPv4 address, with it; where the system does not tell, the default one."""
    if sys.platform == "linux":
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as query:
            for _, interface in socket.if_nameindex():
                request = struct.pack("256s", interface.encode()[:15])
                try:
                    reply = fcntl.ioctl(query, 0x8915, request)  # SIOCGIFADDR
                except OSError as error:  # the interface has no IPv4 address
                    log.debug("%s: %s", interface, error)
                    continue
                yield interface, socket.inet_ntoa(reply[20:24])
    else:
        yield "default interface", "0.0.0.0"  # noqa: S104 - means 'any', nothing is served


def _hears_itself(address: str) -> bool:
    """Whether a multicast packet sent on an interface comes back to this machine."""
    group, token = LIBLSL_GROUPS[1], uuid.uuid4().bytes
    here = socket.inet_aton(address)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.settimeout(0.3)
        try:
            receiver.bind(("", 0))
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + here)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)  # stays on this machine
            sender.sendto(token, (group, receiver.getsockname()[1]))
            return receiver.recv(64) == token
        except OSError as error:  # TimeoutError is one
            log.debug("multicast on %s: %s", address, error)
            return False


def interfaces() -> Check:
    """Network interfaces that pass multicast."""
    heard = {f"{name} ({address})": _hears_itself(address) for name, address in _addresses()}
    found = ", ".join(f"{name}: {'multicast' if hears else 'no multicast'}" for name, hears in heard.items())
    if not any(hears for name, hears in heard.items() if not name.startswith("lo ")):
        fix = "connect the network that the amplifier is on; on one machine alone LSL works without"
        return Check("network interfaces", "warn", found or "none", fix)
    return Check("network interfaces", "ok", found)


def firewall() -> Check:
    """Whether a firewall may keep LSL's packets out."""
    name = "firewall"
    discovery, first, last = lsl_ports()
    needed = f"UDP {discovery} (multicast) and TCP and UDP {first}-{last}"
    if sys.platform != "linux":
        where = (
            "Windows Security, 'Allow an app through firewall', tick python.exe for private networks"
            if sys.platform == "win32"
            else "System Settings, Network, Firewall, Options: allow incoming connections for Python"
        )
        return Check(name, "absent", "not looked at on this system", f"LSL needs {needed}: {where}")
    if (rules := _run("ufw", "status")) is not None:
        enabled = "Status: active" in rules
    else:  # only root may ask ufw, but everybody may read whether it is on
        enabled = _enabled_in(Path("/etc/ufw/ufw.conf"))
    if enabled:
        if rules and str(discovery) in rules and f"{first}:{last}" in rules:
            return Check(name, "ok", f"ufw is on, with rules for {needed}")
        ports = f"{first}:{last}"
        fix = f"sudo ufw allow {discovery}/udp; sudo ufw allow {ports}/tcp; sudo ufw allow {ports}/udp"
        return Check(name, "warn", f"ufw is on; LSL needs {needed}", fix)
    if (_run("firewall-cmd", "--state") or "").strip() == "running":
        ports = f"--add-port={first}-{last}"
        fix = f"sudo firewall-cmd --permanent --add-port={discovery}/udp {ports}/tcp {ports}/udp, then --reload"
        return Check(name, "warn", f"firewalld is on; LSL needs {needed}", fix)
    if shutil.which("nft"):
        rules = _run("nft", "list", "ruleset")
        if rules is None:
            return Check(name, "absent", "nftables: only root may list its rules", f"LSL needs {needed} open")
        if re.search(r"hook input[^}]*(policy drop|\bdrop\b|\breject\b)", rules):
            fix = f"add rules that accept {needed}, or check that there are such"
            return Check(name, "warn", "nftables drops some incoming packets", fix)
    return Check(name, "ok", "none found to be on")


def _enabled_in(path: Path) -> bool:
    try:
        return re.search(r"^\s*ENABLED=yes", path.read_text(encoding="utf-8"), re.MULTILINE) is not None
    except (OSError, UnicodeDecodeError) as error:  # no ufw here
        log.debug("%s", error)
        return False


def lsl_clock() -> Check:
    """LSL's clock, which stamps everything."""
    import pylsl

    reads = [pylsl.local_clock() for _ in range(20_000)]
    steps = [b - a for a, b in zip(reads, reads[1:], strict=False)]
    if min(steps) < 0:
        fix = "use this machine for no recording: its clock source is broken (try another in the BIOS or hypervisor)"
        return Check("LSL clock", "fail", f"went back by {-min(steps):.2g} s", fix)
    resolution = min((step for step in steps if step > 0), default=float("inf"))
    # Read between two others, so that a pause of this process is no difference of clocks.
    before, middle, after = min(
        ((time.monotonic(), pylsl.local_clock(), time.monotonic()) for _ in range(100)), key=lambda x: x[2] - x[0]
    )
    offset = middle - (before + after) / 2
    found = f"monotonic, resolution {resolution * 1e6:.2g} µs, {offset:+.6f} s from Python's monotonic clock"
    if resolution > 1e-3:
        return Check("LSL clock", "warn", found, "stamps are no finer than this: choose a finer system clock source")
    return Check("LSL clock", "ok", found)


def system_clock() -> Check:
    """Whether the time of day is kept right; only file names and dates depend on it."""
    name = "system clock"
    if (answer := _run("timedatectl", "show", "--property=NTPSynchronized", "--value")) is None:
        return Check(name, "absent", "timedatectl gives no answer", "make sure that the time of day is right")
    if answer.strip() != "yes":
        return Check(name, "warn", "not synchronised: dates in recordings may be wrong", "sudo timedatectl set-ntp true")
    return Check(name, "ok", "synchronised")


# --- sound, graphics, window

SOUND_PROBE = """
import json
import sounddevice
def default(kind):
    try:
        device = sounddevice.query_devices(kind=kind)
    except (sounddevice.PortAudioError, ValueError):
        return None
    return f"{device['name']} ({device['default_samplerate']:g} Hz)"
print(json.dumps({
    "portaudio": sounddevice.get_portaudio_version()[1].split(",")[0],
    "devices": len(sounddevice.query_devices()), "output": default("output"), "input": default("input"),
}))
"""


def sound() -> Check:
    """PortAudio and the sound devices it sees."""
    if importlib.util.find_spec("sounddevice") is None:
        return Check("sound", "fail", "sounddevice is not installed", "pip install sounddevice")
    try:
        answer = _probe(SOUND_PROBE, timeout=10.0)
    except ProbeError as error:
        if "PortAudio library not found" in str(error):
            fix = "sudo apt-get install libportaudio2 (elsewhere: the package with libportaudio.so.2)"
            return Check("sound", "warn", "the PortAudio library is missing: no sound", fix)
        return Check("sound", "fail", str(error), "see the sound system's own messages: python -m sounddevice")
    found = f"{answer['portaudio']}, {answer['devices']} devices; "
    found += f"output: {answer['output'] or 'none'}; input: {answer['input'] or 'none'}"
    if answer["output"] is None:
        return Check("sound", "absent", found, "connect a sound card, or start the sound server of this session")
    return Check("sound", "ok", found)


GPU_PROBE = """
import json
import torch
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "names": names}))
"""


def gpu() -> Check:
    """Whether torch can use a GPU."""
    cards = (_run("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader", timeout=5.0) or "").strip()
    cards = "; ".join(cards.splitlines())
    try:
        answer = _probe(GPU_PROBE, timeout=15.0)
    except ProbeError as error:
        return Check("GPU", "fail", f"torch cannot be used: {error}", "pip install --force-reinstall torch")
    if answer["names"]:
        found = f"{', '.join(answer['names'])}; torch {answer['torch']}, CUDA {answer['cuda']}"
        return Check("GPU", "ok", found + (f"; name, driver: {cards}" if cards else ""))
    if cards:
        fix = "install the torch build for CUDA" if answer["cuda"] is None else "update the NVIDIA driver"
        return Check("GPU", "warn", f"{cards} is there, but torch {answer['torch']} cannot use it", fix)
    return Check("GPU", "absent", f"none: decoders run on the CPU (torch {answer['torch']})")


def torch_tensorrt() -> Check:
    """Torch-TensorRT, which only works with the torch of its own version."""
    name = "Torch-TensorRT"
    names = ("torch-tensorrt", "torch-tensorrt-rtx")
    check = library(name, "torch_tensorrt", names, "for NVIDIA GPUs: pip install 'earmark[tensorrt]'")
    for distribution in names if check.status == "ok" else ():
        if check.found.startswith(f"{distribution} "):
            mine = importlib.metadata.version(distribution).split(".")[:2]
            if mine != importlib.metadata.version("torch").split(".")[:2]:
                return Check(name, "warn", f"{check.found} is for another torch", "install the pair of one version")
    return check


def qt() -> Check:
    """PySide6 and pyqtgraph, which draw the dashboard."""
    hint = "for the dashboard: pip install 'earmark[desktop]'"
    versions = {}
    for distribution in ("PySide6-Essentials", "pyqtgraph"):
        try:
            versions[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            return Check("Qt", "absent", f"{distribution} is not installed", hint)
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    numbers = tuple(int(digits) for digits in re.findall(r"\d+", versions["PySide6-Essentials"])[:2])
    if numbers >= (6, 12) and sys.version_info < (3, 12):
        # Each call into Qt takes a reference from None; some thousand calls later the process aborts.
        fix = "pip install 'PySide6-Essentials>=6.11,<6.12', or use Python 3.12 or newer"
        return Check("Qt", "fail", f"{found}: PySide6 from 6.12 on crashes under Python 3.11", fix)
    return Check("Qt", "ok", found)


def qt_libraries() -> Check:
    """System libraries that Qt loads."""
    if sys.platform != "linux":
        return Check("Qt libraries", "ok", "none needed on this system")
    missing = [package for library, package in QT_LIBRARIES.items() if ctypes.util.find_library(library) is None]
    if missing:
        fix = f"for the dashboard: sudo apt-get install {' '.join(missing)}"
        return Check("Qt libraries", "warn", f"missing: {', '.join(missing)}", fix)
    return Check("Qt libraries", "ok", ", ".join(QT_LIBRARIES))


def display() -> Check:
    """Whether a window could open."""
    if sys.platform != "linux":
        return Check("display", "ok", "the desktop's")
    set_ = [f"{name}={os.environ[name]}" for name in ("WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(name)]
    if not set_:
        return Check("display", "absent", "neither DISPLAY nor WAYLAND_DISPLAY is set", "run it in a desktop session")
    return Check("display", "ok", ", ".join(set_))


# --- the machine


def realtime() -> Check:
    """Whether the sound process may have real-time priority."""
    name = "real-time priority"
    if sys.platform != "linux":
        return Check(name, "absent", "not looked at on this system")
    import resource

    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError as error:
        fix = "add '@audio - rtprio 95' to /etc/security/limits.d/audio.conf and yourself to the group audio; log in anew"
        return Check(name, "warn", f"SCHED_FIFO is refused ({error.strerror}), RLIMIT_RTPRIO {limit}", fix)
    os.sched_setscheduler(0, policy, parameter)
    return Check(name, "ok", f"SCHED_FIFO is permitted, RLIMIT_RTPRIO {limit}")


def governor(root: Path = Path("/sys/devices/system/cpu")) -> Check:
    """How the processor chooses its frequency."""
    try:
        found = sorted({path.read_text().strip() for path in root.glob("cpu[0-9]*/cpufreq/scaling_governor")})
    except OSError as error:
        return Check("CPU governor", "absent", f"cannot be read: {error}")
    if not found:
        return Check("CPU governor", "absent", "not told by this system")
    if found != ["performance"]:
        fix = "for steadier latency: sudo cpupower frequency-set -g performance"
        return Check("CPU governor", "warn", ", ".join(found), fix)
    return Check("CPU governor", "ok", "performance")


def disk(folder: Path = Path()) -> Check:
    """Space and speed where recordings go."""
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
        return Check(name, "warn", found, "record to a disk with 10 GiB free that takes 20 MiB/s")
    return Check(name, "ok", found)


def shared_memory(mount: Path = Path("/dev/shm")) -> Check:  # noqa: S108 - where the system keeps shared memory
    """Whether shared memory, through which the processes exchange signals, can be had."""
    name, fix = "shared memory", "mount a larger one: in Docker --shm-size=256m"
    try:
        segment = SharedMemory(create=True, size=MIB)
    except OSError as error:
        return Check(name, "fail", f"no segment can be created: {error.strerror or error}", fix)
    segment.close()
    segment.unlink()
    if sys.platform != "linux":
        return Check(name, "ok", "a segment can be created")
    try:
        free = shutil.disk_usage(mount).free
    except OSError as error:
        return Check(name, "warn", f"{mount}: {error.strerror or error}", fix)
    return Check(name, "ok" if free >= 128 * MIB else "warn", f"{free / MIB:.0f} MiB free in {mount}", fix)


def folders() -> Check:
    """Whether configuration and cache can be written."""
    if sys.platform == "win32":
        homes = {"LOCALAPPDATA": "AppData/Local"}
    elif sys.platform == "darwin":
        homes = {"": "Library/Caches", " ": "Library/Application Support"}
    else:
        homes = {"XDG_CACHE_HOME": ".cache", "XDG_CONFIG_HOME": ".config"}
    wanted = [Path(os.environ.get(name) or Path.home() / rest) / "earmark" for name, rest in homes.items()]
    for folder in wanted:
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        try:
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            found = f"{folder} cannot be written: {error.strerror or error}"
            return Check("folders", "fail", found, f"make {there} a folder that you may write to")
    return Check("folders", "ok", ", ".join(map(str, wanted)))


CHECKS: tuple[tuple[str, Callable[[], Check]], ...] = (
    ("Python", python),
    ("packages", packages),
    ("LSL library", lsl_library),
    ("LSL configuration", lsl_config),
    ("LSL round trip", lsl_round_trip),
    ("LSL multicast", multicast),
    ("network interfaces", interfaces),
    ("firewall", firewall),
    ("LSL clock", lsl_clock),
    ("system clock", system_clock),
    ("sound", sound),
    ("GPU", gpu),
    ("Torch-TensorRT", torch_tensorrt),
    ("TensorRT", partial(library, "TensorRT", "tensorrt", ("tensorrt",), "for NVIDIA GPUs: pip install tensorrt")),
    (
        "TensorRT-RTX",
        partial(library, "TensorRT-RTX", "tensorrt_rtx", ("tensorrt-rtx",), "for RTX GPUs: pip install tensorrt-rtx"),
    ),
    (
        "ONNX Runtime",
        partial(
            library,
            "ONNX Runtime",
            "onnxruntime",
            ("onnxruntime", "onnxruntime-gpu"),
            "for networks on the CPU: pip install 'earmark[onnx]'",
        ),
    ),
    ("Qt", qt),
    ("Qt libraries", qt_libraries),
    ("display", display),
    ("real-time priority", realtime),
    ("CPU governor", governor),
    ("disk", disk),
    ("shared memory", shared_memory),
    ("folders", folders),
)


def run_check(name: str, check: Callable[[], Check]) -> Check:
    """Do one check; one that breaks is itself a finding, and the others go on."""
    try:
        return check()
    except (OSError, RuntimeError, ValueError, ImportError, LookupError) as error:
        log.debug("check %r broke", name, exc_info=True)
        fix = "this check met what it was not made for: please report it"
        return Check(name, "fail", f"{type(error).__name__}: {error}", fix)


def doctor(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the findings to this file, too.")] = None,
) -> None:
    """Check this machine: LSL and network, sound, GPU, window system, real-time permissions, disk."""
    from devices.lsl_log import quiet_liblsl

    quiet_liblsl()
    console = Console()
    checks = []
    with console.status("") as spinner:
        # One after the other: importing torch beside them would spoil the latencies that others measure.
        for name, check in CHECKS:
            spinner.update(f"Checking {name} ...")
            checks.append(run_check(name, check))
    table = Table("", "status", "found", box=None, padding=(0, 2, 0, 0))
    for each in checks:
        found = Text(each.found)
        if each.fix and each.status != "ok":
            found.append(f"\n→ {each.fix}", style="italic")
        table.add_row(Text(each.name), Text(each.status, style=STYLES[each.status]), found)
    console.print(table)
    failed = [each.name for each in checks if each.status == "fail"]
    warned = [each.name for each in checks if each.status == "warn"]
    if failed:
        console.print(Text(f"Earmark will not work here until this is mended: {', '.join(failed)}.", style="bold red"))
    else:
        console.print(f"Nothing stands in the way{f'; could be better: {", ".join(warned)}' if warned else ''}.")
    if json_file is not None:
        report = {"checks": [asdict(each) for each in checks], "ok": not failed}
        json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if failed:
        raise typer.Exit(1)
