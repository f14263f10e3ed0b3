"""pyproject.toml, environment.yml and requirements.lock tell the same story."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
# What conda-forge calls a package differently.
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
# torch brings these itself, in versions that its own metadata pins.
BROUGHT_BY_TORCH = re.compile(r"^(nvidia-|cuda-|triton$)")
PLATFORMS = {
    "Linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "macOS": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    "Windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
}
HOST = re.compile(r"https?:|\bfile:/|//|@|--(extra-)?index|--find-links|\.(org|com|io|net)\b")


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def required(extra: str | None = None) -> dict[str, SpecifierSet]:
    """Name -> versions that pyproject.toml allows."""
    tables = project()["project"]
    lines = tables["optional-dependencies"][extra] if extra else tables["dependencies"]
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in found}


def locked() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def lock_on(**environment: str) -> dict[str, str]:
    """Name -> the version that the lock names on one platform."""
    here = {**default_environment(), **environment}
    found: dict[str, str] = {}
    for line in locked():
        if line.marker is None or line.marker.evaluate(here):
            name = canonicalize_name(line.name)
            assert name not in found, f"{name} is locked twice on {environment}"
            (pin,) = line.specifier
            assert pin.operator == "==" and "*" not in pin.version, f"{line} is not exact"
            found[name] = pin.version
    return found


def environment_yml() -> dict[str, SpecifierSet]:
    tables = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    # "=" is conda's way to say "this one, whatever comes after it"
    texts = [re.sub(r"(?<![<>=!])=(?![=])(.*)", r"==\1.*", line) for line in
             tables["dependencies"] if isinstance(line, str)]  # fmt: skip
    lines = [Requirement(text) for text in texts]
    return {CONDA_NAMES.get(line.name, line.name): line.specifier for line in lines}


def test_environment_yml_asks_for_the_same_packages_and_bounds():
    conda = environment_yml()
    (python,) = conda.pop("python")
    assert python.operator == "=="
    assert python.version.removesuffix(".*") in SpecifierSet(
        project()["project"]["requires-python"]
    )
    assert conda.pop("pip") == SpecifierSet()
    assert conda == required()


@pytest.mark.parametrize("python", ["3.11.2", "3.12.1", "3.14.0"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_dependency_is_locked_at_a_version_it_allows(platform, python):
    versions = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    lock = lock_on(**PLATFORMS[platform], **versions)
    build = [Requirement(line) for line in project()["build-system"]["requires"]]
    wanted = {**required(), **required("test")}
    wanted |= {canonicalize_name(line.name): line.specifier for line in build}
    for name, versions_allowed in wanted.items():
        assert name in lock, f"{name} is not locked on {platform}"
        assert lock[name] in versions_allowed, f"{name}=={lock[name]}, but {versions_allowed}"


def test_the_lock_covers_everything_that_the_package_pulls_in_here():
    """Follow the installed metadata from the package on; each package found must be locked."""
    lock = lock_on()
    todo = [(name, frozenset()) for name in {**required(), **required("test")}]
    seen = set()
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen or BROUGHT_BY_TORCH.match(name):
            continue
        seen.add((name, extras))
        assert name in lock, f"{name} is needed here and not locked"
        for line in importlib.metadata.requires(name) or []:
            need = Requirement(line)
            if need.marker is None or any(
                need.marker.evaluate({"extra": extra}) for extra in (extras or {""})
            ):
                todo.append((canonicalize_name(need.name), frozenset(need.extras)))
    assert len(seen) > 100


def test_the_lock_names_no_host_and_no_cuda_library():
    for line in locked():
        assert not BROUGHT_BY_TORCH.match(line.name), f"{line.name} comes with torch"
    for name in ("requirements.lock", "environment.yml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not HOST.search(text), f"{name} names a host: {HOST.search(text)}"


def test_uv_is_an_installer_and_no_need_of_a_learner():
    """Set-up brings it into .venv itself; only the tests of the set-up need it."""
    assert "uv" not in required() and "uv" not in environment_yml()
    assert "uv" in required("test") and "uv" in lock_on()


def test_pip_can_install_the_folder_by_itself(tmp_path):
    """``-e .``, for conda, Binder and Colab: set-up builds no package, so this test does."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, tmp_path)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "course_utils", tmp_path / "course_utils", ignore=unwanted)
    (tmp_path / "built").mkdir()
    code = "import setuptools.build_meta as b; b.build_editable('built'); b.build_wheel('built')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    (editable,) = (tmp_path / "built").glob("*editable*.whl")
    (whole,) = set((tmp_path / "built").glob("*.whl")) - {editable}
    with zipfile.ZipFile(editable) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        words = archive.read(metadata).decode()
    assert f"Requires-Python: {project()['project']['requires-python']}" in words
    for line in project()["project"]["dependencies"]:
        assert f"Requires-Dist: {line}\n" in words
    with zipfile.ZipFile(whole) as archive:
        packed = {name for name in archive.namelist() if name.startswith("course_utils/")}
        settings = [name for name in archive.namelist() if "/data/etc/jupyter/" in name]
    assert len(settings) == 2  # of Jupyter: its server and its pages
    here = (ROOT / "course_utils").rglob("*.*")
    wanted = {p.relative_to(ROOT).as_posix() for p in here if p.suffix in (".py", ".js", ".css")}
    assert wanted <= packed


def test_nbval_is_pinned():
    assert required("test")["nbval"] == SpecifierSet("==0.11.*")


def test_the_package_version_is_stated_once_more_and_agrees():
    import course_utils

    assert course_utils.__version__ == project()["project"]["version"]
