"""What a saved notebook keeps of its live outputs: pictures and words, which need no kernel.

JupyterLab prefers the widget that an output names to the picture stored beside it, and shows "model
not found" once the kernel is gone. So the file has no widgets of ours: a playground is its last
picture, a question its words. What the course did not make stays as it is, and so does the text
that `make test` compares, which is from when the cell ran.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from course_utils.commands.notebook_format import joined
from course_utils.live.noted import LIVE, WIDGET_VIEW, view_of

LINE = "course_line"  # in the metadata of an output: the line below a picture
HOW = (
    "*This is the last picture. To bring it alive, run this cell again (Shift+Enter); "
    "if it misses a name, the cells above it first.*"
)
BAR = re.compile(r"\[\d\d:\d\d(:\d\d)?[<,][^\]]*\]\s*$")  # "… 3/264 [00:01<02:10, 2.00it/s]"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
STORED_LANGUAGE = {"name": "python"}

Notebook = dict[str, Any]
Note = dict[str, Any]


def settle(
    notebook: Notebook,
    note: Callable[[str], Note | None],
    lives: Callable[[Note | None], bool] = lambda _: False,
) -> None:
    """Give every output of ours in `notebook` its newest picture or words and, where its widget
    `lives`, the widget, otherwise the line that says how to bring it alive. Doing it twice changes
    nothing.

    Args:
        note: what is noted of the widget of that id.
        lives: whether the widget of a note still answers.
    """
    states = notebook.get("metadata", {}).get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        kept, ended = [], cell.get("execution_count") is not None
        for output in cell["outputs"]:
            metadata = output.get("metadata", {})
            if LINE in metadata or (ended and is_dead_bar(output, states)):
                continue
            kept.append(output)
            if LIVE in metadata:
                about = note(metadata[LIVE])
                if about:
                    output["data"].update(about["data"])
                    metadata.update(about["metadata"])
                output["data"].pop(WIDGET_VIEW, None)
                if lives(about):
                    output["data"][WIDGET_VIEW] = view_of(metadata[LIVE])
                    # Pages show widgets of trusted cells only, and trust all cells or none. This
                    # one was run here: nobody else can name the widget.
                    cell["metadata"]["trusted"] = True
                elif "image/png" in output["data"]:
                    kept.append(line_below(metadata.get("image/png", {}).get("alt", "")))
        cell["outputs"] = kept


def line_below(words: str) -> dict[str, Any]:
    """The output below a picture: its words, and how to bring it alive."""
    plain = re.sub(r"([\\`*_{}\[\]<>$|#])", r"\\\1", words)
    return {
        "output_type": "display_data",
        "data": {"text/markdown": f"{plain}\n\n{HOW}"},
        "metadata": {LINE: True},
    }


def is_dead_bar(output: dict[str, Any], states: dict[str, Any]) -> bool:
    """Whether `output` is nothing but a progress bar that no file can show again."""
    data = output.get("data", {})
    if WIDGET_VIEW not in data or not data.keys() <= {WIDGET_VIEW, "text/plain"}:
        return False
    widget = data[WIDGET_VIEW].get("model_id")
    return widget not in states and bool(BAR.search(joined(data.get("text/plain", ""))))


def keep_metadata(notebook: Notebook, stored: dict[str, Any]) -> None:
    """Leave the language as short as it is `stored` in the file.

    JupyterLab writes there what the kernel says of itself, and so would change a chapter by opening
    it.
    """
    language = notebook.get("metadata", {}).get("language_info", {})
    if language.get("name") == "python" and stored.get("language_info") == STORED_LANGUAGE:
        notebook["metadata"]["language_info"] = dict(STORED_LANGUAGE)
