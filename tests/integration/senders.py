"""LSL senders in separate processes, well-behaved and faulty. Run as ``python senders.py SCENARIO SOURCE_ID``."""

import sys
import time

import numpy as np
import pylsl

from earmark.devices.sources.lsl_description import make_info
from earmark.pipeline.stream import StreamSpec

SFREQ, N_CHANNELS, CHUNK = 500.0, 8, 10


def samples(index, n_channels=N_CHANNELS):
    """Return the samples of the given indices: reproducible, EEG-like, different in each channel."""
    index = np.asarray(index)[:, None]
    channel = np.arange(n_channels)[None]
    wave = 20 * np.sin(2 * np.pi * (3 + 0.2 * channel) * index / SFREQ) + 10 * np.sin(0.37 * index)
    return (300 + 10 * channel + wave + (index * 7919 + channel * 104729) % 11).astype(np.float32)


def make(source_id, n_channels=N_CHANNELS, sfreq=SFREQ, prefix="E", lasting=True):
    names = tuple(f"{prefix}{i}" for i in range(n_channels))
    spec = StreamSpec(f"sender {source_id}", sfreq, names, ("eeg",) * n_channels, ("uV",) * n_channels)
    info = make_info(spec, "EEG", source_id)
    return pylsl.StreamOutlet(info if lasting else drawn(info))


def drawn(info):
    """Return the same description with a source_id that pylsl generates, different in every process."""
    again = pylsl.StreamInfo(info.name(), info.type(), info.channel_count(), info.nominal_srate(), "float32")
    again.desc().append_copy(info.desc().child("channels"))
    return again


def main(scenario, source_id):
    n_channels = 6 if scenario == "other-channels" else N_CHANNELS
    sfreq = 250.0 if scenario == "other-rate" else SFREQ
    prefix = "F" if scenario == "other-names" else "E"
    outlet = make(source_id, n_channels, sfreq, prefix, lasting=scenario != "drawn-id")
    markers = None
    if scenario == "markers":
        spec = StreamSpec(f"markers {source_id}", 0.0, ("marker",), ("misc",), ("",))
        markers = pylsl.StreamOutlet(make_info(spec, "Markers", f"{source_id}-markers", "string"))
    while not outlet.have_consumers():
        time.sleep(0.01)
    begun, k, held = pylsl.local_clock(), 0, []
    while True:
        due = begun + (k + 1) * CHUNK / SFREQ
        time.sleep(max(0.0, due - pylsl.local_clock()))
        elapsed = due - begun
        data = samples(np.arange(k * CHUNK, (k + 1) * CHUNK), n_channels)
        stamps = due - (CHUNK - 1 - np.arange(CHUNK)) / SFREQ
        if scenario == "bad-values":
            data[k % CHUNK, 0] = (np.nan, np.inf, -np.inf, 1e30, -3e38)[k % 5]
            data[:, 1] = np.nan
            data[:, 2] = 1234.5  # constant
            data[:, 3] = np.clip(data[:, 3], 305, 335)  # saturated
        if scenario == "nan-burst" and 8 < elapsed < 10:
            data[:] = np.nan
        if scenario == "duplicate-stamps":
            stamps[:] = stamps[-1]
        if scenario == "clock-step" and elapsed % 6 > 3:
            stamps += 10.0
        if scenario == "clock-off" and 8 < elapsed < 12:
            stamps += 10.0
        if scenario == "unix-time":
            stamps += time.time() - pylsl.local_clock()
        if scenario == "late" and 2 < elapsed < 3.5:
            held.append((data, stamps))
            k += 1
            continue
        for old, old_stamps in held:
            outlet.push_chunk(old, list(old_stamps))
        held = []
        if scenario == "single-samples":
            for row, stamp in zip(data, stamps, strict=True):
                outlet.push_sample(row, stamp)
        else:
            outlet.push_chunk(data, list(stamps))
        if scenario == "early" and k % 50 == 0:  # a chunk before it is due
            k += 1
            outlet.push_chunk(samples(np.arange(k * CHUNK, (k + 1) * CHUNK)), list(stamps + CHUNK / SFREQ))
        if markers is not None and k % 25 == 0:
            markers.push_sample([f"mark/{k}"], float(stamps[0]))
        k += 1


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
