"""The strict comparison notices what it must: a changed number in an output, and one in the code.

A real chapter is copied and cut after its first cell that prints a number. The copy passes as it
is; with one digit of the stored output changed, or one number of that cell's code, nbval fails it.
"""

from __future__ import annotations

import ast
import copy
import json
import re
from pathlib import Path

import pytest

from course_utils.commands import notebook_format as form
from tests.notebooks.nbval_run import run_nbval

ROOT = Path(__file__).resolve().parents[2]
PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NUMBER = re.compile(r"\d+(?:\.\d+)?")
# Not every number in a cell shows in its output; among this many, one must.
CODE_CHANGES = 4


def compared_text(cell: dict) -> list[tuple[dict, str]]:
    """The (container, key) pairs of a cell's compared texts that hold a number."""
    if form.is_uncompared(cell["metadata"]):
        return []
    places = [(output, "text") for output in cell["outputs"] if "text" in output]
    places += [(out["data"], "text/plain") for out in cell["outputs"] if "data" in out]
    return [(box, key) for box, key in places if NUMBER.search(box.get(key, ""))]


def number_positions(source: str) -> list[tuple[int, int]]:
    """(start, end) of the numbers in a cell's code, in characters."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # IPython's % and !
        return []
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            line = source.splitlines()[node.lineno - 1].encode()
            first = len(line[: node.col_offset].decode())
            last = len(line[: node.end_col_offset].decode())
            found.append((starts[node.lineno - 1] + first, starts[node.lineno - 1] + last))
    return sorted(found)


def telling_cell(notebook: form.Notebook) -> int | None:
    """Index of the first cell that prints a number and has at least one in its code."""
    for index, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code" and compared_text(cell):
            if number_positions(cell["source"]):
                return index
    return None


def shortest_beginning() -> tuple[Path, form.Notebook]:
    """The chapter that comes to such a cell after the fewest code cells, cut behind it."""
    beginnings = []
    for path in PATHS:
        notebook = form.read(path)
        index = telling_cell(notebook)
        if index is not None:
            notebook["cells"] = notebook["cells"][: index + 1]
            code = sum(cell["cell_type"] == "code" for cell in notebook["cells"])
            beginnings.append((code, path, notebook))
    assert beginnings, "no chapter prints a number that its code holds"
    _, path, notebook = min(beginnings, key=lambda item: item[:2])
    return path, notebook


def with_output_changed(notebook: form.Notebook) -> form.Notebook:
    changed = copy.deepcopy(notebook)
    box, key = compared_text(changed["cells"][-1])[0]
    text = box[key]
    last = NUMBER.search(text).end() - 1
    box[key] = text[:last] + str((int(text[last]) + 1) % 10) + text[last + 1 :]
    return changed


def with_code_changed(notebook: form.Notebook, start: int, end: int) -> form.Notebook:
    changed = copy.deepcopy(notebook)
    source = changed["cells"][-1]["source"]
    number = ast.literal_eval(source[start:end])
    changed["cells"][-1]["source"] = source[:start] + repr(number + 1) + source[end:]
    return changed


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, list[str]]:
    """Copy of the chapter -> the messages of its failed cells, from one run of nbval."""
    folder = tmp_path_factory.mktemp("regression")
    path, original = shortest_beginning()
    copies = {"untouched": original, "output": with_output_changed(original)}
    positions = number_positions(original["cells"][-1]["source"])[:CODE_CHANGES]
    for number, (start, end) in enumerate(positions):
        copies[f"code{number}"] = with_code_changed(original, start, end)
    for name, notebook in copies.items():
        text = json.dumps(notebook, ensure_ascii=False)
        (folder / f"{name}.ipynb").write_text(text, encoding="utf-8")
    results: dict[str, list[str]] = {name: [] for name in copies}
    ran: dict[str, int] = dict.fromkeys(copies, 0)
    for case in run_nbval(folder):
        ran[case.notebook] += 1
        results[case.notebook] += case.messages
    assert any(results.values()), "nothing was noticed"
    cells = sum(cell["cell_type"] == "code" for cell in original["cells"])
    assert set(ran.values()) == {cells}, f"{path.name}: {ran} cells ran, not {cells} in each copy"
    return results


def test_an_untouched_copy_passes(verdicts):
    assert verdicts["untouched"] == []


def test_a_changed_number_in_a_stored_output_fails(verdicts):
    (message,) = verdicts["output"]  # in its own cell and in no other
    assert "mismatch" in message


def test_a_changed_number_in_the_code_fails(verdicts):
    messages = [text for name, found in verdicts.items() if "code" in name for text in found]
    assert any("mismatch" in message for message in messages)
