"""Real recordings, preprocessed with causal filters only; tests that need them are skipped if they are missing."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from benchmarks import real_recordings
from earmark.pipeline.decoders.presets import EEG, Preset
from earmark.pipeline.run import Run

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def needs(folder: str) -> Path:
    """Path of all data sets, or skip if this one is missing."""
    if not (DATA / folder).is_dir():
        pytest.skip(f"no recordings at {DATA / folder}")
    return DATA


@lru_cache(2)
def cocktail(preset: Preset = EEG) -> list[Run]:
    """Four runs of a minute: one listener attends the first of two talkers; 128 channels."""
    return real_recordings.cocktail(needs("cocktail"), preset)


def listener(number: int, preset: Preset = EEG) -> list[tuple[Run, Run]]:
    """Ten repetitions of one talker, 64 channels, each as (first half, second half) with a guard between."""
    return real_recordings.listener(needs("match_mismatch"), number, preset)
