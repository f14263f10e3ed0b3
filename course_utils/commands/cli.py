"""Reads the command line, sets the environment up where a command needs it, runs the command."""

from __future__ import annotations

import os
import shlex
import sys
from difflib import get_close_matches
from pathlib import Path

from course_utils.commands import bootstrap, folders, lab, testing, tools

# command -> (what it does, extras it needs; None: no environment needed)
COMMANDS: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "lab": ("set up what is missing and open the course in JupyterLab", ()),
    "test": ("every test: unit, hygiene, all notebooks strictly, browser", ("test",)),
    "notebooks": ("run the notebooks and store their outputs (one chapter: CH=09)", ("test",)),
    "html": ("the chapters as web pages in build/html, as they are stored", ()),
    "check": ("the quick checks: ruff and notebook hygiene, seconds", ("test",)),
    "bench": ("the measurements in benchmarks/", ("test",)),
    "doctor": ("versions, device, widgets, data, memory; what is wrong and the remedy", None),
    "setup": ("only create or complete .venv", ()),
    "clean": ("remove .venv, caches and build leftovers (data/ stays)", None),
}

MODULES = {
    "notebooks": "course_utils.commands.notebooks",
    "html": "course_utils.commands.pages",
    "bench": "benchmarks",
}
# What make passes on to a command.
VARIABLES = {"lab": "LAB_ARGS", "test": "TEST_ARGS", "notebooks": "CH", "html": "CH"}

HELP_TAIL = """
Pass more to a command with variables:
  make lab LAB_ARGS="--no-browser --port 8890"     to JupyterLab
  make test TEST_ARGS="-k race"                    to pytest; a path replaces the whole set
  make PYTHON=python3.12 lab                       another Python

Without make (Windows): python -m course_utils lab --no-browser, and likewise for the others.
With --here before the command, the Python that runs it is used instead of .venv (conda).
"""


def help_text() -> str:
    """The list of commands, one line each."""
    lines = ["make COMMAND, or python -m course_utils COMMAND", ""]
    lines += [f"  {name:<10} {about}" for name, (about, _) in COMMANDS.items()]
    return "\n".join(lines) + "\n" + HELP_TAIL


def arguments_of(command: str, given: list[str]) -> list[str]:
    """Arguments from the command line, then those from the variable that make passes on."""
    variable = VARIABLES.get(command)
    return given + (shlex.split(os.environ.get(variable, "")) if variable else [])


def main(argv: list[str]) -> int:
    """Run one command and return its exit status."""
    here = argv[:1] == ["--here"]
    if here:
        argv = argv[1:]
    if not argv or argv[0] in ("help", "-h", "--help"):
        print(help_text())
        return 0
    command, rest = argv[0], arguments_of(argv[0], argv[1:])
    if command not in COMMANDS:
        near = get_close_matches(command, COMMANDS, n=1)
        guess = f" Did you mean {near[0]}?" if near else ""
        known = ", ".join(COMMANDS)
        print(f"course: unknown command {command!r}.{guess} Known: {known}.", file=sys.stderr)
        return 2
    try:
        return run(command, rest, here)
    except (bootstrap.SetupError, OSError) as error:
        problem = str(error)
        if isinstance(error, OSError):
            problem = (
                f"cannot change {error.filename} ({error.strerror}). Close what uses it, make "
                "room, or copy the course to a folder of yours."
            )
        print(f"course: {problem} Then run `{bootstrap.spelled(command)}` again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\ncourse: stopped. `{bootstrap.spelled(command)}` goes on.", file=sys.stderr)
        return 130


def run(command: str, rest: list[str], here: bool) -> int:
    """Dispatch: commands that need an environment are handed to its Python."""
    extras = COMMANDS[command][1]
    if command == "clean":
        return tools.clean()
    if command == "doctor":
        return run_doctor(here)
    assert extras is not None
    python = sys.executable if here else str(bootstrap.ensure(extras))
    if command == "setup":
        print(f"The course is set up in {bootstrap.VENV}")
        return 0
    if command == "lab":
        if problem := folders.lab_problem(python):
            raise bootstrap.SetupError(f"{problem}.")
        return bootstrap.hand_over(lab.command_line(python, rest))
    if command == "test":
        return testing.run(python, rest)
    if command == "check":
        return tools.check(python)
    return bootstrap.hand_over([python, "-m", MODULES[command], *rest])


def in_own_environment() -> bool:
    """True when this Python belongs to a virtual or conda environment."""
    return sys.prefix != sys.base_prefix or (Path(sys.prefix) / "conda-meta").is_dir()


def run_doctor(here: bool) -> int:
    """Examine ``.venv``, or the environment that this Python belongs to (conda, own venv)."""
    if not here and not in_own_environment():
        if bootstrap.run([bootstrap.VENV_PYTHON, "-c", ""]).returncode:
            print(
                "problem  set-up   there is no working .venv here\n"
                f"         remedy:  run `{bootstrap.spelled('lab')}` once, with a network"
            )
            return 1
        return bootstrap.hand_over(
            [str(bootstrap.VENV_PYTHON), "-m", "course_utils", "--here", "doctor"]
        )
    from course_utils.commands import doctor

    return doctor.main()
