"""Tests test this checkout, whatever else is installed."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

import earmark.app

ROOT = Path(__file__).parents[1]
LINKS = ROOT / ".links"

FOUND = Path(earmark.app.__file__).resolve().parents[1]

if ROOT.resolve() != FOUND or not LINKS.is_dir():
    raise pytest.UsageError(f"'earmark' is imported from {FOUND}, not by the links of {ROOT}: run .ci/links there")
# Children, too.
os.environ["PYTHONPATH"] = os.pathsep.join([str(LINKS), *filter(None, [os.environ.get("PYTHONPATH")])])

# How long an example takes says more of the machine than of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_collection_modifyitems(items):
    """Those that wait for real time come first: the others compute while they wait."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
