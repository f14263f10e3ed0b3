"""Seconds from nothing to a complete ``.venv``: pip as one would type it, and the course's way.

Run it with ``python -m benchmarks.bench_setup`` from the root of the repository. It needs the
network, up to 20 GB of room beside this file for a while, and some minutes. Both ways install the
package with its test extra at the versions of the lock, into a copy of the repository, and end
when everything that the course stands on has been imported once. Each way has a cache of its own,
which is empty the first time and then serves a second environment. The aim is for the time on the
clock, most of which is the network and the disk; processor time stands beside it, because it
depends less on what else the machine does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.extra_environment import python_of
from benchmarks.report import environment, store
from course_utils.commands.bootstrap import ASTRAY, ROOT, to_import

FOLDER = Path(__file__).resolve().parent
RESULT = FOLDER / "results" / "setup.json"
WHAT = (
    "course_utils",
    "pyproject.toml",
    "requirements.lock",
    "README.md",
    "LICENSE",
    "LICENSE-TEXT",
)
AIM = 2.0  # times pip's speed, with empty caches
ENSURE = "from course_utils.commands.bootstrap import ensure; ensure(('test',))"
CHECK = "import importlib, sys\nfor m in sys.argv[1:]: importlib.import_module(m)"


def commands(way: str, place: Path) -> list[list[str]]:
    """What makes a complete environment in `place`, one program after the other."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    if way == "course":
        return [[base, "-c", ENSURE]]
    python = str(python_of(place / ".venv"))
    pip = [python, "-m", "pip", "install", "-c", "requirements.lock", "-e", ".[test]"]
    return [[base, "-m", "venv", ".venv"], pip, [python, "-c", CHECK, *to_import()]]


def surroundings(cache: Path) -> dict[str, str]:
    """The environment with both caches in `cache`."""
    kept = {name: value for name, value in os.environ.items() if name not in ASTRAY}
    return kept | {"PIP_CACHE_DIR": str(cache / "pip"), "UV_CACHE_DIR": str(cache / "uv")}


def processor() -> float:
    """Processor seconds of all programs that have run to their end (none counted on Windows)."""
    times = os.times()
    return times.children_user + times.children_system


def seconds(way: str, cache: Path) -> tuple[float, float]:
    """(on the clock, of processor time) for one new environment, which is deleted afterwards.

    Raises `subprocess.CalledProcessError` with the program's last words.
    """
    with TemporaryDirectory(dir=cache, prefix="a course ") as folder:
        place = Path(folder)
        for name in WHAT:
            copy: Callable = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, place / name)
        begin, before = time.perf_counter(), processor()
        for command in commands(way, place):
            done = subprocess.run(
                command, cwd=place, env=surroundings(cache), capture_output=True, text=True
            )
            if done.returncode:
                print("\n".join(done.stderr.splitlines()[-5:]), file=sys.stderr)
                done.check_returncode()
        return time.perf_counter() - begin, processor() - before


def table(found: dict[str, list[tuple[float, float]]]) -> str:
    """Both ways, first with an empty cache, then for the second environment."""
    lines = [f"{'a complete .venv':<22}{'pip':>10}{'course':>10}{'faster':>10}"]
    for index, name in enumerate(("empty caches", "the second one")):
        for kind, label in enumerate((name, "  processor time")):
            pip, course = (found[way][index][kind] for way in ("pip", "course"))
            times = f"{pip / course:>9.1f}x" if course else ""
            lines.append(f"{label:<22}{pip:>8.1f} s{course:>8.1f} s{times}")
    return "\n".join(lines)


def main() -> int:
    """Measure both ways, print the table, store it; 1 when the aim is missed."""
    found: dict[str, list[tuple[float, float]]] = {"pip": [], "course": []}
    # Beside the results, so that caches and environments share a disk: uv links where it can.
    with TemporaryDirectory(dir=FOLDER, prefix=".setup-") as folder:
        caches = {way: Path(folder, way) for way in found}
        for cache in caches.values():
            cache.mkdir()
        for _ in ("empty", "filled"):
            for way, cache in caches.items():
                found[way].append(seconds(way, cache))
    ratio = found["pip"][0][0] / found["course"][0][0]
    passed = ratio >= AIM
    print(table(found))
    verdict = "reached" if passed else "MISSED"
    print(f"aim: at least {AIM:g} times as fast with empty caches: {verdict}")
    report = {"seconds": found, "ratio": ratio, "aim": AIM, "passed": passed}
    return store(RESULT, report | {"environment": environment()})


if __name__ == "__main__":
    sys.exit(main())
