"""Training checkpoints on disk are complete or absent."""

from __future__ import annotations

import json

import pytest
import torch

from earmark.devices.files.checkpoint import read_checkpoint, write_checkpoint

STATE = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(3.5, dtype=torch.float64), "n": torch.tensor(7)}


def test_newest_checkpoint_is_read_and_no_other_file_is_left(tmp_path):
    folder = tmp_path / "deep" / "er"
    for k in range(3):
        write_checkpoint(folder, "one", {**STATE, "n": torch.tensor(k)}, {"epoch": k})
    write_checkpoint(folder, "two", STATE, {})
    found = read_checkpoint(folder, "one")
    assert found["n"] == 2
    assert torch.equal(found["a"], STATE["a"])
    assert found["b"].dtype == torch.float64
    assert json.loads((folder / "one.json").read_text())["epoch"] == 2
    assert len(list(folder.iterdir())) == 4


def test_missing_checkpoint_is_none(tmp_path):
    assert read_checkpoint(tmp_path, "one") is None
    assert read_checkpoint(tmp_path / "nowhere", "one") is None


@pytest.mark.parametrize("step", range(1, 3))
def test_kill_during_a_write_leaves_the_old_checkpoint(tmp_path, monkeypatch, step):
    """For each of the two files that might not be replaced."""
    from pathlib import Path

    write_checkpoint(tmp_path, "one", STATE, {})
    real, calls = Path.replace, []

    def killed(self, target):
        calls.append(target)
        if len(calls) == step:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(tmp_path, "one", {**STATE, "n": torch.tensor(8)}, {})
    assert read_checkpoint(tmp_path, "one")["n"] == 7


@pytest.mark.parametrize("damage", ["weights", "text", "missing", "foreign"])
def test_damaged_checkpoint_is_none(tmp_path, damage):
    write_checkpoint(tmp_path, "one", STATE, {})
    weights, text = next(tmp_path.glob("*.safetensors")), tmp_path / "one.json"
    match damage:
        case "weights":
            content = bytearray(weights.read_bytes())
            content[-1] ^= 1
            weights.write_bytes(content)
        case "text":
            text.write_text(text.read_text()[:-10])
        case "missing":
            weights.unlink()
        case "foreign":
            text.write_text("[1, 2]")
    assert read_checkpoint(tmp_path, "one") is None
