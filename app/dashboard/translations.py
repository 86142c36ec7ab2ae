"""Bring the translation files of the window up to date; run as ``python -m earmark.app.dashboard.translations``.

Texts are found in the code: every literal in ``tr(...)``, ``say(...)`` and ``Step(...)``. New texts are added to each
``.ts`` file as unfinished, texts that are no longer used are removed, and each file is compiled with Qt's ``lrelease``
to the ``.qm`` file that the window loads.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import PySide6

from earmark.app.dashboard.language import CONTEXT, FOLDER, LANGUAGES

HERE = Path(__file__).parent
#: Code with texts that the window translates, although it does not belong to the window.
OTHERS = (HERE.parent / "session" / "next_step.py", HERE.parent / "training" / "worth.py")
#: Calls whose literal arguments are texts.
CALLS = ("tr", "Step", "say")


def texts() -> dict[str, str]:
    """Return all texts to translate, and where each is used first, in the order of the code.

    Raises
    ------
    ValueError
        If a text is not a literal, so that it cannot be found; naming file and line.
    """
    found: dict[str, str] = {}
    for path in (*sorted(HERE.rglob("*.py")), *OTHERS):
        if path.name == "language.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS and node.args:
                place = f"{path.relative_to(HERE.parents[1])}:{node.lineno}"
                literals = list(_literals(node.args[0]))
                if not literals and node.func.id == "tr":
                    raise ValueError(f"{place}: the text in tr(...) must be a literal")
                for text in literals:
                    found.setdefault(text, place)
    return found


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)


def read(path: Path) -> dict[str, str]:
    """Return the finished translations in a ``.ts`` file by their English text."""
    found = {}
    for message in ET.parse(path).iter("message") if path.exists() else ():  # noqa: S314 - our own file
        translation = message.find("translation")
        if translation is not None and translation.get("type") is None and translation.text:
            found[message.findtext("source", "")] = translation.text
    return found


def write(path: Path, language: str, translated: dict[str, str]) -> None:
    """Write a ``.ts`` file with all texts; those without a translation are unfinished."""
    root = ET.Element("TS", version="2.1", language=language, sourcelanguage="en")
    context = ET.SubElement(root, "context")
    ET.SubElement(context, "name").text = CONTEXT
    for text in texts():
        message = ET.SubElement(context, "message")
        ET.SubElement(message, "source").text = text
        translation = ET.SubElement(message, "translation", {} if text in translated else {"type": "unfinished"})
        translation.text = translated.get(text, "")
    ET.indent(root, "  ")
    body = ET.tostring(root, encoding="unicode")
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n{body}\n', encoding="utf-8")


def compile_file(source: Path, target: Path) -> None:
    """Compile a ``.ts`` file to a ``.qm`` file."""
    tools = Path(PySide6.__file__).parent
    lrelease = next(place for place in (tools / "lrelease", tools / "lrelease.exe") if place.exists())
    subprocess.run([lrelease, "-silent", source, "-qm", target], check=True)


def main() -> int:
    """Update and compile all files; return 1 if translations are missing."""
    missing = 0
    for language in LANGUAGES:
        if language == "en":
            continue
        path = FOLDER / f"earmark_{language}.ts"
        translated = read(path)
        write(path, language, translated)
        compile_file(path, path.with_suffix(".qm"))
        left = [text for text in texts() if text not in translated]
        missing += len(left)
        sys.stdout.write(f"{path.name}: {len(texts()) - len(left)} of {len(texts())} texts are translated\n")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
