"""What every test run has in common: thread caps, a neutral environment, the browser rule.

Set at import, before pytest-xdist starts workers and nbval starts kernels: both inherit it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

pytest_plugins = ["tests.notebooks.again"]

ROOT = Path(__file__).resolve().parent
BROWSER_TESTS = ROOT / "tests" / "browser"

# One thread per kernel: several kernels run side by side (measured: two workers uncapped are
# slower than one). A value from outside is kept, so that other thread counts can be tested.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, os.environ.get("OMP_NUM_THREADS", "1"))
# Progress bars are terminal output, and would be compared.
os.environ["TQDM_DISABLE"] = "1"
# Stored outputs belong to the embedded digits and to the inline backend.
os.environ.pop("COURSE_DATASET", None)
os.environ.pop("MPLBACKEND", None)
# Nobody's IPython profile and start-up files take part, and no shared history file. Ours has one
# start-up file, under which a cell that opens a network socket fails.
if "COURSE_TEST_IPYTHON" not in os.environ:
    folder = tempfile.mkdtemp(prefix="course-ipython-")
    os.environ["COURSE_TEST_IPYTHON"] = os.environ["IPYTHONDIR"] = folder
    startup = Path(folder, "profile_default", "startup")
    startup.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "notebooks" / "no_sockets.py", startup)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

try:
    from hypothesis import settings
except ImportError:  # only some unit tests need it
    pass
else:
    # Drawn values are the same in every run; HYPOTHESIS_PROFILE=explore draws new ones.
    settings.register_profile("course", deadline=None, derandomize=True)
    settings.register_profile("explore", deadline=None, max_examples=1000)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "course"))


def browser_problem() -> str | None:
    """Why the browser tests cannot run; None when they can."""
    from course_utils.commands.chromium import REMEDY, find_chromium

    try:
        return None if find_chromium() else f"no Chromium found: {REMEDY}"
    except ValueError as error:
        return str(error)


def browser_required() -> bool:
    return os.environ.get("REQUIRE_BROWSER", "0") not in ("", "0")


def is_browser_test(item: pytest.Item) -> bool:
    return BROWSER_TESTS in item.path.parents


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:  # of a saved chapter: what saving has added is no output of the cell
        outputs = getattr(item, "cell", {}).get("outputs", [])
        outputs[:] = [out for out in outputs if "course_line" not in out.get("metadata", {})]
    browser = [item for item in items if is_browser_test(item)]
    problem = browser_problem() if browser else None
    config.stash[PROBLEM] = problem
    if problem and not browser_required():
        for item in browser:
            item.add_marker(pytest.mark.skip(reason=problem))


PROBLEM = pytest.StashKey[str | None]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """With REQUIRE_BROWSER=1 a missing browser is a failure, before any fixture starts a server."""
    problem = item.config.stash.get(PROBLEM, None)
    if problem and browser_required() and is_browser_test(item):
        pytest.fail(f"REQUIRE_BROWSER is set, but {problem}", pytrace=False)


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    problem = config.stash.get(PROBLEM, None)
    if problem and not browser_required():
        terminalreporter.write_line(f"Browser tests skipped: {problem}")
