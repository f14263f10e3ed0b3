"""One browser for all tests, and each chapter run to its end once per setting of the subshells."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from tests.browser.lab import LabPage, chromium, lab_server

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A Chromium context; every notebook opens in a page of its own."""
    with chromium() as context:
        yield context


@pytest.fixture(scope="session", params=[True, False], ids=["subshells", "no-subshells"])
def lab(request, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """Address and folder of a JupyterLab over a copy of the notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(notebook, folder)
    with lab_server(folder, subshells=request.param) as url:
        yield url, folder


@pytest.fixture(scope="session")
def chapter(browser, lab) -> Iterator[Callable[[str], LabPage]]:
    """`chapter("09")` is that chapter, open and run to its end; it stays open for further tests."""
    url, folder = lab
    pages: dict[str, LabPage] = {}

    def open_chapter(number: str) -> LabPage:
        if number not in pages:
            (notebook,) = folder.glob(f"{number}_*.ipynb")
            pages[number] = LabPage(browser.new_page(), url, notebook.name)
            pages[number].run_all()
        pages[number].page.bring_to_front()
        return pages[number]

    yield open_chapter
    for page in pages.values():
        page.page.close()


@pytest.fixture(scope="module")
def scratch(browser, lab) -> Iterator[Callable[..., LabPage]]:
    """`scratch(source, …)` is a notebook with these code cells, run to its end.

    The tests of a module share it: the same sources are the same open page.
    """
    url, folder = lab
    opened: dict[tuple[str, ...], LabPage] = {}

    def write(*sources: str) -> LabPage:
        if sources not in opened:
            spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
            notebook = nbformat.v4.new_notebook(metadata={"kernelspec": spec})
            notebook.cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
            name = f"scratch{len(list(folder.glob('scratch*')))}.ipynb"
            nbformat.write(notebook, folder / name)
            opened[sources] = LabPage(browser.new_page(), url, name)
            opened[sources].run_all()
        opened[sources].page.bring_to_front()
        return opened[sources]

    yield write
    for page in opened.values():
        page.page.close()
