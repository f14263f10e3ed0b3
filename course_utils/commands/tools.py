"""The small commands: ``check`` and ``clean``."""

from __future__ import annotations

import shutil
import subprocess

from course_utils.commands.bootstrap import ROOT, VENV, child_environment, remove

QUICK_TESTS = ["tests/notebooks/test_hygiene.py", "tests/unit/test_environment.py"]
LEFTOVERS = (
    ".hypothesis",
    ".ipynb_checkpoints",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
    "build",
)
KEPT = {".git", "data"}


def check(python: str) -> int:
    """Ruff over the code, hygiene over the notebooks: no kernel is started."""
    environment = child_environment(python)
    lines = [
        [python, "-m", "ruff", "check", "."],
        [python, "-m", "pytest", "-q", *QUICK_TESTS],
    ]
    results = [subprocess.call(line, cwd=ROOT, env=environment) for line in lines]
    return max(results)


def clean() -> int:
    """Remove ``.venv``, the benchmarks' environments, caches and build leftovers.

    Data and measurements stay.
    """
    if VENV.exists() or VENV.is_symlink():
        remove(VENV)
        print("removed .venv")
    folders = [ROOT]
    while folders:
        for path in folders.pop().iterdir():
            if not path.is_dir() or path.is_symlink() or path.name in KEPT:
                continue
            measured_in = path.parent == ROOT / "benchmarks" and (path / "pyvenv.cfg").exists()
            if path.name in LEFTOVERS or path.name.endswith(".egg-info") or measured_in:
                shutil.rmtree(path)
                print(f"removed {path.relative_to(ROOT)}")
            else:
                folders.append(path)
    return 0
