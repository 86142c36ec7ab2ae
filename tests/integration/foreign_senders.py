"""Imitations of other programs' LSL senders, each in a process. Run as ``python foreign_senders.py WHICH TAG``.

Metadata, formats, chunks and stamps are those of the named programs. All electrodes carry the same wave of 40 µV, in
the sender's own unit, so that a wrong scale is detected.
"""

import sys
import time

import numpy as np
import pylsl

#: Amplitude in microvolts and frequency in Hz of the wave on every electrode.
AMPLITUDE_UV, WAVE_HZ = 40.0, 5.0
#: Markers that are sent with the signals, once a second.
TEXT, CODE = "stimulus/left", 1234567

MUSE = ("TP9", "AF7", "AF8", "TP10", "Right AUX")
EPOC = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")


def info(tag, name, kind, sfreq, fmt, source_id, channels=(), **desc):
    """Return a stream's description; ``channels`` are mappings with the metadata of each channel."""
    n = desc.pop("n", len(channels))
    made = pylsl.StreamInfo(f"{name} {tag}", kind, n, sfreq, fmt, source_id)
    for key, value in desc.items():
        made.desc().append_child_value(key, value)
    if channels:
        parent = made.desc().append_child("channels")
        for one in channels:
            channel = parent.append_child("channel")
            for key, value in one.items():
                channel.append_child_value(key, value)
    return made


def labelled(labels, unit="microvolts", kind="EEG", tag="label", **more):
    return [{tag: label, "unit": unit, "type": kind, **more} for label in labels]


def muse_lsl(tag):
    """muse-lsl: five channels, the last one auxiliary; sample by sample with stamps."""
    return info(tag, "Muse", "EEG", 256.0, "float32", "Muse00:55:DA:B0:00:01", labelled(MUSE), manufacturer="Muse")


def bluemuse(tag):
    """BlueMuse: one source_id for all headsets."""
    about = {"manufacturer": "Muse", "type": "EEG"}
    return info(tag, "Muse-7C8A (00:55:da:b7:7c:8a)", "EEG", 256.0, "double64", "BlueMuse", labelled(MUSE), **about)


def biosemi(tag):
    """The BioSemi app: triggers first, then electrodes, then external and auxiliary inputs."""
    channels = [
        *labelled(["Sync"], "", "Sync"),
        *labelled(["Trig1"], "", "Trigger"),
        *labelled([f"A{k + 1}" for k in range(32)]),
        *labelled([f"EX{k + 1}" for k in range(8)], kind="EXG"),
        *labelled([f"AUX{k + 1}" for k in range(4)], kind="AUX"),
    ]
    return info(tag, "BioSemi", "EEG", 2048.0, "float32", "BioSemi", channels)


def openbci(tag):
    """OpenBCI GUI or brainflow: no channel description."""
    return info(tag, "obci_eeg1", "EEG", 250.0, "float32", "openbci_eeg_id1", n=8)


def actichamp(tag):
    """The actiCHamp connector, with auxiliary inputs and markers as channels of the same stream."""
    channels = [
        *labelled(["Fp1", "Fz", "F3", "F7", "Cz", "Pz"]),
        *labelled(["AUX_1", "AUX_2"], kind="AUX"),
        *labelled(["Markers"], "", "Markers"),
    ]
    return info(tag, "actiCHamp-20110416", "EEG", 1000.0, "float32", "20110416", channels)


def brainamp(tag):
    """The BrainAmp connector sending raw counts, with a scaling factor for the unit."""
    channels = labelled(["1", "2", "3", "4"], scaling_factor="0.100000")
    return info(tag, "BrainAmpSeries-0", "EEG", 500.0, "int16", "BrainAmpSeries_0_1111", channels)


def emotiv(tag):
    """The Emotiv app: counters, gyroscopes and stamps are also declared as EEG in microvolts."""
    labels = ["COUNTER", "INTERPOLATED", *EPOC, "RAW_CQ", "GYROX", "GYROY", "TIMESTAMP", "MARKER"]
    return info(tag, "Emotiv", "EEG", 128.0, "double64", "fooid", labelled(labels, "uV"), manufacturer="Emotiv")


def explorepy(tag):
    """explorepy: ``name`` instead of ``label``, type ExG, and the channels of its other stream appended."""
    channels = labelled([f"ch{k + 1}" for k in range(8)], "uV", "ExG", "name")
    other = labelled(["accX", "accY", "accZ"], "mg", "ORN", "name")
    return info(tag, "Explore_8441_ExG", "ExG", 250.0, "float32", "ExG", channels + other, n=8, manufacturer="Mentalab")


def send_data(tag):
    """pylsl's example SendData.py: no description; every 10 ms it pushes the due samples one by one."""
    return info(tag, "BioSemi", "EEG", 100.0, "float32", "myuid34234", n=8)


def send_data_advanced(tag):
    """pylsl's example SendDataAdvanced.py: positions in metres, and a factor of 1."""
    channels = labelled(["Fp1", "Fp2", "C3"], scaling_factor="1")
    made = info(tag, "LSLExampleAmp", "EEG", 100.0, "float32", "myuid2424", channels, manufacturer="LSLExampleAmp")
    channel = made.desc().child("channels").child("channel")
    for place in ((-0.0307, 0.0949, -0.0047), (0.0307, 0.0949, -0.0047), (-0.0742, 0.0, 0.0668)):
        location = channel.append_child("location")
        for axis, value in zip("XYZ", place, strict=True):
            location.append_child_value(axis, str(value))
        channel = channel.next_sibling("channel")
    return made


#: Description, samples per chunk, and value of one of the sender's units in microvolts.
SENDERS = {
    "muse-lsl": (muse_lsl, 12, 1.0),
    "bluemuse": (bluemuse, 12, 1.0),
    "biosemi": (biosemi, 64, 1.0),
    "openbci": (openbci, 1, 1.0),
    "actichamp": (actichamp, 20, 1.0),
    "brainamp-raw": (brainamp, 10, 0.1),
    "emotiv": (emotiv, 4, 1.0),
    "explorepy": (explorepy, 8, 1.0),
    "send-data": (send_data, 1, 1.0),
    "send-data-advanced": (send_data_advanced, 1, 1.0),
}


def raw(sfreq=250.0, seconds=20.0):
    """Return a recording with annotations, for the players of MNE's packages."""
    import mne

    names = ["Fz", "Cz", "Pz", "EOG", "STI"]
    x = AMPLITUDE_UV * 1e-6 * np.sin(2 * np.pi * WAVE_HZ * np.arange(round(seconds * sfreq)) / sfreq)
    about = mne.create_info(names, sfreq, ["eeg"] * 3 + ["eog", "stim"])
    made = mne.io.RawArray(np.stack([x] * 4 + [np.zeros_like(x)]), about, verbose=False)
    onsets = np.arange(1.0, seconds - 1)
    return made.set_annotations(mne.Annotations(onsets, 0.0, ["left", "right"] * (len(onsets) // 2)))


def send(which, tag):
    make, chunk, step = SENDERS[which]
    outlet = pylsl.StreamOutlet(make(tag))
    words = pylsl.StreamOutlet(pylsl.StreamInfo(f"words {tag}", "Markers", 1, 0, "string", f"words-{tag}"))
    codes = pylsl.StreamOutlet(pylsl.StreamInfo(f"codes {tag}", "Markers", 1, 0, "int32", f"codes-{tag}"))
    about = outlet.get_info()
    sfreq, n = about.nominal_srate(), about.channel_count()
    begun, k = pylsl.local_clock(), 0
    while True:
        due = begun + (k + chunk) / sfreq
        time.sleep(max(0.0, due - pylsl.local_clock()))
        wave = AMPLITUDE_UV / step * np.sin(2 * np.pi * WAVE_HZ * np.arange(k, k + chunk) / sfreq)
        rows = np.repeat(wave[:, None], n, axis=1)
        if which in ("muse-lsl", "openbci", "send-data"):  # one by one; only muse-lsl with stamps
            for i, row in enumerate(rows):
                stamp = due - (chunk - 1 - i) / sfreq if which == "muse-lsl" else 0.0
                outlet.push_sample(row, stamp)
        elif which == "bluemuse":
            outlet.push_chunk(rows, list(due - np.arange(chunk)[::-1] / sfreq))
        else:
            outlet.push_chunk(np.round(rows).astype("<i2") if which == "brainamp-raw" else rows.astype("<f8"), due)
        if k // round(sfreq) != (k + chunk) // round(sfreq):
            words.push_sample([TEXT])
            codes.push_sample([CODE])
        k += chunk


def main(which, tag):
    if which == "mne-lsl":
        from mne_lsl.player import PlayerLSL

        PlayerLSL(raw(), chunk_size=10, name=f"player {tag}", source_id=f"player-{tag}").start()
        time.sleep(600)
    elif which == "mne-realtime":
        from mne_realtime import MockLSLStream

        with MockLSLStream(f"mock-{tag}", raw(), "eeg"):
            time.sleep(600)
    else:
        send(which, tag)


if __name__ == "__main__":
    main(*sys.argv[1:])
