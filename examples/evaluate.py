"""Cross-validate the linear decoder: python examples/evaluate.py RUN RUN RUN ..."""

import argparse
from pathlib import Path

from earmark.devices import read_run
from earmark.pipeline import Evaluation, evaluate
from earmark.pipeline.decoders import EEG, LinearDecoder


def main(paths: list[Path]) -> Evaluation:
    """Leave out one run at a time; print accuracy and chance limit for each decision window."""
    runs = [read_run(path, EEG) for path in paths]
    found = evaluate(runs, lambda: LinearDecoder(EEG), "leave-one-run-out", windows=(1.0, 2.0, 5.0))
    for window, accuracy in found.accuracy.items():
        print(
            f"{window:g} s: {100 * accuracy:.1f} % of {found.n_windows[window]} windows correct, "
            f"chance limit {100 * found.chance_limit[window]:.1f} %"
        )
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="runs, as 'earmark import' writes them")
    main(parser.parse_args().runs)
