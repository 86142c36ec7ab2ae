"""The network for masks that comes with Earmark: its weights, and the separator with them."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from earmark.pipeline.scene.array import Array
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.network import NetworkMasks
from earmark.pipeline.scene.transform import Framing

#: Where the weights are, and beside them the text that says where they come from, and their licence.
FOLDER = Path(__file__).parent / "weights"
TEXT, WEIGHTS = "mask.toml", "mask.safetensors"


def mask_network(folder: Path = FOLDER) -> dict[str, NDArray[np.float32]]:
    """Return the weights for :class:`~earmark.pipeline.scene.network.NetworkMasks`.

    Parameters
    ----------
    folder : Path
        Folder with ``mask.toml`` and ``mask.safetensors``.

    Returns
    -------
    weights : dict of array
        By the names of :data:`~earmark.pipeline.scene.network.SHAPES`.

    Raises
    ------
    SceneError
        If a file cannot be read, or the weights are not those that the text describes.
    """
    again = "install Earmark again"
    try:
        text, content = (folder / TEXT).read_text("utf-8"), (folder / WEIGHTS).read_bytes()
        wanted = tomllib.loads(text)["sha256"]
    except OSError as error:
        raise SceneError(f"{error.filename} cannot be read: {error.strerror or error}: {again}") from error
    except (KeyError, ValueError) as error:
        raise SceneError(f"{folder / TEXT} is damaged: {error}: {again}") from error
    if hashlib.sha256(content).hexdigest() != wanted:
        raise SceneError(f"{folder / WEIGHTS} is damaged: it is not what {TEXT} describes: {again}")
    try:
        return {name: np.asarray(one, np.float32) for name, one in load(content).items()}
    except SafetensorError as error:
        raise SceneError(f"{folder / WEIGHTS} is damaged ({error}): {again}") from error


def network_masks(array: Array, framing: Framing, n_places: int = 2) -> NetworkMasks:
    """Return the separator with the weights that come with Earmark.

    Parameters
    ----------
    array : Array
    framing : Framing
        With windows of 8 ms, at 16 kHz or above.
    n_places : int
        Number of talkers at most, 2 to 4.

    Raises
    ------
    SceneError
        If frequencies or number of places do not fit, or the weights cannot be read.
    """
    return NetworkMasks(array, framing, mask_network(), n_places)
