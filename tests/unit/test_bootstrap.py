"""Set-up on a fresh machine and after accidents, played through with a tiny checkout.

The checkout has the real commands, but a project without dependencies and with its own build
backend: a full round costs seconds and needs no network.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from course_utils.commands import bootstrap, cli, lab, pip_run, testing

ROOT = Path(__file__).resolve().parents[2]
BASE_PYTHON = getattr(sys, "_base_executable", None) or sys.executable
INSIDE = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "course-utils"
version = "0.1.0"
dependencies = []

[project.optional-dependencies]
test = []
"""

# The smallest editable build there is: a wheel that holds one .pth file.
BACKEND = """\
import os, zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name, info = "course_utils-0.1.0-py3-none-any.whl", "course_utils-0.1.0.dist-info"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        wheel.writestr("course_utils.pth", os.getcwd() + "\\n")
        wheel.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: course-utils\\n"
                       "Version: 0.1.0\\nProvides-Extra: test\\n" + EXTRA)
        wheel.writestr(info + "/WHEEL",
                       "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "/RECORD", "")
    return name

EXTRA = ""
"""


def environment(**changes: str) -> dict[str, str]:
    """An environment without pip's settings, make's variables and this test run's own."""
    dropped = ("PIP_", "MAKE", "COURSE_", "MFLAGS", "VIRTUAL_ENV", "PYTHON", "COV_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", **changes}


class Checkout:
    """A copy of the commands with a project of its own, in a directory with spaces."""

    def __init__(self, root: Path):
        self.root = root
        self.python = root.joinpath(".venv", *INSIDE)
        self.stamp = root / ".venv" / "course-setup.json"
        self.partial = root / ".venv" / "course-setup.partial"
        self.log = root / ".venv" / "course-setup.log"

    def make(self) -> Checkout:
        package = self.root / "course_utils"
        shutil.copytree(
            ROOT / "course_utils" / "commands",
            package / "commands",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        for name in ("__init__.py", "__main__.py"):
            shutil.copy(ROOT / "course_utils" / name, package / name)
        (self.root / "pyproject.toml").write_text(PYPROJECT)
        (self.root / "requirements.lock").write_text("# nothing to pin\n")
        (self.root / "backend.py").write_text(BACKEND)
        return self

    def depend_on(self, name: str) -> None:
        """Let the project need one more package."""
        project = self.root / "pyproject.toml"
        project.write_text(
            project.read_text().replace("dependencies = []", f'dependencies = ["{name}"]', 1)
        )
        backend = self.root / "backend.py"
        extra = f'EXTRA = "Requires-Dist: {name}\\n"'
        backend.write_text(backend.read_text().replace('EXTRA = ""', extra))

    def run(self, *arguments: str, python: str = BASE_PYTHON, **env: str):
        return subprocess.run(
            [python, "-m", "course_utils", *arguments],
            cwd=self.root,
            env=environment(**env),
            capture_output=True,
            text=True,
            timeout=240,
        )


def one_line(text: str) -> str:
    """The single line of an error message."""
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> Checkout:
    """A checkout after its first set-up."""
    checkout = Checkout(tmp_path_factory.mktemp("first") / "my course, with spaces").make()
    result = checkout.run("setup")
    assert result.returncode == 0, result.stdout + result.stderr
    return checkout


@pytest.fixture
def copy(ready, tmp_path) -> Checkout:
    """A finished checkout to damage. It has moved, which by itself must not matter."""
    shutil.copytree(ready.root, tmp_path / "moved course", symlinks=True)
    return Checkout(tmp_path / "moved course")


def test_first_set_up_installs_and_second_does_nothing(ready):
    assert ready.stamp.exists() and not ready.partial.exists()
    imported = subprocess.run(
        [ready.python, "-c", "import course_utils; print(course_utils.__file__)"],
        cwd=ready.root / ".venv",
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert Path(imported.stdout.strip()).is_relative_to(ready.root)
    before = (ready.stamp.stat().st_mtime_ns, ready.log.stat().st_mtime_ns)
    again = ready.run("setup")
    assert again.returncode == 0 and "Installing" not in again.stdout
    assert (ready.stamp.stat().st_mtime_ns, ready.log.stat().st_mtime_ns) == before


def test_lab_is_quiet_about_news_from_the_start(ready):
    labconfig = ready.root / ".venv" / "etc" / "jupyter" / "labconfig"
    settings = json.loads((labconfig / "default_setting_overrides.json").read_text())
    news = settings["@jupyterlab/apputils-extension:notification"]
    assert news == {"checkForUpdates": False, "fetchNews": "false"}


def test_a_moved_checkout_is_linked_anew_and_not_rebuilt(copy):
    (copy.root / ".venv" / "mine").touch()
    result = copy.run("setup")
    assert result.returncode == 0 and "Rebuilding" not in result.stdout
    assert (copy.root / ".venv" / "mine").exists()
    assert json.loads(copy.stamp.read_text())["root"] == str(copy.root)


def cut_off(checkout):
    checkout.partial.touch()


def python_gone(checkout):
    for path in checkout.python.parent.glob("python*"):
        path.unlink()


def pip_gone(checkout):
    checkout.stamp.unlink()
    for path in checkout.root.glob(".venv/**/site-packages/pip"):
        shutil.rmtree(path)


def not_a_folder(checkout):
    shutil.rmtree(checkout.root / ".venv")
    (checkout.root / ".venv").write_text("oops")


@pytest.mark.parametrize("damage", [cut_off, python_gone, pip_gone, not_a_folder])
def test_a_broken_environment_is_rebuilt(copy, damage):
    damage(copy)
    result = copy.run("setup")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Rebuilding .venv: " in result.stdout
    assert copy.stamp.exists() and not copy.partial.exists()
    assert "Rebuilding" not in copy.run("setup").stdout


def test_a_changed_lock_updates_in_place(copy):
    (copy.root / ".venv" / "mine").touch()
    (copy.root / "requirements.lock").write_text("nothing-of-ours==1.0\n")
    result = copy.run("setup")
    assert result.returncode == 0 and "Installing" in result.stdout
    assert (copy.root / ".venv" / "mine").exists()


def test_the_test_extra_is_added_once_and_kept(copy):
    bootstrap_code = "from course_utils.commands.bootstrap import ensure; ensure('test', {})"
    for extras, installs in (("('test',)", True), ("('test',)", False), ("()", False)):
        result = subprocess.run(
            [BASE_PYTHON, "-c", bootstrap_code.format(extras)],
            cwd=copy.root,
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        assert ("Installing" in result.stdout) == installs
    assert json.loads(copy.stamp.read_text())["extras"] == ["test"]


def test_without_network_one_line_says_so_and_a_later_run_recovers(copy, tmp_path):
    copy.depend_on("tiny-thing")
    (copy.root / "requirements.lock").write_text("tiny-thing==1.0\n")
    closed = {"PIP_NO_INDEX": "", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}
    offline = copy.run("setup", **closed)
    assert offline.returncode == 1
    line = one_line(offline.stderr)
    assert "no network" in line and "python -m course_utils setup" in line
    assert "make setup" in one_line(copy.run("setup", MAKELEVEL="1", **closed).stderr)
    assert not copy.stamp.exists()

    wheels = tmp_path / "wheels"
    wheels.mkdir()
    info = "tiny_thing-1.0.dist-info"
    with zipfile.ZipFile(wheels / "tiny_thing-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_thing.py", "")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    online = copy.run("setup", PIP_FIND_LINKS=wheels.as_uri())
    assert online.returncode == 0, online.stdout + online.stderr
    assert "Rebuilding" not in online.stdout  # nothing had been changed yet
    assert copy.stamp.exists()


def test_an_interrupt_while_downloading_costs_nothing_later_it_rebuilds(copy, monkeypatch):
    names = {"ROOT": copy.root, "VENV": copy.root / ".venv", "VENV_PYTHON": copy.python}
    names |= {"STAMP": copy.stamp, "PARTIAL": copy.partial, "LOG": copy.log}
    for name, value in names.items():
        monkeypatch.setattr(bootstrap, name, value)

    class Interrupted:
        touched = False

        def __init__(self, *_):
            pass

        def wait(self):
            raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "PipRun", Interrupted)
    for touched in (False, True):
        Interrupted.touched = touched
        with pytest.raises(KeyboardInterrupt):
            bootstrap.install("lab", [])
        assert copy.partial.exists() == touched
        assert not copy.stamp.exists()
    assert bootstrap.reason_to_rebuild((3, 12), []) == "the last set-up was cut off"


def test_clean_removes_what_set_up_made_and_keeps_data(copy):
    (copy.root / "data").mkdir()
    (copy.root / "data" / "kept").touch()
    for place in ("benchmarks/.peers", "mine"):
        (copy.root / place).mkdir(parents=True)
        (copy.root / place / "pyvenv.cfg").touch()
    assert copy.run("clean").returncode == 0
    assert not (copy.root / "benchmarks/.peers").exists() and (copy.root / "mine").exists()
    assert not (copy.root / ".venv").exists()
    assert not list(copy.root.rglob("__pycache__"))
    assert (copy.root / "data" / "kept").exists() and (copy.root / "pyproject.toml").exists()


def pretend_old(checkout: Checkout, **env: str):
    """Run the command line in a Python that takes itself for 3.9."""
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 6, 'final', 0); "
        "sys.argv = ['course_utils', 'setup']; "
        "runpy.run_module('course_utils', run_name='__main__')"
    )
    return subprocess.run(
        [BASE_PYTHON, "-c", code],
        cwd=checkout.root,
        env=environment(**env),
        capture_output=True,
        text=True,
    )


def test_a_too_old_python_is_named_with_the_remedy(tmp_path):
    checkout = Checkout(tmp_path / "old").make()
    result = pretend_old(checkout, PATH="")
    assert result.returncode == 1
    line = one_line(result.stderr)
    assert "Python 3.9 is too old, 3.11 or newer is needed" in line
    assert "make PYTHON=python3.12 setup" in line
    assert not (checkout.root / ".venv").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no python3.x programs on PATH")
def test_a_too_old_python_names_a_newer_one_that_is_there(tmp_path):
    (tmp_path / "python3.13").write_text("#!/bin/sh\n")
    (tmp_path / "python3.13").chmod(0o755)
    checkout = Checkout(tmp_path / "old").make()
    line = one_line(pretend_old(checkout, PATH=str(tmp_path)).stderr)
    assert "This machine has a newer one: run `make PYTHON=python3.13 setup`" in line


def test_a_too_old_python_hands_over_to_a_finished_environment(ready):
    result = pretend_old(ready)
    assert result.returncode == 0 and "The course is set up" in result.stdout


def test_the_entry_file_can_be_read_by_very_old_pythons():
    source = (ROOT / "course_utils" / "__main__.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 4))
    assert not [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.JoinedStr)]
    package = (ROOT / "course_utils" / "__init__.py").read_text(encoding="utf-8")
    ast.parse(package, feature_version=(3, 4))


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_missing_standard_module_is_named_with_the_remedy(monkeypatch, tmp_path, module):
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: None if name == module else object())
    with pytest.raises(bootstrap.SetupError, match=f"no module {module}.*apt install python3"):
        bootstrap.create("lab", "")
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("... NameResolutionError ... Could not find a version", "no network"),
        ("Failed to establish a new connection: [Errno 101]", "no network"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate"),
        ("ERROR: No matching distribution found for torch==2.15.0", "offers no torch==2.15.0"),
        ("ERROR: x\n  The user requested (constraint) torch==2.15.0\n", "offers no torch==2.15.0"),
        ("ERROR: first\nERROR: Something else broke", "Something else broke"),
        ("", "pip failed"),
    ],
)
def test_pip_failures_are_explained_in_one_line(tmp_path, log, message):
    (tmp_path / "log").write_text(log)
    text = pip_run.explain_failure(tmp_path / "log", "make lab")
    assert message in one_line(text) and "`make lab` again" in text


def test_lab_listens_here_only_and_takes_more_arguments():
    line = lab.command_line("/x/python", ["--no-browser", "--port=9001"])
    assert line[:3] == ["/x/python", "-m", "jupyterlab"]
    assert line[-2:] == ["--no-browser", "--port=9001"]
    assert "--ServerApp.ip=127.0.0.1" in line
    assert not [word for word in line if "token" in word.lower() or "password" in word.lower()]


def test_variables_from_make_become_arguments(monkeypatch):
    monkeypatch.setenv("LAB_ARGS", "--no-browser --notebook-dir 'a b'")
    assert cli.arguments_of("lab", ["--x"]) == ["--x", "--no-browser", "--notebook-dir", "a b"]
    monkeypatch.setenv("CH", "09")
    assert cli.arguments_of("notebooks", []) == ["09"]
    assert cli.arguments_of("doctor", []) == []


def test_paths_in_test_args_replace_the_whole_set():
    parallel, *_ = testing.command_lines("py", ["-k", "race"])
    assert "tests/unit" in parallel and parallel[-2:] == ["-k", "race"]
    assert "loadfile" in parallel and "--nbval" in parallel
    (only,) = testing.command_lines("py", ["tests/unit/test_bootstrap.py::test_x", "-x"])
    assert "tests/unit" not in only and only[-2:] == ["tests/unit/test_bootstrap.py::test_x", "-x"]
    whole, *_ = testing.command_lines("py", ["-k", "notebooks"])
    assert "tests/unit" in whole and whole[-2:] == ["-k", "notebooks"]
    (browser,) = testing.command_lines("py", ["tests/browser"])
    assert browser[browser.index("-n") + 1] in ("1", "2")
    assert browser[browser.index("--dist") + 1] == "loadscope"


def test_unknown_command_names_the_nearest(capsys):
    assert cli.main(["notbooks"]) == 2
    assert "Did you mean notebooks?" in capsys.readouterr().err
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in cli.COMMANDS)


def test_pip_never_leaves_the_environment(monkeypatch):
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert not {"PIP_USER", "PYTHONPATH"} & set(bootstrap.clean_environment())


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")
def test_make_names_a_missing_python():
    result = subprocess.run(
        ["make", "PYTHON=python3.99", "help"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode != 0
    assert "there is no python3.99 here" in result.stderr
