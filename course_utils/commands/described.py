"""Pages that nbconvert makes: every picture with its own words, every live output as it is stored.

nbconvert's own templates leave a picture's alternative text out, and its widgets would need a
kernel, and a network to load from.
"""

from __future__ import annotations

import html
from typing import Any

from nbconvert.preprocessors import Preprocessor

from course_utils.commands.saved_notebook import settle


class Described(Preprocessor):
    """Goes through a notebook before it becomes HTML."""

    def preprocess(self, notebook: Any, resources: dict) -> tuple[Any, dict]:
        settle(notebook, lambda _: None)
        return super().preprocess(notebook, resources)

    def preprocess_cell(self, cell: Any, resources: dict, index: int) -> tuple[Any, dict]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data and "text/html" not in data:
                words = output.metadata.get("image/png", {}).get("alt") or data.get(
                    "text/plain", ""
                )
                source = f"data:image/png;base64,{html.escape(data.pop('image/png').strip())}"
                data["text/html"] = f'<img alt="{html.escape(words)}" src="{source}">'
        return cell, resources
