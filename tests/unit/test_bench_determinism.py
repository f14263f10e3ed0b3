"""The rows of the determinism benchmark, what it makes of a report, and its environments."""

from __future__ import annotations

import json
import os
import platform
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement

from benchmarks import bench_determinism as bench
from benchmarks import cell_report, extra_environment

ROOT = Path(__file__).resolve().parents[2]
KERNEL = {"python": sys.executable, "threads": "1", "torch": "2.15.0"}


def test_the_oldest_versions_are_the_lower_bounds_of_pyproject():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = {
        requirement.name: requirement.specifier
        for requirement in map(Requirement, tomllib.loads(text)["project"]["dependencies"])
    }
    rows = bench.table()
    tested = [*rows["oldest-torch"].packages, *rows["oldest-packages"].packages]
    assert len(tested) == 6
    for line in tested:
        name, _, version = line.partition("===")
        assert version in declared[name], f"{line} is not allowed"
        (bound,) = declared[name]
        assert bound.operator == ">=" and version.startswith(bound.version), f"{line}: {bound}"
        assert version.removeprefix(bound.version).strip(".0") == ""  # the bound itself
    assert rows["oldest-torch"].expected.keys() == {"torch", "torchvision"}


def test_the_rows_are_those_that_were_asked_for():
    rows = bench.table()
    assert tuple(rows) == bench.NAMES[:-1]
    assert rows["threads-1"].settings == {"OMP_NUM_THREADS": "1"}
    assert rows["threads-2"].settings == {"OMP_NUM_THREADS": "2"}
    assert rows["no-vectors"].settings["ATEN_CPU_CAPABILITY"] == "default"
    assert rows["avx2"].settings["ATEN_CPU_CAPABILITY"] == "avx2"
    for row in rows.values():
        assert set(row.settings) <= set(bench.SETTINGS), "else it would be taken from outside"


def test_settings_come_from_the_row_alone(monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_CBWR", "PYTEST_XDIST_WORKER", "IPYTHONDIR"):
        monkeypatch.setenv(name, "outside")
    monkeypatch.setenv("HOME_OF_SOMETHING", "kept")
    found = bench.child_environment(bench.table()["avx2"])
    assert found["ATEN_CPU_CAPABILITY"] == "avx2" and found["OMP_NUM_THREADS"] == "1"
    assert found["HOME_OF_SOMETHING"] == "kept"
    assert not {"MKL_CBWR", "PYTEST_XDIST_WORKER", "IPYTHONDIR"} & set(found)


def test_a_kernel_that_is_another_is_noticed():
    row = bench.Row("some", expected={"torch": "2.13.0", "threads": "1"})
    assert bench.kernel_problems(row, sys.executable, KERNEL) == [
        "the kernel has torch 2.15.0, not 2.13.0"
    ]
    other = os.path.abspath("python-of-another")
    (problem,) = bench.kernel_problems(bench.Row("some"), other, KERNEL)
    assert problem == f"the kernel has python {sys.executable}, not {other}"


def test_a_row_is_left_out_only_where_the_instructions_do_not_exist(monkeypatch):
    rows = bench.table()
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert not any(map(bench.not_for_this_processor, rows.values()))
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert bench.not_for_this_processor(rows["avx2"]) == "this processor has DEFAULT"
    assert bench.not_for_this_processor(rows["old-processor"]) is None
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    left_out = [row.name for row in rows.values() if bench.not_for_this_processor(row)]
    assert left_out == ["avx2", "old-processor"]


# --- the report of nbval --------------------------------------------------------------------------


@pytest.fixture
def report(tmp_path):
    """Writes a junit file about a notebook of three code cells; the last is not compared."""
    path = tmp_path / "notebooks" / "05_some.ipynb"
    path.parent.mkdir()
    cell_report.write_notebook(path, "1 + 1")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    (cell,) = notebook["cells"]
    words = {"cell_type": "markdown", "id": "words", "metadata": {}, "source": "Words."}
    tagged = {**cell, "metadata": {"tags": ["nbval-ignore-output"]}}
    notebook["cells"] = [cell, words, cell, tagged]
    path.write_text(json.dumps(notebook), encoding="utf-8")

    def write(twice: bool = False, **inside: str):
        cases = "".join(
            f'<testcase classname="notebooks.05_some.ipynb" name="{name}">{text}</testcase>'
            for name, text in ((f"Cell{key}".replace("_", " "), inside[key]) for key in inside)
        )
        file = tmp_path / "cells.xml"
        file.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
        return cell_report.read_cells(file, [path], twice)

    return write


def test_all_cells_pass(report):
    cells = report(_0="", _1="", _2="")
    assert (cells.compared, cells.chapters_passed, cells.failed, cells.problem) == (2, 1, [], None)


def test_a_cell_that_differs_is_named_with_what_differs(report):
    text = "Input:\nprint(1)\n\nTraceback:\n mismatch 'stdout'\n\n expected 1\n got 2\n"
    cells = report(_0="", _1=f"<failure>{text}</failure>", _2="")
    assert (cells.compared, cells.chapters_passed, cells.problem) == (2, 0, None)
    message = " mismatch 'stdout'\n expected 1\n got 2"
    assert cells.failed == [{"cell": "05_some Cell 1", "message": message}]


@pytest.mark.parametrize("inside", [{"_0": ""}, {"_0": "", "_1": "<skipped/>", "_2": "<skipped/>"}])
def test_cells_that_did_not_run_are_a_problem(report, inside):
    cells = report(**inside)
    assert (cells.compared, cells.chapters_passed) == (1, 0)
    assert cells.problem == "2 cells did not run, the first is 05_some Cell 1"


def test_a_second_run_counts_where_there_is_one(report):
    ran = dict.fromkeys(("_0", "_1", "_2", "_0_again", "_1_again", "_2_again"), "")
    cells = report(twice=True, **ran)
    assert (cells.compared, cells.chapters_passed, cells.problem) == (4, 1, None)
    cells = report(twice=True, **ran | {"_1_again": "<failure>x</failure>"})
    assert [one["cell"] for one in cells.failed] == ["05_some Cell 1 again"]
    assert "the first is 05_some Cell 0 again" in report(twice=True, _0="", _1="", _2="").problem


def test_no_report_at_all_is_a_problem(tmp_path, report):
    report()
    (path,) = (tmp_path / "notebooks").glob("*")
    cells = cell_report.read_cells(tmp_path / "none.xml", [path])
    assert cells.compared == 0 and cells.problem.startswith("3 cells did not run")
    assert cell_report.read_tests(tmp_path / "none.xml") == (0, [])


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch, tmp_path):
    """`main` with made-up results; which rows were measured, and what was stored."""
    measured: list[str] = []
    failing: set[str] = set()

    def measure(row, paths, seed, processes):
        measured.append(row.name)
        result = {"row": row.name, "chapters": len(paths), "chapters_passed": len(paths)}
        kernel = {"python": sys.executable, "numpy": "2", "instructions": "NEON"}
        kernel |= {"threads": row.settings["OMP_NUM_THREADS"], "torch": "2.15.0"}
        bad = [{"cell": "05_some Cell 1", "message": "1 is not 2"}] if row.name in failing else []
        more = {"compared": 7, "seconds": 1.0, "problems": [], "failed": bad}
        return result | {"kernel": kernel, **more, "passed": not bad}

    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(bench, "RESULT", tmp_path / "all.json")
    monkeypatch.setattr(bench, "PART", tmp_path / "part.json")
    newest = bench.Row("newest-torch", {"OMP_NUM_THREADS": "1"}, expected={"torch": "2.15.0"})
    monkeypatch.setattr(bench, "newest_torch", lambda: newest)
    return measured, failing, tmp_path


def test_rows_with_equal_environments_are_run_once(command, capsys):
    measured, _, folder = command
    assert bench.main([]) == 0
    assert measured == [name for name in bench.NAMES if name not in ("own", "newest-torch")]
    stored = json.loads((folder / "all.json").read_text())
    assert [row["row"] for row in stored["rows"]] == list(bench.NAMES)
    shown = capsys.readouterr().out
    assert "as threads-2" in shown and "as threads-1" in shown


def test_a_cell_that_differs_is_the_status_and_a_part_does_not_replace_the_whole(command, capsys):
    measured, failing, folder = command
    failing.add("avx2")
    assert bench.main(["avx2", "threads-1", "--chapters", "02", "09"]) == 1
    assert measured == ["avx2", "threads-1"]
    assert "05_some Cell 1\n        1 is not 2" in capsys.readouterr().out
    assert [path.name for path in folder.glob("*.json")] == ["part.json"]
    stored = json.loads((folder / "part.json").read_text())
    assert stored["chapters"] == ["02_autograd", "09_optimizers"] and not stored["passed"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["oldest_torch"], "unknown row 'oldest_torch'; known: threads-1, "),
        (["--chapters", "99"], "unknown chapter '99'; known: 00, 01, "),
    ],
)
def test_an_unknown_name_lists_the_known(words, message, capsys):
    with pytest.raises(SystemExit) as error:
        bench.main(words)
    assert error.value.code == 2 and message in capsys.readouterr().err


def test_a_row_that_cannot_be_installed_fails(monkeypatch):
    def refuse(name, packages):
        raise extra_environment.InstallError("no network")

    monkeypatch.setattr(extra_environment, "make", refuse)
    result = bench.measure(bench.table()["oldest-torch"], [], 0, 1)
    assert result["problems"] == ["no network"] and not result["passed"]


# --- environments of their own --------------------------------------------------------------------


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """Commands that would be run; those whose text holds a word of ``refused`` fail."""
    calls: list[list[str]] = []
    refused: list[str] = []

    def run(command):
        calls.append(command)
        if any(word in " ".join(command) for word in refused):
            raise extra_environment.InstallError("no network")
        if "venv" in command:
            python = extra_environment.python_of(Path(command[-1]))
            python.parent.mkdir(parents=True)
            python.touch()
        return f"{tmp_path}\n" if "-c" in command else ""

    monkeypatch.setattr(extra_environment, "FOLDER", tmp_path)
    monkeypatch.setattr(extra_environment, "_run", run)
    return calls, refused


def test_an_environment_is_made_once_for_the_same_packages(pip, tmp_path):
    calls, _ = pip
    python = extra_environment.make("some", ("a===1", "b===2"))
    assert python == extra_environment.python_of(tmp_path / ".some")
    assert calls[-1] == [str(python), "-m", "pip", "install", "--quiet", "a===1", "b===2"]
    assert "site.addsitedir(" in (tmp_path / "course.pth").read_text()
    seen = len(calls)
    assert extra_environment.make("some", ("b===2", "a===1")) == python and len(calls) == seen
    extra_environment.make("some", ("a===1",))
    assert len(calls) == 2 * seen


def test_an_environment_that_was_cut_off_is_made_anew(pip):
    calls, refused = pip
    refused.append("install")
    with pytest.raises(extra_environment.InstallError, match="no network"):
        extra_environment.make("some", ("a===1",))
    refused.clear()
    seen = len(calls)
    extra_environment.make("some", ("a===1",))
    assert len(calls) == 2 * seen


def test_the_newest_version_is_read_from_pip(monkeypatch):
    monkeypatch.setattr(extra_environment, "_run", lambda _: "torch (2.16.1)\nAvailable: 2.16.1\n")
    assert extra_environment.newest("torch") == "2.16.1"
    monkeypatch.setattr(extra_environment, "_run", lambda _: "")
    with pytest.raises(extra_environment.InstallError, match="newest"):
        extra_environment.newest("torch")


def test_the_newest_torch_is_the_course_s_or_has_an_environment(monkeypatch):
    ours = {"torch": "2.15.0+cu130", "torchvision": "0.29.2"}
    monkeypatch.setattr(bench.importlib.metadata, "version", ours.get)
    index = {"torch": "2.15.0", "torchvision": "0.29.2"}
    monkeypatch.setattr(extra_environment, "newest", index.get)
    assert bench.newest_torch().packages == ()
    index |= {"torch": "2.16.0", "torchvision": "0.30.0"}
    row = bench.newest_torch()
    assert row.packages == ("torch===2.16.0", "torchvision===0.30.0")
    assert row.expected == index and row.folder == "torch-2.16.0"


def test_pip_s_last_words_are_the_error():
    fail = "import sys; print('much'); sys.exit('no matching distribution')"
    with pytest.raises(extra_environment.InstallError, match="no matching distribution"):
        extra_environment._run([sys.executable, "-c", fail])
