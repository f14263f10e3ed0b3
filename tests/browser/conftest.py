"""One browser for all tests, and each chapter run to its end once per setting of the subshells."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.lab import LabPage, chromium, lab_server

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A Chromium context; tests open pages of their own."""
    with chromium() as context:
        yield context


@pytest.fixture(scope="session", params=[True, False], ids=["subshells", "no-subshells"])
def lab(request, tmp_path_factory) -> Iterator[str]:
    """Address of a JupyterLab over a copy of the notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(notebook, folder)
    with lab_server(folder, subshells=request.param) as url:
        yield url


def open_notebook(browser, url: str, name: str) -> LabPage:
    """The notebook `name` in a page of its own."""
    return LabPage(browser.new_page(), url, name)
