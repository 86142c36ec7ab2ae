"""Prepare the microphones of a scene: the array, its measured responses, and what is heard if it is not live."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from earmark.devices.audio.inputs import input_span
from earmark.devices.audio.ramp import raised_cosine
from earmark.devices.audio.room import hear_room
from earmark.devices.audio.scene import KEMAR, AudioError, Microphones, Scene
from earmark.devices.audio.separation import separation_delay
from earmark.devices.audio.sound_file import read_microphones
from earmark.devices.files.kemar import in_front, read_kemar
from earmark.devices.files.regular_file import open_regular
from earmark.pipeline.scene.array import Array, Responses

#: Arrays of a file of measured responses; greatest size of such a file, unpacked, in bytes.
KEYS, MAX_BYTES = ("azimuths", "taps", "sfreq"), 64 << 20
#: Fade at the end of a file that does not loop, s.
END_S = 0.005
#: Rate at which KEMAR was measured, Hz.
KEMAR_HZ = 44_100.0


def hear(scene: Scene) -> tuple[Array, NDArray[np.float32] | None]:
    """Return the array of a scene's microphones, and what they hear as in ``Prepared.mics``.

    Raises
    ------
    AudioError, SceneError
        If the array is impossible, or a file cannot be used; names key, file and fix.
    """
    mics = scene.microphones
    assert mics is not None
    array = array_of(mics)
    delay = separation_delay(scene)  # which refuses a separator that cannot be used
    if mics.source.startswith("input:"):
        first, last = input_span(mics.source)
        if last - first + 1 != array.n_mics:
            raise AudioError(
                f"array: microphones {mics.source!r} are {last - first + 1} channels, but the array has {array.n_mics} "
                "microphones; name as many channels"
            )
    if mics.is_live:
        return array, None
    if mics.room is not None:
        return array, hear_room(mics.room, array, scene.sfreq, scene.loudness_lufs, delay)
    return array, _file(mics, array, scene.sfreq)


def array_of(mics: Microphones) -> Array:
    """Return the array of microphones.

    Raises
    ------
    AudioError, SceneError
        If it is impossible, or its measured responses cannot be read.
    """
    responses = None
    if mics.responses:
        responses = ears_of_kemar() if mics.responses == KEMAR else read_responses(Path(mics.responses))
    return Array(np.array(mics.positions), mics.reference, mics.ears, mics.span, responses)


def _file(mics: Microphones, array: Array, sfreq: float) -> NDArray[np.float32]:
    def error(problem: str) -> AudioError:
        return AudioError(f"array: microphones {mics.source} {problem}")

    x, rate = read_microphones(mics.source, array.n_mics, error)
    if rate != sfreq:
        x = soxr.resample(x, rate, sfreq, quality="VHQ")
        if not len(x):
            raise error(f"is too short to be brought to {sfreq:g} Hz; use a longer file")
    heard = np.ascontiguousarray(x.T, np.float32)
    if not mics.loop:
        n_end = min(heard.shape[1], round(END_S * sfreq))
        heard[:, -n_end:] *= raised_cosine(n_end)[-2::-1].astype(np.float32)
    return heard


def ears_of_kemar() -> Responses:
    """Return what the ears of the KEMAR head hear from the front, left and right.

    Raises
    ------
    AudioError
        If slab, which brings the responses, is not installed.
    """
    try:
        azimuths, _, taps = read_kemar(KEMAR_HZ, in_front)
    except ImportError as error:
        raise AudioError(
            "array: responses are 'kemar', which come with slab, which is not installed; pip install slab, or remove "
            "'responses' from [array]"
        ) from error
    return Responses(azimuths, taps, KEMAR_HZ)


def read_responses(path: Path) -> Responses:
    """Read measured responses: an ``.npz`` of NumPy with ``azimuths``, ``taps`` and ``sfreq``.

    Parameters
    ----------
    path : Path
        ``azimuths`` are in degrees, shape (n_azimuths,), ascending; ``taps`` have the shape
        (n_azimuths, n_mics, n_taps); ``sfreq`` is in Hz.

    Raises
    ------
    AudioError
        If it cannot be read.
    """

    def error(problem: str) -> AudioError:
        return AudioError(
            f"array: responses {path} {problem}; write it with numpy.savez(FILE, azimuths=..., taps=..., sfreq=...)"
        )

    try:
        with open_regular(path, MAX_BYTES) as file:
            with zipfile.ZipFile(file) as packed:
                size = sum(one.file_size for one in packed.infolist())
            if size > MAX_BYTES:
                raise error(f"has {size} bytes unpacked, but must have {MAX_BYTES} at most")
            file.seek(0)
            with np.load(file, allow_pickle=False) as found:
                if missing := [key for key in KEYS if key not in found]:
                    raise error(f"has no {' and no '.join(missing)}, but {', '.join(found) or 'nothing'}")
                azimuths, taps, sfreq = (np.asarray(found[key], np.float64) for key in KEYS)
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as why:
        words = (why.strerror or str(why)) if isinstance(why, OSError) else str(why)
        raise error(f"cannot be read ({words})") from why
    if sfreq.size != 1:
        raise error(f"has {sfreq.size} values of sfreq, but must have one")
    return Responses(azimuths, taps, float(sfreq.reshape(())))
