"""Make four runs of a simulated listener: python examples/simulate_runs.py FOLDER [SECONDS]."""

import argparse
from pathlib import Path

import numpy as np

import earmark.app
from earmark.devices import Listener, Talker, read_speech, write_run
from earmark.devices.files.recording import Recording, Segment
from earmark.devices.simulate.listener import PRESETS
from earmark.devices.sources.lsl_log import quiet_liblsl

SPEECH = Path(earmark.app.__file__).parent / "speech"  # ships with Earmark
NAMES = ("joe", "ada")


def simulate(path: Path, attended: int, seconds: float, seed: int) -> None:
    """Write one run, in which the listener attends to one talker throughout."""
    talkers = [Talker(name, *read_speech(SPEECH / f"{name}.ogg")) for name in NAMES]
    listener = Listener(PRESETS["easy"], len(talkers), seed=seed)
    for k in range(int(seconds * talkers[0].sfreq)):
        listener.hear([k / talkers[0].sfreq], [[talker.envelope[k].mean()] for talker in talkers])
    listener.attend(attended, 0.0)
    eeg = listener.listen(int(seconds * listener.spec.sfreq))  # (n_samples, n_channels), microvolts
    recording = Recording(listener.spec, len(eeg), [Segment(0, len(eeg), 0.0)], [], lambda start, stop: eeg[start:stop])
    write_run(path, recording, talkers, [(0.0, NAMES[attended])], subject="simulated")


def main(folder: Path, seconds: float = 60.0) -> None:
    """Write run-1.xdf to run-4.xdf."""
    folder.mkdir(parents=True)
    for number in range(1, 5):
        simulate(folder / f"run-{number}.xdf", number % 2, seconds, seed=number)
        print(f"wrote {folder / f'run-{number}.xdf'}, attended: {NAMES[number % 2]}")


if __name__ == "__main__":
    np.seterr(all="raise")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write them")
    parser.add_argument("seconds", type=float, nargs="?", default=60.0, help="length of each")
    given = parser.parse_args()
    if given.folder.exists():
        parser.error(f"{given.folder} exists: name a new folder")
    quiet_liblsl()
    main(given.folder, given.seconds)
