"""The engine cache finds engines of exactly the same network, rebuilds damaged ones, and is shared by processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_networks import made

from earmark.devices.files.engine_cache import CacheError, EngineCache, cache_folder
from earmark.kernels.runtime.backend import Backend, BackendError, Info, Network, Policy

MODULE, EXAMPLE = made("linear", n_channels=4, n_samples=32)
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no such permissions on Windows")


class Counting(Backend):
    """Compile to a few bytes, count compilations, and refuse foreign bytes."""

    name = "counting"
    precisions = ("float32", "float16")

    def __init__(self, **versions):
        self.builds, self.known = 0, {"GPU": "H100", "driver": "1", **versions}

    def absent(self):
        return ""

    def versions(self):
        return self.known

    def build(self, module, example, policy):
        self.builds += 1
        return b"engine\n" * 1000

    def load(self, artifact, module, example, policy):
        if not artifact.startswith(b"engine"):
            raise BackendError("counting: not an engine")
        return Idle()


class Idle(Network):
    def run_into(self, x, out):
        pass

    def info(self):
        return Info("counting", "none", "float32", {}, False, 1, (), ())


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "engines")


def prepare(cache, backend, module=MODULE, example=EXAMPLE, policy=None):
    return cache.prepare(backend, module, example, policy or Policy())


def test_engine_is_built_once_per_network(cache):
    backend = Counting()
    assert not prepare(cache, backend).cached
    again = prepare(cache, backend)
    assert again.cached
    assert again.n_bytes == 7000
    assert backend.builds == 1
    prepare(cache, backend, made("linear", n_channels=4, n_samples=32, seed=1)[0])
    prepare(cache, backend, example=(torch.zeros(1, 4, 40),))
    prepare(cache, backend, policy=Policy("float16"))
    assert backend.builds == 4
    for versions in ({"GPU": "H200"}, {"driver": "2"}, {"tensorrt": "11"}):
        other = Counting(**versions)
        assert not prepare(cache, other).cached
        assert other.builds == 1


def test_session_uses_cached_engines_and_builds_none(cache, caplog):
    backend, about = Counting(), (MODULE, EXAMPLE, Policy())
    assert not cache.holds(backend, *about)
    assert cache.find(backend, *about) is None
    key = prepare(cache, backend).key
    assert cache.holds(backend, *about)
    assert cache.find(backend, *about).cached
    cache.path(key).write_bytes(b"damaged")
    assert cache.find(backend, *about) is None
    assert "damaged" in caplog.text
    assert backend.builds == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_engine_is_rebuilt(cache, data):
    backend = Counting()
    path = cache.path(prepare(cache, backend).key)
    builds = backend.builds
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path.write_bytes(content)
    logging.disable(logging.CRITICAL)
    try:
        assert not prepare(cache, backend).cached
    finally:
        logging.disable(logging.NOTSET)
    assert backend.builds == builds + 1
    assert prepare(cache, backend).cached, "rebuilt"


def test_engine_stored_under_another_key_is_rejected(cache):
    backend = Counting()
    first = prepare(cache, backend)
    second = prepare(cache, backend, policy=Policy("float16"))
    cache.path(second.key).write_bytes(cache.path(first.key).read_bytes())
    assert not prepare(cache, backend, policy=Policy("float16")).cached


def test_engine_that_cannot_be_loaded_is_rebuilt(cache, caplog):
    backend = Counting()
    cache.write(prepare(cache, backend).key, b"of another driver")
    assert not prepare(cache, backend).cached
    assert "not an engine: it is rebuilt" in caplog.text
    assert prepare(cache, backend).cached


def test_nothing_is_stored_for_backends_without_compilation(cache, monkeypatch):
    monkeypatch.setattr(Counting, "compiles", False)
    monkeypatch.setattr(Counting, "load", lambda self, artifact, module, example, policy: Idle())
    backend = Counting()
    assert cache.holds(backend, MODULE, EXAMPLE, Policy())
    assert prepare(cache, backend).n_bytes == 0
    assert backend.builds == 0
    assert not list(cache.folder.iterdir())


@POSIX
def test_a_folder_that_others_may_write_to_is_refused(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(CacheError, match="may be written by others"):
        EngineCache(tmp_path / "open")
    (tmp_path / "link").symlink_to(tmp_path / "open")
    with pytest.raises(CacheError, match="may be written by others"):
        EngineCache(tmp_path / "link")
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="cannot be made"):
        EngineCache(tmp_path / "file" / "engines")
    assert (EngineCache(tmp_path / "new" / "engines").folder.stat().st_mode & 0o777) == 0o700


def test_cache_folder_is_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache_folder().name == "engines"
    if sys.platform != "darwin":
        assert cache_folder() == tmp_path / "earmark" / "engines"


def test_full_disk_is_reported_and_leaves_no_file(cache, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match="No space left"):
        prepare(cache, Counting())
    assert not list(cache.folder.iterdir())


def racing(folder, start, said):
    """Prepare repeatedly and damage the cache in between, while another process does the same."""
    backend, cache = Counting(), EngineCache(folder)
    start.wait()
    for _ in range(40):
        prepared = prepare(cache, backend)
        assert cache.read(prepared.key) in (b"engine\n" * 1000, None)
        cache.path(prepared.key).unlink(missing_ok=True)
    said.put(backend.builds)


def test_two_processes_can_share_the_cache(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, said = context.Event(), context.Queue()
    processes = [context.Process(target=racing, args=(tmp_path / "engines", start, said)) for _ in range(2)]
    for process in processes:
        process.start()
    start.set()
    builds = [said.get(timeout=600) for _ in processes]
    for process in processes:
        process.join(180)
    assert [process.exitcode for process in processes] == [0, 0]
    assert all(0 < n <= 40 for n in builds)
    assert not [path for path in (tmp_path / "engines").iterdir() if path.name.startswith(".")], "no partial file"
