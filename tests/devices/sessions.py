"""Recorded sessions made here, through the writer that live ones use: seconds of them in milliseconds."""

from __future__ import annotations

import numpy as np

from devices.lsl import Arrival
from devices.lsl_info import describe_xml, make_info
from devices.session_writer import SessionWriter
from pipeline.decoding_graph import CONTROL
from pipeline.stream import Block, ClockMap, Marker, StreamSpec

SFREQ, SPEECH_HZ, TALKERS = 128.0, 64.0, ("Joe", "Ada")
CONFIG = """
[streams.eeg]
name = "amp"
[streams.speech]
name = "speech"
ch_type = "misc"
[streams.cues]
name = "cues"
type = "Markers"
[attention]
"""
#: LSL time at which a recording begins.
BEGIN = 1000.0


def slow(seed, seconds, sfreq):
    """A signal of 2 to 6 Hz, the same at whatever rate it is sampled."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sfreq)) / sfreq
    f, p = rng.uniform(2, 6, 12), rng.uniform(0, 6, 12)
    return np.cos(2 * np.pi * t[:, None] * f + p).sum(axis=1)


def write_session(path, trials=(("Joe", 8.0), ("Ada", 8.0)), seed=0, n_channels=4, seal=True, end=True, about=None):
    """Write a calibration: a second of rest, then so many seconds for each talker; chunks of 0.125 s."""
    names = tuple(f"E{i + 1}" for i in range(n_channels))
    streams = {
        "eeg": make_info(StreamSpec("amp", SFREQ, names, ("eeg",) * n_channels, ("uV",) * n_channels), "EEG", "amp"),
        "speech": make_info(StreamSpec("speech", SPEECH_HZ, TALKERS, ("misc",) * 2, ("",) * 2), "Envelope", "speech"),
        "cues": make_info(StreamSpec("cues", 0.0, ("cue",), ("misc",), ("",)), "Markers", "cues", "string"),
    }
    descriptions = {name: describe_xml(info.as_xml()) for name, info in streams.items()}
    writer = SessionWriter(descriptions, {}, {"config": CONFIG, **(about or {})})
    seconds = 1.0 + sum(length for _, length in trials)
    starts = np.cumsum([1.0, *(length for _, length in trials)])
    cues = [(float(at), name) for at, (name, _) in zip(starts, (*trials, ("", 0.0)), strict=True)]
    voices = np.stack([slow(100 * seed + k, seconds, SFREQ) for k in range(2)], axis=1)
    rng = np.random.default_rng(seed)
    eeg = rng.normal(0, 1, (len(voices), n_channels)) + rng.normal(0, 3, (len(voices), 1))
    for k, (at, name) in enumerate(cues[:-1]):
        rows = slice(round(at * SFREQ), round(cues[k + 1][0] * SFREQ))
        eeg[rows, 0] += 2 * voices[rows, TALKERS.index(name)]
    speech = np.stack([slow(100 * seed + k, seconds, SPEECH_HZ) for k in range(2)], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(writer.headers)
        writer.begin(file.write)
        for name, sfreq in (("eeg", SFREQ), ("speech", SPEECH_HZ)):
            clock = ClockMap(0.0, BEGIN, 1 / sfreq)
            writer.arrival(Arrival(name, clock, BEGIN))
        for step in range(round(seconds * 8)):
            now = BEGIN + (step + 1) / 8
            while cues and cues[0][0] <= step / 8:
                at, name = cues.pop(0)
                marker = Marker(BEGIN + at, f"attend:{name}")
                writer.arrival(Arrival("cues", marker, now, np.array([BEGIN + at]), [marker.value]))
            for name, sfreq, data in (("eeg", SFREQ, eeg), ("speech", SPEECH_HZ, speech)):
                n = round(sfreq / 8)
                rows = slice(step * n, (step + 1) * n)
                stamps = BEGIN + np.arange(rows.start, rows.stop) / sfreq
                writer.arrival(Arrival(name, Block(rows.start, data[rows].astype(np.float32)), now, stamps))
                if step % 8 == 7:  # as live, a map is of the next sample
                    clock = ClockMap(float(rows.stop), BEGIN + rows.stop / sfreq, 1 / sfreq)
                    writer.arrival(Arrival(name, clock, now))
            if step % 8 == 7:
                writer.arrival(Arrival(CONTROL, Marker(now, "tick"), now))
                if seal:
                    writer.boundary()
                    writer.seal(now)
        for at, name in cues:
            marker = Marker(BEGIN + at, f"attend:{name}")
            writer.arrival(Arrival("cues", marker, BEGIN + at, np.array([BEGIN + at]), [marker.value]))
        if end:
            writer.end()
    return path
