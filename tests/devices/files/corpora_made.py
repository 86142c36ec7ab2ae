"""Small data sets in the form of those of KU Leuven and DTU, with simulated listeners."""

import numpy as np
import scipy.io
import soundfile

SOUND_HZ = 8000
LABELS = ("Fp1", "AF7", "Cz", "Pz", "O1", "Oz")


def modulation(seed, seconds, hz):
    """What a talker says, as slow fluctuations of loudness: the same ones for any rate."""
    frequencies, phases = np.random.default_rng(seed).uniform((1, 0), (6, 2 * np.pi), (10, 2)).T
    t = np.arange(round(seconds * hz)) / hz
    return np.maximum(0.02, 1 + np.cos(2 * np.pi * t[:, None] * frequencies + phases).sum(axis=1) / 3)


def write_sound(path, seed, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed + 1000).normal(size=round(seconds * SOUND_HZ))
    soundfile.write(path, 0.05 * noise * modulation(seed, seconds, SOUND_HZ), SOUND_HZ)


def neural(attended, seconds, hz, seed, n_channels=6):
    """EEG in microvolts that follows the attended talker 120 ms later."""
    rng = np.random.default_rng(seed)
    late = round(0.12 * hz)
    follows = np.concatenate([np.zeros(late), modulation(attended, seconds, hz)])[: round(seconds * hz)]
    # Channels share a slow background, as neighbours do: channels without are masked as having lost contact.
    background = modulation(1000 + seed, seconds, hz)[:, None]
    noise = rng.normal(0, 2, (len(follows), n_channels))
    return 6 * follows[:, None] * np.linspace(1, 0.5, n_channels) + 6 * background + noise


def cell(values, row=False):
    """A cell array."""
    found = np.empty((len(values), 1), object)
    for k, one in enumerate(values):
        found[k, 0] = one
    return found.T if row else found


def struct_array(rows):
    """A structure array."""
    found = np.empty((1, len(rows)), [(key, object) for key in rows[0]])
    for k, row in enumerate(rows):
        found[0, k] = tuple(row.values())
    return found


def kul_trial(part, *, experiment=1, repeated=False, seconds=24.0, hz=128, unit="uV", seed=0, **changes):
    """One trial: the first experiment attends to the first track, the second to the other, ears taking turns."""
    track = 2 if experiment == 2 else 1
    left_first = part % 2 == 1
    prefix, kind = "rep_" if repeated else "", "hrtf" if part > 2 else "dry"
    names = [f"{prefix}part{part}_track{t}_{kind}.wav" for t in ((1, 2) if left_first else (2, 1))]
    channels = [{"Label": label, **({"PhysicalDimension": unit} if unit else {})} for label in LABELS]
    return {
        "RawData": {
            "EegData": neural(10 * part + track, seconds, hz, 100 * part + experiment + seed),
            "Channels": np.arange(1.0, len(LABELS) + 1)[None],
        },
        "FileHeader": {"SampleRate": float(hz), "Channels": struct_array(channels)},
        "stimuli": cell(names),
        "attended_ear": "L" if (track == 1) == left_first else "R",
        "attended_track": float(track),
        "experiment": float(experiment),
        "part": float(part),
        "condition": kind,
        "repetition": repeated,
        "subject": "S1",
        **changes,
    }


def kul_trials(**changes):
    """Two experiments with three parts each, and one repetition."""
    trials = [kul_trial(part, experiment=e, **changes) for e in (1, 2) for part in (1, 2, 3)]
    return [*trials, kul_trial(1, experiment=3, repeated=True, seconds=8.0, **changes)]


def write_kul(folder, trials=None, name="S1.mat", form="packed"):
    """Write one listener, and the sounds."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in (1, 2, 3):
        for track in (1, 2):
            write_sound(folder / "stimuli" / f"part{part}_track{track}_dry.wav", 10 * part + track, 25.0)
            if part == 1:
                write_sound(folder / "stimuli" / f"rep_part{part}_track{track}_dry.wav", 10 * part + track, 8.0)
    write_mat(folder / name, {"trials": cell(trials or kul_trials(), row=True)}, form)
    return folder


#: Rows of a DTU table: attended (1 male, 2 female), and whether there are two talkers.
DTU_ROWS = ((1, True), (2, True), (1, False), (2, True), (1, True))


def dtu_table(rows=DTU_ROWS):
    """The columns of ``expinfo``."""
    return {
        "attend_mf": [float(mf) for mf, _ in rows],
        "attend_lr": [1.0 + k % 2 for k in range(len(rows))],
        "acoustic_condition": [1.0 + k % 3 for k in range(len(rows))],
        "n_speakers": [1.0 + two for _, two in rows],
        "wavfile_male": [f"aske_story1_trial_{k + 1}.wav" for k in range(len(rows))],
        "wavfile_female": [f"marianne_story1_trial_{k + 1}.wav" if two else "" for k, (_, two) in enumerate(rows)],
        "trigger": [130.0 + k for k in range(len(rows))],
    }


def dtu_data(rows=DTU_ROWS, *, hz=128, seconds=20.0, pause=3.0):
    """The continuous recording: two electrodes of the face and the trigger channel after those of the scalp."""
    n_pause, n_trial = round(pause * hz), round(seconds * hz)
    rng = np.random.default_rng(5)
    pieces, samples = [rng.normal(0, 3, (n_pause, len(LABELS)))], []
    for k, (mf, _) in enumerate(rows):
        start = sum(map(len, pieces)) + 1  # MATLAB counts from 1
        samples += [start, start + n_trial]
        seed = 2 * k + (mf == 2)
        pieces += [neural(seed, seconds, hz, 40 + k), rng.normal(0, 3, (n_pause, len(LABELS)))]
    scalp = np.concatenate(pieces) + 3000  # the offset of an amplifier without high-pass
    values = [v for k in range(len(rows)) for v in (130.0 + k, 255.0)]
    eeg = np.column_stack([scalp, rng.normal(0, 30, (len(scalp), 2)), np.zeros(len(scalp))])
    return {
        "eeg": cell([eeg]),
        "fsample": {"eeg": float(hz)},
        "dim": {"eeg": "time_chan", "chan": {"eeg": cell([cell([*LABELS, "EXG1", "EXG2", "Status"])])}},
        "event": {"eeg": {"sample": np.array(samples, float)[:, None], "value": cell(values)}},
    }


def write_dtu_sounds(folder, rows=DTU_ROWS, seconds=20.0):
    for k, (_, two) in enumerate(rows):
        write_sound(folder / "AUDIO" / f"aske_story1_trial_{k + 1}.wav", 2 * k, seconds)
        if two:
            write_sound(folder / "AUDIO" / f"marianne_story1_trial_{k + 1}.wav", 2 * k + 1, seconds)


def write_dtu(folder, expinfo="struct", data=None, table=None, name="S1.mat", form="plain"):
    """Write one listener: ``expinfo`` as a table, or as the rows or columns that ``table2struct`` makes of it."""
    write_dtu_sounds(folder)
    (folder / "EEG").mkdir(exist_ok=True)
    data, table = data or dtu_data(), table or dtu_table()
    path = folder / "EEG" / name
    if expinfo == "table":
        import pandas

        write_mat(path, {"data": data, "expinfo": pandas.DataFrame(table)}, "v7" if form == "plain" else form)
        return folder
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    columns = {key: np.array(v)[:, None] if isinstance(v[0], float) else cell(v) for key, v in table.items()}
    write_mat(path, {"data": data, "expinfo": struct_array(rows).T if expinfo == "struct" else columns}, form)
    return folder


def write_dtu_preprocessed(folder, n=4, seconds=20.0, hz=64):
    """Write one listener as the authors' script does: the attended talker is always the first."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [*LABELS, "EXG1", "EXG2"]
    data = {
        "eeg": cell([neural(2 * k, seconds, hz, k, len(names)) for k in range(n)], row=True),
        "wavA": cell([modulation(2 * k, seconds, hz)[:, None] for k in range(n)], row=True),
        "wavB": cell([modulation(2 * k + 1, seconds, hz)[:, None] for k in range(n)], row=True),
        "fsample": {"eeg": float(hz), "wavA": float(hz), "wavB": float(hz)},
        "dim": {"chan": {"eeg": cell([cell(names) for _ in range(n)], row=True)}},
        "event": {"eeg": struct_array([{"sample": 1.0, "value": cell([1.0])} for _ in range(n)])},
    }
    write_mat(folder / "S1_data_preproc.mat", {"data": data})
    return folder


def write_mat(path, content, form="plain"):
    """Write a file: v5 by SciPy, plain or packed; v7.3, and v7 with tables, by mat-io."""
    if form in ("plain", "packed"):
        scipy.io.savemat(path, content, do_compression=form == "packed")
    else:
        from matio import save_to_mat

        save_to_mat(str(path), content, version=form)
    return path
