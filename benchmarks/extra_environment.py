"""Environments that see all packages of the course and put other versions of some before them.

They lie in ``benchmarks/.NAME/``, which git ignores, and are kept for the next time. Nothing is
ever installed into the course's own environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
STAMP = "installed.json"  # written last: without it, or with another content, we start afresh


# In an environment's Python: the folder of its packages, for `show_packages`.
ASK_FOLDER = "import sysconfig; print(sysconfig.get_path('purelib'))"


class InstallError(RuntimeError):
    """A package could not be had, or the index could not be asked."""


def python_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def show_packages(own: str, others: list[str]) -> None:
    """Let an environment see the packages in the folders ``others`` after those in its ``own``.

    Not as bare paths: addsitedir also reads the .pth files there, such as an editable install's.
    """
    lines = [f"import site; site.addsitedir({one!r})\n" for one in others]
    Path(own.strip(), "course.pth").write_text("".join(lines), encoding="utf-8")


def wish(packages: tuple[str, ...]) -> dict:
    """What the stamp of a finished environment says."""
    site = sysconfig.get_path("purelib")
    return {"packages": sorted(packages), "python": sys.version, "beside": site}


def make(name: str, packages: tuple[str, ...]) -> Path:
    """Python of ``benchmarks/.NAME``, with ``packages`` (pip requirements) before the course's own.

    A second call with the same packages returns at once. Raises InstallError with pip's last words.
    """
    folder = FOLDER / f".{name}"
    python, stamp = python_of(folder), folder / STAMP
    wanted = wish(packages)
    try:
        if json.loads(stamp.read_text(encoding="utf-8")) == wanted and python.exists():
            return python
    except (OSError, ValueError):
        pass  # none yet, or cut off
    shutil.rmtree(folder, ignore_errors=True)
    print(f"Installing {', '.join(packages)} into {folder.name} ...", flush=True)
    _run([sys.executable, "-m", "venv", str(folder)])
    # pip counts what it finds so as installed, and brings only what is missing or must be another
    # version.
    show_packages(_run([str(python), "-c", ASK_FOLDER]), [wanted["beside"]])
    _run([str(python), "-m", "pip", "install", "--quiet", *packages])
    stamp.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
    return python


def newest(package: str) -> str:
    """The newest version of ``package`` on the package index. Raises InstallError."""
    answer = _run([sys.executable, "-m", "pip", "index", "versions", package])
    found = re.search(rf"^{re.escape(package)} \(([^)]+)\)", answer, re.MULTILINE)
    if not found:
        raise InstallError(f"pip does not say which version of {package} is the newest: {answer!r}")
    return found[1]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise InstallError(f"{subprocess.list2cmdline(command[1:])}: {' / '.join(said)}")
    return done.stdout
