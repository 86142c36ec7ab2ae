"""Resumable training of networks: every epoch is printed and saved to disk."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.app.terminal.console import console
from earmark.devices.files.checkpoint import read_checkpoint, write_checkpoint
from earmark.devices.files.decoder_folder import fingerprint, load_decoder
from earmark.devices.files.positions import electrode_positions
from earmark.pipeline.decoders.decoder import DecoderError
from earmark.pipeline.decoders.network_decoder import NetworkDecoder
from earmark.pipeline.decoders.training import TrainingConfig

if TYPE_CHECKING:
    from earmark.pipeline.run import Run


def settings(
    kind: str, runs: Sequence[Run], base: Path | None, any_cap: bool, epochs: int, seed: int, device: str
) -> dict[str, Any]:
    """Return the keyword arguments of a network decoder for options of the command line.

    Raises
    ------
    DecoderError
        If the options contradict one another, or the device is not available.
    """
    import torch

    if device != "cpu" and not (device.partition(":")[0] == "cuda" and torch.cuda.is_available()):
        raise DecoderError(f"device is {device!r}, but must be cpu, or cuda where there is a GPU: see 'earmark doctor'")
    given: dict[str, Any] = {
        "config": TrainingConfig(epochs=epochs, seed=seed, mixed=device != "cpu"),
        "device": device,
    }
    if base is not None:
        loaded, _ = load_decoder(base)
        if not isinstance(loaded, NetworkDecoder) or loaded.kind != kind:
            raise DecoderError(f"--base {base} is a {loaded.kind} decoder, but must be a {kind} decoder")
        given["base"] = loaded
        any_cap = any_cap or any(name.endswith(".places") for name in loaded.arrays())
    if any_cap:
        if kind != "matcher":
            raise DecoderError(f"--any-cap is for the matcher, not for {kind}: leave it out, or use --decoder matcher")
        given["positions"] = electrode_positions(runs[0].ch_names)
    return given


class Resumable:
    """Makes decoders whose training prints its progress and can be interrupted at any time.

    A training with the same runs and settings is resumed, or reused if it is complete.

    Parameters
    ----------
    make : callable
        Returns a new, untrained network decoder at each call.
    folder : Path
        Folder for checkpoints.
    """

    def __init__(self, make: Callable[[], Any], folder: Path) -> None:
        self._make, self._folder = make, folder
        self._fitted: dict[str, NetworkDecoder] = {}

    def __call__(self) -> Any:
        """Return an object whose ``fit`` trains a decoder and returns it."""
        return _Fit(self)

    def fit(self, runs: Sequence[Run]) -> NetworkDecoder:
        """Train a decoder, or resume its training from the last checkpoint."""
        decoder: NetworkDecoder = self._make()
        name = self._name(decoder, runs)
        if name in self._fitted:
            return self._fitted[name]
        state = read_checkpoint(self._folder, name)
        what = f"{decoder.kind} on {len(runs)} runs"
        if state is not None:
            console.print(f"{what}: resuming after epoch {state['at'][0]:.0f}", markup=False)
        for epoch, current in decoder.training(runs, state):
            write_checkpoint(self._folder, name, current(), {"what": what, "epoch": epoch.number, "of": epoch.of})
            console.print(
                f"{what}: epoch {epoch.number} of {epoch.of} at most, loss {epoch.loss:.3f}, held-out end "
                f"{100 * epoch.test_accuracy:.1f} % ({epoch.test_loss:.3f}){' *' if epoch.best else ''}",
                markup=False,
            )
        self._fitted[name] = decoder
        return decoder

    def clear(self) -> None:
        """Remove the checkpoints, once everything is trained and saved."""
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def _name(self, decoder: NetworkDecoder, runs: Sequence[Run]) -> str:
        """Return a name for the checkpoint that is unique to the settings and runs."""
        config = repr(
            (decoder.kind, decoder.preset, decoder.config, decoder.shape(), getattr(decoder, "positions", None))
        )
        digest = hashlib.sha256(config.encode())
        for array in () if decoder.base is None else decoder.base.arrays().values():
            digest.update(array.tobytes())
        for run in runs:
            digest.update(fingerprint(run).encode())
        return digest.hexdigest()[:16]


class _Fit:
    def __init__(self, resumable: Resumable) -> None:
        self._resumable = resumable

    def fit(self, runs: Sequence[Run]) -> NetworkDecoder:
        return self._resumable.fit(runs)
