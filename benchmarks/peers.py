"""An environment for the peers of a comparison, beside the course's and never inside it.

``benchmarks/.peers`` (git does not see it) is made by the standard library's venv from the
interpreter that runs. A ``.pth`` file shows it the packages of the course, so that the very same
torch is used and nothing large is fetched twice; each of them is a constraint for pip with its
version, so that none is replaced. What pip installs goes into the new folder alone. A second run
finds it ready; it is made anew when a package of the course has changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.extra_environment import ASK_FOLDER, python_of, show_packages
from course_utils.commands.bootstrap import NETWORK

FOLDER = Path(__file__).resolve().parent / ".peers"
PEERS = ("lightning", "skorch", "fastai")
# The tools of an environment are its own.
OWN_TOOLS = {"pip", "setuptools", "wheel", "course-utils"}


@dataclass(frozen=True)
class Environment:
    """``python`` starts with the peers in ``versions``; ``missing`` names the reason for others."""

    python: Path
    versions: dict[str, str]
    missing: dict[str, str]


def packages() -> dict[str, str]:
    """name → version of what is installed for the course, tools left out."""
    found = {}
    for one in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", one.metadata["Name"] or "").lower()
        if name and name not in OWN_TOOLS:
            found.setdefault(name, one.version)  # the first on the path is the one imported
    return dict(sorted(found.items()))


def course() -> dict:
    """What the environment is made for: another answer means that it must be made anew."""
    paths = sysconfig.get_paths()
    return {
        "python": sys.version,
        "folders": sorted({paths["purelib"], paths["platlib"]}),
        "packages": packages(),
    }


def surroundings() -> dict[str, str]:
    """Environment variables for the peers' interpreter: it writes no .pyc beside our packages."""
    steered = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")
    kept = {key: value for key, value in os.environ.items() if key not in steered}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"}


def prepare(folder: Path = FOLDER, wanted: tuple[str, ...] = PEERS) -> Environment:
    """The environment with as many of the ``wanted`` peers as can be installed.

    Those that were not installed last time are tried again. Raises `subprocess.CalledProcessError`
    or OSError when not even an empty environment can be made.
    """
    stamp, here = folder / "stamp.json", course()
    try:
        state = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        state = {}
    if state.get("course") != here or not python_of(folder).exists():
        create(folder, here["folders"])
        state = {"course": here, "peers": {}}
    pins = [f"{name}=={version}\n" for name, version in here["packages"].items()]
    (folder / "constraints.txt").write_text("".join(pins), encoding="utf-8")
    missing = {}
    for name in wanted:
        if name not in state["peers"]:
            print(f"installing {name} into {folder.parent.name}/{folder.name} ...", flush=True)
            version, reason = install(folder, name)
            if version:
                state["peers"][name] = version
            else:
                missing[name] = reason
        stamp.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
    versions = {name: state["peers"][name] for name in wanted if name in state["peers"]}
    return Environment(python_of(folder), versions, missing)


def create(folder: Path, shown: list[str]) -> None:
    """An empty environment in ``folder`` that sees the packages in the folders ``shown``."""
    if folder.exists():
        shutil.rmtree(folder)
    command = [sys.executable, "-m", "venv", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=surroundings())
    ask = [python_of(folder), "-c", ASK_FOLDER]
    answer = subprocess.run(ask, check=True, capture_output=True, text=True)
    show_packages(answer.stdout, shown)


def install(folder: Path, name: str) -> tuple[str | None, str]:
    """(version, "") of the peer after its installation, or (None, the reason in one line)."""
    python = str(python_of(folder))
    command = [python, "-m", "pip", "install", "--prefer-binary", "--no-input"]
    command += ["--disable-pip-version-check", "--retries", "2", "--timeout", "20"]
    command += ["-c", str(folder / "constraints.txt"), name]
    settings = {"capture_output": True, "text": True, "errors": "replace", "env": surroundings()}
    run = subprocess.run(command, **settings)
    log = run.stdout + run.stderr
    (folder / f"pip-{name}.log").write_text(log, encoding="utf-8")
    if run.returncode:
        return None, reason(log)
    ask = f"from importlib import metadata; print(metadata.version({name!r}))"
    answer = subprocess.run([python, "-c", ask], **settings)
    return (answer.stdout.strip() or None), reason(answer.stderr)


def reason(log: str) -> str:
    """The first line of ``log`` that names a cause."""
    if re.search(NETWORK, log, re.IGNORECASE):
        return "no network: the package index cannot be reached"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines[-1:] or ["pip failed without a word"])[0]
