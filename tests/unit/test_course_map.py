"""The map in chapter 00 and the table of the README say what the chapters' headers say."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def rows(text: str) -> dict[str, list[str]]:
    """Chapter number -> the cells of its row in a Markdown table."""
    found = {}
    for line in text.replace("&nbsp;", " ").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if re.fullmatch(r"\d\d", cells[0]) and len(cells) == 6:
            found[cells[0]] = cells
    return found


def the_map() -> str:
    cells = nbformat.read(CHAPTERS[0], as_version=4).cells
    (text,) = [cell.source for cell in cells if cell.source.startswith("## The map")]
    return text


TABLES = {
    "README": (rows((ROOT / "README.md").read_text(encoding="utf-8")), "notebooks/"),
    "map": (rows(the_map()), ""),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_times_needs_and_links_are_those_of_the_header(path, table):
    found, folder = TABLES[table]
    _, link, _, needs, reading, runs_in = found[path.name[:2]]
    header = nbformat.read(path, as_version=4).cells[0].source
    assert reading == re.search(r"Reading time:\*\* about (\d+)", header)[1] + " min"
    number, unit = re.search(r"Run time:\*\* about (\d+) (second|minute)", header).groups()
    assert runs_in == f"{number} {'s' if unit == 'second' else 'min'}"
    asked = re.search(r"\*\*Prerequisites:\*\*(.*)", header)
    linked = set(re.findall(r"\((\d\d)_\w+\.ipynb", asked[1] if asked else "")) - {"00"}
    assert needs == (", ".join(sorted(linked)) or "Python")
    if path != CHAPTERS[0] or folder:
        assert f"({folder}{path.name})" in link


@pytest.mark.parametrize("table", TABLES)
def test_no_chapter_is_missing_and_none_is_invented(table):
    assert list(TABLES[table][0]) == [path.name[:2] for path in CHAPTERS]
