"""Chapters out of order, and their cells as answers to their exercises: a plugin beside nbval.

``pytest --nbval --again random notebooks/02_autograd.ipynb`` runs a chapter from the top as nbval
does and then, in the same kernel, each cell once more, in an order that looks random and is always
the same; ``--again in-order`` takes them from the top. The outputs must be the stored ones each
time. At last each function and class of the chapter is handed in as answer to each of its exercises
(pasted.py): none may be accepted.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from course_utils.exercises import chapters, exercises_of

ROOT = Path(__file__).resolve().parents[2]
ORDERS = ("random", "in-order")
# Cells that take more than a second or two, in chapters that train for long or start processes:
# they are left out of the random order.
RUN_ONCE: dict[str, tuple[str, ...]] = {
    "08": ("a0c8e104", "259c9e12", "7172d1d4", "1ec90eb4", "abb46c12", "a0c8e10a", "15ca79d2"),
    "10": ("403eb7bf", "1bd5e8e6", "1d37f0c5"),
    "11": ("34bfaf32",),
    "12": (
        *("de01c072", "44a21d06", "4023dad1", "4662df9a"),
        *("8381a4c7", "eea285b5", "c29ba8f2", "0299bff2"),
        *("transfer-features", "transfer-run"),
    ),
    "13": ("profile-twice", "2e3f510a", "c19d5cfe", "bb14f125", "79ed7aa1", "3213fb33"),
}
# Cells that do not give their stored output when they run again, and exercises that the chapter
# solves itself. A test fails when one of them is mended and still stands here.
OUT_OF_ORDER: dict[str, tuple[str, ...]] = {}
SOLVED: tuple[str, ...] = ()
PASTE = """
import sys
sys.path.insert(0, {root!r})
from tests.notebooks.pasted import refuse_all
refuse_all({exercise!r}, {path!r}, globals())
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("nbval").addoption(
        "--again",
        choices=ORDERS,
        help="with --nbval: run each cell once more, and refuse the chapter as its own answer",
    )


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Iterator[None]:
    found = yield
    if not parent.config.option.again:
        return found
    return [
        TwiceRun.from_parent(parent, path=file_path) if type(one) is IPyNbFile else one
        for one in found
    ]


class TwiceRun(IPyNbFile):
    """A notebook that runs from the top, then again, and then answers its exercises itself."""

    def collect(self) -> Iterator[IPyNbCell]:
        first = list(super().collect())
        yield from first
        chapter = self.path.name[:2]
        again, listed = first, ()
        if self.config.option.again == "random":
            again = [item for item in first if item.cell.id not in RUN_ONCE.get(chapter, ())]
            again = sorted(again, key=lambda item: drawn(item.cell.id))
            listed = OUT_OF_ORDER.get(chapter, ())
        for item in again:
            one = self.one_more(f"{item.name} again", item.cell_num, item.cell, item.options)
            yield expected_to_fail(one, item.cell.id in listed)
        for exercise in exercises_of(chapter) if chapter in chapters() else ():
            source = PASTE.format(root=str(ROOT), exercise=exercise.name, path=str(self.path))
            cell = nbformat.v4.new_code_cell(source)
            one = self.one_more(f"Pasted into {exercise.name}", -1, cell, defaultdict(bool))
            yield expected_to_fail(one, exercise.name in SOLVED)

    def one_more(self, name: str, number: int, cell: Any, options: dict[str, bool]) -> Again:
        return Again.from_parent(self, name=name, cell_num=number, cell=cell, options=options)


class Again(IPyNbCell):
    """A cell that nbval itself would not run."""

    def reportinfo(self) -> tuple[Any, int, str]:
        path, line, _ = super().reportinfo()
        return path, line, self.nodeid


def expected_to_fail(item: Again, listed: bool) -> Again:
    """``item``, which must fail while it is ``listed``."""
    if listed:
        item.add_marker(pytest.mark.xfail(strict=True, reason="listed in tests/notebooks/again.py"))
    return item


def drawn(name: str) -> bytes:
    """A number like a random one, by which cells are ordered: an edit leaves the others' order."""
    return hashlib.sha256(name.encode()).digest()
