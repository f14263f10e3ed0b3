"""The doctor sees each illness, names a remedy, and its exit status says whether one is grave."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_utils import mnist_files
from course_utils.commands import bootstrap, cli, doctor
from course_utils.commands.doctor import NOTE, OK, PROBLEM, Finding

ROOT = Path(__file__).resolve().parents[2]


def problems(findings) -> list[Finding]:
    """The problems among findings; each must hold a remedy."""
    found = [finding for finding in findings if finding.status == PROBLEM]
    assert all(finding.remedy for finding in found)
    return found


def test_a_healthy_environment_has_no_problem_in_its_packages_and_widgets():
    for examine in (doctor.python, doctor.packages, doctor.device, doctor.front_end, doctor.kernel):
        findings = list(examine())
        assert findings and not problems(findings), findings


def test_a_missing_and_an_old_package_are_named(monkeypatch):
    def version(name: str) -> str:
        if name == "anywidget":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.9.1+cpu" if name == "torch" else "999.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    details = [finding.detail for finding in problems(doctor.packages())]
    assert details[0] == "anywidget is missing"
    assert details[1].startswith("torch 1.9.1+cpu is too old, 2.13 or newer")
    assert len(details) == 2


def test_versions_are_compared_as_numbers():
    assert doctor.numbers("2.15.0+cpu") == (2, 15, 0) > doctor.numbers("2.9")
    assert doctor.numbers("5.0.0rc1") == (5, 0, 0)


def test_a_package_that_does_not_import_is_named(monkeypatch):
    def import_module(name: str):
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(doctor.importlib, "import_module", import_module)
    (finding,) = problems(doctor.packages())
    assert finding.detail.endswith("RuntimeError: operator torchvision::nms does not exist")


def test_a_torch_that_does_not_import_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (finding,) = problems(doctor.device())
    assert "torch does not import" in finding.detail


def test_devices_are_listed(monkeypatch):
    cuda = SimpleNamespace(is_available=lambda: True, get_device_name=lambda: "Some GPU")
    mps = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: True))
    fake = SimpleNamespace(cuda=cuda, backends=mps, get_num_threads=lambda: 4)
    monkeypatch.setitem(sys.modules, "torch", fake)
    (finding,) = doctor.device()
    assert finding.detail == "cpu (4 threads), cuda (Some GPU), mps (Apple GPU)"


def test_missing_halves_of_the_widgets_are_named(monkeypatch, tmp_path):
    folder = tmp_path / "labextensions" / "anywidget"
    (folder / "static").mkdir(parents=True)
    about = {"version": "1.0", "jupyterlab": {"_build": {"load": "static/entry.js"}}}
    (folder / "package.json").write_text(json.dumps(about))
    monkeypatch.setattr(doctor, "jupyter_paths", lambda: [tmp_path])
    names = [finding.detail for finding in problems(doctor.front_end())]
    assert len(names) == 2 and "jupyterlab_widgets" in names[0] and "anywidget" in names[1]
    (folder / "static" / "entry.js").touch()
    (only,) = problems(doctor.front_end())
    assert "@jupyter-widgets/jupyterlab-manager" in only.detail


def test_a_kernel_that_starts_another_python_is_named(monkeypatch):
    from jupyter_client import kernelspec

    class Manager:
        argv = ("/elsewhere/python", "-m", "ipykernel_launcher")

        def get_kernel_spec(self, name):
            if not self.argv:
                raise kernelspec.NoSuchKernel(name)
            return SimpleNamespace(argv=self.argv)

    monkeypatch.setattr(kernelspec, "KernelSpecManager", Manager)
    (finding,) = problems(doctor.kernel())
    assert "starts /elsewhere/python" in finding.detail
    Manager.argv = ()
    assert len(problems(doctor.kernel())) == 1
    for program in ("python", sys.executable):
        Manager.argv = (program,)
        assert not problems(doctor.kernel())


def test_mnist_is_a_problem_only_where_it_was_asked_for(tmp_path):
    assert doctor.mnist(tmp_path, "").status == NOTE
    assert doctor.mnist(tmp_path, "mnist").status == PROBLEM
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-labels-idx1-ubyte").write_bytes(b"short")
    finding = doctor.mnist(tmp_path, "mnist")
    assert finding.status == PROBLEM and finding.remedy
    assert "train-labels-idx1-ubyte is truncated" in finding.detail


def test_complete_and_partial_mnist(monkeypatch, tmp_path):
    monkeypatch.setattr(mnist_files, "check", lambda folder: [])
    assert doctor.mnist(tmp_path, "").status == OK
    monkeypatch.setattr(mnist_files, "check", lambda folder: ["train-labels-idx1-ubyte"])
    assert "lacks train-labels-idx1-ubyte" in doctor.mnist(tmp_path, "").detail


@pytest.mark.parametrize(("gigabytes", "status"), [(0.3, PROBLEM), (1.0, NOTE), (8, OK)])
def test_memory(monkeypatch, gigabytes, status):
    import psutil

    memory = SimpleNamespace(available=gigabytes * doctor.GIB, total=16 * doctor.GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    (finding,) = doctor.memory()
    assert finding.status == status and bool(finding.remedy) == (status != OK)


@pytest.mark.parametrize(("gigabytes", "status"), [(0.1, PROBLEM), (5, OK)])
def test_disk(monkeypatch, gigabytes, status):
    usage = SimpleNamespace(free=gigabytes * doctor.GIB)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    (finding,) = doctor.disk()
    assert finding.status == status


def test_the_report_shows_remedies_and_the_status_follows_problems(monkeypatch, capsys):
    note = Finding(NOTE, "data", "no MNIST", "download it")
    problem = Finding(PROBLEM, "package", "torch is missing", "install it")
    for findings, status in (([note], 0), ([note, problem], 1)):
        monkeypatch.setattr(doctor, "EXAMINATIONS", (lambda found=findings: found,))
        assert doctor.main() == status
        shown = capsys.readouterr().out
        assert "remedy: download it" in shown
        assert ("remedy: install it" in shown) == bool(status)
        assert ("1 problem: some chapters cannot run here" in shown) == bool(status)


def test_without_an_environment_the_remedy_is_to_set_up(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cli, "in_own_environment", lambda: False)
    monkeypatch.setattr(bootstrap, "VENV_PYTHON", tmp_path / "python")
    assert cli.main(["doctor"]) == 1
    assert "there is no working .venv" in capsys.readouterr().out


def test_the_real_doctor_runs_from_the_command_line():
    ran = subprocess.run(
        [sys.executable, "-m", "course_utils", "--here", "doctor"],
        cwd=ROOT,
        env={**os.environ, "COURSE_DATASET": ""},
        capture_output=True,
        text=True,
    )
    assert ran.stdout.startswith("ok       Python"), ran.stderr
    said = ran.stdout.splitlines()
    assert ran.returncode == any(line.startswith("problem") for line in said)
    assert "embedded digits: 1,797 images" in ran.stdout
