"""Comparison of accuracies with guessing, in the same words everywhere."""

import math
import re
from types import SimpleNamespace

import pytest
from messages import DOCUMENTS, ROOT

from earmark.app.training.worth import limit_words, no_better, run_words
from earmark.devices.files.decoder_folder import Facts
from earmark.pipeline.evaluation.metrics import chance_limit

LIMIT = "chance limit 72 % (p = 0.05)"
GOOD, BAD = Facts(0.75, 0.5, 24, (), 60.0), Facts(0.44, 0.5, 18, (), 60.0)


def run(right, n, steady):
    return SimpleNamespace(n_right=right, n_windows=n, chance_limit=chance_limit(n) if n else math.nan, steady=steady)


def test_missing_chance_limit_is_described():
    assert limit_words(0.583) == "chance limit 58 % (p = 0.05)"
    assert limit_words(0.583, 1) == "chance limit 58.3 % (p = 0.05)"
    assert limit_words(None) == limit_words(math.nan) == "too few decisions for a chance limit"


@pytest.mark.parametrize(
    ("accuracy", "limit", "worthless"),
    [(0.7, 0.6, False), (0.6, 0.6, False), (0.59, 0.6, True), (1.0, math.nan, True), (math.nan, 0.6, False)],
)
def test_accuracy_below_its_chance_limit_is_no_better_than_guessing(accuracy, limit, worthless):
    assert no_better(accuracy, limit) is worthless


@pytest.mark.parametrize(
    ("found", "facts", "words"),
    [
        (run(24, 25, 0.9), GOOD, [f"96 % of 25 decision windows were correct; {LIMIT}: better than guessing."]),
        (run(13, 25, 0.5), GOOD, [f"52 % of 25 decision windows were correct; {LIMIT}: no better than guessing."]),
        (run(0, 0, math.nan), GOOD, ["No decision window lies within cued time"]),
        (run(13, 25, 0.5), BAD, ["52 % of 25", "The decoder is no better than guessing: 44 % of 18"]),
        (run(24, 25, 0.0), BAD, ["96 % of 25", "The decoder is no better",
                                 "The cued talker had the highest score in 96 % of windows, but was decided for only"]),
    ],
)  # fmt: skip
def test_run_words(found, facts, words):
    said = run_words(found, facts)
    assert len(said) == len(words)
    for sentence, start in zip(said, words, strict=True):
        assert sentence.startswith(start)


def test_chance_level_and_chance_limit_are_named_consistently():
    """Only "chance level" (average of guessing) and "chance limit" (p = 0.05) are used, and no other phrases."""
    loose = re.compile(r"guessing (reaches|gives) [\d{]|1 in 20|threshold that guessing|[\"'(;,] ?chance \{")
    places = [*DOCUMENTS, *ROOT.glob("app/**/*.py")]
    found = [f"{path.name}: {line.strip()}" for path in places for line in path.read_text().splitlines()
             if loose.search(line)]  # fmt: skip
    assert found == []
