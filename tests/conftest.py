"""Make sure that the tests run against this checkout, whatever else is installed."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

import earmark.app

ROOT = Path(__file__).parents[1]
LINKS = ROOT / ".links"

FOUND = Path(earmark.app.__file__).resolve().parents[1]

if ROOT.resolve() != FOUND or not LINKS.is_dir():
    raise pytest.UsageError(f"'earmark' is imported from {FOUND}, not by the links of {ROOT}: run .ci/links there")
# Also for child processes.
os.environ["PYTHONPATH"] = os.pathsep.join([str(LINKS), *filter(None, [os.environ.get("PYTHONPATH")])])

# Windows are in English, whatever the user's language and settings are.
os.environ["LANGUAGE"] = "C"
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="earmark-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CONFIG_HOME"], ignore_errors=True)

# The time of an example depends more on the machine than on the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_collection_modifyitems(items):
    """Run integration tests first: while they wait for real time, the others compute."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
