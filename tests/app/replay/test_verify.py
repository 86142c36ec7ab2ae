"""Replay of a recording that contradicts itself."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from earmark.app.config.session import ConfigError
from earmark.app.replay.verify import Replay


def test_recorded_output_that_the_configuration_lacks_is_damage(monkeypatch):
    session = SimpleNamespace(path=Path("x.xdf"), about=SimpleNamespace(outputs=("",)))
    monkeypatch.setattr(Replay, "graph", lambda self: SimpleNamespace(outputs={"pick": None}))
    with pytest.raises(ConfigError, match=r"x\.xdf is damaged: its configuration has no output ''"):
        Replay(session).run()
