"""Seconds from a command to a page with a kernel and a first cell that has run, for `bench_course`.

A real Chromium, headless and already open, with an empty cache, goes to the address as soon as the
server says that it is there (that is when it would open a browser itself).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks.watched import end_family
from course_utils.commands import bootstrap
from course_utils.commands.lab import START
from tests.browser.lab import LabPage, chromium, write_notebook

ROOT = bootstrap.ROOT
PATIENCE = 120  # seconds until a server must be there
MOMENTS = ("server", "page", "cell")
FOR_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "COURSE_PYTHON_CHOSEN")
# The page reports to us, and no browser of the user's opens.
WATCHED = ["--no-browser", "--expose-app-in-browser"]


def course_command() -> list[str]:
    """`make lab`, or what does the same where there is no make or another environment is used.

    Raises RuntimeError when that would install something: the second start is meant.
    """
    if Path(sys.prefix).resolve() != bootstrap.VENV.resolve():
        return [sys.executable, "-m", "course_utils", "--here", "lab"]
    problem = bootstrap.what_is_left()
    if problem:
        raise RuntimeError(f".venv is not complete ({problem}): run `make setup`, then measure")
    make = shutil.which("make")
    return [make, "lab"] if make else [sys.executable, "-m", "course_utils", "lab"]


def plain_command(folder: Path) -> list[str]:
    """JupyterLab as it comes, over `folder`; without its look for updates in the network."""
    quiet = "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    lab = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", quiet]
    return [*lab, *root, *WATCHED]


def surroundings(folder: Path) -> dict[str, str]:
    """The environment for a server: nobody's settings, workspaces or running servers in it."""
    env = {name: value for name, value in os.environ.items() if name not in FOR_MAKE}
    env.pop("JUPYTER_TOKEN", None)
    settings = folder / "settings" / "@jupyterlab" / "docmanager-extension"
    settings.mkdir(parents=True)
    # We run a cell of a stored chapter and leave; nothing may be written into it.
    (settings / "plugin.jupyterlab-settings").write_text('{"autosave": false}')
    env["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    for name in ("JUPYTERLAB_WORKSPACES_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        env[name] = str(folder / name.lower())
    env["IPYTHONDIR"] = str(folder / "ipython")
    env["LAB_ARGS"] = subprocess.list2cmdline(WATCHED)
    return env


@contextlib.contextmanager
def started(command: list[str], env: dict[str, str], log: Path) -> Iterator[dict]:
    """The server of a command, from when it says that it is there: what it says of itself."""
    runtime = Path(env["JUPYTER_RUNTIME_DIR"])
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while (about := said(runtime)) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no server from {command}:\n{log.read_text()}")
            time.sleep(0.02)
        yield about
        with contextlib.suppress(psutil.NoSuchProcess, subprocess.TimeoutExpired):
            psutil.Process(about["pid"]).terminate()  # by itself, it also ends its kernels
            process.wait(20)
    finally:
        end_family(process)


def said(runtime: Path) -> dict | None:
    """What a server has written about itself; None as long as it has not."""
    for file in runtime.glob("jpserver-*.json"):
        with contextlib.suppress(ValueError):  # half written
            return json.loads(file.read_text())
    return None


def first_code_cell(notebook: Path) -> int:
    """Its place among all cells."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return next(index for index, cell in enumerate(cells) if cell["cell_type"] == "code")


def measure(command: list[str], root: Path, notebook: str) -> dict[str, float]:
    """Seconds from the command until the server, the page and the first code cell are ready.

    The page is ready when the notebook is open in it and its kernel idle. Raises RuntimeError
    when the cell fails, or when the notebook on the disk is no longer what it was.
    """
    stored = (root / notebook).read_bytes()
    cell = first_code_cell(root / notebook)
    with TemporaryDirectory() as folder, chromium() as browser:
        env = surroundings(Path(folder))
        begin = time.monotonic()
        with started(command, env, Path(folder, "server.log")) as about:
            after = [time.monotonic() - begin]
            url = f"{about['url']}lab/tree?token={about['token']}"
            page = LabPage(browser.new_page(), url, notebook)
            after.append(time.monotonic() - begin)
            page.run_cell(cell)
            after.append(time.monotonic() - begin)
            problems = page.errors()
            count = page.kernel("print(get_ipython().execution_count)").strip()
            if problems or count != "2":
                raise RuntimeError(f"{notebook}: the first cell did not run: {problems}, {count}")
            page.close()
    if (root / notebook).read_bytes() != stored:
        raise RuntimeError(f"{notebook} was changed on the disk")
    return dict(zip(MOMENTS, after, strict=True))


def measure_course() -> dict[str, float]:
    return measure(course_command(), ROOT, START)


def measure_plain() -> dict[str, float]:
    with TemporaryDirectory() as folder:
        write_notebook(Path(folder, "empty.ipynb"), "pass")
        return measure(plain_command(Path(folder)), Path(folder), "empty.ipynb")
