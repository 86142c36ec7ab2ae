"""Every text of the program that a person may read, and what it names."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
#: What people read, but for the pages that are made from the code.
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "reference"),
]


class Text(NamedTuple):
    """A text in the source; what is filled in is ``{}``."""

    where: str
    words: str


def texts():
    """All texts but docstrings, those that are joined at run time as one."""
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


#: A command of this program, in a text or a document, with whatever follows it up to the end of the sentence.
COMMAND = re.compile(r"(?<![\w/.@'\"-])(?:')?earmark ([a-z]+)((?: (?:-{1,2}[a-z][a-z-]*|[A-Za-z0-9_.{}/=\[\]-]+))*)")
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]+)")
TABLE = re.compile(r"(?<![\w\])*?+|(])\[\[?([a-z]+(?:\.(?:[a-z]+|\{\}))?)\]\]?(?![*+?])")
#: A key that is said to stand in a table: 'fallback' in [attention], sfreq in [sound].
KEY_IN_TABLE = re.compile(r"'?\b([a-z_]+)'?(?: = [^ ]+)? in \[\[?([a-z.]+)\]\]?")
EXTRA = re.compile(r"pip install '\.\[([a-z-]+)\]'|(?:install|require)\(['\"]([a-z-]+)['\"][,)]")
#: What is to be set, lowered or removed; with its table, if that is said before a dot.
SET = re.compile(r"(?<!data )\b(?:[Ss]et|[Ll]ower|[Rr]emove) '?(?:([a-z]+)\.)?([a-z_]+)'?")
