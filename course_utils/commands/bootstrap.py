"""Creates ``.venv``, installs the locked versions, and notices when nothing is left to do.

Two files inside ``.venv`` say how far it came. ``course-setup.json`` (the stamp) is written last
and names what was installed; while it fits, a start costs one short look. ``course-setup.partial``
is there from the first moment until pip has ended: found on a later run, it means that the last
one was cut off, and ``.venv`` is made afresh.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

from course_utils.commands.pip_run import PipRun, explain_failure

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
VENV_PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "course-setup.json"
PARTIAL = VENV / "course-setup.partial"
LOG = VENV / "course-setup.log"
OLDEST = (3, 11)
# Raise when this file changes what a finished .venv contains.
LAYOUT = 1
# Imported once after an installation: a package that is there but broken shows here, not in class.
MUST_IMPORT = {
    name: {"scikit-learn": "sklearn"}.get(name, name)
    for name in (
        *("anywidget", "ipywidgets", "jupyterlab", "matplotlib", "numpy", "scikit-learn"),
        *("torch", "torchvision"),
    )
}

# JupyterLab's defaults for this course: it asks nothing and fetches nothing at the start.
LAB_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "fetchNews": "false",
    },
}


class SetupError(Exception):
    """Set-up cannot go on; the message is one line that holds the remedy."""


def spelled(command: str) -> str:
    """The command as the person typed it: through make or directly."""
    return f"make {command}" if os.environ.get("MAKELEVEL") else f"python -m course_utils {command}"


def in_own_environment() -> bool:
    """True when this Python belongs to a virtual or conda environment."""
    return sys.prefix != sys.base_prefix or (Path(sys.prefix) / "conda-meta").is_dir()


def look_at(python: Path, modules: list[str]) -> tuple[tuple[int, int] | None, list[str]]:
    """(major, minor) of an interpreter and which of the modules it lacks; None: it does not run."""
    code = (
        "import sys, importlib.util as u; print(*sys.version_info[:2], "
        "*[m for m in sys.argv[1:] if u.find_spec(m) is None])"
    )
    try:
        answer = subprocess.run(
            [str(python), "-c", code, *modules],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            cwd=Path(python).parent,  # so that course_utils is found as installed or not at all
            env=clean_environment(),
        )
        major, minor, *missing = answer.stdout.split()
        return (int(major), int(minor)), missing
    except (OSError, ValueError, subprocess.SubprocessError):
        return None, []


def works(python: Path) -> bool:
    """True for an interpreter that runs and is new enough."""
    version, _ = look_at(python, [])
    return version is not None and version >= OLDEST


def project() -> dict:
    """The tables of pyproject.toml."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        return tomllib.load(file)


def wanted_key(version: tuple[int, int]) -> str:
    """Hash of all that decides what is installed: the lock, the dependencies, the Python."""
    tables = project()
    what = [LAYOUT, version, tables.get("build-system"), tables.get("project"), MUST_IMPORT]
    digest = hashlib.sha256(json.dumps([what, LAB_SETTINGS], sort_keys=True).encode())
    # Line ends may differ after a checkout on Windows.
    digest.update(LOCK.read_text(encoding="utf-8").encode())
    return digest.hexdigest()


def read_stamp() -> dict:
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def ensure(command: str, extras: tuple[str, ...] = ()) -> Path:
    """Make ``.venv`` complete for the given extras and return its Python.

    Raises SetupError with one line that says what to do. ``command`` is what will be run again.
    """
    stamp = read_stamp()
    version, missing = look_at(VENV_PYTHON, to_import() if stamp else [])
    reason = reason_to_rebuild(version, missing)
    if reason is None:
        assert version is not None
        same = stamp.get("key") == wanted_key(version)
        if same and set(extras) <= set(stamp.get("extras", ())):
            if stamp.get("root") != str(ROOT):  # the directory was moved or renamed
                install(command, [], only_link=True)
                write_stamp(version, stamp["extras"])
            return VENV_PYTHON
        extras = tuple(sorted(set(extras) | set(stamp.get("extras", ()))))
    else:
        create(command, reason)
        version, _ = look_at(VENV_PYTHON, [])
        if version is None:
            raise SetupError(
                f"the Python in {VENV} does not run. Install a complete Python, then run "
                f"`{spelled(command)}` again."
            )
    install(command, list(extras))
    problem = import_problem()
    if problem:
        PARTIAL.touch()
        raise SetupError(f"{problem}. `{spelled(command)}` again rebuilds .venv from scratch.")
    write_stamp(version, list(extras))
    return VENV_PYTHON


def reason_to_rebuild(version: tuple[int, int] | None, missing: list[str]) -> str | None:
    """Why ``.venv`` cannot be used as it stands; None when it can be completed in place."""
    if not VENV.exists():
        return ""
    if PARTIAL.exists():
        return "the last set-up was cut off"
    if version is None:
        return "its Python does not run"
    if version < OLDEST:
        return f"its Python is {version[0]}.{version[1]}"
    if os.environ.get("COURSE_PYTHON_CHOSEN") and version != sys.version_info[:2]:
        return f"it has Python {version[0]}.{version[1]}"
    library = Path("Lib") if os.name == "nt" else Path("lib", f"python{version[0]}.{version[1]}")
    if not (VENV / library / "site-packages" / "pip" / "__init__.py").exists():
        return "it has no pip"
    if set(missing) - {"course_utils"}:
        return f"it lacks {', '.join(missing)}"
    return None


def create(command: str, reason: str) -> None:
    """Make an empty ``.venv``; an old one goes first."""
    for module in ("venv", "ensurepip"):
        if find_spec(module) is None:
            v = f"{sys.version_info[0]}.{sys.version_info[1]}"
            raise SetupError(
                f"Python {v} has no module {module}. On Debian or Ubuntu: "
                f"`sudo apt install python{v}-venv`; elsewhere install Python from its own site. "
                f"Then run `{spelled(command)}` again."
            )
    if VENV.exists() or VENV.is_symlink():
        print(f"Rebuilding .venv: {reason}.", flush=True)
        remove(VENV, command)
    print(f"Creating .venv with Python {platform.python_version()} ...", flush=True)
    try:
        VENV.mkdir(parents=True)
        PARTIAL.touch()
    except OSError as error:
        raise SetupError(
            f"cannot write to {ROOT} ({error.strerror}): copy the course to a folder of yours."
        ) from error
    # A .venv must not be based on the .venv that it replaces.
    base = getattr(sys, "_base_executable", None) or sys.executable
    made = subprocess.run(
        [base, "-m", "venv", str(VENV)], capture_output=True, text=True, env=clean_environment()
    )
    if made.returncode:
        LOG.write_text(made.stdout + made.stderr, encoding="utf-8")
        raise SetupError(
            f"Python's venv module failed (details: {LOG}). On Debian or Ubuntu install "
            f"python3-venv, elsewhere a complete Python; then run `{spelled(command)}` again."
        )


def remove(path: Path, command: str) -> None:
    """Delete a directory tree or a file."""
    try:
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path)
    except OSError as error:
        raise SetupError(
            f"cannot remove {path} ({error.strerror}): close what uses it, delete it by hand, "
            f"and run `{spelled(command)}` again."
        ) from error


def install(command: str, extras: list[str], *, only_link: bool = False) -> None:
    """Install this checkout editable, its dependencies at the versions of requirements.lock."""
    steps: list[list[str]] = []
    if only_link:
        steps.append(["--no-deps", "--no-build-isolation", "-e", "."])
    else:
        print("Installing the course (the first time: some gigabytes, minutes) ...", flush=True)
        build_needs = project().get("build-system", {}).get("requires", [])
        if build_needs:
            steps.append(build_needs)
        name = f".[{','.join(extras)}]" if extras else "."
        steps.append(["--no-build-isolation", "-e", name])
    STAMP.unlink(missing_ok=True)
    PARTIAL.touch()
    LOG.unlink(missing_ok=True)
    pip = [str(VENV_PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    for step in steps:
        # The lock is named relative to ROOT, so that a space in its path cannot matter.
        run = PipRun([*pip, "-c", LOCK.name, *step], ROOT, LOG, clean_environment())
        try:
            failed = run.wait()
        finally:
            if not run.touched:  # pip downloads everything before it changes anything
                PARTIAL.unlink()
        if failed:
            raise SetupError(explain_failure(LOG, spelled(command)))
        PARTIAL.touch()
    settings = VENV / "etc" / "jupyter" / "labconfig" / "default_setting_overrides.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(LAB_SETTINGS, indent=2) + "\n", encoding="utf-8")
    PARTIAL.unlink()


def to_import() -> list[str]:
    """The modules that must import in a complete ``.venv``: the package and its large needs."""
    lines = project()["project"].get("dependencies", [])
    needed = {re.split(r"[^A-Za-z0-9._-]", line)[0] for line in lines}
    return ["course_utils", *(module for name, module in MUST_IMPORT.items() if name in needed)]


def import_problem() -> str | None:
    """Import what the course stands on, once; say what is broken, None when nothing is."""
    print("Checking the installation ...", flush=True)
    code = "import importlib, sys\nfor m in sys.argv[1:]: importlib.import_module(m)"
    tried = subprocess.run(
        [str(VENV_PYTHON), "-W", "ignore", "-c", code, *to_import()],
        capture_output=True,
        text=True,
        cwd=VENV,  # so that course_utils is found as installed, not as the current directory
        env=clean_environment(),
    )
    if tried.returncode == 0:
        return None
    last = (tried.stderr.strip().splitlines() or ["no message"])[-1]
    with open(LOG, "a", encoding="utf-8") as log:
        log.write(tried.stderr)
    return f"the installed packages do not import ({last})"


def write_stamp(version: tuple[int, int], extras: list[str]) -> None:
    stamp = {"key": wanted_key(version), "extras": list(extras), "root": str(ROOT)}
    STAMP.write_text(json.dumps(stamp), encoding="utf-8")


def clean_environment() -> dict[str, str]:
    """The environment without what would lead pip or Python out of ``.venv``."""
    drop = {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER"}
    return {name: value for name, value in os.environ.items() if name not in drop}


def child_environment(python: str) -> dict[str, str]:
    """The environment with the folder of ``python`` first on PATH, as after activation."""
    environment = dict(os.environ)
    folder = str(Path(python).parent)
    environment["PATH"] = folder + os.pathsep + environment.get("PATH", "")
    if Path(python) == VENV_PYTHON:
        environment["VIRTUAL_ENV"] = str(VENV)
        environment.pop("PYTHONHOME", None)
    return environment


def hand_over(arguments: list[str], **variables: str) -> int:
    """Run a program in ROOT in place of this one, and pass its exit status on."""
    environment = {**child_environment(arguments[0]), **variables}
    sys.stdout.flush()
    if os.name != "nt":
        os.chdir(ROOT)
        os.execve(arguments[0], arguments, environment)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the program's to handle
    try:
        return subprocess.call(arguments, cwd=ROOT, env=environment)
    finally:
        signal.signal(signal.SIGINT, before)
