"""Read a recording piece by piece: python examples/read_recording.py FILE."""

import argparse
from pathlib import Path

import numpy as np

from earmark.devices import open_recording


def main(path: Path) -> None:
    """Print a summary, and the standard deviation of the first ten channels in each of the first ten seconds."""
    recording = open_recording(path)
    spec = recording.spec
    print(f"{spec.name}: {spec.n_channels} channels, {spec.sfreq:g} Hz, {recording.duration:.1f} s")
    print(f"{recording.n_gaps} gap(s), {len(recording.annotations)} annotation(s), units {sorted(set(spec.units))}")
    second = round(spec.sfreq)
    for start in range(0, min(recording.n_samples - second, 10 * second), second):
        samples = recording.read(start, start + second)  # (n_samples, n_channels)
        print(f"{recording.time_at(start):6.1f} s ", np.round(samples[:, :10].std(axis=0), 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help=".fif, .edf, .bdf, .vhdr or .xdf")
    main(parser.parse_args().file)
