"""The one form in which a notebook is stored, so that running it again changes nothing.

Works on notebooks as plain nested dictionaries (nbformat 4.5) and starts no kernel.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

from course_utils.live.noted import WIDGET_VIEW

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
KEPT_METADATA = ("tags", "reason")
FOLDED = {"jupyter": {"source_hidden": True}}  # kept too: the code of the cell is folded
MEASURED = "measured-picture"  # tag of a cell whose picture shows timings; its text is compared
UNCOMPARED = ("nbval-ignore-output", "nbval-skip")  # tags of cells that nbval does not compare
UNIT = r"\s?(?:ns|µs|ms|s)\b"  # of time, behind a number
A_TIME = re.compile(rf"\d{UNIT}")
A_NUMBER = re.compile(rf"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?:{UNIT})?")
VALID_ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")

Notebook = dict[str, Any]


def joined(text: str | list[str]) -> str:
    """Text of a cell or an output, which a file may hold as a list of lines."""
    return text if isinstance(text, str) else "".join(text)


def read(path: Path) -> Notebook:
    """A notebook file with text joined and a valid, unique id on every cell.

    Raises ValueError when the file is no notebook of format 4.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
        if notebook["nbformat"] != 4:
            raise KeyError("nbformat")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is not a notebook of format 4 ({error!r})") from error
    for cell in cells:
        cell["source"] = joined(cell["source"])
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = joined(output["text"])
            for mime, value in output.get("data", {}).items():
                if not mime.endswith("json"):
                    output["data"][mime] = joined(value)
    name_cells(cells)
    return notebook


def name_cells(cells: list[dict[str, Any]]) -> None:
    """Keep every valid id that comes first; make the others from the cell's content."""
    taken: set[str] = set()
    for cell in cells:
        name = cell.get("id", "")
        if not VALID_ID.match(name) or name in taken:
            digest = hashlib.sha256(f"{cell['cell_type']}\n{cell['source']}".encode()).hexdigest()
            stem, number = digest[:8], 1
            name = stem
            while name in taken:
                number += 1
                name = f"{stem}-{number}"
        cell["id"] = name
        taken.add(name)


def normalised(notebook: Notebook, before: Notebook) -> Notebook:
    """The executed ``notebook`` in its stored form; PNGs with the pixels of ``before`` keep its
    bytes, and timings that nobody compares their numbers."""
    old_cells = {cell["id"]: cell for cell in before["cells"]}
    cells = []
    count = 0
    for cell in notebook["cells"]:
        new = {
            "cell_type": cell["cell_type"],
            "id": cell["id"],
            "metadata": kept_metadata(cell["metadata"]),
            "source": cell["source"].replace("\r\n", "\n").rstrip("\n"),
        }
        if cell.get("attachments"):
            new["attachments"] = cell["attachments"]
        if cell["cell_type"] == "code":
            empty = not new["source"].strip()
            count += not empty
            new["execution_count"] = None if empty else count
            new["outputs"] = stored_outputs(cell["outputs"], new["execution_count"])
            old = old_cells.get(cell["id"], {}).get("outputs", [])
            keep_equal_images(new["outputs"], old, MEASURED in new["metadata"].get("tags", []))
            if is_uncompared(new["metadata"]):
                keep_timings(new["outputs"], old)
        cells.append(new)
    return {
        "cells": cells,
        "metadata": {"kernelspec": dict(KERNELSPEC), "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def kept_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """What a stored cell keeps of its metadata; whether it is folded, but no other look of it."""
    kept = {key: metadata[key] for key in KEPT_METADATA if metadata.get(key)}
    return kept | (copy.deepcopy(FOLDED) if is_folded(metadata) else {})


def is_folded(metadata: dict[str, Any]) -> bool:
    """Whether JupyterLab opens the cell with its code folded."""
    return metadata.get("jupyter", {}).get("source_hidden") is True


def is_uncompared(metadata: dict[str, Any]) -> bool:
    """Whether nbval compares nothing with the outputs of the cell."""
    return bool(set(metadata.get("tags", [])) & set(UNCOMPARED))


def stored_outputs(outputs: list[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """Outputs without widget views, with neighbouring streams merged and counts renewed."""
    stored: list[dict[str, Any]] = []
    for output in copy.deepcopy(outputs):
        kind = output["output_type"]
        if kind == "stream":
            last = stored[-1] if stored else {}
            if last.get("output_type") == "stream" and last["name"] == output["name"]:
                last["text"] += output["text"]
                continue
        if "data" in output:
            output["data"].pop(WIDGET_VIEW, None)
            output["metadata"] = {
                mime: value
                for mime, value in output.get("metadata", {}).items()
                if mime in output["data"]
            }
        output.pop("transient", None)
        if kind == "execute_result":
            output["execution_count"] = count
        stored.append(output)
    return stored


def keep_equal_images(
    new: list[dict[str, Any]], old: list[dict[str, Any]], measured: bool = False
) -> None:
    """Give the k-th PNG of a cell its old bytes where it shows the same pixels.

    A picture of a measurement is never the same twice: there the same text is enough.
    """
    pairs = zip(pictures(new), pictures(old), strict=False)
    for new_data, old_data in pairs:
        new_png, old_png = new_data["image/png"], old_data["image/png"]
        same_text = measured and new_data.get("text/plain") == old_data.get("text/plain")
        if same_text or new_png.strip() == old_png.strip() or same_pixels(new_png, old_png):
            new_data["image/png"] = old_png
    for data in pictures(new):
        data["image/png"] = data["image/png"].rstrip("\n") + "\n"


def keep_timings(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> None:
    """Give what tells a time its old text where only the numbers are others: they always are."""
    for output, before in zip(new, old, strict=False):
        text, stored = output.get("text", ""), before.get("text", "")
        if A_TIME.search(stored) and without_numbers(text) == without_numbers(stored):
            output["text"] = stored


def without_numbers(text: str) -> str:
    """``text`` with one sign for each number and its unit of time, and single spaces."""
    return " ".join(A_NUMBER.sub("#", text).split())


def pictures(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The data of the outputs that hold a PNG."""
    return [out["data"] for out in outputs if "image/png" in out.get("data", {})]


def same_pixels(one: str, other: str) -> bool:
    """True when two base64 PNGs decode to the same size and pixels."""
    from PIL import Image

    try:
        a, b = (
            Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA") for png in (one, other)
        )
    except (OSError, ValueError):
        return False
    return a.size == b.size and a.tobytes() == b.tobytes()


def as_text(notebook: Notebook) -> str:
    """The bytes of the file, in Jupyter's own layout."""
    import nbformat

    node = nbformat.from_dict(notebook)
    nbformat.validate(node)
    return nbformat.writes(node, version=4).rstrip("\n") + "\n"


def changed_cells(new: Notebook, before: Notebook) -> list[str]:
    """Ids of the cells that differ or are new."""
    old = {cell["id"]: cell for cell in before["cells"]}

    def text(cell: dict[str, Any] | None) -> str:
        return json.dumps(cell, sort_keys=True)

    return [cell["id"] for cell in new["cells"] if text(cell) != text(old.get(cell["id"]))]
