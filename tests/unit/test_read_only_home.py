"""A home folder that cannot be written: what needs none runs, and the rest says what to do.

The home is a path below /dev/null: nobody can make a folder there, not even root, for whom
permissions do not count.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from course_utils.commands import bootstrap, cli, doctor, folders
from course_utils.commands.doctor import NOTE, OK, PROBLEM

ROOT = Path(__file__).resolve().parents[2]
HOME = os.path.join(os.devnull, "home")
# What would lead programs away from the home folder.
ELSEWHERE = ("IPYTHONDIR", "MPLCONFIGDIR", "TORCH_HOME", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR")
ELSEWHERE += ("JUPYTER_CONFIG_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no folder of that kind")


@pytest.fixture
def read_only(monkeypatch):
    for name in ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", HOME)


def without_home() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    return {**kept, "HOME": HOME, "COURSE_DATA_DIR": os.path.join(os.devnull, "data")}


def test_a_chapter_and_its_playground_run_in_a_kernel():
    chapter = nbformat.read(ROOT / "notebooks" / "09_optimizers.ipynb", as_version=4)
    codes = [cell for cell in chapter.cells if cell.cell_type == "code"]
    live = next(cell for cell in codes if "playgrounds" in cell.source)
    wanted = [out["data"]["text/plain"] for out in live["outputs"] if "data" in out]
    assert wanted
    chapter.cells = [codes[0], live] if live is not codes[0] else [live]
    client = NotebookClient(
        chapter, timeout=120, resources={"metadata": {"path": str(ROOT / "notebooks")}}
    )

    async def run() -> None:  # a cell that raises ends it
        async with client.async_setup_kernel(env=without_home()):
            for index, cell in enumerate(chapter.cells):
                await client.async_execute_cell(cell, index)

    asyncio.run(run())
    outputs = [out for cell in chapter.cells for out in cell["outputs"]]
    shown = [out["data"].get("text/plain", "") for out in outputs if "data" in out]
    assert [text for text in wanted if text not in shown] == []
    said = "".join(out["text"] for out in outputs if out.get("name") == "stderr")
    assert said == "" or "MPLCONFIGDIR" in said  # matplotlib's own words, with its remedy


def test_the_doctor_says_it_and_does_not_stumble():
    ran = subprocess.run(
        [sys.executable, "-m", "course_utils", "--here", "doctor"],
        cwd=ROOT,
        env=without_home() | {"COURSE_DATASET": "mnist"},
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in ran.stdout + ran.stderr
    assert ran.returncode == 1
    said = " ".join(ran.stdout.split())
    assert "JupyterLab cannot start: it cannot write to" in said
    assert folders.REMEDY in said
    assert "IPython keeps no history" in said
    assert "cannot be stored: /dev/null is no folder" in said
    assert "set COURSE_DATA_DIR to a folder that you may write to" in said


def test_the_lab_says_it_before_it_starts(read_only, capsys, monkeypatch):
    def start(arguments: list[str]) -> int:
        raise AssertionError("it was started")

    monkeypatch.setattr(bootstrap, "hand_over", start)
    assert cli.main(["--here", "lab"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("course: JupyterLab cannot write to /dev/null")
    assert folders.REMEDY in said


def test_another_folder_for_jupyter_is_enough(read_only, monkeypatch, tmp_path):
    assert folders.lab_problem(sys.executable)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    assert folders.lab_problem(sys.executable) is None
    found = [finding.status for finding in doctor.home()]
    assert found[0] == OK and PROBLEM not in found and NOTE in found


def test_what_can_be_written(monkeypatch, tmp_path):
    assert folders.unwritable(tmp_path) is None
    assert folders.unwritable(tmp_path / "new" / "newer") is None
    assert list(tmp_path.iterdir()) == []  # it only looks
    (tmp_path / "file").touch()
    assert folders.unwritable(tmp_path / "file" / "x") == f"{tmp_path / 'file'} is no folder"
    # A read-only disk refuses root as well; the system says so through the same question.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert folders.unwritable(tmp_path) == f"{tmp_path} is read-only"


def test_a_course_folder_that_cannot_be_written_is_a_note(monkeypatch):
    monkeypatch.setattr(
        folders, "unwritable", lambda place: "it is" if Path(place).name == "notebooks" else None
    )
    notes = [finding for finding in doctor.home() if finding.status == NOTE]
    assert len(notes) == 1 and "cannot be saved" in notes[0].detail and notes[0].remedy
