"""Scenes for sound tests, and alignment of recorded sound with rendered sound."""

import contextlib
import os
import threading
import time
from pathlib import Path

import numpy as np
from rerender import rerender

from earmark.devices.audio.scene import Prepared, Scene, Talker
from earmark.devices.audio.space import impulse_responses
from earmark.devices.processes.latency import busy_core

SFREQ = 48_000
#: Largest rounding difference between samples rendered block by block and as a whole.
TOLERANCE = 1e-6


def noise_scene(seconds=6.0, space="itd_ild", n_talkers=2, **fields):
    """Prepare looped noise, in which every stretch is unique and can be located."""
    rng = np.random.default_rng(0)
    talkers = tuple(
        Talker(f"t{k}", f"t{k}.wav", azimuth, loop=True) for k, azimuth in enumerate((-40.0, 30.0, 5.0)[:n_talkers])
    )
    pcm = tuple(
        (0.05 * rng.standard_normal(int(seconds * SFREQ) + 77 * k)).astype(np.float32) for k in range(n_talkers)
    )
    scene = Scene(talkers, space=space, **fields)
    return Prepared(scene, pcm, *impulse_responses(scene.space, scene.sfreq))


def rerendered(prepared, engine):
    """Return the sound that should have been heard, rendered from the log."""
    return rerender(prepared, [entry.applied for entry in engine.applied()], engine.status().frames)


def matched(heard, rendered, n_key=48, n_back=2048, n_buffer=256):
    """Find stretches of the heard sound in the rendered sound, in order.

    Returns the stretches as (heard frame, rendered frame, length), and the number of audible frames outside them. A
    server that was delayed repeats its last buffer: repetitions are skipped. A capture that was delayed sometimes gets
    a buffer too early: a single buffer does not change the order.
    """
    stretches, at, after = [], 0, 0
    unmatched = 0
    loud = np.abs(heard).max(axis=1) > 10 * TOLERANCE
    while True:
        ahead = np.flatnonzero(loud[at:])
        if not len(ahead):
            return stretches, unmatched
        at += int(ahead[0])
        key = heard[at : at + n_key]
        first = max(0, after - n_back)
        places = first + np.flatnonzero(np.abs(rendered[first : len(rendered) - len(key), 0] - key[0, 0]) < TOLERANCE)
        places = [p for p in places if np.abs(rendered[p : p + len(key)] - key).max() < TOLERANCE]
        if not places:
            unmatched += 1
            at += 1
            continue
        place = int(places[-1]) if places[-1] < after else next(int(p) for p in places if p >= after)
        n = min(len(heard) - at, len(rendered) - place)
        off = np.flatnonzero(np.abs(heard[at : at + n] - rendered[place : place + n]).max(axis=1) >= TOLERANCE)
        n = int(off[0]) if len(off) else n
        if place >= after:
            stretches.append((at, place, n))
        at += n
        if n > n_buffer:
            after = max(after, place + n)


@contextlib.contextmanager
def heavy_load():
    """Run a process that keeps a core busy, and a thread that holds the interpreter lock for 20 ms at a time."""
    stop = threading.Event()

    def hold():
        while not stop.is_set():
            sum(range(1_000_000))
            time.sleep(0.03)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        with busy_core():
            yield
    finally:
        stop.set()
        holder.join()


def wait_until(condition, seconds=180.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def running(pid):
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def left_behind(names):
    """Return the shared memory segments of an engine that still exist."""
    segments = (
        names.gains,
        names.operator,
        names.status,
        names.applied,
        names.pcm,
        *filter(None, (*names.live, names.mics, names.clean, names.masks, names.heard, names.renewals)),
    )
    return [name for name in segments if os.path.exists(f"/dev/shm/{name}")]
