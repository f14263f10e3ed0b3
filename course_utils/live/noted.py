"""What a live output shows now, noted where Jupyter's server finds it when a notebook is saved.

A page saves the output that a cell has given: of a playground that is the picture from when the
cell ran. The kernel therefore notes the newest one in a file named by the widget's id, in Jupyter's
runtime folder, which only this user can read. The same note says which kernel still answers for the
widget. Nothing here raises: without notes the stored picture is the older one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

LIVE = "course_live"  # in the metadata of an output: the id of the widget that it shows
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"  # in its data
KEPT = 24 * 3600  # seconds; longer than the page of an ended kernel is likely to stay open
WIDGET_ID = re.compile(r"[0-9a-f]{32}")

_tidied = False


def view_of(widget: str) -> dict[str, Any]:
    """How an output names the widget that it shows, under `WIDGET_VIEW`."""
    return {"version_major": 2, "version_minor": 0, "model_id": widget}


def folder() -> Path:
    """Where the notes are."""
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir(), "course-live")


def note(widget: str, data: dict[str, Any] | None = None, metadata: dict | None = None) -> None:
    """Note that `widget` lives and, with `data` and `metadata`, what its output has become."""
    with contextlib.suppress(Exception):
        place = folder()
        place.mkdir(parents=True, exist_ok=True)
        _tidy(place)
        if data is None and (place / f"{widget}.json").exists():
            return
        about = {"kernel": _kernel(), "process": os.getpid()}
        about |= {"data": data or {}, "metadata": metadata or {}}
        new = place / f"{widget}.new"
        new.write_text(json.dumps(about), encoding="utf-8")
        new.replace(place / f"{widget}.json")


def forget(widget: str) -> None:
    """Take the note of `widget` away: its cell has run again."""
    with contextlib.suppress(Exception):
        (folder() / f"{widget}.json").unlink(missing_ok=True)


def read(widget: str) -> dict[str, Any] | None:
    """The note of `widget`, whoever wrote it; None if there is none that can be read."""
    if not WIDGET_ID.fullmatch(widget):
        return None
    with contextlib.suppress(Exception):
        about = json.loads((folder() / f"{widget}.json").read_text(encoding="utf-8"))
        return about if {"kernel", "process", "data", "metadata"} <= about.keys() else None
    return None


def lives(about: dict[str, Any] | None, kernel: str | None) -> bool:
    """Whether the widget of a note lives in this kernel, and not in one before a crash."""
    import psutil

    return bool(about and kernel == about["kernel"] and psutil.pid_exists(about["process"]))


def _kernel() -> str:
    """The id by which the server knows this kernel; "" outside one."""
    app = getattr(sys.modules.get("ipykernel.kernelapp"), "IPKernelApp", None)
    if app is None or not app.initialized():
        return ""
    return Path(app.instance().connection_file).stem.removeprefix("kernel-")


def _tidy(place: Path) -> None:
    """Remove old notes, once in the life of a kernel."""
    global _tidied
    if not _tidied:
        _tidied = True
        for path in place.iterdir():
            if time.time() - path.stat().st_mtime > KEPT:
                path.unlink(missing_ok=True)
