"""Check a decoder against :class:`earmark.pipeline.decoders.decoder.Decoder`, on simulated runs."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.files.decoder_folder import Facts, load_decoder, reason, save_decoder
from earmark.pipeline.decoders.decoder import Decoder, DecoderError, DecoderMismatch, correlate
from earmark.pipeline.decoders.presets import EEG, Preset
from earmark.pipeline.run import Run
from earmark.testing.failure import CheckFailed, bits, demand, demand_class, gives_a_reason, run_checks

#: Small and fast: 32 Hz, lags up to an eighth of a second, windows of two seconds.
SMALL = replace(EEG, sfreq=32.0, tmax=0.125, lag_step=1, window=2.0, context=0.0625, separable=0.0)
#: Maximum relative difference between scores computed in different ways.
CLOSE = 1e-4
FACTS = Facts(0.5, 0.5, 10, (), 60.0)


def made_up_run(seed: int, n_talkers: int = 2, seconds: float = 40.0, n_channels: int = 6) -> Run:
    """Make a run whose channels follow the attended talker, the first one, by one to three samples at 32 Hz.

    Parameters
    ----------
    seed : int
        Seed of speech and noise; the topography is always the same.
    n_talkers, n_channels : int
    seconds : float

    Returns
    -------
    Run
        Its arrays are read-only.
    """
    rng, same = np.random.default_rng(seed), np.random.default_rng(0)
    n = round(seconds * SMALL.sfreq)
    raw = rng.normal(size=(n_talkers, n + 2, 1))
    talkers = raw[:, :-2] + raw[:, 1:-1] + raw[:, 2:]
    neural = rng.normal(size=(n, n_channels))
    for lag in (1, 2, 3):
        neural[lag:] += talkers[0, : n - lag] @ same.normal(size=(1, n_channels))
    attended = np.zeros(n, np.int64)
    for array in (talkers, neural, attended):
        array.flags.writeable = False
    names = tuple(f"talker {k + 1}" for k in range(n_talkers))
    stimuli = tuple(f"{seed}-{name}" for name in names)
    channels = tuple(f"E{i + 1}" for i in range(n_channels))
    return Run(f"run {seed}", "made up", SMALL.sfreq, channels, neural, names, talkers, attended, stimuli)


def check_decoder(
    decoder: type[Decoder], make: Callable[[Preset], Decoder] | None = None, preset: Preset = SMALL
) -> None:
    """Check a class of decoders.

    Parameters
    ----------
    decoder : type
        The class. It need not be installed under its ``kind``.
    make : callable, optional
        Makes an unfitted decoder from a preset, with fast settings; by default ``decoder(preset)``.
    preset : Preset
        For runs at 32 Hz.

    Raises
    ------
    CheckFailed
        At the first check that fails.
    """
    demand_class(decoder, "check_decoder", "decoder")
    if make is not None and not callable(make):
        raise CheckFailed(
            f"check_decoder: make is an instance of {type(make).__name__}, but must be a function that makes an "
            f"unfitted decoder from a preset: check_decoder({decoder.__name__}, lambda preset: "
            f"{decoder.__name__}(preset, ...))"
        )
    check = _Check(decoder, make or decoder, preset)
    checks = (
        check.has_what_is_used,
        check.learns,
        check.projects,
        check.scores,
        check.refuses_in_words,
        check.is_kept,
    )
    run_checks(checks, lambda: check.name)


class _Check:
    def __init__(self, cls: type[Decoder], make: Callable[[Preset], Decoder], preset: Preset) -> None:
        self.cls, self.name, self.make, self.preset = cls, cls.__name__, make, preset
        self.runs = [made_up_run(seed) for seed in range(3)]

    def demand(self, fine: object, found: str) -> None:
        demand(fine, self.name, found)

    def has_what_is_used(self) -> None:
        kind = getattr(self.cls, "kind", None)
        self.demand(isinstance(kind, str) and kind, f"kind is {kind!r}, but must be a name")
        self.demand(isinstance(getattr(self.cls, "by_epochs", None), bool), "by_epochs must be True or False")
        for member in ("preset_for", "rebuild"):
            self.demand(
                callable(getattr(self.cls, member, None)),
                f"there is no {member}: write it, or derive the class from Projections, which has all but "
                "fit, project_neural, project_talkers, combine, arrays and rebuild",
            )
        self.preset = self.cls.preset_for(self.preset)
        self.demand(isinstance(self.preset, Preset), f"preset_for gives {self.preset!r}, but must give a Preset")
        made = self.make(self.preset)
        self.demand(isinstance(made, self.cls), f"what was made is a {type(made).__name__}, not a {self.name}")
        self.demand(getattr(made, "preset", None) == self.preset, "preset is not what it was made from")
        for member in ("fit", "score", "combine", "project_neural", "project_talkers", "settings", "arrays"):
            self.demand(callable(getattr(made, member, None)), f"there is no {member}")
        self.demand(not hasattr(made, "chosen"), "chosen is there before fit: it says that a decoder is fitted")

    def learns(self) -> None:
        made = self.make(self.preset)
        try:
            fitted = made.fit(self.runs)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise CheckFailed(f"{self.name}: fit changes the runs it was given") from error
        self.demand(fitted is made, "fit must return the decoder itself")
        spec, run = fitted.spec, self.runs[0]
        self.demand(spec.kind == self.cls.kind, f"spec.kind is {spec.kind!r}, but kind is {self.cls.kind!r}")
        try:
            spec.check_run(run)
        except DecoderMismatch as error:
            raise CheckFailed(f"{self.name}: its spec does not fit the runs it learned from: {error}") from None
        self.demand(dataclasses.is_dataclass(fitted.chosen), "chosen must be a dataclass of what the fit came to")
        names = getattr(fitted, "components", None)
        self.demand(
            isinstance(names, tuple) and all(isinstance(name, str) for name in names),
            f"components is {names!r}, but must be the names of components, or (): derive the class from Projections, "
            "which has none",
        )
        again = self.make(self.preset).fit(self.runs)
        self.demand(bits(again.arrays()) == bits(fitted.arrays()), "fitted again on the same runs, it has other arrays")
        self.fitted = fitted
        self.n = spec.n_window + spec.reach

    def scores(self) -> None:
        right = total = 0
        for seed in (11, 12, 13):
            run = made_up_run(seed, 3)
            for start in range(0, len(run.neural) - self.n + 1, self.n):
                part = run.part(start, start + self.n)
                score = self.score(part)
                self.demand(score.shape == (3,), f"score gives shape {score.shape} for 3 talkers")
                self.demand(np.isfinite(score).all(), f"score is {score}, but must be finite")
                turned = self.fitted.score(part.neural, part.talkers[::-1])
                self.demand(_close(turned[::-1], score), "a score depends on the place of the talker among the others")
                x, y = self.fitted.project_neural(part.neural), self.fitted.project_talkers(part.talkers)
                joined = self.fitted.combine(correlate(x, y, self.fitted.spec.centred))
                self.demand(_close(joined, score), "score is not combine of the correlations of the projections")
                right, total = right + int(score.argmax() == 0), total + 1
        self.demand(right / total > 0.5, f"it finds the attended of 3 talkers in {right} of {total} easy windows")

    def projects(self) -> None:
        run, spec = made_up_run(21), self.fitted.spec
        part = run.part(0, self.n)
        x, y = self.fitted.project_neural(part.neural), self.fitted.project_talkers(part.talkers)
        rows = self.n - spec.reach
        self.demand(
            x.ndim == 2 and x.shape[0] == rows and y.shape == (2, *x.shape),
            f"projections have shapes {x.shape} and {y.shape}, but must have n_samples - reach = {rows} rows, and the "
            "same components",
        )
        at = self.n // 2
        for what, project, whole in (
            ("project_neural", self.fitted.project_neural, part.neural),
            ("project_talkers", self.fitted.project_talkers, part.talkers),
        ):
            axis = whole.ndim - 2
            wanted = np.moveaxis(project(whole), -2, 0)
            for later in (True, False):
                other = np.moveaxis(np.array(whole), axis, 0)
                other[at:] += 5.0 if later else 0.0
                other[:at] += 0.0 if later else 5.0
                found = np.moveaxis(project(np.moveaxis(other, 0, axis)), -2, 0)
                same = slice(0, max(0, at - spec.reach)) if later else slice(at, None)
                words = "later than spec.behind says" if later else "earlier than spec.reach says"
                self.demand(
                    np.allclose(found[same], wanted[same], rtol=CLOSE, atol=CLOSE * np.abs(wanted).max()),
                    f"{what} depends on samples {words}",
                )

    def refuses_in_words(self) -> None:
        part = self.runs[0].part(0, self.n)
        for what, neural, talkers in (
            ("fewer channels", part.neural[:, 1:], part.talkers),
            ("more features", part.neural, np.concatenate([part.talkers, part.talkers], axis=2)),
            ("fewer samples of the talkers", part.neural, part.talkers[:, 1:]),
            ("too few samples", part.neural[:1], part.talkers[:, :1]),
        ):
            self._refuses(f"score takes {what}", partial(self.fitted.score, neural, talkers))
        unheard = [replace(run, attended=np.full(len(run.neural), -1)) for run in self.runs]
        odd = replace(self.runs[0], ch_names=tuple(f"X{i}" for i in range(6)))
        for what, runs in (
            ("no run", []),
            ("runs of different channels", [odd, *self.runs[1:]]),
            ("runs at another rate", [replace(run, sfreq=100.0) for run in self.runs]),
            ("runs in which nobody was attended", unheard),
        ):
            self._refuses(f"fit takes {what}", partial(self.make(self.preset).fit, runs))

    def is_kept(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "decoder"
            try:
                save_decoder(folder, self.make(self.preset), FACTS)
            except DecoderError:
                pass
            else:
                raise CheckFailed(f"{self.name}: what was not fitted can be saved")
            try:
                save_decoder(folder, self.fitted, FACTS)
            except (DecoderError, TypeError) as error:
                raise CheckFailed(f"{self.name}: it cannot be saved: {error}") from error
            try:
                loaded, _ = load_decoder(folder, self.cls)
            except DecoderError as error:
                raise CheckFailed(
                    f"{self.name}: what arrays, settings and chosen gave does not come back in rebuild: "
                    f"{reason(error.__cause__ or error)}"
                ) from error
        self.demand(type(loaded) is self.cls, f"rebuild gives a {type(loaded).__name__}")
        for what in ("spec", "preset", "chosen"):
            self.demand(getattr(loaded, what) == getattr(self.fitted, what), f"loaded again, {what} is another")
        part = made_up_run(31).part(0, self.n)
        same = (
            self.fitted.score(part.neural, part.talkers).tobytes() == loaded.score(part.neural, part.talkers).tobytes()
        )
        self.demand(same, "loaded again, it scores otherwise")

    def score(self, part: Run) -> NDArray[np.float64]:
        return self.fitted.score(part.neural, part.talkers)

    def _refuses(self, what: str, call: Callable[[], Any]) -> None:
        try:
            call()
        except DecoderError as error:
            self.demand(gives_a_reason(error), f"{what}, and is refused without saying why: {str(error)!r}")
            return
        except Exception as error:
            raise CheckFailed(
                f"{self.name}: {what}: {type(error).__name__} ({error}) instead of a DecoderError"
            ) from error
        raise CheckFailed(f"{self.name}: {what}, which must be refused by a DecoderError")


def _close(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> bool:
    return bool(np.allclose(found, wanted, rtol=CLOSE, atol=CLOSE))
