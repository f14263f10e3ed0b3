"""What a run of nbval or pytest says in its junit file: cells compared, cells that differ."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.commands import notebook_format as form

LINES = 25  # of a failure's text


@dataclass
class Cells:
    """``failed`` has "cell" and "message" of each; ``problem`` says what is missing."""

    compared: int = 0
    chapters_passed: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)
    problem: str | None = None


def _cases(report: Path) -> list[tuple[str, str, str, str]]:
    """(file or module, name, "passed" or "failed" or "skipped", text) of each test."""
    try:
        root = ET.parse(report).getroot()
    except (OSError, ET.ParseError):
        return []  # pytest did not come to its end
    found = []
    for case in root.iter("testcase"):
        bad = [*case.iter("failure"), *case.iter("error")]
        outcome = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
        text = "\n".join(part.text or part.get("message", "") for part in bad)
        found.append((case.get("classname", ""), case.get("name", ""), outcome, text))
    return found


def telling(text: str) -> str:
    """The part of nbval's message that says what differs, without the cell's source."""
    text = text.split("\nTraceback:\n", 1)[-1]
    return "\n".join([line for line in text.splitlines() if line.strip()][:LINES])


def read_cells(report: Path, paths: list[Path], twice: bool = False) -> Cells:
    """The cells of the notebooks ``paths`` in a junit file of nbval, where each ran once or twice.

    nbval counts the code cells of a notebook from 0. A cell that is missing or was skipped makes
    the whole report incomplete.
    """
    cases, cells, missing = _cases(report), Cells(), []
    for path in paths:
        code = [cell for cell in form.read(path)["cells"] if cell["cell_type"] == "code"]
        ours = {
            name: (outcome, text)
            for file, name, outcome, text in cases
            if file.replace("/", ".").endswith(f"{path.stem}.ipynb")
        }
        clean = True
        runs = [(f"Cell {number}", cell) for number, cell in enumerate(code)]
        runs += [(f"{name} again", cell) for name, cell in runs] if twice else []
        for name, cell in runs:
            outcome, text = ours.get(name, ("missing", ""))
            if outcome in ("missing", "skipped"):
                missing.append(f"{path.stem} {name}")
            elif not form.is_uncompared(cell["metadata"]):
                cells.compared += 1
            if outcome == "failed":
                cells.failed.append({"cell": f"{path.stem} {name}", "message": telling(text)})
            clean = clean and outcome == "passed"
        cells.chapters_passed += clean
    if missing:
        cells.problem = f"{len(missing)} cells did not run, the first is {missing[0]}"
    return cells


def read_tests(report: Path) -> tuple[int, list[dict[str, str]]]:
    """How many tests passed in a junit file of pytest, and those that failed."""
    cases = _cases(report)
    failed = [
        {"cell": f"{file}.{name}", "message": telling(text)}
        for file, name, outcome, text in cases
        if outcome == "failed"
    ]
    return sum(outcome == "passed" for _, _, outcome, _ in cases), failed


def write_notebook(path: Path, source: str) -> None:
    """A notebook of one cell without outputs. nbval runs it; there is nothing to compare."""
    cell = {"cell_type": "code", "id": "witness", "metadata": {}, "source": source}
    cell |= {"execution_count": None, "outputs": []}
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": [cell], "metadata": {"kernelspec": spec}}
    notebook |= {"nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")
