"""Render a recording of what was heard again, from its file and the log of controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from earmark.devices.audio.heard import Renewal
from earmark.devices.audio.heard_log import LIVE_TALKERS, HeardSound, recorded_channels
from earmark.devices.audio.microphones import array_of
from earmark.devices.audio.render import Renderer
from earmark.devices.audio.scene import Applied, AudioError, Prepared, Scene
from earmark.devices.audio.separation import framing_of

#: Frames that are rendered at once at most.
PIECE = 4800


class HeardSamples:
    """Samples of a file of what was heard, by output frame; those that the file lacks are silent.

    Parameters
    ----------
    sound : HeardSound

    Raises
    ------
    AudioError
        If the file cannot be read, or is not the one that its log describes.
    """

    def __init__(self, sound: HeardSound) -> None:
        self._path, self.first = sound.path, sound.about.first
        try:
            self._file = soundfile.SoundFile(sound.path)
        except (OSError, soundfile.SoundFileError) as error:
            raise _cannot(sound.path, error) from None
        found = (self._file.channels, self._file.samplerate)
        if found != (len(sound.about.channels), round(sound.about.sfreq)):
            self._file.close()
            raise AudioError(
                f"{sound.path} has {found[0]} channels at {found[1]} Hz, but its log says {len(sound.about.channels)} "
                f"at {sound.about.sfreq:g} Hz: it is another file"
            )
        #: Frame after the last one.
        self.stop = self.first + self._file.frames

    def read(self, frame: int, n: int) -> NDArray[np.float32]:
        """Return frames, shape (n, n_channels).

        Raises
        ------
        AudioError
            If they cannot be read.
        """
        out = np.zeros((n, self._file.channels), np.float32)
        begin, end = max(frame, self.first), min(frame + n, self.stop)
        if begin < end:
            try:
                self._file.seek(begin - self.first)
                out[begin - frame : end - frame] = self._file.read(end - begin, "float32", always_2d=True)
            except (OSError, ValueError, soundfile.SoundFileError) as error:
                raise _cannot(self._path, error) from None
        return out

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _cannot(path: Path, error: Exception) -> AudioError:
    words = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return AudioError(f"{path} cannot be read as sound ({words})")


class _Recorded:
    """The microphones as a source that is read from a file."""

    def __init__(self, samples: HeardSamples, frame: int, n_more: int) -> None:
        self._samples, self._n_more = samples, n_more
        self.position = frame

    def seek(self, frame: int) -> None:
        """Do nothing: what was heard is what was heard, jumps included."""

    def read(self, n_frames: int) -> NDArray[np.float32]:
        """Return the next samples, shape (n_mics + n_more, n_frames), the latter silent."""
        heard = self._samples.read(self.position, n_frames).T
        self.position += n_frames
        return np.concatenate([heard, np.zeros((self._n_more, n_frames), np.float32)])


@dataclass(frozen=True)
class Again:
    """A piece that was rendered again.

    Attributes
    ----------
    frame : int
        Output frame of its first sample.
    pcm : array, shape (n_talkers, n_frames)
        Samples of the talkers before gain, float32; of talkers from files, zeros.
    begins : str
        For the first piece of a stretch: ``start`` where the sound process began, ``renewal`` where it separates anew,
        or ``other``; otherwise empty.
    ears : array, shape (n_frames, 2), or None
        The output. In a stretch that begins with ``start`` it is what was heard, bit for bit; after a renewal it is
        so once the fade-in is over, and if the limiter was at rest. None for live talkers.
    """

    frame: int
    pcm: NDArray[np.float32]
    begins: str = ""
    ears: NDArray[np.float32] | None = None

    @property
    def stop(self) -> int:
        """Frame after the last one."""
        return self.frame + int(self.pcm.shape[1])


def again(scene: Scene, sound: HeardSound, applied: Sequence[Applied]) -> Iterator[Again]:
    """Render again, in order, all that can be.

    Of microphones, this needs a frame from which separation depends on nothing before: the start of a sound process,
    or a renewal, which every recording and every loss of samples asks for.

    Parameters
    ----------
    scene : Scene
        As it was played; files of talkers or microphones are not read.
    sound : HeardSound
    applied : sequence of Applied
        Log of controls, by frame.

    Raises
    ------
    AudioError, SceneError
        If it is not the scene of this file, or the file cannot be read.
    """
    if recorded_channels(scene) != sound.about.channels or scene.sfreq != sound.about.sfreq:
        raise AudioError(f"{sound.path} does not hold the talkers or microphones of this [sound]")
    samples = HeardSamples(sound)
    try:
        if sound.about.heard == LIVE_TALKERS:
            yield from _talkers(scene, sound, samples)
            return
        assert scene.microphones is not None
        n = len(scene.talkers)
        prepared = Prepared(scene, (None,) * n, np.zeros(1), np.zeros((1, 2, 1)), array_of(scene.microphones))
        for renewal, stop in _stretches(sound, min(sound.end or samples.stop, samples.stop), framing_of(scene).window):
            yield from _separated(prepared, samples, renewal, stop, applied)
    finally:
        samples.close()


def _stretches(sound: HeardSound, end: int, window: int) -> Iterator[tuple[Renewal, int]]:
    """Yield each renewal from which sound is there without a gap, and the frame after it."""
    for number, one in enumerate(sound.renewals):
        heard_from = one.frame if one.start else one.frame - window
        follows = sound.renewals[number + 1].frame if number + 1 < len(sound.renewals) else end
        lost = next((loss.lost for loss in sound.losses if loss.to > heard_from), end)
        stop = min(follows, lost, end)
        if heard_from >= sound.about.first and stop > one.frame:
            yield one, stop


def _separated(
    prepared: Prepared, samples: HeardSamples, renewal: Renewal, stop: int, applied: Sequence[Applied]
) -> Iterator[Again]:
    window, n = framing_of(prepared.scene).window, len(prepared.scene.talkers)
    frame = renewal.frame if renewal.start else renewal.frame - window
    changes = [one for one in applied if one.kind in ("start", "control", "stop") and one.frame < stop]
    before = [one for one in changes if one.frame <= frame]
    if not before:
        return
    source = _Recorded(samples, frame, len(prepared.clean))
    renderer = Renderer(prepared, {0: source}, frame, (0,) * n)
    assert renderer.places is not None
    if renewal.start:
        renderer.places.look(renewal.azimuths[:n])
    control, begins = before[-1].control, "start" if renewal.start else "renewal"
    coming = [one for one in changes if one.frame > frame]
    # Of a renewal, the parts follow from two hops later on.
    valid = renewal.frame if renewal.start else renewal.frame + window
    while frame < stop:
        while coming and coming[0].frame == frame:
            one = coming.pop(0)
            control = one.control
            if one.kind == "stop":
                renderer.stop()
        if frame == renewal.frame and not renewal.start:
            renderer.places.renew(renewal.azimuths[:n])
        until = min(stop, frame + PIECE, coming[0].frame if coming else stop)
        until = next((one for one in (renewal.frame, valid) if frame < one < until), until)
        ears = renderer.render(until - frame, control)
        if frame >= valid:
            yield Again(frame, renderer.pcm.copy(), begins, ears)
            begins = ""
        frame = until


def _talkers(scene: Scene, sound: HeardSound, samples: HeardSamples) -> Iterator[Again]:
    live = [index for index, talker in enumerate(scene.talkers) if talker.is_live]
    end = min(sound.end or samples.stop, samples.stop)
    frame, begins = sound.about.first, "other"
    for loss in [*sound.losses, None]:
        until = end if loss is None else min(loss.lost, end)
        while frame < until:
            n = min(PIECE, until - frame)
            pcm = np.zeros((len(scene.talkers), n), np.float32)
            pcm[live] = samples.read(frame, n).T
            yield Again(frame, pcm, begins)
            frame, begins = frame + n, ""
        if loss is not None:
            frame, begins = max(frame, loss.to), "start" if loss.why == "not played" else "other"
