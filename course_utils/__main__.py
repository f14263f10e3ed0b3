"""The course on the command line: ``python -m course_utils lab``, ``test``, ``doctor`` and so on.

Any Python can read this file, however old, so that a too old one can say what is wrong. Nothing
here or in ``commands/`` needs more than the standard library until ``.venv`` is complete.
"""

import os
import subprocess
import sys

OLDEST = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def find_program(name):
    """Full path of a program on PATH, or None (shutil.which is missing from very old Pythons)."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, name + (".exe" if os.name == "nt" else ""))
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def too_old(arguments):
    """Hand over to a finished ``.venv`` where there is one, else say how to go on."""
    inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    ready = os.path.join(ROOT, ".venv", *inside)
    if os.path.exists(ready) and os.path.abspath(sys.executable) != os.path.abspath(ready):
        return subprocess.call([ready, "-m", "course_utils"] + arguments)  # noqa: RUF005
    have = "%d.%d" % tuple(sys.version_info[:2])
    command = arguments[0] if arguments else "lab"
    found = next((name for name in NEWER if find_program(name)), None)
    if found:
        remedy = "This machine has a newer one: run `make PYTHON=%s %s`." % (found, command)
    else:
        remedy = "Install a newer one, then run `make PYTHON=python3.12 %s`." % command
    sys.stderr.write("course: Python %s is too old, 3.11 or newer is needed. %s\n" % (have, remedy))
    return 1


def main():
    if sys.version_info[:2] < OLDEST:
        return too_old(sys.argv[1:])
    from course_utils.commands.cli import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
