"""``make test``: the whole set in two runs of pytest, first what can be parallel, then the browser.

The browser tests start their own JupyterLabs and wait for what a page shows, so they come when the
notebooks are done. Two at a time: each has a kernel, a server and a browser at work.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from course_utils.commands.bootstrap import ROOT, child_environment

PARALLEL = ["tests/unit", "tests/notebooks", "notebooks"]
BROWSER = ["tests/browser"]
NO_TESTS_COLLECTED = 5  # pytest's exit status
# The word after one of these is its value, even where a file has that name.
TAKE_A_VALUE = ("-k", "-m", "-n", "-p", "-o", "-c", "-W", "--durations", "--ignore", "--deselect")
# A worker with a notebook kernel needs about a gigabyte.
MOST_WORKERS = 8
MOST_BROWSERS = 2


def cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def workers() -> int:
    """Test processes at a time: one per core, within reason."""
    return max(1, min(cores(), MOST_WORKERS))


def is_test_path(argument: str) -> bool:
    """True for an argument that names something under ROOT, also as ``file.py::test``."""
    return not argument.startswith("-") and (ROOT / argument.split("::")[0]).exists()


def command_lines(python: str, extra: list[str]) -> list[list[str]]:
    """The pytest runs. Paths in ``extra`` replace the whole set; the rest goes to every run."""
    pytest = [python, "-m", "pytest", "--nbval", "--again", "random"]
    spread = ["-n", str(workers()), "--dist", "loadfile"]
    before = ["", *extra][: len(extra)]
    chosen = [
        argument
        for argument, option in zip(extra, before, strict=True)
        if option not in TAKE_A_VALUE and is_test_path(argument)
    ]
    options = [argument for argument in extra if argument not in chosen]
    browser = [path for path in chosen if path.replace("\\", "/").startswith("tests/browser")]
    rest = [path for path in chosen if path not in browser]
    if not chosen:
        rest = [path for path in PARALLEL if any((ROOT / path).glob("*"))]
        browser = [path for path in BROWSER if any((ROOT / path).glob("test_*.py"))]
    lines = []
    if rest:
        lines.append([*pytest, *spread, *rest, *options])
    if browser:
        pages = ["-n", str(min(workers(), MOST_BROWSERS)), "--dist", "loadscope"]
        lines.append([*pytest, *pages, *browser, *options])
    return lines


def run(python: str, extra: list[str]) -> int:
    """Run the tests; 0 only when every run passed and at least one collected something."""
    # Several workers, each with as many threads as there are cores, would wait for one another.
    threads = max(1, cores() // workers())
    environment = {"OMP_NUM_THREADS": str(threads), **child_environment(python)}
    results = []
    for line in command_lines(python, extra):
        print("$", subprocess.list2cmdline([Path(line[0]).name, *line[1:]]), flush=True)
        results.append(subprocess.call(line, cwd=ROOT, env=environment))
    failures = [status for status in results if status not in (0, NO_TESTS_COLLECTED)]
    if failures:
        return failures[0]
    return 0 if 0 in results else NO_TESTS_COLLECTED
