"""Independent reference renderer: computes the played sound from the log of controls, as whole signals.

Tests compare the block-wise renderer and the sound of recorded sessions with it. It shares no code with the renderer,
only definitions: valid values of controls, impulse responses, lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import fftconvolve
from scipy.signal.windows import hann

from earmark.devices.audio import ramp, render, sources, space
from earmark.devices.audio.scene import HARD_CEILING_DBFS, Applied, Prepared, Scene

_T = TypeVar("_T")
_Events = list[tuple[int, _T]]


def rerender(
    prepared: Prepared,
    applied: Sequence[Applied],
    n_frames: int,
    live: Mapping[int, NDArray[np.float32]] | None = None,
) -> NDArray[np.float64]:
    """Render a scene from the log of its controls.

    Needs 200 to 300 bytes of memory and 2 µs per frame, so it is suited for minutes, not hours.

    Parameters
    ----------
    prepared : Prepared
        The scene.
    applied : sequence of Applied
        Log of controls, in order. Each ``start`` begins a new session; before the first one, and after each ``lost``,
        there is silence.
    n_frames : int
        Number of frames, from output frame 0.
    live : mapping from int to array, shape (n_frames,)
        Samples of live talkers for each output frame, by index.

    Returns
    -------
    array, shape (n_frames, 2)
        Left and right channel.

    Raises
    ------
    ValueError
        If the log does not begin with a start, or its frames decrease.
    """
    frames = [item.frame for item in applied]
    if not applied or applied[0].kind != "start" or frames != sorted(frames):
        raise ValueError("applied must begin with a start, and its frames must not decrease")
    out = np.zeros((n_frames, 2))
    starts = [index for index, item in enumerate(applied) if item.kind == "start"]
    for first, last in zip(starts, [*starts[1:], len(applied)], strict=True):
        begin = applied[first].frame
        end = min(n_frames, applied[last].frame if last < len(applied) else n_frames)
        lost = next((item for item in applied[first:last] if item.kind == "lost"), None)
        end = end if lost is None else min(end, lost.frame)
        if end > begin:
            pieces = {index: np.asarray(x)[begin:end] for index, x in (live or {}).items()}
            out[begin:end] = _session(prepared, applied[first:last], end - begin, pieces)
    return out


def _session(
    prepared: Prepared, applied: Sequence[Applied], n: int, live: Mapping[int, NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Render one session, from its start; return shape (n, 2)."""
    scene, sfreq = prepared.scene, prepared.scene.sfreq
    n_talkers = len(scene.talkers)
    targets = render.Targets(scene)
    gains: list[_Events[tuple[float, float]]] = [[] for _ in range(2 * n_talkers + 1)]  # gains, trims and master
    silences: list[_Events[bool]] = [[] for _ in scene.talkers]
    seeks: list[_Events[int]] = [[] for _ in scene.talkers]
    moves: _Events[NDArray[np.float64]] = []
    mutes: _Events[bool] = []
    stops: _Events[bool] = [(0, True)]
    for item in applied:
        at = item.frame - applied[0].frame
        jump = targets.take(item.control) and item.kind != "start"
        ramps_s = [*[targets.ramp_s] * n_talkers, *[render.TRIM_S] * n_talkers, targets.ramp_s]
        wanted = (*targets.gains_db, *targets.trims_db, targets.master_db)
        for events, target, ramp_s in zip(gains, wanted, ramps_s, strict=True):
            events.append((at, (float(target), ramp_s)))
        for turns, mute in zip(silences, targets.mutes, strict=True):
            turns.append((at, not mute))
        for jumps, to in zip(seeks, targets.seek_s, strict=True):
            if jump and not np.isnan(to):
                jumps.append((at, round(to * sfreq)))
        moves.append((at, targets.azimuths.copy()))
        mutes.append((at, not targets.mute))
        if item.kind == "stop":
            stops.append((at, False))

    positions = applied[0].positions or tuple(round(talker.start_s * sfreq) for talker in scene.talkers)
    talkers = np.empty((n_talkers, n))
    for index, (talker, pcm) in enumerate(zip(scene.talkers, prepared.pcm, strict=True)):
        x = live[index] if pcm is None else _file(pcm, talker.loop, positions[index], seeks[index], n, sfreq)
        talkers[index] = np.where(np.abs(x) <= render.LOUDEST, x, 0) * _gain(gains[index], n, sfreq)
        talkers[index] *= _gain(gains[n_talkers + index], n, sfreq)
        talkers[index] *= _switch(silences[index], round(render.MUTE_S * sfreq), silences[index][0][1], n)
    mix = _ears(prepared, talkers, moves) * _gain(gains[-1], n, sfreq)
    out = _limited(mix, scene)
    out *= _switch(mutes, round(render.MUTE_S * sfreq), mutes[0][1], n)
    out *= _switch([(0, True)], round(render.START_S * sfreq), False, n)
    out *= _switch(stops, round(render.STOP_S * sfreq), True, n)
    return out.T


def _in_turn(events: _Events[_T], busy: int, same: Callable[[_T, _T], bool], now: _T | None) -> _Events[_T]:
    """Return the events that take effect: only changes, each at least ``busy`` frames after the previous one."""
    done: _Events[_T] = []
    free = 0
    waiting: _T | None = None
    for at, wanted in [*events, (1 << 62, None)]:
        if waiting is not None and free <= at:  # it takes effect before the next event
            if now is None or not same(waiting, now):
                done.append((free, waiting))
                now, free = waiting, free + busy
            waiting = None
        if wanted is None:
            break
        if free <= at:
            if now is None or not same(wanted, now):
                done.append((at, wanted))
                now, free = wanted, at + busy
        else:
            waiting = wanted
    return done


def _file(
    pcm: NDArray[np.float32], loop: bool, position: int, seeks: _Events[int], n: int, sfreq: float
) -> NDArray[np.float64]:
    """Return the samples that are read from a file."""

    def read(at: NDArray[np.int64]) -> NDArray[np.float64]:
        if loop:
            return np.asarray(pcm[at % len(pcm)], float)
        return np.where((at >= 0) & (at < len(pcm)), pcm[at.clip(0, len(pcm) - 1)], 0.0)

    frame = np.arange(n)
    at = position + frame
    out = read(at)
    n_fade = round(sources.SEEK_S * sfreq)
    for jump, to in _in_turn(seeks, n_fade, lambda _a, _b: False, None):
        rise = _rise(frame - jump, n_fade)
        out[jump:] *= 1 - rise[jump:]
        out[jump:] += rise[jump:] * read(to + frame[jump:] - jump)
    return out


def _rise(age: NDArray[np.int64], n_fade: int) -> NDArray[np.float64]:
    """Return a raised cosine whose first step is at age 0."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * (age + 1).clip(0, n_fade) / n_fade))


def _gain(targets: _Events[tuple[float, float]], n: int, sfreq: float) -> NDArray[np.float64]:
    """Return a factor: straight lines in dB to each new target, convolved with a Hann window."""
    window = hann(max(3, round(ramp.ROUNDING_S * sfreq)) + 2)[1:-1]
    target = targets[0][1][0]
    line = np.full(n, target)
    for at, (wanted, ramp_s) in targets[1:]:
        if wanted == target or at >= n:
            continue
        target = wanted
        n_line = max(1, round(min(ramp_s, ramp.MAX_RAMP_S) * sfreq) - len(window) + 1)
        line[at:] = line[at] + (target - line[at]) * (np.arange(n - at) / n_line).clip(0, 1)
    padded = np.concatenate([np.full(len(window) - 1, line[0]), line])
    return np.asarray(10 ** (fftconvolve(padded, window / window.sum(), "valid") / 20))


def _ears(prepared: Prepared, talkers: NDArray[np.float64], moves: _Events[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return both ears, shape (2, n): the whole signal convolved for each placement, and cross-faded."""
    azimuths, responses = prepared.hrir_azimuths, prepared.hrir
    n = talkers.shape[1]
    n_fade = round(space.MOVE_S * prepared.scene.sfreq)
    wishes = [(at, np.array([np.abs(azimuths - one).argmin() for one in wanted])) for at, wanted in moves]
    places = _in_turn(wishes[1:], n_fade, np.array_equal, wishes[0][1])
    out = np.zeros((2, n))
    frame = np.arange(n)
    for index, (at, place) in enumerate([(0, wishes[0][1]), *places]):
        end = places[index][0] if index < len(places) else n
        weight = (_rise(frame - at, n_fade) if index else np.ones(n)) - (_rise(frame - end, n_fade) if end < n else 0)
        heard = slice(at, min(n, end + n_fade))
        source = slice(max(0, at - responses.shape[2] + 1), heard.stop)
        for x, nearest in zip(talkers, place, strict=True):
            for ear in range(2):
                y = fftconvolve(x[source], responses[nearest, ear])[
                    heard.start - source.start : heard.stop - source.start
                ]
                out[ear, heard] += weight[heard] * y
    return out


def _limited(mix: NDArray[np.float64], scene: Scene) -> NDArray[np.float64]:
    """Return the mix delayed by the look-ahead, limited, and clipped."""
    ceiling = 10 ** (min(scene.ceiling_dbfs, HARD_CEILING_DBFS) / 20)
    late = round(scene.lookahead_s * scene.sfreq)
    needed = 1 - ceiling / np.abs(mix).max(axis=0).clip(ceiling)
    largest = maximum_filter1d(np.concatenate([np.zeros(late), needed]), late + 1, origin=late // 2)[late:]
    held = np.empty(len(needed))
    keep, last = np.exp(-1 / (scene.release_s * scene.sfreq)), 0.0
    for now, wanted in enumerate(largest.tolist()):
        last = held[now] = max(wanted, last * keep)
    window = hann(late + 3)[1:-1]
    reduction = fftconvolve(held, window / window.sum())[: len(held)]
    delayed = np.concatenate([np.zeros((2, late)), mix], axis=1)[:, : len(held)]
    return np.asarray((delayed * (1 - reduction)).clip(-ceiling, ceiling))


def _switch(turns: _Events[bool], n_fade: int, on: bool, n: int) -> NDArray[np.float64]:
    """Return a factor that moves to 1 or 0 along a raised cosine at each turn, from its current value."""
    at = np.empty(n)
    now = n_fade if on else 0
    for (begin, up), (end, _) in zip(turns, [*turns[1:], (n, False)], strict=True):
        way = np.arange(1, max(0, min(end, n) - begin) + 1)
        at[begin : begin + len(way)] = (now + way if up else now - way).clip(0, n_fade)
        now = int(at[begin + len(way) - 1]) if len(way) else now
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * at / n_fade))
