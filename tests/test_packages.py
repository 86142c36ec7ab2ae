import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_folder_with_code_is_in_the_wheel():
    """setuptools wants a list, because the folders lie beside each other and not in one called earmark."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    tops = {name: ROOT / place for name, place in settings["package-dir"].items()}
    there = {
        ".".join([name, *found.parent.relative_to(place).parts])
        for name, place in tops.items()
        for found in place.rglob("__init__.py")
        if not any(found.is_relative_to(other) for other in tops.values() if place in other.parents)
    }
    assert sorted(settings["packages"]) == sorted(there)
