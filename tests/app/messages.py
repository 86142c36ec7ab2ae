"""Every text of the program that a user may read, and patterns for what it names."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
#: Documents, except pages that are generated from the code.
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "reference"),
]


class Text(NamedTuple):
    """A text in the source, with ``{}`` for each field."""

    where: str
    words: str


def texts():
    """Yield all texts except docstrings; an f-string is one text."""
    for folder in ("app", "devices", "kernels", "pipeline"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            hidden = set()
            for node in ast.walk(tree):
                if isinstance(node, ast.JoinedStr):
                    hidden |= {id(part) for part in ast.walk(node) if part is not node}
                elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    hidden.add(id(node.value))
            for node in ast.walk(tree):
                if id(node) in hidden:
                    continue
                if isinstance(node, ast.JoinedStr):
                    words = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    words = node.value
                else:
                    continue
                yield Text(f"{path.relative_to(ROOT)}:{node.lineno}", words)


#: A command of this program in a text or document, with its arguments and options.
COMMAND = re.compile(r"(?<![\w/.@'\"-])(?:')?earmark ([a-z]+)((?: (?:-{1,2}[a-z][a-z-]*|[A-Za-z0-9_.{}/=\[\]-]+))*)")
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]+)")
TABLE = re.compile(r"(?<![\w\])*?+|(])\[\[?([a-z]+(?:\.(?:[a-z]+|\{\}))?)\]\]?(?![*+?])")
#: A key with its table: 'fallback' in [attention], sfreq in [sound].
KEY_IN_TABLE = re.compile(r"'?\b([a-z_]+)'?(?: = [^ ]+)? in \[\[?([a-z.]+)\]\]?")
EXTRA = re.compile(r"pip install '\.\[([a-z-]+)\]'|(?:install|require)\(['\"]([a-z-]+)['\"][,)]")
#: A key that is to be set, lowered or removed; with its table if that precedes a dot.
SET = re.compile(r"(?<!data )\b(?:[Ss]et|[Ll]ower|[Rr]emove) '?(?:([a-z]+)\.)?([a-z_]+)'?")
