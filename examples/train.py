"""Train a linear decoder and save it: python examples/train.py RUN RUN RUN ... -o DECODER.

``earmark train`` does the same, and also measures how the scores scatter, which a live session needs.
"""

import argparse
from pathlib import Path

from earmark.devices import read_run, save_decoder
from earmark.devices.files.decoder_folder import Facts, fingerprint
from earmark.pipeline import evaluate
from earmark.pipeline.decoders import EEG, LinearDecoder


def main(paths: list[Path], out: Path) -> LinearDecoder:
    """Train on all runs, and save the decoder with its cross-validated accuracy."""
    runs = [read_run(path, EEG) for path in paths]
    decoder = LinearDecoder(EEG).fit(runs)
    window = decoder.spec.window
    found = evaluate(runs, lambda: LinearDecoder(EEG), "leave-one-run-out", windows=(window,))
    facts = Facts(
        accuracy=found.accuracy[window],
        chance_level=1 / len(runs[0].talker_names),
        n_decisions=found.n_windows[window],
        fingerprints=tuple(fingerprint(run) for run in runs),
        seconds=sum(len(run.neural) / run.sfreq for run in runs),
    )
    save_decoder(out, decoder, facts)
    print(
        f"{out}: {100 * facts.accuracy:.1f} % of {facts.n_decisions} windows of {window:g} s correct, cross-validated"
    )
    return decoder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("-o", "--out", required=True, type=Path)
    given = parser.parse_args()
    main(given.runs, given.out)
