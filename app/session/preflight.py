"""What is looked at before a session begins: streams, electrodes, sound, disk, memory and decoder, each in words."""

from __future__ import annotations

import dataclasses
import math
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from earmark.app.config.session import Config, ConfigError, OutputConfig
from earmark.app.engine.engine import Engine
from earmark.app.engine.signals import RING_S
from earmark.app.status import Check
from earmark.app.training.worth import decoder_words
from earmark.devices.audio.engine import AudioEngine
from earmark.devices.files.decoder_folder import load_decoder
from earmark.devices.processes.recorder import RING_BYTES
from earmark.devices.processes.shared_memory import MORE_ROOM, PLACE, free_bytes
from earmark.devices.sources.lsl_description import StreamDescription
from earmark.devices.sources.rate import LOST, percent
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.attention.attend import MAX_BAD
from earmark.pipeline.nodes.pick import Pick, PickConfig
from earmark.pipeline.nodes.quality import Quality, QualityConfig
from earmark.pipeline.nodes.reblock import Reblock, ReblockConfig
from earmark.pipeline.stream import ELECTRODES, StreamSpec, WiringError

#: Seconds of signal that are looked at: what is amiss with a channel shows within four.
MEASURE_S = 5.0
#: Samples that come in bursts seem to come at a rate that is off by up to this, within such a look.
APART = 0.1
#: A talker whose peaks stay below this, in dBFS, is not heard.
MIN_PEAK_DBFS = -60.0
#: Bytes that must be free beyond what the recording takes.
SPARE_BYTES = 200e6


def preflight(
    config: Config, decoding: Config | None, audio: AudioEngine, folder: Path, seconds: float, stop: threading.Event
) -> list[Check]:
    """Look at everything for some seconds; sound must be playing.

    Parameters
    ----------
    config : Config
        The session, with attention.
    decoding : Config or None
        The same with the decoder that is to be used; None if none is needed.
    audio : AudioEngine
    folder : Path
        Where recordings go; it must be there.
    seconds : float
        How long the recording will be.
    stop : threading.Event
        Ends the look early.
    """
    engine = Engine(_quality_config(config), on_event=lambda text: None)
    peaks = np.zeros(len(audio.scene.talkers))
    try:
        engine.connect(stop)
    except EarmarkError as error:
        return [Check("streams", False, str(error))]
    engine.start()
    end = time.monotonic() + MEASURE_S
    try:
        while time.monotonic() < end and engine.failure is None and not stop.wait(0.1):
            peaks = np.maximum(peaks, audio.status().peak[: len(peaks)])
    finally:
        engine.stop()
    found = engine.descriptions
    checks = [*_streams(config, engine, found), _talkers(config, audio, found)]
    checks += [_electrodes(engine), _sound(audio, peaks), _disk(found, folder, seconds)]
    checks.append(_shared_memory(found[_neural(config)]))
    if decoding is not None:
        checks.append(_decoder(decoding, {name: one.spec for name, one in found.items()}))
    return checks


def _quality_config(config: Config) -> Config:
    """The same streams, and a graph that judges nothing but the electrodes."""
    assert config.attention is not None
    steps = (
        ("pick", "pick", PickConfig(ELECTRODES), (config.attention.neural,)),
        ("reblock", "reblock", ReblockConfig(), ("pick",)),
        ("quality", "quality", QualityConfig(), ("reblock",)),
    )
    assert (Pick.Config, Reblock.Config, Quality.Config) == tuple(type(step[2]) for step in steps)
    return dataclasses.replace(config, steps=steps, outputs=(OutputConfig(node="quality"),), attention=None)


def _streams(config: Config, engine: Engine, found: Mapping[str, StreamDescription]) -> list[Check]:
    checks = []
    for name, description in found.items():
        spec, n, clock = description.spec, engine.streams[name].n_samples, engine.streams[name].other_clock
        words = f"{spec.name} from {description.host or '?'}, {spec.n_channels} channels"
        if clock:
            checks.append(Check(name, False, f"{words}: {clock}"))
        elif not spec.sfreq:
            checks.append(Check(name, True, f"{words}, markers"))
        elif n:
            ok, rate = _rate(name, engine)
            checks.append(Check(name, ok, f"{words}, {spec.sfreq:g} Hz; {n} samples came in {MEASURE_S:g} s{rate}"))
        else:
            checks.append(Check(name, False, f"{words}: nothing came in {MEASURE_S:g} s; is its sender paused?"))
    return checks


def _rate(name: str, engine: Engine) -> tuple[bool, str]:
    """Compare the rate at which samples come with the nominal one, for which filters are made; count losses."""
    inlet, status = engine.inlets[name], engine.streams[name]
    nominal, watch = inlet.description.spec.sfreq, inlet.rate
    lost = status.n_missing / max(1, status.n_missing + status.n_samples)
    words = f"; {status.n_missing} more are missing, {percent(lost)}" if lost > LOST else ""
    if watch is not None and watch.words:
        words += f"; {watch.words}"
    if watch is not None and watch.wrong and watch.likely is not None:
        fix = f"Set the sender's nominal rate right, or sfreq = {watch.likely:.5g} in [streams.{name}]"
        if watch.blind or watch.regular is not None:
            fix = f"Look at the amplifier's radio link; if its rate is {watch.likely:.5g} Hz, say so: {fix}"
        return False, f"{words}. Filters would be off by as much. {fix}"
    came = (status.effective_sfreq or nominal) / inlet.description.speed
    if abs(came / nominal - 1) > APART:
        return False, f"{words}; {came:.4g} Hz came by this machine's clock. Look at the sender: its stamps hide this"
    return True, words


def _talkers(config: Config, audio: AudioEngine, found: Mapping[str, StreamDescription]) -> Check:
    """Envelopes must be those of what is played: a decoder would else listen to somebody else."""
    assert config.attention is not None
    name = config.attention.talkers
    heard = tuple(talker.name for talker in audio.scene.talkers)
    published = found[name].spec.ch_names
    if published != heard:
        return Check(
            "talkers", False, f"stream {name!r} has {', '.join(published)}, but [sound] plays {', '.join(heard)}: "
            f"[streams.{name}] must find the envelopes that this session publishes"
        )  # fmt: skip
    return Check("talkers", True, ", ".join(heard))


def _electrodes(engine: Engine) -> Check:
    n = engine.outputs["quality"].n_channels
    bad = engine.bad.get("quality", {})
    words = f"{n - len(bad)} of {n} channels good" + (f"; not to be trusted: {', '.join(bad)}" if bad else "")
    if len(bad) > MAX_BAD * n:
        return Check("electrodes", False, f"{words}. Look at ground, reference and gel; more than half must be good")
    return Check("electrodes", True, words)


def _sound(audio: AudioEngine, peaks: np.ndarray) -> Check:
    if audio.failure:
        return Check("sound", False, audio.failure)
    levels = [20 * math.log10(max(float(peak), 1e-9)) for peak in peaks]
    named = [f"{talker.name} {level:.0f} dBFS" for talker, level in zip(audio.scene.talkers, levels, strict=True)]
    words = f"goes to {audio.playing}; peaks {', '.join(named)}"
    gains = zip(audio.scene.talkers, audio.status().gains_db, strict=False)
    if muted := [talker.name for talker, gain in gains if gain == -math.inf]:
        return Check("sound", False, f"{words}: the operator muted {', '.join(muted)}; let all talkers be heard")
    if min(levels) < MIN_PEAK_DBFS:
        return Check("sound", False, f"{words}: nothing is heard of one; see source and start_s in [[sound.talkers]]")
    return Check("sound", True, words)


def _disk(found: Mapping[str, StreamDescription], folder: Path, seconds: float) -> Check:
    rate = sum(one.spec.sfreq * (8 * one.spec.n_channels + 8) for one in found.values())
    free, needed = shutil.disk_usage(folder).free, rate * seconds
    words = f"{free / 1e9:.1f} GB free in {folder}; recording takes up to {needed / 1e6:.0f} MB"
    enough = free > needed + SPARE_BYTES
    return Check("disk", enough, words if enough else f"{words}, and {SPARE_BYTES / 1e6:.0f} MB must be spare")


def _neural(config: Config) -> str:
    assert config.attention is not None
    return config.attention.neural


def _shared_memory(neural: StreamDescription) -> Check:
    """A recording is made through it; where an engine is replaced, the next one begins while the last one ends."""
    what, free = "shared memory", free_bytes()
    if free is None:
        return Check(what, True, "not told by this system")
    n_channels = sum(kind in ELECTRODES for kind in neural.spec.ch_types)
    needed = 2 * (RING_BYTES + 4 * n_channels * RING_S * neural.spec.sfreq)
    words = f"{free / 1e6:.0f} MB free in {PLACE}; recording takes up to {needed / 1e6:.0f} MB of it"
    return Check(what, free > needed, words if free > needed else f"{words}: {MORE_ROOM}")


def _decoder(config: Config, specs: Mapping[str, StreamSpec]) -> Check:
    sources = config.sources(specs)
    try:
        graph = config.graph()
        if config.attention is not None and config.attention.backends:
            from earmark.app.engine.live_network import check_compiled, network_of  # torch takes seconds to import

            check_compiled(config, *network_of(config, graph, sources))
        graph.open(sources)
    except ConfigError as error:
        return Check("decoder", False, str(error))
    except WiringError as error:
        return Check("decoder", False, f"{error}. Calibrate anew where the montage has changed")
    assert config.decoder is not None
    return Check("decoder", True, f"{config.decoder} fits. {decoder_words(load_decoder(config.decoder)[1])}")
