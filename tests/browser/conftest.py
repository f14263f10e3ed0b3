"""One browser for all tests, and each chapter run to its end once."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.lab import LabPage, chromium, lab_server, write_notebook

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A Chromium context; every notebook opens in a page of its own."""
    with chromium() as context:
        yield context


@pytest.fixture(scope="session")
def labs(tmp_path_factory) -> Iterator[Callable[[bool], tuple[str, Path]]]:
    """`labs(subshells)`: address and folder of a JupyterLab over a copy of the notebooks."""
    started: dict[bool, tuple[str, Path]] = {}
    with contextlib.ExitStack() as servers:

        def lab_with(subshells: bool) -> tuple[str, Path]:
            if subshells not in started:
                folder = tmp_path_factory.mktemp("lab")
                for notebook in NOTEBOOKS.glob("*.ipynb"):
                    shutil.copy(notebook, folder)
                url = servers.enter_context(lab_server(folder, subshells=subshells))
                started[subshells] = (url, folder)
            return started[subshells]

        yield lab_with


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "lab" in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("either_thread")
        settings = {"subshells": True} | ({"no-subshells": False} if both else {})
        metafunc.parametrize("lab", settings.values(), ids=settings, indirect=True, scope="module")


@pytest.fixture(scope="module")
def lab(request, labs) -> tuple[str, Path]:
    """A JupyterLab: with subshells, and for some tests without them too."""
    return labs(request.param)


@pytest.fixture(scope="module")
def scratch(browser, lab) -> Iterator[Callable[..., LabPage]]:
    """`scratch(source, …)` is a notebook with these code cells, run to its end.

    The tests of a module share it: the same sources are the same open page.
    """
    url, folder = lab
    opened: dict[tuple[str, ...], LabPage] = {}

    def write(*sources: str) -> LabPage:
        if sources not in opened:
            name = f"scratch{len(list(folder.glob('scratch*')))}.ipynb"
            write_notebook(folder / name, *sources)
            opened[sources] = LabPage(browser.new_page(), url, name)
            opened[sources].run_all()
        opened[sources].page.bring_to_front()
        return opened[sources]

    yield write
    for page in opened.values():
        page.close()
