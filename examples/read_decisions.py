"""Replay a recorded run and get its decisions as NumPy arrays: python examples/read_decisions.py RUN_FOLDER.

The replay computes all outputs again, so the arrays are complete, whatever the live session published.
"""

import argparse
from pathlib import Path

import numpy as np

from earmark.app import Replay
from earmark.devices import SessionFile
from earmark.pipeline import Decision


def read_decisions(recording: Path) -> dict[str, np.ndarray]:
    """Return arrays with a row per decision: time (s), scores, probability, gains (dB), and decided talker (or -1)."""
    found: list[Decision] = []
    replay = Replay(SessionFile(recording))
    replay.run(lambda output, item: found.append(item) if isinstance(item, Decision) else None)
    fields = ("time", "scores", "probability", "gains", "talker")
    arrays = {field: np.array([getattr(one, field) for one in found]) for field in fields}
    print("identical to the live session:", replay.outputs["attend"].identical)
    return arrays


def main(folder: Path) -> dict[str, np.ndarray]:
    """Print the shape of each array, and the share of decisions for each talker."""
    arrays = read_decisions(folder / "loop.xdf")
    talkers = SessionFile(folder / "loop.xdf").about.talkers
    for name, array in arrays.items():
        print(f"{name:12} {array.shape}")
    for k, name in enumerate(talkers):
        print(f"decided for {name}: {100 * np.mean(arrays['talker'] == k):.0f} % of decisions")
    return arrays


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of a recorded run, such as alice/run-1")
    main(parser.parse_args().folder)
