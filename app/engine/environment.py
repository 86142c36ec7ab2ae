"""The environment on which a bit-exact replay depends: versions, BLAS, system, processor."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

import numpy as np


def environment() -> dict[str, str]:
    """Return the properties of machine and libraries that can change the last bit of a result."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[call-overload, index]
    versions = {name: metadata.version(name) for name in ("earmark", "numpy", "scipy", "numba")}
    return {
        **versions,
        "python": platform.python_version(),
        "blas": f"{blas['name']} {blas['version']}",
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
    }


def version(package: str) -> str:
    """Return the version of a package; ``none`` if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
