"""The checks before a session: streams, electrodes, sound, disk, memory and decoder, each with its result as text."""

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
from earmark.devices.audio.scene import AudioError
from earmark.devices.files.decoder_folder import load_decoder
from earmark.devices.files.session_run import CUES
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

#: Seconds of signal that are measured; the quality node needs four to detect a bad channel. They are extended while a
#: rate is off, because a sender on a busy machine sends late samples in a burst.
MEASURE_S, LONGEST_S = 5.0, 20.0
#: Relative deviation of the measured rate that is still accepted: samples may arrive in bursts.
APART = 0.1
#: A talker whose peak level stays below this, in dBFS, counts as silent.
MIN_PEAK_DBFS = -60.0
#: Bytes that must stay free in addition to the expected size of the recording.
SPARE_BYTES = 200e6


def preflight(
    config: Config,
    decoding: Config | None,
    audio: AudioEngine | AudioError,
    folder: Path,
    seconds: float,
    stop: threading.Event,
    heard: bool = True,
) -> list[Check]:
    """Receive all streams for some seconds and check everything that a session needs.

    Parameters
    ----------
    config : Config
        Configuration of the session, with attention.
    decoding : Config or None
        The same configuration with the decoder that will be used; None if no decoder is needed.
    audio : AudioEngine or AudioError
        What plays, or why nothing can. Without sound, talkers and decoder are not checked, because this session itself
        publishes the talkers' envelopes.
    folder : Path
        Existing folder for recordings.
    seconds : float
        Planned length of the recording, s.
    stop : threading.Event
        Ends the checks early.
    heard : bool
        Whether the listener hears the sound output, so that it must not be muted.

    Returns
    -------
    list of Check
        One for each thing that was checked; only one, about streams, if they could not be opened.
    """
    playing = not isinstance(audio, AudioError)
    engine = Engine(_quality_config(config, playing), on_event=lambda text: None)
    try:
        engine.connect(stop)
    except EarmarkError as error:
        return [Check("streams", False, str(error)), *([] if playing else [Check("sound", False, str(audio))])]
    engine.start()
    try:
        peaks, measured, rates = _measure(engine, audio, stop)
    finally:
        engine.stop()
    found = engine.descriptions
    checks = _streams(engine, found, measured, rates)
    checks += [] if isinstance(audio, AudioError) else [_talkers(config, audio, found)]
    checks += [_electrodes(engine), _sound(audio, peaks, heard), _disk(config, found, folder, seconds)]
    checks.append(_shared_memory(found[_neural(config)]))
    if decoding is not None and playing:
        checks.append(_decoder(decoding, {name: one.spec for name, one in found.items()}))
    return checks


def _measure(
    engine: Engine, audio: AudioEngine | AudioError, stop: threading.Event
) -> tuple[np.ndarray, float, dict[str, float]]:
    """Measure until all rates are accepted, or for as long as allowed.

    Returns
    -------
    peaks : array, shape (n_talkers,)
        Peak level of each talker; empty without sound.
    measured : float
        Time that it took, in seconds.
    rates : dict of str to float
        Rate at which the samples of each stream arrived, as when the measurement ended: samples that arrive while the
        engine stops would change it.
    """
    peaks = np.zeros(0 if isinstance(audio, AudioError) else len(audio.scene.talkers))
    begun, measured, rates = time.monotonic(), 0.0, _arrival_rates(engine)
    while measured < _enough(rates) and engine.failure is None and not stop.wait(0.1):
        if not isinstance(audio, AudioError):
            peaks = np.maximum(peaks, audio.status().peak[: len(peaks)])
        measured, rates = time.monotonic() - begun, _arrival_rates(engine)
    return peaks, measured, rates


def _enough(rates: Mapping[str, float]) -> float:
    """Return for how many seconds to measure if these are the rates so far."""
    return MEASURE_S if all(abs(rate - 1) <= APART for rate in rates.values()) else LONGEST_S


def _quality_config(config: Config, playing: bool) -> Config:
    """Configuration with the same streams and a graph that only estimates the quality of the electrodes.

    Streams that this session publishes are left out unless it is ``playing``.
    """
    assert config.attention is not None
    steps = (
        ("pick", "pick", PickConfig(ELECTRODES), (config.attention.neural,)),
        ("reblock", "reblock", ReblockConfig(), ("pick",)),
        ("quality", "quality", QualityConfig(), ("reblock",)),
    )
    assert (Pick.Config, Reblock.Config, Quality.Config) == tuple(type(step[2]) for step in steps)
    own = () if playing else (config.attention.talkers, CUES)
    streams = {name: one for name, one in config.streams.items() if name not in own}
    return dataclasses.replace(
        config, streams=streams, steps=steps, outputs=(OutputConfig(node="quality"),), attention=None
    )


def _streams(
    engine: Engine, found: Mapping[str, StreamDescription], measured: float, rates: Mapping[str, float]
) -> list[Check]:
    checks = []
    for name, description in found.items():
        spec, n, clock = description.spec, engine.streams[name].n_samples, engine.streams[name].other_clock
        words = f"{description.origin}, {spec.n_channels} channels"
        if clock:
            checks.append(Check(name, False, f"{words}: {clock}"))
        elif not spec.sfreq:
            checks.append(Check(name, True, f"{words}, markers"))
        elif n:
            ok, rate = _rate(name, engine, rates[name])
            checks.append(Check(name, ok, f"{words}, {spec.sfreq:g} Hz; {n} samples arrived in {measured:.0f} s{rate}"))
        else:
            checks.append(Check(name, False, f"{words}: no data in {measured:.0f} s; check that its sender is running"))
    return checks


def _arrival_rates(engine: Engine) -> dict[str, float]:
    """Return the rates at which regular streams arrive by this machine's clock, relative to their nominal rates."""
    regular = {name: one for name, one in engine.descriptions.items() if one.spec.sfreq}
    return {
        name: (engine.streams[name].effective_sfreq or one.spec.sfreq) / one.speed / one.spec.sfreq
        for name, one in regular.items()
    }


def _rate(name: str, engine: Engine, came: float) -> tuple[bool, str]:
    """Compare the measured rate with the nominal one, for which the filters are designed; report missing samples.

    ``came`` is the rate by this machine's clock, relative to the nominal one.
    """
    inlet, status = engine.inlets[name], engine.streams[name]
    nominal, watch = inlet.description.spec.sfreq, inlet.rate
    lost = status.n_missing / max(1, status.n_missing + status.n_samples)
    words = f"; {status.n_missing} more are missing, {percent(lost)}" if lost > LOST else ""
    if watch is not None and watch.words:
        words += f"; {watch.words}"
    if watch is not None and watch.wrong and watch.likely is not None:
        fix = f"Correct the sender's nominal rate, or set sfreq = {watch.likely:.5g} in [streams.{name}]"
        if watch.blind or watch.regular is not None:
            fix = f"Check the amplifier's radio link. If its rate really is {watch.likely:.5g} Hz: {fix}"
        return False, f"{words}. All filter frequencies would be wrong by the same factor. {fix}"
    if abs(came - 1) > APART:
        words += f"; {came * nominal:.4g} Hz by this machine's clock. Check the sender: its time stamps hide this"
        return False, words
    return True, words


def _talkers(config: Config, audio: AudioEngine, found: Mapping[str, StreamDescription]) -> Check:
    """Check that the envelopes are those of the talkers that are played: the decoder relies on it."""
    assert config.attention is not None
    name = config.attention.talkers
    heard = tuple(talker.name for talker in audio.scene.talkers)
    published = found[name].spec.ch_names
    if published != heard:
        return Check(
            "talkers", False, f"stream {name!r} has {', '.join(published)}, but [sound] plays {', '.join(heard)}: "
            f"[streams.{name}] must select the envelopes that this session publishes"
        )  # fmt: skip
    return Check("talkers", True, ", ".join(heard))


def _electrodes(engine: Engine) -> Check:
    n = engine.outputs["quality"].n_channels
    bad = engine.bad.get("quality", {})
    words = f"{n - len(bad)} of {n} channels good" + (f"; bad: {', '.join(bad)}" if bad else "")
    if len(bad) > MAX_BAD * n:
        return Check("electrodes", False, f"{words}. Check ground, reference and gel; at least half must be good")
    return Check("electrodes", True, words)


def _sound(audio: AudioEngine | AudioError, peaks: np.ndarray, heard: bool) -> Check:
    if isinstance(audio, AudioError):
        return Check("sound", False, str(audio))
    if audio.failure:
        return Check("sound", False, audio.failure)
    levels = [20 * math.log10(max(float(peak), 1e-9)) for peak in peaks]
    named = [f"{talker.name} {level:.0f} dBFS" for talker, level in zip(audio.scene.talkers, levels, strict=True)]
    words = f"goes to {audio.playing}; peaks {', '.join(named)}"
    gains = zip(audio.scene.talkers, audio.status().gains_db, strict=False)
    if heard and (muted := [talker.name for talker, gain in gains if gain == -math.inf]):
        return Check("sound", False, f"{words}: the operator muted {', '.join(muted)}; unmute all talkers")
    if heard and min(levels) < MIN_PEAK_DBFS:
        return Check("sound", False, f"{words}: a talker is silent; check source and start_s in [[sound.talkers]]")
    return Check("sound", True, words)


def _disk(config: Config, found: Mapping[str, StreamDescription], folder: Path, seconds: float) -> Check:
    rate = sum(one.spec.sfreq * (8 * one.spec.n_channels + 8) for one in found.values())
    sound = 0.0 if config.sound is None else config.sound.recorded_bytes_per_s
    rate += sound
    free, needed = shutil.disk_usage(folder).free, rate * seconds
    words = f"{free / 1e9:.1f} GB free in {folder}; recording takes up to {needed / 1e6:.0f} MB"
    words += f", of which sound up to {3600 * sound / 1e9:.1f} GB an hour" if sound else ""
    enough = free > needed + SPARE_BYTES
    fix = f"{SPARE_BYTES / 1e6:.0f} MB more must be free: delete files, or choose another folder with --out"
    return Check("disk", enough, words if enough else f"{words}, and {fix}")


def _neural(config: Config) -> str:
    assert config.attention is not None
    return config.attention.neural


def _shared_memory(neural: StreamDescription) -> Check:
    """Check room for two engines at once: when one is replaced, the next one starts while the last one ends."""
    what, free = "shared memory", free_bytes()
    if free is None:
        return Check(what, True, "size not reported by this system")
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
        config.open(graph, sources)
    except ConfigError as error:
        return Check("decoder", False, str(error))
    except WiringError as error:
        return Check("decoder", False, f"{error}. If the montage has changed, calibrate again")
    assert config.decoder is not None
    return Check("decoder", True, f"{config.decoder} fits. {decoder_words(load_decoder(config.decoder)[1])}")
