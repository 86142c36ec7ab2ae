"""Checks of sound, graphics processor and window system."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import importlib.util
import os
import re
import sys
from functools import cache
from typing import Any

from earmark.app.doctor.check import Check, ProbeError, Status, library, probe, run_tool
from earmark.kernels.extras import install

#: Libraries that Qt loads on Linux, and the Debian packages that contain them.
QT_LIBRARIES = {"EGL": "libegl1", "xkbcommon": "libxkbcommon0", "xcb-cursor": "libxcb-cursor0", "dbus-1": "libdbus-1-3"}

#: Packages that read, resample, loudness-match and spatialize talkers; modules have the same names.
SOUND_LIBRARIES = ("soundfile", "soxr", "pyloudnorm", "slab")

SOUND_PROBE = """
import json
import sounddevice
def refuses():
    try:
        sounddevice.check_output_settings(channels=2, dtype="float32", samplerate=48000)
    except (sounddevice.PortAudioError, ValueError) as error:
        return str(error)
def default(kind):
    try:
        device = sounddevice.query_devices(kind=kind)
    except (sounddevice.PortAudioError, ValueError):
        return None
    return f"{device['name']} ({device['default_samplerate']:g} Hz)"
print(json.dumps({
    "portaudio": sounddevice.get_portaudio_version()[1].split(",")[0],
    "devices": len(sounddevice.query_devices()), "output": default("output"), "input": default("input"),
    "refuses": refuses() if default("output") else None,
}))
"""


def sound() -> Check:
    """Check PortAudio, its sound devices, the formats of the default one, and the packages that prepare talkers."""
    if importlib.util.find_spec("sounddevice") is None:
        return Check("sound", "fail", "sounddevice is not installed", "pip install sounddevice")
    if missing := [name for name in SOUND_LIBRARIES if importlib.util.find_spec(name) is None]:
        fix = f"pip install {' '.join(missing)}"
        return Check("sound", "fail", f"not installed: {', '.join(missing)}; talkers cannot be prepared", fix)
    try:
        answer = probe(SOUND_PROBE, timeout=10.0)
    except ProbeError as error:
        if "PortAudio library not found" in str(error):
            fix = "sudo apt-get install libportaudio2 (elsewhere: the package with libportaudio.so.2)"
            return Check("sound", "warn", "the PortAudio library is missing: no sound", fix)
        return Check("sound", "fail", str(error), "see the sound system's own messages: python -m sounddevice")
    found = f"{answer['portaudio']}, {answer['devices']} devices; "
    found += f"output: {answer['output'] or 'none'}; input: {answer['input'] or 'none'}"
    if answer["output"] is None:
        fix = "connect a sound card, or start its sound server; for a session without sound: device = 'null' in [sound]"
        return Check("sound", "warn", f"{found}; a session cannot be heard here", fix)
    if answer["refuses"]:
        found += f"; the output refuses two channels at 48000 Hz ({answer['refuses']})"
        fix = "see 'earmark devices' for what it accepts and set sfreq in [sound], or choose another device"
        return Check("sound", "warn", found, fix)
    return Check("sound", "ok", found)


#: Linear decoders do not need torch.
NO_TORCH = f"torch is not installed; for networks: {install('networks')}"


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


GPU_PROBE = """
import json
import torch
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "names": names}))
"""


def gpu() -> Check:
    """Check whether torch can use a GPU."""
    cards = (
        run_tool("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader", timeout=5.0) or ""
    ).strip()
    cards = "; ".join(cards.splitlines())
    if not _has_torch():
        return Check("GPU", "absent", NO_TORCH)
    try:
        answer = probe(GPU_PROBE, timeout=15.0)
    except ProbeError as error:
        return Check("GPU", "fail", f"torch cannot be used: {error}", "pip install --force-reinstall torch")
    if answer["names"]:
        found = f"{', '.join(answer['names'])}; torch {answer['torch']}, CUDA {answer['cuda']}"
        return Check("GPU", "ok", found + (f"; name, driver: {cards}" if cards else ""))
    if cards:
        fix = "install the torch build for CUDA" if answer["cuda"] is None else "update the NVIDIA driver"
        return Check("GPU", "warn", f"{cards} found, but torch {answer['torch']} cannot use it", fix)
    return Check("GPU", "absent", f"none: decoders run on the CPU (torch {answer['torch']})")


def torch_tensorrt() -> Check:
    """Check Torch-TensorRT, which works only with the torch of its own version."""
    name = "Torch-TensorRT"
    names = ("torch-tensorrt", "torch-tensorrt-rtx")
    check = library(name, "torch_tensorrt", names, f"for NVIDIA GPUs: {install('tensorrt')}")
    for distribution in names if check.status == "ok" else ():
        if check.found.startswith(f"{distribution} "):
            mine = importlib.metadata.version(distribution).split(".")[:2]
            if mine != importlib.metadata.version("torch").split(".")[:2]:
                return Check(name, "warn", f"{check.found} needs another torch", "install both in the same version")
    return check


BACKENDS_PROBE = """
import json, sys
sys.path[:] = sys.argv[1:]
from earmark.kernels.runtime import BACKENDS
reasons = {name: backend.absent() for name, backend in BACKENDS.items()}
versions = {name: None if reason else BACKENDS[name].versions() for name, reason in reasons.items()}
print(json.dumps({"reasons": reasons, "versions": versions}))
"""


@cache
def _backends() -> dict[str, Any]:
    """Return why each backend cannot be used, or its versions; cached, as torch takes seconds to load."""
    return probe(BACKENDS_PROBE, *filter(None, sys.path), timeout=60.0)  # imports this same program


def backend(name: str) -> Check:
    """Check whether networks of decoders can be run by a backend."""
    title = f"networks by {name}"
    if not _has_torch():
        return Check(title, "absent", NO_TORCH)
    try:
        answer = _backends()
    except ProbeError as error:
        return Check(title, "fail", f"cannot be checked: {error}", "pip install --force-reinstall torch")
    if reason := answer["reasons"][name]:
        return Check(title, "absent", reason)
    return Check(title, "ok", ", ".join(f"{key} {value}" for key, value in answer["versions"][name].items()))


def qt() -> Check:
    """Check PySide6 and pyqtgraph, which draw the dashboard."""
    hint = f"for the dashboard: {install('desktop')}"
    versions = {}
    for distribution in ("PySide6-Essentials", "pyqtgraph"):
        try:
            versions[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            return Check("Qt", "absent", f"{distribution} is not installed", hint)
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    numbers = tuple(int(digits) for digits in re.findall(r"\d+", versions["PySide6-Essentials"])[:2])
    if numbers >= (6, 12) and sys.version_info < (3, 12):
        # Each call into Qt releases one reference to None too many; after some thousand calls the process aborts.
        fix = "pip install 'PySide6-Essentials>=6.11,<6.12', or use Python 3.12 or newer"
        return Check("Qt", "fail", f"{found}: PySide6 from 6.12 on crashes under Python 3.11", fix)
    return Check("Qt", "ok", found)


def qt_libraries() -> Check:
    """Check the system libraries that Qt loads."""
    if sys.platform != "linux":
        return Check("Qt libraries", "ok", "none needed on this system")
    missing = [package for library, package in QT_LIBRARIES.items() if ctypes.util.find_library(library) is None]
    if missing:
        fix = f"for the dashboard: sudo apt-get install {' '.join(missing)}"
        status: Status = "warn" if importlib.util.find_spec("PySide6") else "absent"  # only Qt needs them
        return Check("Qt libraries", status, f"missing: {', '.join(missing)}", fix)
    return Check("Qt libraries", "ok", ", ".join(QT_LIBRARIES))


def display() -> Check:
    """Check whether a window can be opened."""
    if sys.platform != "linux":
        return Check("display", "ok", "that of the desktop")
    set_ = [f"{name}={os.environ[name]}" for name in ("WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(name)]
    if not set_:
        return Check("display", "absent", "neither DISPLAY nor WAYLAND_DISPLAY is set", "run it in a desktop session")
    return Check("display", "ok", ", ".join(set_))
