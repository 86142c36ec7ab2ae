"""Every gain law of ours keeps its contract, and the check of it finds each way of breaking it."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from lab_parts import Gentle, GentleConfig

from earmark.pipeline.attention.steering import LAWS, FiveStateChain, FiveStateConfig, Steering, SteeringConfig
from earmark.testing import CheckFailed, check_law


@pytest.mark.parametrize("name", LAWS.built_in)
def test_every_built_in_law_passes(name):
    check_law(LAWS.get(name))


@pytest.mark.parametrize(
    ("law", "config"),
    [
        (Steering, SteeringConfig(boost_db=6, cut_db=-30, dead_band_db=0, hold_s=10)),
        (Steering, SteeringConfig(mute_ignored=True)),
        (FiveStateChain, FiveStateConfig(30.0, -6.0)),
    ],
)
def test_other_settings_pass(law, config):
    check_law(law, config)


def test_law_of_another_package_passes():
    check_law(Gentle)


class Changeable(Gentle):
    @dataclass
    class Config:
        help_db: float = 2.0


class NeedsSettings(Gentle):
    @dataclass(frozen=True)
    class Config:
        help_db: float


class RefusesAll(Gentle):
    def __init__(self, config, n_talkers):
        raise ValueError("two talkers at most, and at least three")


class RefusesSilently(Gentle):
    def __init__(self, config, n_talkers):
        if n_talkers > 2:
            raise ValueError("no")
        super().__init__(config, n_talkers)


class OtherNumber(Gentle):
    def __init__(self, config, n_talkers):
        super().__init__(config, n_talkers)
        self.n_talkers = 2


class NoNeutral(Gentle):
    def __init__(self, config, n_talkers):
        super().__init__(config, n_talkers)
        del self.neutral

    def reset(self):
        self._talker = -1

    @property
    def gains(self):
        return np.zeros(self.n_talkers)


class WrongShape(Gentle):
    def favour(self, talker):
        return np.zeros(self.n_talkers + 1)


class OneNumber(Gentle):
    @property
    def gains(self):
        return 0.0


class NotANumber(Gentle):
    def favour(self, talker):
        return super().favour(talker) * np.nan


class TooLoud(Gentle):
    def favour(self, talker):
        return super().favour(talker) * 30


class Infinite(Gentle):
    def favour(self, talker):
        return np.full(self.n_talkers, np.inf)


class TooLoudOnlyWhenSteered(Gentle):
    @property
    def gains(self):
        return super().gains + (60.0 if self._talker >= 0 else 0.0)


class BeginsElsewhere(Gentle):
    @property
    def gains(self):
        return super().gains + 1.0


class ChangesPosterior(Gentle):
    def update(self, posterior, at):
        super().update(posterior, at)
        posterior.probability[:] = 0.5


class OwnMemory(Gentle):
    @property
    def gains(self):
        return self.neutral if self._talker < 0 else self._favoured

    def update(self, posterior, at):
        super().update(posterior, at)
        self._favoured = self.favour(max(self._talker, 0))


class FavoursTheFirst(Gentle):
    def favour(self, talker):
        return super().favour(0)


class FavourSteers(Gentle):
    @property
    def gains(self):
        return self.neutral.copy() if self._talker < 0 else super().favour(self._talker)

    def favour(self, talker):
        found = super().favour(talker)
        self._n = getattr(self, "_n", 0) + 1
        return found

    def state(self):
        return super().state() | {"n": np.array(getattr(self, "_n", 0))}


class StaysWithTheFirst(Gentle):
    def update(self, posterior, at):
        self._talker = 0


class Draws(Gentle):
    def update(self, posterior, at):
        super().update(posterior, at)
        if np.random.random() < 0.5:  # noqa: NPY002
            self._talker = -1


class Counts(Gentle):
    numbers = itertools.count()

    def update(self, posterior, at):
        super().update(posterior, at)
        if next(self.numbers) % 7 == 0:
            self._talker = -1


class StateOfObjects(Gentle):
    def state(self):
        return {"talker": self._talker}


class StateIsShared(Gentle):
    def reset(self):
        self._held = np.array(-1)

    _talker = property(lambda self: int(self._held), lambda self, talker: self._held.__setitem__((), talker))

    def state(self):
        return {"talker": self._held}


class ForgetsItsState(Gentle):
    def restore(self, state):
        self._talker = -1


class Latches(Gentle):
    """The second talker is favoured only after the first was; this is not in the state."""

    def reset(self):
        super().reset()
        self._seen = False

    def update(self, posterior, at):
        super().update(posterior, at)
        self._seen = self._seen or posterior.talker == self.n_talkers - 1
        if not self._seen and posterior.talker == 0 and at < 1e5 + 50:
            self._talker = -1


class NotReset(Gentle):
    def reset(self):
        if not hasattr(self, "_talker"):
            self._talker = -1


class RemembersTime(Gentle):
    def reset(self):
        super().reset()
        self._last = getattr(self, "_last", -np.inf)

    def update(self, posterior, at):
        if at > self._last:
            super().update(posterior, at)
            self._last = at

    def state(self):
        return super().state() | {"last": np.array(self._last)}

    def restore(self, state):
        super().restore(state)
        self._last = float(state["last"])


class MovesNeutral(Gentle):
    def update(self, posterior, at):
        self.neutral[:] = 0.5


@pytest.mark.parametrize(
    ("law", "words"),
    [
        (Changeable, "Config must be a dataclass with frozen=True"),
        (NeedsSettings, "Config needs settings .*: give check_law a config"),
        (RefusesAll, "it refuses every number of talkers, 2 to 8"),
        (RefusesSilently, "it refuses 3 talkers without saying why: 'no'"),
        (OtherNumber, "n_talkers must be 3"),
        (NoNeutral, "neutral is None, but must be 2 gains in dB"),
        (WrongShape, r"favour\(0\) is \[0. 0. 0.\], but must be 2 gains in dB"),
        (OneNumber, "gains is 0.0, but must be 2 gains in dB"),
        (NotANumber, r"favour\(0\) is \[nan nan\], but must be 2 gains"),
        (TooLoud, r"favour\(0\) has a gain of 60 dB, but must have gains of -40 to 12 dB or -inf"),
        (Infinite, "has a gain of inf dB"),
        (TooLoudOnlyWhenSteered, "gains has a gain of 62 dB"),
        (BeginsElsewhere, "before the first posterior, gains are not neutral"),
        (ChangesPosterior, "update changes the posterior"),
        (OwnMemory, "gains or favour give their own memory"),
        (FavoursTheFirst, r"favour\(1\) gives another talker a higher gain"),
        (FavourSteers, "favour changes the state"),
        (StaysWithTheFirst, "after 60 s of certain attention to talker 1, another one"),
        (Draws, "it draws or reads a clock"),
        (Counts, "it draws or reads a clock"),
        (StateOfObjects, "state must be a dict of NumPy arrays"),
        (StateIsShared, "what state gave changes"),
        (ForgetsItsState, "restored from its state, it has other gains"),
        (Latches, "restored from its state, it goes on otherwise"),
        (NotReset, "after reset, gains are not neutral"),
        (RemembersTime, "after reset, it has not forgotten"),
        (MovesNeutral, "neutral changes with posteriors"),
    ],
)
def test_each_broken_law_is_found(law, words):
    with pytest.raises(CheckFailed, match=f"{law.__name__}: .*{words}"):
        check_law(law)


def test_what_is_not_a_law_is_refused_in_words():
    with pytest.raises(
        CheckFailed, match=r"an instance of Gentle, but needs the class of the law: check_law\(Gentle\)"
    ):
        check_law(Gentle(GentleConfig(), 2))
    with pytest.raises(CheckFailed, match=r"the class GentleConfig as config, but needs an instance"):
        check_law(Gentle, GentleConfig)
    with pytest.raises(CheckFailed, match="GentleConfig: there is no Config"):
        check_law(GentleConfig)
