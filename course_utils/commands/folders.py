"""Folders that programs keep their files in: can they be written, and what to do where not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

REMEDY = "set HOME to a folder that you may write to"
# Asked in the environment that JupyterLab will run in, because only that one has jupyter_core.
RUNTIME = "from jupyter_core.paths import jupyter_runtime_dir; print(jupyter_runtime_dir())"


def unwritable(folder: str | os.PathLike) -> str | None:
    """Why nothing could be stored in ``folder``; None where it could be, or could be made first."""
    place = Path(folder).absolute()
    try:
        while not os.path.lexists(place):
            place = place.parent
        if not place.is_dir():
            return f"{place} is no folder"
    except OSError as error:  # a link that leads in a circle, a name that is too long
        return f"{place}: {error.strerror}"
    return None if os.access(place, os.W_OK | os.X_OK) else f"{place} is read-only"


def lab_problem(python: str) -> str | None:
    """Why the JupyterLab of ``python`` could not start for lack of a folder; None where it can."""
    if unwritable(os.path.expanduser("~")) is None and "JUPYTER_RUNTIME_DIR" not in os.environ:
        return None  # the usual case, without starting a program
    asked = subprocess.run([python, "-c", RUNTIME], capture_output=True, text=True)
    folder = asked.stdout.strip()
    reason = unwritable(folder) if folder else None
    if reason is None:
        return None
    return f"JupyterLab cannot write to {folder} ({reason}); {REMEDY}"
