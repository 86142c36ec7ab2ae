"""One tree of errors: what a user or a machine can cause is in it, and crosses processes as what it is."""

import ast
import builtins
import importlib
import re
import tomllib
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from earmark.app.command_line import app
from earmark.app.terminal.console import failures
from earmark.app.terminal.exit_status import ExitStatus
from earmark.kernels.errors import EarmarkError
from earmark.kernels.extras import MODULES, MissingExtra, require

ROOT = Path(__file__).parents[1]
FILES = [path for folder in ("kernels", "pipeline", "devices", "app") for path in sorted((ROOT / folder).rglob("*.py"))]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
#: Requirements whose module has another name.
MODULE_OF = {"pyside6_essentials": "PySide6", "dask": "distributed", "mat_io": "matio"}


def name_of(node):
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def exceptions():
    """Every class of the program that can be raised: its file and node, by name."""
    known = {name for name, one in vars(builtins).items() if isinstance(one, type) and issubclass(one, BaseException)}
    classes = [
        (path, node) for path, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    ]
    found = {}
    while True:
        more = {
            node.name: (path, node)
            for path, node in classes
            if node.name not in found and any(name_of(base) in {*known, *found} for base in node.bases)
        }
        if not more:
            return found
        found |= more


EXCEPTIONS = exceptions()


def loaded(name):
    path, _ = EXCEPTIONS[name]
    if path.is_relative_to(ROOT / "app/dashboard"):
        pytest.importorskip(
            "PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'"
        )
    module = importlib.import_module(f"earmark.{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}")
    return getattr(module, name)


def test_the_list_of_exceptions_is_no_empty_one():
    assert {"AudioError", "ConfigError", "WiringError", "SharedMemoryError", "EarmarkError"} <= set(EXCEPTIONS)


@pytest.mark.parametrize("name", sorted(name for name in EXCEPTIONS if not name.startswith("_")))
def test_every_error_is_in_the_tree_says_when_it_is_raised_and_has_an_exit_status(name):
    error = loaded(name)
    assert issubclass(error, EarmarkError)
    assert re.match(r"Raised when .+\.$", error.__doc__.splitlines()[0])
    assert error.exit_status in list(ExitStatus)
    assert error.exit_status != ExitStatus.DONE


@pytest.mark.parametrize("name", sorted(name for name in EXCEPTIONS if not name.startswith("_")))
def test_an_error_of_another_process_has_its_kind_and_words(name):
    error = loaded(name)
    again = EarmarkError.of_kind(error.kind(), "no such file; name another")
    assert type(again) is error
    assert str(again) == "no such file; name another"


def test_an_error_that_is_not_known_here_keeps_its_words():
    class Here(EarmarkError):
        """Raised when a test wants it."""

    assert type(EarmarkError.of_kind("lab.errors.Odd", "odd", Here)) is Here
    assert str(EarmarkError.of_kind("lab.errors.Odd", "odd")) == "odd"


def test_a_list_of_errors_in_a_row_is_of_other_kinds_than_the_tree():
    """Whoever wants several of the tree wants it all, or says which by catching them one by one."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple):
                ours = [name for name in map(name_of, node.type.elts) if name in EXCEPTIONS]
                assert len(ours) < 3, (path, node.lineno, ours)


def test_an_error_ends_a_command_in_its_words_with_its_status(capsys):
    class Cut(EarmarkError):
        """Raised when a test wants it."""

        exit_status = ExitStatus.CUT_SHORT

    with pytest.raises(typer.Exit) as ended, failures():
        raise Cut("x.xdf was cut short: record again")
    assert ended.value.exit_code == ExitStatus.CUT_SHORT
    assert "error: x.xdf was cut short: record again" in capsys.readouterr().err


def test_a_mistake_of_the_program_is_shown_as_one():
    with pytest.raises(ValueError, match="shape"), failures():
        raise ValueError("shape (2,) instead of (3,)")


# Exit statuses


def commands(group):
    for name, command in group.commands.items():
        yield from commands(command) if hasattr(command, "commands") else [(name, command)]


@pytest.mark.parametrize(("name", "command"), [*commands(get_command(app))])
def test_commands_promise_statuses_that_there_are(name, command):
    said = re.search(r"Exit status:(.*)", " ".join((command.help or "").split()))
    promised = {int(number) for number in re.findall(r"(?:^|[;,] )(\d+) [a-z]", said[1].strip())} if said else set()
    assert promised <= set(ExitStatus), name
    assert said is None or ExitStatus.DONE in promised


def test_no_command_ends_with_a_number_that_is_in_no_table():
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and name_of(node.func) in ("fail", "Exit"):
                last = node.args[1:] if name_of(node.func) == "fail" else node.args
                assert not any(isinstance(one, ast.Constant) for one in last), (path, node.lineno)


def test_statuses_are_those_that_scripts_rely_on():
    assert {one.name: one.value for one in ExitStatus} == {
        "DONE": 0, "FAILED": 1, "USAGE": 2, "NO_MATCH": 3, "CUT_SHORT": 4, "INTERRUPTED": 130, "BROKEN_PIPE": 141,
    }  # fmt: skip


# Extras


def modules_of(extra):
    """What an extra of pyproject.toml makes importable."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {
        re.split(r"[\[<>=; ]", one)[0].lower().replace("-", "_") for one in project["optional-dependencies"][extra]
    }
    return {MODULE_OF.get(name, name) for name in names}


@pytest.mark.parametrize("extra", MODULES)
def test_an_extra_brings_what_it_is_asked_for(extra):
    assert set(MODULES[extra]) <= modules_of(extra)


def test_messages_advise_the_extra_that_brings_what_is_missing():
    """An extra named by ``install`` or ``require`` brings an optional module that the same function names."""
    advised = set()
    optional = set().union(*MODULES.values())
    for path, tree in TREES.items():
        for place in ast.walk(tree):
            if not isinstance(place, ast.FunctionDef | ast.ClassDef):
                continue
            words = [one.value for one in ast.walk(place) if isinstance(one, ast.Constant)]
            for call in ast.walk(place):
                if isinstance(call, ast.Call) and name_of(call.func) in ("install", "require"):
                    if not isinstance(call.args[0], ast.Constant):
                        continue
                    extra = call.args[0].value
                    advised.add(extra)
                    missing = optional & {word for word in words if isinstance(word, str)}
                    if isinstance(place, ast.FunctionDef):
                        assert not missing or missing & set(MODULES[extra]), (path, place.name, extra, missing)
    assert advised == set(MODULES)


def test_what_an_extra_lacks_is_said_with_the_extra(monkeypatch):
    monkeypatch.setitem(MODULES, "corpus", ("distributed", "no_such_module"))
    with pytest.raises(
        MissingExtra, match=r"a cluster needs dask: pip install '\.\[corpus\]' in the folder of"
    ) as told:
        require("corpus", "a cluster needs dask")
    assert isinstance(told.value, ImportError)
