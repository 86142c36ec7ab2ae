"""Compute the envelopes of a recording again, from the sound that was recorded, and compare them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from earmark.app.config.session import Config, ConfigError, parse_config
from earmark.app.config.sound import SoundConfig
from earmark.app.engine.events_file import applied_of
from earmark.devices.audio.heard_again import Again, again
from earmark.devices.audio.heard_log import HeardSound, read_heard, recorded_channels
from earmark.devices.audio.outlets import HOP_S, envelopes
from earmark.devices.audio.scene import ONNX, Applied, AudioError, Scene
from earmark.devices.files.journal import HeardLine
from earmark.devices.files.session_file import Consumed, Noted, SessionFile
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.node import State
from earmark.pipeline.nodes.envelope import Envelope, EnvelopeConfig
from earmark.pipeline.stream import Block, Gap

#: Largest difference between machines, relative to the largest envelope: where a direction is rounded the other way,
#: beams are others for a moment.
TOLERANCE = 0.05
#: Samples by which a gap may change the count; least samples to align by correlation.
SLIP, ENOUGH = 3, 64


@dataclass(frozen=True)
class HeardComparison:
    """Comparison of recorded envelopes with those that were computed again from recorded sound.

    Attributes
    ----------
    sound : str
        Name of the file of sound.
    n_samples, n_compared, n_same : int
        Recorded samples of the envelopes; those for which sound was recorded; and those of them that are the same bit
        for bit.
    difference, largest : float
        Largest absolute difference, and largest recorded envelope.
    """

    sound: str
    n_samples: int
    n_compared: int
    n_same: int
    difference: float
    largest: float

    @property
    def identical(self) -> bool:
        """Whether all that could be compared is the same."""
        return self.n_same == self.n_compared

    @property
    def close(self) -> bool:
        """Whether it agrees within :data:`TOLERANCE`."""
        return self.difference <= TOLERANCE * self.largest


def sound_of(path: Path) -> HeardSound | None:
    """Return what was heard in a recording, or in the first of its files; None if no sound was recorded.

    Raises
    ------
    AudioError
        If its log is damaged.
    """
    first = path.with_stem(re.sub(r"(-kept)?-\d+$", "", path.stem))
    return read_heard(path) or read_heard(first)


def compare_heard(session: SessionFile, config: Config) -> HeardComparison | None:
    """Compute the envelopes of a recording again and compare; None if no sound was recorded.

    Parameters
    ----------
    session : SessionFile
    config : Config
        Its configuration.

    Raises
    ------
    EarmarkError
        If that is impossible; says why.
    """
    sound = sound_of(session.path)
    if sound is None:
        return None
    if config.sound is None or config.attention is None:
        raise ConfigError(f"{session.path} has no [sound] or no [attention], so there are no envelopes to compare")
    scene = scene_then(config.sound, session.path)
    applied, recorded = _read(session, config)
    index, rows = _runs(_computed(scene, again(scene, sound, applied), sound.states))
    live = [k for k, talker in enumerate(scene.talkers) if talker.is_live] if scene.microphones is None else slice(None)
    total = sum(len(one) for _, one in recorded)
    if not len(index):
        return HeardComparison(sound.path.name, total, 0, 0, 0.0, 0.0)
    segments, rows = [(start, one[:, live]) for start, one in recorded], rows[:, live]
    compared = same = 0
    difference = largest = 0.0
    for (start, segment), offset in zip(segments, _offsets(segments, index, rows), strict=True):
        if offset is None:
            continue
        wanted, found = _both(start + offset, segment, index, rows)
        equal = (wanted == found).all(axis=1)
        compared, same = compared + len(wanted), same + int(equal.sum())
        difference = max(difference, float(np.abs(wanted - found).max(initial=0.0)))
        largest = max(largest, float(np.abs(wanted).max(initial=0.0)))
    return HeardComparison(sound.path.name, total, compared, same, difference, largest)


def scene_then(config: SoundConfig, recording: Path) -> Scene:
    """Return the scene of a recording; files are looked for where the session was. The level of no device is needed.

    Raises
    ------
    AudioError
        If it is impossible.
    """
    home = recording.resolve().parent
    array = config.array
    beside = array is not None and array.responses and (home / array.responses).exists()
    folder = home if beside or array is None or not array.responses else home.parent
    then = config.model_copy(update={"max_spl": None})
    return then.scene(folder)


def _read(session: SessionFile, config: Config) -> tuple[list[Applied], list[tuple[int, NDArray[np.float32]]]]:
    """Return the log of controls by frame, and stretches of recorded envelopes: index, shape (n_samples, n_talkers)."""
    assert config.attention is not None
    stream = config.attention.talkers
    applied: dict[tuple[int, str], Applied] = {}
    segments: list[list[Block]] = [[]]
    for event in session:
        if isinstance(event, Noted) and isinstance(event.line, HeardLine):
            one = applied_of(event.line)
            applied[(one.frame, one.kind)] = one
        elif isinstance(event, Consumed) and event.stream == stream:
            if isinstance(event.item, Block):
                segments[-1].append(event.item)
            elif isinstance(event.item, Gap) and segments[-1]:
                segments.append([])
    found = [
        (one[0].start, np.concatenate([block.data for block in one]).astype(np.float32)) for one in segments if one
    ]
    return sorted(applied.values(), key=lambda one: one.frame), found


def _computed(
    scene: Scene, pieces: Iterator[Again], states: Sequence[tuple[int, State]]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield index and samples of envelopes, as :class:`earmark.devices.audio.outlets.EnvelopeOutlet` sent them."""
    hop = round(HOP_S * scene.sfreq)
    node: Envelope | None = None
    cursor = stop = 0
    waiting = np.zeros((len(scene.talkers), 0), np.float32)
    for piece in pieces:
        pcm = piece.pcm
        if piece.begins == "start" and node is not None:
            if piece.frame > stop:
                list(node.process(Gap(cursor, piece.frame)))
                cursor, waiting = piece.frame, waiting[:, :0]
        elif piece.begins:
            node = None
        stop = piece.stop
        if node is None:
            state = next((one for one in states if piece.frame <= one[0] < piece.stop), None)
            if state is None:
                continue
            node = envelopes(scene, "envelopes", EnvelopeConfig())[0]
            try:
                node.restore(state[1])
            except (KeyError, ValueError, TypeError):
                raise AudioError(f"the state of envelopes at frame {state[0]} does not fit these talkers") from None
            cursor, waiting, pcm = state[0], waiting[:, :0], pcm[:, state[0] - piece.frame :]
        waiting = np.concatenate([waiting, pcm], axis=1)
        while waiting.shape[1] >= hop:
            block = Block(cursor, waiting[:, :hop].T.astype(np.float64))
            for out in node.process(block):
                if isinstance(out, Block):
                    yield out.start, out.data.astype(np.float32)
            cursor, waiting = cursor + hop, waiting[:, hop:]


def _runs(found: Iterator[tuple[int, NDArray[np.float32]]]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return indices, ascending, and envelopes, shape (n_samples, n_talkers)."""
    pieces = list(found)
    if not pieces:
        return np.zeros(0, np.int64), np.zeros((0, 8), np.float32)
    index = np.concatenate([np.arange(start, start + len(rows)) for start, rows in pieces])
    rows = np.concatenate([rows for _, rows in pieces])
    order = np.unique(index, return_index=True)[1]
    return index[order], rows[order]


def _offsets(
    segments: Sequence[tuple[int, NDArray[np.float32]]], index: NDArray[np.int64], rows: NDArray[np.float32]
) -> list[int | None]:
    """Return the index of each segment's computed samples minus that of its recorded ones; None if it is not known.

    A recording counts the samples that arrived, and across a gap by their time stamps, so that indices differ by a
    constant, which a gap may change a little. It is the one with most equal samples. A segment without any has the one
    of its neighbour that fits best; if none has, they are aligned by correlation.
    """
    known = {row.tobytes(): int(at) for at, row in zip(index, rows, strict=True)}
    found: list[int | None] = []
    for start, recorded in segments:
        equal = Counter(
            known[key] - start - k for k, row in enumerate(recorded) if (key := row.tobytes()) in known and row.any()
        )
        found.append(equal.most_common(1)[0][0] if equal else None)
    sure = [one for one in found if one is not None]
    for number, (start, recorded) in enumerate(segments):
        if found[number] is None and sure:
            near = min(sure, key=lambda one: abs(one - (found[number - 1] or sure[0])))
            around = range(near - SLIP, near + SLIP + 1)
            found[number] = min(around, key=lambda one: _difference(*_both(start + one, recorded, index, rows)))
        elif not sure and len(recorded) >= ENOUGH:
            there = np.zeros(int(index[-1] - index[0]) + 1)
            there[index - index[0]] = rows.mean(axis=1) - rows.mean()
            lags = correlate(there, recorded.mean(axis=1) - recorded.mean(), "full", "fft")
            found[number] = int(lags.argmax()) - (len(recorded) - 1) + int(index[0]) - start
    return found


def _both(
    first: int, recorded: NDArray[np.float32], index: NDArray[np.int64], rows: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return recorded envelopes, the first of which has an index, and computed ones, shape (n_compared, n_talkers)."""
    wanted = np.arange(first, first + len(recorded))
    at = np.searchsorted(index, wanted).clip(0, len(index) - 1)
    both = index[at] == wanted
    return recorded[both], rows[at[both]]


def _difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.abs(one - other).mean()) if len(one) else 0.0


def heard_or_why(session: SessionFile) -> tuple[HeardComparison | None, str]:
    """Return the comparison of a recording, and a sentence about it; an empty one if nothing was live."""
    try:
        config = parse_config(session.about.config, f"configuration in {session.path}", recorded=session.about.format)
        if config.sound is None or not recorded_channels(scene_then(config.sound, session.path)):
            return None, ""
        if config.sound.array is not None and config.sound.array.separator.startswith(ONNX):
            return None, "recorded envelopes were taken: which answers of the separator were late is not recorded"
        found = compare_heard(session, config)
    except EarmarkError as error:
        return None, f"recorded envelopes were taken: the sound cannot be used ({error})"
    if found is None:
        return None, "recorded envelopes were taken: no sound was recorded"
    if not found.n_compared:
        return found, f"recorded envelopes were taken: none can be computed again from {found.sound}"
    words = f"{found.n_same} of {found.n_compared} samples of the envelopes are those computed again from {found.sound}"
    if not found.identical:
        words += f"; others differ by up to {found.difference:.3g}, where the largest is {found.largest:.3g}"
    if rest := found.n_samples - found.n_compared:
        words += f"; for {rest} there is no sound"
    return found, words
