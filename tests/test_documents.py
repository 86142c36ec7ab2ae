"""README and documentation: links lead somewhere, settings are valid, names can be imported, commands can be run."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import lab_parts
import pytest

from earmark.app.config.corpus_map import parse_corpus_map
from earmark.app.config.protocol import Protocol, parse_protocol
from earmark.app.config.session import parse_config
from earmark.app.config.toml_file import ConfigError
from earmark.testing import check_decoder

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "reference"),
]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|```\{image\} (\S+)")
TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)
NAME = re.compile(r"`(earmark\.(?:app|devices|kernels|pipeline|testing)(?:\.\w+)*)`")
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
PROGRAM = re.compile(r"python -m (benchmarks|earmark)\.([\w.]+)")

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


@every_document
def test_links_lead_to_files(path):
    for found in LINK.finditer(path.read_text(encoding="utf-8")):
        target = found[1] or found[2]
        generated = "reference/" in target
        assert "://" in target or generated or (path.parent / target).exists(), target


@every_document
def test_settings_are_valid(path):
    for text in TOML.findall(path.read_text(encoding="utf-8")):
        tables = set(tomllib.loads(text))
        if tables <= set(Protocol.model_fields):
            parse_protocol(text, path.name)
        elif "files" in tables:
            parse_corpus_map(text, path.name)
        elif "streams" in tables and tables & {"nodes", "attention"}:
            parse_config(text, path.name)
        else:
            parse_config(complete(text, tables), path.name)


def complete(text, tables):
    """A whole session around a part of one."""
    if "streams" not in tables:
        text += '\n[streams.eeg]\ntype = "EEG"\n[streams.speech]\nname = "x"\n'
    if not tables & {"nodes", "attention"}:
        text += '\n[[nodes]]\ntype = "pick"\n'
    if text.count("[[sound.talkers]]") == 1:
        text += '\n[[sound.talkers]]\nname = "another"\nsource = "speech:ada"\n'
    return text


def test_invalid_settings_would_be_found():
    with pytest.raises(ConfigError, match="did you mean"):
        parse_config(
            complete('[sound]\ndevcie = "default"\n[[sound.talkers]]\nname = "x"\nsource = "y"\n', {"sound"}), "x"
        )


@every_document
def test_names_can_be_imported(path):
    for name in NAME.findall(path.read_text(encoding="utf-8")):
        parts = name.split(".")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(".".join(parts[:-1])), parts[-1]), name


@every_document
def test_programs_are_there(path):
    for package, name in PROGRAM.findall(path.read_text(encoding="utf-8")):
        folder = ROOT / "benchmarks" if package == "benchmarks" else ROOT
        assert folder.joinpath(*name.rstrip(".").split(".")).with_suffix(".py").exists(), name


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1200


@every_document
def test_python_is_valid_and_its_imports_work(path):
    for text in PYTHON.findall(path.read_text(encoding="utf-8")):
        imports = [line for line in ast.parse(text).body if isinstance(line, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, []), path.name, "exec"), {})


#: Pages that show parts of tests/lab/lab_parts.py.
PAGES = (
    "tutorials/write-a-decoder.md",
    "tutorials/write-a-source.md",
    "how-to/laws-and-spaces.md",
    "how-to/mixture.md",
)
#: Names that pages import and that are public under the name of a package.
PUBLIC = {"earmark.pipeline.stream.StreamSpec", "earmark.pipeline.node.State"}


def as_printed(page):
    """The imports on a page, which are its first Python, and the code that it shows, as a reader copies them."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    source = inspect.getsource(lab_parts)
    shown = {node.name: ast.unparse(node) for node in ast.parse(source).body if hasattr(node, "name")}
    return "\n\n".join([PYTHON.findall(text)[0], *(shown[name] for name in re.findall(r":pyobject: (\w+)", text))])


@pytest.mark.parametrize("page", PAGES)
def test_printed_imports_are_those_that_the_code_needs(page):
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F401,F821", "-"]
    done = subprocess.run(command, input=as_printed(page), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_pages_import_is_public_or_in_the_reference_of_extensions():
    kept = {f"earmark.testing.{name}" for name in importlib.import_module("earmark.testing").__all__}
    kept |= {name for _, _, names in literal("docs/generated.py", "EXTENDING") for name in names}
    for page in PAGES:
        for text in PYTHON.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
            for line in ast.parse(text).body:
                if isinstance(line, ast.ImportFrom) and line.module.startswith("earmark"):
                    found = {f"{line.module}.{one.name}" for one in line.names}
                    assert found <= kept | PUBLIC, f"{page}: {found - kept - PUBLIC}"


def literal(path, name):
    """The value of a constant of a module that tests do not import."""
    values = [
        node.value
        for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    return ast.literal_eval(values[0])


def test_the_printed_decoder_passes_its_check():
    names = {"__name__": "printed"}
    exec(compile(as_printed("tutorials/write-a-decoder.md"), "write-a-decoder.md", "exec", dont_inherit=True), names)
    check_decoder(names["Difference"])


def test_pages_show_a_whole_class_of_each_part():
    shown = set()
    for path in DOCUMENTS:
        found = set(re.findall(r"lab_parts\.py\n(?::.*\n)*:pyobject: (\w+)", path.read_text(encoding="utf-8")))
        shown |= found
        assert not found or "](../../tests/lab/lab_parts.py)" in path.read_text(encoding="utf-8"), path.name
    assert shown == {
        "FitSummary",
        "Difference",
        "TcpConfig",
        "TcpAmplifier",
        "GentleConfig",
        "Gentle",
        "mono",
        "Louder",
    }
    assert all(hasattr(lab_parts, name) for name in shown)


def test_generated_settings_name_types_in_the_terms_of_toml(monkeypatch):
    pytest.importorskip("numpydoc", reason="numpydoc is not installed: pip install 'earmark[docs]'")
    monkeypatch.syspath_prepend(ROOT / "docs")
    generated = importlib.import_module("generated")
    page = generated.session_page() + generated.protocol_page() + generated.nodes_page()
    assert "class '" not in page
    assert "| `law` | table `[attention.law]` |" in page
    (row,) = [line for line in page.splitlines() if line.startswith("| `type` |") and "which node" in line]
    assert "or a node of another package" in row
    with pytest.raises(ValueError, match="no words for the type"):
        generated._type(ConfigError)
