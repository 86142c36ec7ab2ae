"""Every decoder of ours keeps its contract, and the check of it finds each way of breaking it."""

from dataclasses import dataclass

import numpy as np
import pytest
from lab_parts import Difference

from earmark.pipeline.decoders.decoder import DECODERS, DecoderError, DecoderMismatch
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.saved import make
from earmark.pipeline.run import Run
from earmark.testing import CheckFailed, check_decoder
from earmark.testing.decoders import SMALL

NETWORKS = ("matcher", "vlaai", "eegnet")


@pytest.mark.parametrize("kind", [kind for kind in DECODERS.built_in if kind not in NETWORKS])
def test_every_built_in_decoder_passes(kind):
    check_decoder(DECODERS.get(kind))


def test_decoder_of_another_package_passes():
    check_decoder(Difference)


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_network_passes(kind):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'earmark[networks]'")
    from fitted_networks import QUICK, SIZE, SmallVlaai

    from earmark.pipeline.decoders.baselines import EegNetDecoder
    from earmark.pipeline.decoders.matcher import MatcherDecoder

    cls, more = {
        "matcher": (MatcherDecoder, {"size": SIZE}),
        "vlaai": (SmallVlaai, {}),
        "eegnet": (EegNetDecoder, {}),
    }[kind]
    assert issubclass(cls, DECODERS.get(kind))
    check_decoder(cls, lambda preset: cls(preset, QUICK, **more))


class BriefMessages(Difference):
    def fit(self, runs):
        try:
            return super().fit(runs)
        except DecoderError as error:
            raise DecoderError("no run") from error


def test_a_short_message_is_enough():
    check_decoder(BriefMessages)


class OtherKind(Difference):
    kind = ""


class NoSettings(Difference):
    settings = None


class FittedAtOnce(Difference):
    chosen = 1


class ReturnsNothing(Difference):
    def fit(self, runs):
        super().fit(runs)


class ChangesRuns(Difference):
    def fit(self, runs):
        for run in runs:
            run.neural[:] -= run.neural.mean(axis=0)
        return super().fit(runs)


class ForeignSpec(Difference):
    def fit(self, runs):
        super().fit(runs)
        self.spec = LinearDecoder(self.preset).fit(runs).spec
        return self


class ChosenIsNoDataclass(Difference):
    def fit(self, runs):
        super().fit(runs)
        self.chosen = {"n": 1}
        return self


class OddComponents(Difference):
    components = ["a"]  # noqa: RUF012


class Draws(Difference):
    def fit(self, runs):
        super().fit(runs)
        self.weights = self.weights + 1e-6 * np.random.default_rng().normal(size=self.weights.shape)
        return self


class FavoursTheFirst(Difference):
    def score(self, neural, talkers):
        return super().score(neural, talkers) + np.arange(len(talkers))[::-1]


class LearnsNothing(Difference):
    def fit(self, runs):
        super().fit(runs)
        self.weights = np.random.default_rng(3).normal(size=self.weights.shape)
        return self


class OneScore(Difference):
    def score(self, neural, talkers):
        return super().score(neural, talkers)[:1]


class NotANumber(Difference):
    def score(self, neural, talkers):
        return super().score(neural, talkers) * np.nan


class ScoresOtherwise(Difference):
    def score(self, neural, talkers):
        return super().score(neural, talkers) ** 3


class CentresTheWindow(Difference):
    def project_neural(self, neural):
        return super().project_neural(neural - neural.mean(axis=0) * 0.5)

    def project_talkers(self, talkers):
        return super().project_talkers(talkers) + 0.01 * talkers.mean()


class TooManyRows(Difference):
    def project_neural(self, neural):
        return np.vstack([super().project_neural(neural), np.zeros((1, 1))])


class TakesAnything(Difference):
    def score(self, neural, talkers):
        try:
            return super().score(neural, talkers)
        except DecoderMismatch:
            return np.zeros(len(talkers))


class TakesNoRun(Difference):
    def fit(self, runs: list[Run]):
        return super().fit(runs) if runs else self


class Crashes(Difference):
    def fit(self, runs):
        runs[0]
        return super().fit(runs)


class OddSettings(Difference):
    def settings(self):
        return {"what": object()}


class OneWord(Difference):
    def fit(self, runs):
        if not runs:
            raise DecoderError("no")
        return super().fit(runs)


class LosesItsWeights(Difference):
    @classmethod
    def rebuild(cls, saved):
        decoder = super().rebuild(saved)
        decoder.weights = decoder.weights * 0.5 + 0.1
        return decoder


class CannotBeRebuilt(Difference):
    @classmethod
    def rebuild(cls, saved):
        return cls(saved.preset, saved.array("nothing", (1,)))


class SinglePrecision(Difference):
    def arrays(self):
        return {"weights": self.weights.astype(np.float32)}


@dataclass(frozen=True)
class OddSummary:
    n_samples: list


class OddChosen(Difference):
    def fit(self, runs):
        super().fit(runs)
        self.chosen = OddSummary([1, 2])
        return self

    @classmethod
    def rebuild(cls, saved):
        decoder = cls(saved.preset)
        decoder.chosen = make(OddSummary, saved.chosen)
        return decoder


class RebuildsAnother(Difference):
    @classmethod
    def rebuild(cls, saved):
        return Difference.rebuild(saved)


class CrashesInRebuild(Difference):
    @classmethod
    def rebuild(cls, saved):
        return saved.weights


class NoPreset(Difference):
    preset_for = None


class OddPreset(Difference):
    @classmethod
    def preset_for(cls, preset):
        return 64.0


class CrashesInScore(Difference):
    def combine(self, correlations):
        return correlations[..., 7]


@pytest.mark.parametrize(
    ("decoder", "words"),
    [
        (OtherKind, "kind is ''"),
        (NoSettings, "there is no settings"),
        (FittedAtOnce, "chosen is there before fit"),
        (ReturnsNothing, "fit must return the decoder itself"),
        (ChangesRuns, "fit changes the runs"),
        (ForeignSpec, "spec.kind is 'linear', but kind is 'difference'"),
        (ChosenIsNoDataclass, "chosen must be a dataclass"),
        (Draws, "it has other arrays"),
        (FavoursTheFirst, "depends on the place of the talker"),
        (LearnsNothing, "it finds the attended of 3 talkers in"),
        (OneScore, "score gives shape"),
        (NotANumber, "must be finite"),
        (ScoresOtherwise, "score is not combine of the correlations"),
        (CentresTheWindow, "depends on samples later than|depends on samples earlier than"),
        (TooManyRows, "must have n_samples - reach"),
        (TakesAnything, "score takes fewer channels, which must be refused"),
        (TakesNoRun, "fit takes no run, which must be refused"),
        (Crashes, r"fit takes no run: IndexError .* instead of a DecoderError"),
        (OddSettings, "it cannot be saved"),
        (OneWord, "is refused without saying why: 'no'"),
        (LosesItsWeights, "loaded again, it scores otherwise"),
        (CannotBeRebuilt, "settings and chosen gave does not come back in rebuild: nothing is missing$"),
        (SinglePrecision, r"does not come back in rebuild: weights is float32 .*, but must be float64 \(\d+, 1\)$"),
        (OddChosen, "does not come back in rebuild: oddsummary.n_samples has type list, but must have str, str"),
        (OddComponents, r"components is \['a'\], but must be the names of components, or \(\)"),
        (RebuildsAnother, "rebuild gives a Difference"),
        (CrashesInRebuild, r"AttributeError \(.*'weights'\) in the check 'is kept'"),
        (NoPreset, "there is no preset_for: write it, or derive the class from Projections"),
        (OddPreset, "preset_for gives 64.0, but must give a Preset"),
        (CrashesInScore, r"IndexError \(.*\) in the check 'scores'"),
    ],
)
def test_faults_of_a_decoder_are_found(decoder, words):
    with pytest.raises(CheckFailed, match=words) as error:
        check_decoder(decoder)
    assert str(error.value).startswith(decoder.__name__)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            (Difference(SMALL),),
            r"check_decoder: it was given an instance of Difference, but needs the class of the decoder: "
            r"check_decoder\(Difference\)",
        ),
        (("difference",), r"it was given 'difference', but needs the class of the decoder: check_decoder\(MyDecoder\)"),
        (
            (Difference, Difference(SMALL)),
            "make is an instance of Difference, but must be a function that makes an unfitted decoder from a preset",
        ),
        ((Difference, lambda preset: None), "what was made is a NoneType, not a Difference"),
    ],
)
def test_what_is_not_a_class_of_decoders_is_refused_in_plain_words(given, words):
    with pytest.raises(CheckFailed, match=words):
        check_decoder(*given)
