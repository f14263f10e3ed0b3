"""The command line: what make passes on, which tests are chosen, what a wrong word gets."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess

import pytest

from course_utils.commands import cli, lab, testing
from tests.unit.tiny_checkout import ROOT, Checkout


def test_a_too_old_python_is_named_with_the_remedy(tmp_path):
    checkout = Checkout(tmp_path / "old", tmp_path).make()
    result = checkout.pretend_old(PATH="")
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert "Python 3.9 is too old, 3.11 or newer is needed" in line
    assert "make PYTHON=python3.12 setup" in line
    assert not (checkout.root / ".venv").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no python3.x programs on PATH")
def test_a_too_old_python_names_a_newer_one_that_is_there(tmp_path):
    (tmp_path / "python3.13").write_text("#!/bin/sh\n")
    (tmp_path / "python3.13").chmod(0o755)
    checkout = Checkout(tmp_path / "old", tmp_path).make()
    (line,) = checkout.pretend_old(PATH=str(tmp_path)).stderr.strip().splitlines()
    assert "This machine has a newer one: run `make PYTHON=python3.13 setup`" in line


def test_the_entry_file_can_be_read_by_very_old_pythons():
    source = (ROOT / "course_utils" / "__main__.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 4))
    assert not [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.JoinedStr)]
    package = (ROOT / "course_utils" / "__init__.py").read_text(encoding="utf-8")
    ast.parse(package, feature_version=(3, 4))


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


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")
@pytest.mark.parametrize("wrong", ["python3.99", "false"])
def test_make_names_a_python_that_is_none(wrong):
    result = subprocess.run(
        ["make", f"PYTHON={wrong}", "help"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode != 0
    said = [line for line in result.stderr.splitlines() if line.startswith("course: ")]
    assert len(said) == 1 and f"{wrong} is no Python that runs here" in said[0]
    assert "make PYTHON=python3.12 help" in said[0]
