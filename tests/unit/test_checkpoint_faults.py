"""A checkpoint that cannot be written or read: the one before it survives, and the error helps."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from course_utils.distributed import checkpoint
from course_utils.distributed.checkpoint import CheckpointError
from course_utils.distributed.launch import run_here
from tests.unit.full_disk import full_disk

STATE = {"epoch": 2, "x": torch.ones(100_000), "y": torch.zeros(50_000)}
HELP = r"c\.pt cannot be written: .*as it was\. Make room, or choose another folder"


# Within the archive's head, within the first tensor, between two tensors, within its directory.
@pytest.mark.parametrize("after", [100, 4_000, 400_500, 601_000])
@pytest.mark.parametrize("earlier", [True, False], ids=["earlier", "first"])
def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path, after, earlier):
    path = tmp_path / "c.pt"
    if earlier:
        checkpoint.save({"epoch": 1, "x": torch.zeros(10)}, path)
    with pytest.raises(CheckpointError, match=HELP), full_disk(after):
        checkpoint.save(STATE, path)
    assert [p.name for p in tmp_path.iterdir()] == (["c.pt"] if earlier else [])
    if earlier:
        assert checkpoint.load(path)["epoch"] == 1
    checkpoint.save(STATE, path)
    assert torch.equal(checkpoint.load(path)["x"], STATE["x"])


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_disk_that_reports_late_that_it_is_full(tmp_path, monkeypatch, where):
    """As a network drive does, which takes the bytes first and stores them afterwards."""
    path = tmp_path / "c.pt"
    checkpoint.save({"epoch": 1}, path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, where, full)
        with pytest.raises(CheckpointError, match="No space left on device"):
            checkpoint.save(STATE, path)
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]
    assert checkpoint.load(path) == {"epoch": 1}


def test_a_training_goes_on_from_the_checkpoint_before_the_full_disk(tmp_path, capsys):
    run_here(f"--epochs 1 --checkpoint {tmp_path / 'full'}")
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt cannot be written"), full_disk():
        run_here(f"--epochs 3 --checkpoint {tmp_path / 'full'}")
    run_here(f"--epochs 3 --checkpoint {tmp_path / 'full'}")
    assert capsys.readouterr().out.count("resuming after epoch 1") == 2
    run_here(f"--epochs 3 --checkpoint {tmp_path / 'undisturbed'}")
    ends = [checkpoint.load(tmp_path / run / "checkpoint.pt") for run in ("full", "undisturbed")]
    assert ends[0]["history"] == ends[1]["history"] and ends[0]["epoch"] == 3


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match=HELP):
        checkpoint.save(STATE, tmp_path / "file" / "c.pt")
    with pytest.raises(CheckpointError, match=HELP):
        checkpoint.save(STATE, Path(os.devnull) / "c.pt")


def test_a_checkpoint_that_cannot_be_opened_is_not_called_damaged(tmp_path):
    """Otherwise its owner would be told to delete a good one."""
    with pytest.raises(CheckpointError, match=r"cannot be read: Is a directory$"):
        checkpoint.load(tmp_path)


def test_what_cannot_be_stored_leaves_no_half_file(tmp_path):
    checkpoint.save_json({"a": 1}, tmp_path / "a.json")
    with pytest.raises(TypeError, match="not JSON serializable"):
        checkpoint.save_json({"a": object()}, tmp_path / "a.json")
    with pytest.raises(ValueError, match=r"state must be a dict .*, got \[1\]"):
        checkpoint.save([1], tmp_path / "c.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == '{"a": 1}'
