"""A chapter run upside down or at random, as a learner jumps about, and then from the top."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
# A name that does not exist yet, or one that still means what another cell made of it.
LEARNERS = {"NameError", "AttributeError", "TypeError"}


def texts(cell: dict) -> tuple[str, list[str]]:
    """What a cell prints, and what it shows, pictures by their words."""
    printed = [out["text"] for out in cell["outputs"] if out["output_type"] == "stream"]
    shown = [out["data"].get("text/plain", "") for out in cell["outputs"] if "data" in out]
    return "".join(printed), shown


@pytest.mark.parametrize(
    ("chapter", "order"), [("02_autograd", "reversed"), ("04_backpropagation", "shuffled")]
)
def test_any_order_and_then_from_the_top(chapter, order):
    notebook = nbformat.read(NOTEBOOKS / f"{chapter}.ipynb", as_version=4)
    stored = [texts(cell) for cell in notebook.cells if cell.cell_type == "code"]
    indices = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    jumps = indices[::-1]
    if order == "shuffled":
        random.Random(0).shuffle(jumps)
    client = NotebookClient(
        notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(NOTEBOOKS)}}
    )

    async def run() -> tuple[set[str], list[tuple[str, list[str]]]]:
        errors = set()
        async with client.async_setup_kernel():
            for i in jumps:
                await client.async_execute_cell(notebook.cells[i], i)
                errors |= {
                    output["ename"]
                    for output in notebook.cells[i]["outputs"]
                    if output["output_type"] == "error"
                }
            assert await client.km.is_alive()
            for i in indices:
                await client.async_execute_cell(notebook.cells[i], i)
        return errors, [texts(notebook.cells[i]) for i in indices]

    errors, again = asyncio.run(run())
    assert errors <= LEARNERS
    assert again == stored
