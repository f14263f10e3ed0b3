"""``make html [CH=09]``: the chapters as web pages, with their stored pictures and results.

Each picture gets its own text as alternative text, and links between chapters lead to pages.
Nothing is run; the playgrounds are the pictures that are stored of them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from course_utils.commands.bootstrap import ROOT
from course_utils.commands.notebooks import choose

TARGET = ROOT / "build" / "html"
CHAPTER_LINK = re.compile(r"(\]\(\d\d_\w+)\.ipynb")
OUTSIDE_LINK = re.compile(r"\]\(\.\./")  # from notebooks/ to the root, from build/html two up


def page(path: Path) -> str:
    """The notebook at `path` as one page of HTML.

    Raises ValueError when the file is no notebook.
    """
    import nbformat
    from nbconvert import HTMLExporter

    from course_utils.commands.described import Described

    try:
        notebook = nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, AttributeError) as error:
        raise ValueError(f"{path.name} is no notebook: {error}") from error
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = OUTSIDE_LINK.sub("](../../", CHAPTER_LINK.sub(r"\1.html", cell.source))
    exporter = HTMLExporter(preprocessors=[Described], anchor_link_text="#")
    resources = {"metadata": {"name": path.stem, "path": str(path.parent)}}
    return exporter.from_notebook_node(notebook, resources)[0]


def main(arguments: list[str], target: Path = TARGET) -> int:
    """Write the chosen chapters as pages into `target`; 2 for a chapter that does not exist."""
    try:
        paths = choose(arguments)
    except ValueError as error:
        print(f"course: {error}", file=sys.stderr)
        return 2
    target.mkdir(parents=True, exist_ok=True)
    for path in paths:
        (target / f"{path.stem}.html").write_text(page(path), encoding="utf-8")
    print(f"{len(paths)} pages in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
