"""Checks of the Lab Streaming Layer and the network under it."""

from __future__ import annotations

import configparser
import logging
import os
import re
import shutil
import socket
import statistics
import struct
import sys
import time
import uuid
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from earmark.app.doctor.check import Check, ProbeError, probe, run_tool

log = logging.getLogger(__name__)

#: Two of liblsl's multicast groups: those that no router or system treats specially.
MULTICAST_GROUPS = ("224.0.0.183", "239.255.172.215")


def lsl_library() -> Check:
    """Check pylsl and the liblsl that it loads."""
    try:
        import pylsl

        from earmark.devices.sources.lsl_log import quiet_liblsl
    except (ImportError, RuntimeError, OSError) as error:  # pylsl raises RuntimeError where liblsl is not found
        return Check("LSL library", "fail", f"cannot be loaded: {error}", "pip install --force-reinstall pylsl")
    quiet_liblsl()
    version = pylsl.library_version()
    found = f"pylsl {pylsl.__version__}, liblsl {version // 100}.{version % 100}"
    if version < 117:
        return Check("LSL library", "warn", found, "unset PYLSL_LIB: it points to a liblsl older than 1.17")
    return Check("LSL library", "ok", found)


def _lsl_config() -> tuple[Path | None, configparser.ConfigParser]:
    """Return the configuration file that liblsl reads (the first of these that exists), and its contents."""
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
    """Check which network configuration LSL uses."""
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
    """Return the multicast port, and the first and last port of services, as configured."""
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
    """Check that a stream of this process is found and can be opened, and how fast samples pass through it."""
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
            return Check(name, "fail", "a stream of this process was not found within 3 s", fix)
        found_after = time.perf_counter() - start
        inlet = pylsl.StreamInlet(infos[0], recover=False)
        inlet.open_stream(timeout=3.0)
        for i in range(100):
            start = time.perf_counter()
            outlet.push_sample([float(i)])
            sample, _ = inlet.pull_sample(timeout=1.0)
            if sample != [float(i)]:
                return Check(name, "fail", f"sample {i} arrived as {sample}", fix)
            delays.append((time.perf_counter() - start) * 1e3)
        inlet.close_stream()  # before the outlet, or liblsl reports a broken transmission
    except RuntimeError as error:  # pylsl raises it for everything, time-outs included
        return Check(name, "fail", str(error), fix)
    found = f"found after {found_after * 1e3:.0f} ms; a sample takes {statistics.median(delays):.2f} ms, "
    return Check(name, "ok", found + f"worst of {len(delays)} {max(delays):.2f} ms")


# MulticastMinRTT: after that time liblsl queries this machine's ports directly, which would hide broken multicast.
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


def multicast(groups: tuple[str, ...] = MULTICAST_GROUPS) -> Check:
    """Check whether LSL finds a stream by multicast alone, as it must to find one on another machine."""
    name = "LSL multicast"
    try:
        answer = probe(MULTICAST_PROBE, str(lsl_ports()[0]), ", ".join(groups), timeout=8.0)
    except ProbeError as error:
        return Check(name, "fail", str(error), "pip install --force-reinstall pylsl")
    if not answer["found"]:
        fix = (
            "streams of other machines will not be found: open the firewall, leave the VPN, or list the senders in "
            "lsl_api.cfg as KnownPeers={host, ...} under [lab]"
        )
        return Check(name, "warn", f"no answer by {', '.join(groups)} within 2 s", fix)
    return Check(name, "ok", f"works: answered after {answer['seconds'] * 1e3:.0f} ms")


def _addresses() -> Iterator[tuple[str, str]]:
    """Yield the network interfaces with an IPv4 address, and the address; only a default one outside Linux."""
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
    group, token = MULTICAST_GROUPS[1], uuid.uuid4().bytes
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
    """Check which network interfaces pass multicast."""
    heard = {f"{name} ({address})": _hears_itself(address) for name, address in _addresses()}
    found = ", ".join(f"{name}: {'multicast' if hears else 'no multicast'}" for name, hears in heard.items())
    if not any(hears for name, hears in heard.items() if not name.startswith("lo ")):
        fix = "connect the network of the amplifier; within one machine, LSL works without it"
        return Check("network interfaces", "warn", found or "none", fix)
    return Check("network interfaces", "ok", found)


def firewall() -> Check:
    """Check whether a firewall may block packets of LSL."""
    name = "firewall"
    discovery, first, last = lsl_ports()
    needed = f"UDP {discovery} (multicast) and TCP and UDP {first}-{last}"
    if sys.platform != "linux":
        where = (
            "Windows Security, 'Allow an app through firewall', tick python.exe for private networks"
            if sys.platform == "win32"
            else "System Settings, Network, Firewall, Options: allow incoming connections for Python"
        )
        return Check(name, "absent", "not checked on this system", f"LSL needs {needed}: {where}")
    if (rules := run_tool("ufw", "status")) is not None:
        enabled = "Status: active" in rules
    else:  # only root may run ufw, but every user may read whether it is on
        enabled = _enabled_in(Path("/etc/ufw/ufw.conf"))
    if enabled:
        if rules and str(discovery) in rules and f"{first}:{last}" in rules:
            return Check(name, "ok", f"ufw is on, with rules for {needed}")
        ports = f"{first}:{last}"
        fix = f"sudo ufw allow {discovery}/udp; sudo ufw allow {ports}/tcp; sudo ufw allow {ports}/udp"
        return Check(name, "warn", f"ufw is on; LSL needs {needed}", fix)
    if (run_tool("firewall-cmd", "--state") or "").strip() == "running":
        ports = f"--add-port={first}-{last}"
        fix = f"sudo firewall-cmd --permanent --add-port={discovery}/udp {ports}/tcp {ports}/udp, then --reload"
        return Check(name, "warn", f"firewalld is on; LSL needs {needed}", fix)
    if shutil.which("nft"):
        rules = run_tool("nft", "list", "ruleset")
        if rules is None:
            return Check(name, "absent", "nftables: only root may list its rules", f"LSL needs {needed} open")
        if re.search(r"hook input[^}]*(policy drop|\bdrop\b|\breject\b)", rules):
            fix = f"add rules that accept {needed}, or check that there are some"
            return Check(name, "warn", "nftables drops some incoming packets", fix)
    return Check(name, "ok", "no active firewall found")


def _enabled_in(path: Path) -> bool:
    try:
        return re.search(r"^\s*ENABLED=yes", path.read_text(encoding="utf-8"), re.MULTILINE) is not None
    except (OSError, UnicodeDecodeError) as error:  # no ufw here
        log.debug("%s", error)
        return False


def lsl_clock() -> Check:
    """Check the clock of LSL, which all time stamps come from."""
    import pylsl

    reads = [pylsl.local_clock() for _ in range(20_000)]
    steps = [b - a for a, b in pairwise(reads)]
    if min(steps) < 0:
        fix = "do not record on this machine: its clock source is broken (try another in the BIOS or hypervisor)"
        return Check("LSL clock", "fail", f"went back by {-min(steps):.2g} s", fix)
    resolution = min((step for step in steps if step > 0), default=float("inf"))
    # Read between two readings of the other clock, so that a pause of this process does not count as an offset.
    before, middle, after = min(
        ((time.monotonic(), pylsl.local_clock(), time.monotonic()) for _ in range(100)), key=lambda x: x[2] - x[0]
    )
    offset = middle - (before + after) / 2
    found = f"monotonic, resolution {resolution * 1e6:.2g} µs, {offset:+.6f} s from Python's monotonic clock"
    if resolution > 1e-3:
        return Check(
            "LSL clock", "warn", found, "time stamps are no finer than this: choose a finer system clock source"
        )
    return Check("LSL clock", "ok", found)
