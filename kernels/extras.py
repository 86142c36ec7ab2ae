"""Optional packages: the extras of ``pyproject.toml``, the modules each provides, and how to install them."""

from __future__ import annotations

from importlib.util import find_spec

from earmark.kernels.errors import EarmarkError

#: Modules that each extra provides; if one of them is missing, the extra is not installed.
MODULES: dict[str, tuple[str, ...]] = {
    "desktop": ("PySide6", "pyqtgraph", "psutil"),
    "networks": ("torch",),
    "tensorrt": ("torch_tensorrt",),
    "tensorrt-rtx": ("torch_tensorrt_rtx",),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "corpus": ("distributed",),
    "matlab": ("h5py", "matio"),
    "bench": ("mne_lsl", "psutil"),
    "scene": ("pyroomacoustics", "pystoi"),
    "pesq": ("pesq",),
}


class MissingExtra(EarmarkError, ImportError):
    """Raised when an operation needs packages of an extra that is not installed; names the extra."""


def install(extra: str) -> str:
    """Return the command that installs an extra of ``pyproject.toml``, and the folder to run it in."""
    return f"pip install '.[{extra}]' in the folder of Earmark's source"


def require(extra: str, what: str) -> None:
    """Raise an error if an extra is not installed.

    Parameters
    ----------
    extra : str
        A key of :data:`MODULES`.
    what : str
        First part of the message, which says what needs the extra, as in ``"the window needs more packages"``.

    Raises
    ------
    MissingExtra
        If one of the modules of the extra cannot be found. No module is imported.
    """
    if any(find_spec(module) is None for module in MODULES[extra]):
        raise MissingExtra(f"{what}: {install(extra)}")
