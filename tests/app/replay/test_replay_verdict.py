"""Messages about a replay, during it and after it."""

from types import SimpleNamespace

import pytest

import earmark.app.replay.player
import earmark.app.replay.verdict
from earmark.app.engine.environment import environment
from earmark.app.replay.heard import HeardComparison
from earmark.app.replay.verdict import CUT_SHORT, DIFFERENT, assess
from earmark.app.replay.verify import Comparison, Replay
from earmark.devices.files.journal import About

GOOD = {"n_samples": 10, "n_compared": 10, "n_digests": 3, "largest": 1.0}
WRONG = GOOD | {"n_wrong": 1, "first_wrong": 12.5}


def replay(*found, damage=(), whole=True, then=None):
    about = About("", environment=environment() if then is None else then)
    file = SimpleNamespace(damage=list(damage), whole=whole, about=about, unsealed=0, cut="")
    return Replay(file, {f"out{k}": Comparison(**one) for k, one in enumerate(found)})


@pytest.mark.parametrize(
    ("run", "stopped", "status", "words"),
    [
        (replay(GOOD, GOOD), False, 0, "identical: the replay gave the live output, bit for bit"),
        (replay(GOOD, {}), False, 0, "identical: "),  # an output without any items
        (replay(GOOD, whole=False), False, CUT_SHORT, "identical, bit for bit, up to the point where the recording"),
        (replay(GOOD, whole=False), True, 0, "identical, bit for bit, up to the point where the replay was stopped"),
        (replay(), False, DIFFERENT, "nothing to compare: the recording ended before"),
        (replay({"n_samples": 5}), True, 0, "nothing was compared: the replay was stopped before"),
        (replay(GOOD, WRONG, whole=False), True, DIFFERENT, "the replay differs from the live output, on"),
        (replay(GOOD, damage=["here"]), False, DIFFERENT, "the recording is damaged"),
        (replay(GOOD, WRONG), False, DIFFERENT, "the replay differs from the live output, on"),
        (replay(GOOD | {"difference": 1e-12}), False, DIFFERENT, "the replay differs from the live output, on"),
        (replay(GOOD | {"length_differs": True}), False, DIFFERENT, "the replay differs from the live output, on"),
        (replay(WRONG | {"difference": 1e-10}, then={"numpy": "1"}), False, 0, "equal within 1e-09 of the largest"),
        (replay(WRONG | {"difference": 1e-8}, then={"numpy": "1"}), False, DIFFERENT, "the replay differs from"),
    ],
)
def test_verdict(run, stopped, status, words):
    found = assess(run, stopped)
    assert found.status == status
    assert found.words.startswith(words)


def test_verdict_names_differences():
    found = assess(replay(GOOD, WRONG))
    assert found.details == ("out1 differs: 1 of 3 digests do not match, first at 12.500 s (LSL time)",)
    found = assess(replay(WRONG, then=environment() | {"numpy": "1"}))
    assert [line.split(":")[0] for line in found.details] == ["numpy"]


def test_envelopes_from_recorded_sound_count():
    def heard(n_same, difference, then=None):
        run = replay(GOOD, then=then)
        run.heard = HeardComparison("loop.microphones.wav", 100, 90, n_same, difference, 1.0)
        run.heard_words = "80 of 90"
        return run

    assert assess(heard(90, 0.0)).words.startswith("identical: ")
    found = assess(heard(80, 1e-6))
    assert (found.status, found.details) == (DIFFERENT, ("80 of 90",))
    elsewhere = environment() | {"numpy": "1"}
    found = assess(heard(80, 1e-6, elsewhere))
    assert (found.status, found.details[0].split(":")[0]) == (0, "numpy")
    assert assess(heard(80, 0.5, elsewhere)).status == DIFFERENT


def test_difference_is_reported_once_and_again_when_it_exceeds_the_tolerance():
    run = replay(GOOD, GOOD | {"n_compared": 0})
    differ = earmark.app.replay.player._differing(run)
    assert next(differ) == []
    run.outputs["out1"].n_wrong = 1
    assert next(differ) == ["ALARM: out1 differs from the live output"]
    assert next(differ) == []
    run.outputs["out0"].difference = 1e-3
    assert next(differ) == ["ALARM: out0 differs from the live output"]
    assert next(differ) == []
    elsewhere = replay(GOOD, then=environment() | {"numpy": "1"})
    differ = earmark.app.replay.player._differing(elsewhere)
    elsewhere.outputs["out0"].n_wrong = 1
    (words,) = next(differ)
    assert words.startswith("out0 differs from the live output within the tolerance (numpy: 1 then, ")
    assert next(differ) == []
    elsewhere.outputs["out0"].difference = 1.0
    assert next(differ) == ["ALARM: out0 differs from the live output"]
    assert next(differ) == []
