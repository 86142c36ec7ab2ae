"""Sphinx configuration: ``make docs`` builds ``build/docs/index.html``."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import generated

project = "Earmark"
author = copyright = "The Earmark developers"
release = version = installed("earmark")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_copybutton",
]
exclude_patterns = ["pictures"]
html_theme = "furo"
html_title = f"Earmark {release}"
html_static_path: list[str] = []
html_copy_source = False

myst_enable_extensions = ["attrs_inline", "attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings describe the types
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False


def setup(app: object) -> None:
    """Write the generated pages before Sphinx collects its sources."""
    generated.write(Path(__file__).parent / "reference")
