"""Install packages during a test: a module and the metadata that pip writes for it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

LAB = Path(__file__).parent
#: Entry points of the laboratory's package.
OFFERS = {
    "earmark.nodes": {"drift": "lab_parts:Drift"},
    "earmark.decoders": {"difference": "lab_parts:Difference"},
    "earmark.sources": {"tcp": "lab_parts:TcpAmplifier"},
    "earmark.spaces": {"mono": "lab_parts:mono"},
    "earmark.separators": {"louder": "lab_parts:Louder"},
    "earmark.laws": {"gentle": "lab_parts:Gentle"},
}


@contextmanager
def installed(
    site: Path,
    offers: Mapping[str, Mapping[str, str]] = OFFERS,
    package: str = "lab-parts",
    version: str = "1.2",
    code: str | None = None,
) -> Iterator[Path]:
    """Install a package into a folder on the module path of this process and its children, for a ``with`` block.

    ``code`` is the source of its only module; default: lab_parts.py.
    """
    module = package.replace("-", "_")
    about = site / f"{module}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {to}\n" for name, to in all_of.items()) for group, all_of in offers.items()
    ]
    (about / "entry_points.txt").write_text("\n".join(lines))
    if code is None:
        shutil.copy(LAB / "lab_parts.py", site / "lab_parts.py")
    else:
        (site / f"{module}.py").write_text(code)
    before, path = os.environ.get("PYTHONPATH", ""), list(sys.path)
    sys.path.insert(0, str(site))
    os.environ["PYTHONPATH"] = f"{before}{os.pathsep}{site}"
    try:
        yield site
    finally:
        sys.path[:] = path
        os.environ["PYTHONPATH"] = before
        sys.modules.pop(module, None)
