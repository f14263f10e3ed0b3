"""Checkpoints that a crash cannot spoil: the file on disk is the old one or the new one."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

__all__ = ["CheckpointError", "check_settings", "load", "save", "save_json"]


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read, or belongs to another run."""


def save(state: dict[str, Any], path: str | os.PathLike) -> None:
    """Write ``state`` (tensors, numbers, texts, nested lists and dicts) to ``path``, atomically.

    Raises `CheckpointError` where it cannot be written (disk full, folder read-only); what was
    in ``path`` before is then still there.
    """
    if not isinstance(state, dict):
        raise ValueError(f"state must be a dict of what is to be kept, got {state!r:.80}")

    def write(file: BinaryIO) -> None:
        # In memory first: straight into a full disk, torch.save reports a wrong position instead.
        packed = io.BytesIO()
        torch.save(state, packed)
        file.write(packed.getbuffer())

    _store(path, write)


def save_json(value: Any, path: str | os.PathLike) -> None:
    """Write ``value`` as JSON to ``path``, atomically; `CheckpointError` as in `save`."""
    _store(path, lambda file: file.write(json.dumps(value).encode()))


def load(path: str | os.PathLike) -> dict[str, Any]:
    """The state in ``path``, its tensors on the CPU.

    ``weights_only=True``: the file may hold data, never code that would run while it is read.
    Raises FileNotFoundError without a file; `CheckpointError` for one that is damaged.
    """
    try:
        packed = Path(path).read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:  # nothing is said about what is in the file
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        # From memory: torch.load reports some cut-off files as a fault of the disk.
        state = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in many ways, each with its own exception
        raise CheckpointError(
            f"{path} is not a readable checkpoint ({type(error).__name__}). "
            "Delete it to start again from epoch 1."
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds a {type(state).__name__}, not a checkpoint")
    return state


def check_settings(state: dict[str, Any], settings: dict[str, Any]) -> None:
    """Raise `CheckpointError` unless ``state`` comes from a run with the same ``settings``."""
    before = state.get("settings", {})
    for name, value in settings.items():
        if before.get(name) != value:
            option = name.replace("_", "-")
            raise CheckpointError(
                f"the checkpoint was made with --{option} {before.get(name)}, this run has "
                f"--{option} {value}: use the same options, or another folder"
            )


def _store(path: str | os.PathLike, write: Callable[[BinaryIO], object]) -> None:
    """`_write`, and where that fails: no half file left behind, and an error that says what to do.

    An error of ``write`` itself (a value that JSON does not know) passes unchanged.
    """
    try:
        _write(path, write)
    except BaseException as error:
        with contextlib.suppress(OSError):
            Path(f"{os.fspath(path)}.tmp").unlink()  # half a file, which also takes up room
        if not isinstance(error, OSError):
            raise
        raise CheckpointError(
            f"{path} cannot be written: {error.strerror or error}. An earlier checkpoint there is "
            "as it was. Make room, or choose another folder; the run then goes on from it."
        ) from error


def _write(path: str | os.PathLike, write: Callable[[BinaryIO], object]) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")  # same folder: replacing it is one step
    with open(temporary, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())  # wait until the bytes are on the disk
    os.replace(temporary, path)  # at every instant the name means a whole file
    if os.name == "posix":  # the new name has to reach the disk as well
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
