"""What each package offers by name: all of it is there, is documented, and costs nothing until it is used."""

import ast
import dataclasses
import enum
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("earmark.app", "earmark.devices", "earmark.kernels", "earmark.pipeline", "earmark.pipeline.decoders")
NAMES = [(package, name) for package in PACKAGES for name in importlib.import_module(package).__all__]


def listed(package):
    """``__all__`` of the stub, which type checkers and editors read."""
    path = ROOT.joinpath(*package.split(".")[1:], "__init__.pyi")
    found = [node.value for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign)]
    return ast.literal_eval(found[0])


@pytest.mark.parametrize("package", PACKAGES)
def test_stub_and_package_offer_the_same(package):
    assert sorted(listed(package)) == sorted(importlib.import_module(package).__all__)
    assert len(set(listed(package))) == len(listed(package))
    modules = {path.stem for path in ROOT.joinpath(*package.split(".")[1:]).iterdir()}
    assert not modules & set(listed(package)), "importing the module would hide the name"


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_public_names_have_numpydoc_docstrings(package, name):
    found = getattr(importlib.import_module(package), name)
    assert found.__class__.__name__ != "module"
    if not callable(found):
        return  # a constant
    doc = "\n".join(inspect.getdoc(one) for one in [*documented(found), found] if inspect.getdoc(one))
    summary = inspect.getdoc(found).splitlines()[0]
    assert summary.endswith("."), summary
    if inspect.isclass(found) and issubclass(found, Exception | enum.Enum):
        return
    signature = inspect.signature(found)
    for parameter in signature.parameters.values():
        if parameter.name == "config" and hasattr(found, "Config"):
            assert all(described(field.name, doc) for field in dataclasses.fields(found.Config)), name
        elif parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            assert described(parameter.name, doc), f"{name}: {parameter.name} is not described"
    if inspect.isfunction(found) and signature.return_annotation not in (None, "None", inspect.Signature.empty):
        assert "\nReturns\n-------\n" in doc, f"{name}: what it returns is not described"


def documented(found):
    """Where else its parameters are described: in its settings, or in the class that it extends."""
    if not inspect.isclass(found):
        return []
    settings = getattr(found, "Config", None)
    return [*found.__mro__[1:-1], *([settings] if inspect.isclass(settings) else [])]


def described(parameter, doc):
    """Whether a section of a docstring has a line of its own for a parameter, as ``a, b : float``."""
    return any(
        parameter in [one.strip() for one in line.split(" : ")[0].split(",")]
        for line in doc.splitlines()
        if not line.startswith(" ")
    )


def loaded(code, *heavy):
    """Which of some modules a piece of code loads."""
    code = f"import sys\n{code}\nprint(*({heavy!r} & sys.modules.keys()))".replace(repr(heavy), repr(set(heavy)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_heavy(package):
    assert loaded(f"import {package}", "numpy", "scipy", "numba", "torch", "mne", "pylsl", "pydantic", "typer") == []


def test_the_linear_path_loads_no_torch_and_the_pure_layers_know_no_device():
    code = """if True:
        import earmark.kernels, earmark.pipeline, earmark.pipeline.decoders
        for package in (earmark.kernels, earmark.pipeline, earmark.pipeline.decoders):
            for name in package.__all__:
                if name != "MatcherDecoder":
                    getattr(package, name)
    """
    foreign = ("torch", "mne", "pylsl", "pydantic", "logging.handlers", "sounddevice", "pyxdf")
    assert loaded(code, "earmark.app", "earmark.devices", *foreign) == []
