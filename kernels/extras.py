"""Optional packages: which extra of ``pyproject.toml`` brings what, and how it is installed."""

from __future__ import annotations

from importlib.util import find_spec

from earmark.kernels.errors import EarmarkError

#: What each extra makes importable; where one of these modules is missing, the extra is not installed.
MODULES: dict[str, tuple[str, ...]] = {
    "desktop": ("PySide6", "pyqtgraph", "psutil"),
    "tensorrt": ("torch_tensorrt",),
    "tensorrt-rtx": ("torch_tensorrt_rtx",),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "corpus": ("distributed",),
    "bench": ("mne_lsl", "psutil"),
}


class MissingExtra(EarmarkError, ImportError):
    """Raised when something asked for needs packages of an extra that is not installed; names the extra."""


def install(extra: str) -> str:
    """Return the command that installs an extra of ``pyproject.toml``, and where it works."""
    return f"pip install '.[{extra}]' in the folder of Earmark's source"


def require(extra: str, what: str) -> None:
    """Refuse to go on without an extra.

    Parameters
    ----------
    extra : str
        A key of :data:`MODULES`.
    what : str
        What needs it, as ``"the window needs more packages"``.

    Raises
    ------
    MissingExtra
        If one of its modules cannot be found; none is imported.
    """
    if any(find_spec(module) is None for module in MODULES[extra]):
        raise MissingExtra(f"{what}: {install(extra)}")
