"""Cache of compiled networks on disk, keyed by the exact network, machine and library versions."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.kernels.errors import EarmarkError
from earmark.kernels.runtime.backend import BackendError
from earmark.kernels.runtime.fingerprint import fingerprint

if TYPE_CHECKING:
    from torch import nn

    from earmark.kernels.runtime.backend import Backend, Network, Policy, Tensors

log = logging.getLogger(__name__)

#: First line of each file, before its header and its content.
MAGIC = b"earmark engine 1\n"
#: Maximum file size: larger files are not engines of this program, and are not read into memory.
MAX_BYTES = 1 << 32


class CacheError(EarmarkError):
    """Raised when the folder of compiled networks cannot be used."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A network that is ready to answer, and its origin.

    Attributes
    ----------
    network : Network
    key : str
        Cache key of the network.
    cached : bool
        Whether it was loaded from disk rather than built.
    n_bytes : int
        Size of the compiled engine in bytes; 0 if nothing is compiled.
    """

    network: Network
    key: str
    cached: bool
    n_bytes: int


def cache_folder() -> Path:
    """Return the folder of the engines, in the user's cache folder of the system."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "earmark" / "engines"


class EngineCache:
    """Engines by key. They are machine code, so only this user may have write access to the folder.

    Files are written atomically, with a SHA-256 of their content; a file that does not match it is ignored. Two
    processes that build the same engine at once write the same file, and either is valid.

    Parameters
    ----------
    folder : Path, optional
        :func:`cache_folder` by default; created if it does not exist.

    Raises
    ------
    CacheError
        If it belongs to another user, others may write to it, or it cannot be created.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = cache_folder() if folder is None else folder
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.folder.lstat()
        except OSError as error:
            raise CacheError(f"{self.folder}, the cache of engines, cannot be made: {error.strerror}") from error
        if sys.platform != "win32" and (found.st_uid != os.getuid() or found.st_mode & 0o022):
            whose = f"of user {found.st_uid}, mode {found.st_mode & 0o777:o}"
            fix = "remove it, or give it to yourself alone: chmod 700"
            raise CacheError(f"{self.folder}, the cache of engines, may be written by others ({whose}): {fix}")

    def path(self, key: str) -> Path:
        """Return the file of an engine."""
        return self.folder / f"{key}.engine"

    def read(self, key: str) -> bytes | None:
        """Read an engine; None if there is none or its file is damaged, which is logged."""
        path = self.path(key)
        try:
            if path.stat().st_size > MAX_BYTES:
                log.warning("%s is larger than any engine: it is rebuilt", path)
                return None
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("%s cannot be read (%s): it is rebuilt", path, error.strerror)
            return None
        magic, header, artifact = content[: len(MAGIC)], *_split(content[len(MAGIC) :])
        if magic != MAGIC or header != {"key": key, "sha256": hashlib.sha256(artifact).hexdigest()}:
            log.warning("%s is damaged: it is rebuilt", path)
            return None
        return artifact

    def write(self, key: str, artifact: bytes) -> None:
        """Store an engine.

        Raises
        ------
        CacheError
            If it cannot be written.
        """
        header = json.dumps({"key": key, "sha256": hashlib.sha256(artifact).hexdigest()}).encode()
        try:
            handle, fresh = tempfile.mkstemp(prefix=f".{key[:16]}-", dir=self.folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(MAGIC + header + b"\n" + artifact)
                    file.flush()
                    os.fsync(file.fileno())
                Path(fresh).replace(self.path(key))
            finally:
                Path(fresh).unlink(missing_ok=True)
        except OSError as error:
            raise CacheError(f"{self.path(key)} cannot be written: {error.strerror}") from error

    def holds(self, backend: Backend, module: nn.Module, example: Tensors, policy: Policy) -> bool:
        """Whether :meth:`find` would find an engine; prepares nothing.

        Raises
        ------
        earmark.kernels.runtime.backend.BackendError
            If the backend cannot be used here or does not take this network.
        """
        return not backend.compiles or self.path(_key(backend, module, example, policy)).exists()

    def find(self, backend: Backend, module: nn.Module, example: Tensors, policy: Policy) -> Prepared | None:
        """Prepare an engine that is on disk or needs no compilation; None if it would have to be built.

        Raises
        ------
        earmark.kernels.runtime.backend.BackendError
            If the backend cannot be used here or does not take this network.
        """
        key = _key(backend, module, example, policy)
        kept = self.read(key) if backend.compiles else b""
        if kept is None:
            return None
        try:
            return Prepared(backend.load(kept, module, example, policy), key, backend.compiles, len(kept))
        except BackendError as error:
            if not backend.compiles:
                raise
            log.warning("%s: %s: it is rebuilt", self.path(key), error)
            return None

    def prepare(self, backend: Backend, module: nn.Module, example: Tensors, policy: Policy) -> Prepared:
        """Prepare a network, from the engine on disk if there is a valid one. Never call it in a live loop.

        Raises
        ------
        earmark.kernels.runtime.backend.BackendError
            If the backend cannot be used here or does not take this network.
        CacheError
            If the engine cannot be written.
        """
        found = self.find(backend, module, example, policy)
        if found is not None:
            return found
        key = _key(backend, module, example, policy)
        artifact = backend.build(module, example, policy)
        network = backend.load(artifact, module, example, policy)
        self.write(key, artifact)
        return Prepared(network, key, False, len(artifact))


def _key(backend: Backend, module: nn.Module, example: Tensors, policy: Policy) -> str:
    backend.check(module, example, policy)
    return fingerprint(module, example, policy, backend.name, backend.versions())


def _split(content: bytes) -> tuple[object, bytes]:
    header, _, artifact = content.partition(b"\n")
    try:
        return json.loads(header), artifact
    except ValueError:  # damaged: the caller compares it with the expected value
        return None, artifact
