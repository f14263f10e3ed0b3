"""Binder would build the course from environment.yml: the rules of repo2docker, without Docker.

They are those of its conda build pack (repo2docker 2026.4); CONTRIBUTING.md has the command that
asks repo2docker itself.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
# How the build pack finds the Python to start from: no other form counts, `>=` least of all.
PYTHON = re.compile(r"python\s*=+\s*([\d\.]*)")
# For these it brings an environment of its own that JupyterLab and the kernel run in.
BASES = {"3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"}
# Files that another build pack takes first, or that change what is built.
FIRST = {"Dockerfile", "Project.toml", "JuliaProject.toml", "default.nix", "runtime.txt"}
FIRST |= {"install.R", "DESCRIPTION", "apt.txt", "postBuild", "start"}


def environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def conda_lines() -> list[str]:
    return [line for line in environment()["dependencies"] if isinstance(line, str)]


def test_it_starts_from_a_python_that_the_course_takes():
    (found,) = [match for line in conda_lines() if (match := PYTHON.match(line))]
    version = ".".join(found[1].split(".")[:2])
    assert version in BASES
    with open(ROOT / "pyproject.toml", "rb") as file:
        assert version in SpecifierSet(tomllib.load(file)["project"]["requires-python"])


def test_nothing_is_taken_before_environment_yml():
    for folder in ("binder", ".binder"):
        assert not (ROOT / folder).exists(), f"{folder}/ hides environment.yml"
    assert sorted(name for name in FIRST if (ROOT / name).exists()) == []


def test_the_environment_has_the_form_that_conda_reads():
    tables = environment()
    assert set(tables) == {"name", "channels", "dependencies"}
    assert tables["channels"] == ["conda-forge"]
    for line in conda_lines():
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*((>=|=)\d+(\.\d+)*)?", line), line
    names = {re.split("[>=]", line)[0] for line in conda_lines()}
    assert {"python", "pip", "jupyterlab", "ipykernel", "ipywidgets", "anywidget"} <= names


def test_the_package_is_installed_from_the_repository_itself():
    """A local line makes repo2docker copy the repository before it makes the environment."""
    (pip,) = [line["pip"] for line in environment()["dependencies"] if isinstance(line, dict)]
    assert pip == ["-e ."]


def test_what_binder_opens_is_in_the_repository():
    listed = subprocess.run(
        ["git", "ls-files", "notebooks/*.ipynb", "environment.yml", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("no git repository: what is here was not cloned")
    names = listed.stdout.split()
    assert {"environment.yml", "pyproject.toml", "notebooks/00_start_here.ipynb"} <= set(names)
    assert sum(name.endswith(".ipynb") for name in names) == 14
