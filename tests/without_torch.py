"""An environment for child processes in which PyTorch is not installed, as for a user who asked for no extra."""

import os

_HIDE = """\
from importlib.machinery import PathFinder

found = PathFinder.find_spec
PathFinder.find_spec = classmethod(lambda cls, name, *more: None if name == "torch" else found(name, *more))
"""


def without_torch(folder, environment):
    """A copy of the environment with a module in ``folder`` that hides torch from every Python started in it."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_HIDE)
    path = os.pathsep.join([str(folder), *filter(None, [environment.get("PYTHONPATH")])])
    return {**environment, "PYTHONPATH": path}
