"""Decode the same data with the peers; run by :mod:`benchmarks.decoders` in the peers' Python environment.

naplib needs NumPy below 2, so this script shares no code with Earmark: it reads arrays from one file and writes arrays
to another.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import fftrf
import numpy as np
from mtrf.model import TRF as MtrfTRF
from mtrf.stats import crossval
from naplib.encoding import TRF as NaplibTRF
from sklearn.linear_model import Ridge


def main(source: str, target: str) -> None:
    """Read runs and penalties, time the peers, write times and predictions."""
    data = dict(np.load(source))
    n, sfreq, reach = int(data["n"]), float(data["sfreq"]), float(data["tmax"])
    runs = [(data[f"x{i}"], data[f"y{i}"]) for i in range(n)]
    # Scaled within each fold, as in Earmark; not timed, which favours the peers.
    folds = [
        ([(runs[j][0] * data[f"scale{i}"], runs[j][1]) for j in range(n) if j != i], runs[i][0] * data[f"scale{i}"])
        for i in range(n)
    ]
    alpha = float(data["alpha"])

    def naplib() -> list[np.ndarray]:
        found = []
        for train, test in folds:
            model = NaplibTRF(-reach, 0.0, sfreq, estimator=Ridge(alpha=alpha), show_progress=False)
            model.fit(X=[x for x, _ in train], y=[y for _, y in train])
            found.append(model.predict(X=[test])[0][:, 0])
        return found

    def mtrf() -> list[np.ndarray]:
        found = []
        for train, test in folds:
            model = MtrfTRF(direction=-1)
            model.train([y for _, y in train], [x for x, _ in train], sfreq, 0.0, reach, alpha, verbose=False)
            found.append(np.asarray(model.predict(response=[test])[0])[:, 0])
        return found

    def mtrf_crossval() -> list[np.ndarray]:
        crossval(MtrfTRF(direction=-1), [y for _, y in runs], [x for x, _ in runs], sfreq, 0.0, reach, alpha,
                 verbose=False)  # fmt: skip
        return []

    def fftrf_() -> list[np.ndarray]:
        found = []
        for train, test in folds:
            model = fftrf.TRF(direction=-1)
            model.train([y for _, y in train], [x for x, _ in train], sfreq, 0.0, reach, alpha)
            found.append(np.asarray(model.predict(response=[test])[0])[:, 0])
        return found

    out: dict[str, np.ndarray] = {}
    jobs: dict[str, Callable[[], list[np.ndarray]]] = {
        "naplib": naplib,
        "mtrf": mtrf,
        "mtrf_crossval": mtrf_crossval,
        "fftrf": fftrf_,
    }
    for name, job in jobs.items():
        times = []
        for _ in range(int(data["repeats"])):
            start = time.perf_counter()
            predictions = job()
            times.append(time.perf_counter() - start)
        out[f"{name}_seconds"] = np.array(times)
        for i, prediction in enumerate(predictions):
            out[f"{name}_{i}"] = prediction
    np.savez(target, allow_pickle=False, **out)


if __name__ == "__main__":
    main(*sys.argv[1:])
