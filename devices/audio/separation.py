"""Which separator a scene has, and by how much it delays: an embedded one, one of another package, or an ONNX file."""

from __future__ import annotations

import math
from pathlib import Path

from earmark.devices.audio.mask_link import SLOTS, MaskLink, RemoteMasks
from earmark.devices.audio.mask_model import Model, read_model
from earmark.devices.audio.scene import ONNX, SEPARATORS, AudioError, Microphones, Scene
from earmark.pipeline.registry import RegistryError
from earmark.pipeline.scene.array import Array
from earmark.pipeline.scene.guarded import Guarded
from earmark.pipeline.scene.separator import BeamMasks, Separator
from earmark.pipeline.scene.transform import Framing


def framing_of(scene: Scene) -> Framing:
    """Return window and hop of a scene with microphones."""
    return Framing(scene.sfreq, _mics(scene).window_s)


def _mics(scene: Scene) -> Microphones:
    assert scene.microphones is not None
    return scene.microphones


def is_embedded(scene: Scene) -> bool:
    """Whether a scene has no separator but one of Earmark."""
    found = scene.microphones
    return found is None or found.separator in SEPARATORS.built_in


def is_foreign(scene: Scene) -> bool:
    """Whether the separator of a scene is code of another package, which runs in the sound process."""
    return not is_embedded(scene) and not _mics(scene).separator.startswith(ONNX)


def model_of(scene: Scene) -> tuple[Model, bytes] | None:
    """Read the ONNX file of a scene; None if its separator is none.

    Raises
    ------
    AudioError
        If it cannot be used.
    """
    found = _mics(scene)
    if not found.separator.startswith(ONNX):
        return None
    path = Path(found.separator.removeprefix(ONNX))
    return read_model(path, framing_of(scene), len(found.positions), len(scene.talkers))


def link_for(scene: Scene, model: Model) -> MaskLink:
    """Make the shared memory for a model.

    An answer must be there when the next buffer begins: the hops of a buffer are computed together.

    Raises
    ------
    AudioError
        If the buffer is too long for it.
    """
    framing = framing_of(scene)
    wait = math.ceil(scene.block / framing.hop)
    if wait > SLOTS // 2:
        most = SLOTS // 2 * framing.hop
        raise AudioError(f"array: separator {model.path} needs buffers of {most} frames or fewer: set block in [sound]")
    late = wait + model.delay // framing.hop
    n_places = len(scene.talkers)
    return MaskLink(None, model.n_channels, framing.n_bins, n_places, wait, late, model.directed)


def separation_delay(scene: Scene) -> int:
    """Return by how many frames microphones are delayed until they are remixed: the window, and what a separator needs.

    Raises
    ------
    AudioError, SceneError
        If the separator cannot be used.
    """
    framing, model = framing_of(scene), model_of(scene)
    if model is not None:
        return framing.delay + math.ceil(scene.block / framing.hop) * framing.hop + model[0].delay
    if not is_foreign(scene):
        return framing.delay
    found = _mics(scene)
    array = Array(found.positions, found.reference, found.ears, found.span)  # type: ignore[arg-type]  # checked there
    return framing.delay + make_separator(scene, array).delay


def make_separator(scene: Scene, array: Array, link: MaskLink | None = None) -> Separator:
    """Make the separator of a scene.

    Parameters
    ----------
    scene : Scene
    array : Array
        Its microphones.
    link : MaskLink, optional
        To the process of an ONNX file.

    Returns
    -------
    Separator
        An embedded one; or one of another package or process, with an embedded one that takes its place where needed.

    Raises
    ------
    AudioError, SceneError
        If it cannot be made, or does not fit.
    """
    name, framing, n = _mics(scene).separator, framing_of(scene), len(scene.talkers)
    if name.startswith(ONNX):
        if link is None:
            raise AudioError(f"array: separator {name} runs in a process of its own: play it by AudioEngine")
        return RemoteMasks(link, BeamMasks(array, framing, n), array.reference)
    try:
        made = SEPARATORS.get(name)
    except RegistryError as error:
        raise AudioError(f"array: {error}") from error
    if name in SEPARATORS.built_in:
        return made(array, framing, n)
    try:
        return Guarded(made(array, framing, n), BeamMasks(array, framing, n))
    except Exception as error:  # another package's class may fail in any way
        raise AudioError(f"array: separator {name!r} cannot be made: {type(error).__name__}: {error}") from error
