"""Compiled networks on disk: found again only for the very same network, machine and versions."""

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
#: Files larger than this are not engines of ours, and are not read into memory.
MAX_BYTES = 1 << 32


class CacheError(EarmarkError):
    """Raised when the folder of compiled networks cannot be used."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A network that is ready to answer, and how it came about.

    Attributes
    ----------
    network : Network
    key : str
        Its identity.
    cached : bool
        Taken from disk rather than built.
    n_bytes : int
        Size of what was compiled; 0 where nothing is.
    """

    network: Network
    key: str
    cached: bool
    n_bytes: int


def cache_folder() -> Path:
    """Where engines are kept: the user's cache folder, as the system has it."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "earmark" / "engines"


class EngineCache:
    """Engines by key. They are machine code, so the folder must be this user's alone.

    Files appear whole or not at all, and carry a SHA-256 of what they hold; one that does not match is as good as
    none. Two processes that build the same engine at once write the same file, and either is right.

    Parameters
    ----------
    folder : Path, optional
        :func:`cache_folder` by default; made if it is not there.

    Raises
    ------
    CacheError
        If it belongs to somebody else, others may write to it, or it cannot be made.
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
        """File of an engine."""
        return self.folder / f"{key}.engine"

    def read(self, key: str) -> bytes | None:
        """Give back an engine; None if there is none or its file is damaged, which is logged."""
        path = self.path(key)
        try:
            if path.stat().st_size > MAX_BYTES:
                log.warning("%s is larger than any engine: it is built anew", path)
                return None
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("%s cannot be read (%s): it is built anew", path, error.strerror)
            return None
        magic, header, artifact = content[: len(MAGIC)], *_split(content[len(MAGIC) :])
        if magic != MAGIC or header != {"key": key, "sha256": hashlib.sha256(artifact).hexdigest()}:
            log.warning("%s is damaged: it is built anew", path)
            return None
        return artifact

    def write(self, key: str, artifact: bytes) -> None:
        """Keep an engine.

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
        """Say whether :meth:`find` would look at something, without making anything ready.

        Raises
        ------
        earmark.kernels.runtime.backend.BackendError
            If the backend cannot be used here or does not take this network.
        """
        return not backend.compiles or self.path(_key(backend, module, example, policy)).exists()

    def find(self, backend: Backend, module: nn.Module, example: Tensors, policy: Policy) -> Prepared | None:
        """Make ready what is on disk already, or needs no compiling; None if it would have to be built.

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
            log.warning("%s: %s: it is built anew", self.path(key), error)
            return None

    def prepare(self, backend: Backend, module: nn.Module, example: Tensors, policy: Policy) -> Prepared:
        """Make a network ready to answer, from an engine on disk if there is the right one. Never in a live loop.

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
    except ValueError:  # damaged: the caller compares it with what it must be
        return None, artifact
