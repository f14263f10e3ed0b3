"""Creates ``.venv``, installs the locked versions, and notices when nothing is left to do.

uv installs; where it cannot, pip does the same more slowly, and says what is wrong. The stamp is
written last and names what was installed: while it fits, a start costs one short look. PARTIAL is
there while something changes: found on a later run, that one was cut off, and all is made afresh.
"""

from __future__ import annotations

import ast
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
from pathlib import Path

from course_utils.commands.folders import unwritable

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
UV = [VENV_PYTHON, "-m", "uv"]
STAMP, PARTIAL, LOG = (VENV / f"course-setup.{end}" for end in ("stamp", "partial", "log"))
JUPYTER = Path(__file__).resolve().parent / "jupyter"  # copied into .venv/etc/jupyter
OLDEST = (3, 11)
UPDATE = "it is not what pyproject.toml and requirements.lock ask for"
MODULES = {"pillow": "PIL", "scikit-learn": "sklearn"}  # not called like their packages
# What would lead Python, pip or uv out of .venv.
ASTRAY = {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER"}
# Settings of pip that serve uv as well.
FOR_UV = {
    **{"index-url": "UV_INDEX_URL", "extra-index-url": "UV_EXTRA_INDEX_URL", "proxy": "ALL_PROXY"},
    **{"find-links": "UV_FIND_LINKS", "no-index": "UV_OFFLINE", "trusted-host": "UV_INSECURE_HOST"},
    **{"cert": "SSL_CERT_FILE", "timeout": "UV_HTTP_TIMEOUT", "retries": "UV_HTTP_RETRIES"},
}
NETWORK = (
    "NewConnection|connection broken|Max retries|timed out|name.?resolution|getaddrinfo|ProxyError"
)
# What venv or pip say: what is wrong, and the remedy.
FAULTS = {
    "No space left|not enough space on the disk|quota exceeded|File too large": "the disk is full. "
    "Free about 10 GB (on Linux the CUDA libraries are large; `pip cache purge` helps).",
    "CERTIFICATE_VERIFY_FAILED|SSLError": "the package index shows a certificate that is not "
    "trusted here. Behind a company proxy point PIP_CERT to its certificate file; check the clock.",
    NETWORK: "no network: the package index cannot be reached. Connect (behind a proxy: set "
    "HTTPS_PROXY); after the set-up the course works offline.",
    r"(?:No matching distribution found for|Cannot install) (\S+)": "the package index refuses, or "
    "does not offer {0} as locked for {machine}. Check the network and PIP_ settings; if they are "
    "right, use another Python (make PYTHON=python3.12 ...) or conda (README).",
    r"No module named '?(venv|ensurepip)|ensurepip is not\s+available": "this Python is not whole. "
    "On Debian or Ubuntu: `sudo apt install python{v}-venv`; elsewhere install a whole Python.",
    r"[\s\S]*^(?:ERROR: *|(?=\w+Error\b))(.+)|": "it failed: {0} (details: {log}).",
}


class SetupError(Exception):
    """Set-up cannot go on; the message is one line that holds the remedy."""


def spelled(command: str) -> str:
    """The command as the person typed it: through make or directly."""
    return f"make {command}" if os.environ.get("MAKELEVEL") else f"python -m course_utils {command}"


def requirements(extras: tuple[str, ...] = ()) -> list[str]:
    """What pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    chosen = [line for extra in extras for line in project["optional-dependencies"].get(extra, ())]
    return [*project["dependencies"], *chosen]


def to_import() -> list[str]:
    """The modules that must import in a complete ``.venv``: the package and its needs."""
    names = [re.split(r"[^\w-]", line)[0] for line in requirements()]
    return ["pip", "course_utils", *(MODULES.get(name, name.replace("-", "_")) for name in names)]


def wanted_key() -> str:
    """Hash of all that decides what is installed; as text, for line ends differ on Windows."""
    files = [ROOT / "requirements.lock", Path(__file__), *sorted(JUPYTER.rglob("*"))]
    texts = [file.read_text("utf-8") for file in files if file.is_file()]
    what = [requirements(("test",)), *texts]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def stamp() -> list[str]:
    """The key of what is installed and its extras; nothing before the first set-up has ended."""
    return STAMP.read_text("utf-8", "replace").split() if STAMP.exists() else []


def what_is_left(extras: tuple[str, ...] = ()) -> str:
    """Why ``.venv`` is not complete: "" when it is, UPDATE when it can be completed as it is."""
    look = (
        "import sys, importlib.util as u; print(*sys.version_info[:2], "
        "*[m for m in sys.argv[1:] if u.find_spec(m) is None])"
    )
    # In .venv course_utils is found as installed or not at all.
    said = run([VENV_PYTHON, "-c", look, *(to_import() if stamp() else ["pip"])], cwd=VENV).stdout
    major, minor, *missing = said.split() or "00"
    version = (int(major), int(minor))
    if PARTIAL.exists():
        return "the last set-up was cut off"
    if version == (0, 0):
        return "its Python does not run"
    chosen = os.environ.get("COURSE_PYTHON_CHOSEN")
    if version < OLDEST or (chosen and version != sys.version_info[:2]):
        return f"its Python is {major}.{minor}"
    if missing:
        return f"it lacks {', '.join(missing)}"
    return "" if {wanted_key(), *extras} <= {*stamp()} else UPDATE


def ensure(extras: tuple[str, ...] = ()) -> Path:
    """Make ``.venv`` complete for the given extras and return its Python. Raises SetupError."""
    if left := what_is_left(extras):
        extras = tuple(sorted({*extras, *stamp()[1:]}))
        if left != UPDATE:
            create(left)
        install(extras)
        STAMP.write_text(" ".join([wanted_key(), *extras]), "utf-8")
        PARTIAL.unlink()
    return VENV_PYTHON


def create(reason: str) -> None:
    """Make an empty ``.venv``; an old one goes first."""
    if os.path.lexists(VENV):
        print(f"Rebuilding .venv: {reason}.", flush=True)
        remove(VENV)
    print(f"Creating .venv with Python {platform.python_version()} ...", flush=True)
    VENV.mkdir()
    PARTIAL.touch()
    base = getattr(sys, "_base_executable", sys.executable)  # not the .venv that is replaced
    must(run([base, "-m", "venv", VENV]))


def install(extras: tuple[str, ...]) -> None:
    """Install what pyproject.toml asks for at the versions of requirements.lock, and check it."""
    print("Installing the course (the first time: some gigabytes, minutes) ...", flush=True)
    locked = ["install", "-c", "requirements.lock"]  # seen from ROOT, whose path may have spaces
    pip = [VENV_PYTHON, "-m", "pip", "--no-input", "--disable-pip-version-check", *locked]
    uv = [*UV, "pip", *locked, "--python", VENV_PYTHON, *requirements(extras)]
    have_uv = run([*pip, "--quiet", "uv"])
    if re.search(NETWORK, have_uv.stderr, re.IGNORECASE):
        must(have_uv)  # uv is not needed, a network is
    settings = uv_settings()
    # A dry run changes nothing: where not all can be had, what was there still works.
    known = run([*uv, "--dry-run"], **settings).returncode == 0
    harmless = not known and not PARTIAL.exists()
    STAMP.unlink(missing_ok=True)
    PARTIAL.touch()
    if not known or run(uv, ("stdout", "stderr"), **settings).returncode:
        print("pip installs, which takes longer: uv does not get through here", flush=True)
        done = run([*pip, *requirements(extras)], ("stdout",))
        if done.returncode and harmless:  # what pip has begun, it undoes
            PARTIAL.unlink()
        must(done)
    shutil.copytree(JUPYTER, VENV / "etc" / "jupyter", dirs_exist_ok=True)
    site = next(VENV.glob("[Ll]ib/**/site-packages"))
    # Relative, so that the folder may be moved or renamed.
    (site / "__course_utils__.pth").write_text(os.path.relpath(ROOT, site), "utf-8")
    print("Checking the installation ...", flush=True)
    check = "import importlib, sys\nfor m in sys.argv[1:]: importlib.import_module(m)"
    must(run([VENV_PYTHON, "-PWignore", "-c", check, *to_import()]))


def uv_settings() -> dict[str, str]:
    """uv's variables: what is set for pip (uv's own go before), and what makes the two alike."""
    said, pip = run([VENV_PYTHON, "-m", "pip", "config", "list"]).stdout, {}
    for part in ("global", "install", ":env:"):  # the later one counts
        found = re.findall(rf"^{part}\.([\w-]+)=(.*)$", said, re.MULTILINE)
        pip |= {name: ast.literal_eval(value) for name, value in found}
    uv = {FOR_UV[name]: " ".join(pip[name].split()) for name in FOR_UV if pip.get(name)}
    uv |= {name: uv[name].replace(" ", ",") for name in uv if name == "UV_FIND_LINKS"}
    # Of several indexes the one that has the version, as with pip; and no Python of uv's own.
    uv |= {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_PYTHON_DOWNLOADS": "never"}
    if unwritable(run([*UV, "cache", "dir"]).stdout.strip()):
        uv |= {"UV_NO_CACHE": "1", "TMPDIR": str(VENV)}
    return uv | {name: value for name, value in os.environ.items() if name in uv}


def run(command: list, shown: tuple[str, ...] = (), cwd: Path = ROOT, **variables: str):
    """A program's CompletedProcess: exit status and words, but for the streams that are shown."""
    streams = {name: None if name in shown else subprocess.PIPE for name in ("stdout", "stderr")}
    kept = {name: value for name, value in os.environ.items() if name not in ASTRAY}
    try:
        return subprocess.run(command, cwd=cwd, env=kept | variables, errors="replace", **streams)
    except OSError as error:  # it is not there, or not for this machine
        return subprocess.CompletedProcess(command, 1, "", str(error))


def must(done: subprocess.CompletedProcess) -> None:
    """Where a program failed, put its words into the log and raise SetupError with the cause."""
    if done.returncode == 0:
        return
    said = f"$ {subprocess.list2cmdline(map(str, done.args))}\n{done.stdout or ''}{done.stderr}"
    LOG.write_text(said, "utf-8")
    v = f"{sys.version_info[0]}.{sys.version_info[1]}"
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    for pattern, message in FAULTS.items():
        if found := re.search(pattern, said, re.MULTILINE | re.IGNORECASE):
            raise SetupError(message.format(*found.groups(), v=v, machine=machine, log=LOG))


def remove(path: Path) -> None:
    """Delete a directory tree, a file or a link."""
    path.unlink() if path.is_symlink() or path.is_file() else shutil.rmtree(path)


def child_environment(python: str) -> dict[str, str]:
    """The environment with the folder of ``python`` first on PATH, as after activation, and with
    the course's settings of Jupyter."""
    path = f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    ours = {"VIRTUAL_ENV": str(VENV), "PYTHONHOME": ""} if Path(python) == VENV_PYTHON else {}
    theirs = os.environ.get("JUPYTER_CONFIG_PATH")
    settings = f"{JUPYTER}{os.pathsep}{theirs}" if theirs else str(JUPYTER)
    return {**os.environ, **ours, "PATH": path, "JUPYTER_CONFIG_PATH": settings}


def hand_over(arguments: list[str]) -> int:
    """Run a program in ROOT in place of this one, and pass its exit status on."""
    os.chdir(ROOT)
    sys.stdout.flush()
    if os.name != "nt":
        os.execve(arguments[0], arguments, child_environment(arguments[0]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the program's to handle
    return subprocess.call(arguments, env=child_environment(arguments[0]))
