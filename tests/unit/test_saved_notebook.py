"""What a saved notebook keeps of live outputs, without a server: pictures, words, one line."""

from __future__ import annotations

import copy

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter

from course_utils.commands.notebook_format import WIDGET_VIEW
from course_utils.commands.saved_notebook import HOW, LINE, keep_metadata, settle, view_of
from course_utils.commands.server_extension import DESCRIBED
from course_utils.live.noted import LIVE

WIDGET = "0123456789abcdef" * 2
BAR = "  3%|▎         | 8/264 [00:00<00:12, 21.00batch/s]"
NEWS = {
    "kernel": "k",
    "process": 1,
    "data": {"image/png": "bmV3"},
    "metadata": {"image/png": {"alt": "At 2."}},
}


def output(data: dict, metadata: dict | None = None) -> dict:
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}


def playground(widget: str = WIDGET) -> dict:
    data = {"image/png": "b2xk", "text/plain": "At 1.", WIDGET_VIEW: view_of(widget)}
    return output(data, {"image/png": {"alt": "At 1."}, LIVE: WIDGET})


def notebook(*outputs: dict, count: int | None = 1, **metadata: dict) -> dict:
    cell = nbformat.v4.new_code_cell("x", id="a", execution_count=count)
    cell["outputs"] = [copy.deepcopy(one) for one in outputs]
    made = nbformat.v4.new_notebook(cells=[cell], metadata=metadata)
    nbformat.validate(made)
    return nbformat.from_dict(made)


def settled(*outputs: dict, note=lambda _: None, lives=lambda _: False, **about) -> list[dict]:
    """The outputs after one and after a second time, which must be the same."""
    made = notebook(*outputs, **about)
    settle(made, note, lives)
    nbformat.validate(made)
    once = copy.deepcopy(made)
    settle(made, note, lives)
    assert made == once
    return made["cells"][0]["outputs"]


@pytest.mark.parametrize("widget", [WIDGET, ""], ids=["shown", "closed by the page"])
def test_a_playground_is_stored_as_its_picture_and_a_line_below(widget):
    picture, line = settled(playground(widget))
    assert set(picture["data"]) == {"image/png", "text/plain"}
    assert set(line["data"]) == {"text/markdown"} and line["metadata"] == {LINE: True}
    assert line["data"]["text/markdown"] == f"At 1.\n\n{HOW}"


def test_picture_alt_text_and_words_are_the_last_ones():
    picture, line = settled(playground(), note={WIDGET: NEWS}.get)
    assert picture["data"] == {"image/png": "bmV3", "text/plain": "At 1."}  # the text is compared
    assert picture["metadata"] == {"image/png": {"alt": "At 2."}, LIVE: WIDGET}
    assert line["data"]["text/markdown"].startswith("At 2.")


def test_a_widget_that_lives_is_put_back_and_the_line_taken_away():
    stored = settled(playground(), note={WIDGET: NEWS}.get)
    (picture,) = settled(*stored, note={WIDGET: NEWS}.get, lives=lambda about: about is NEWS)
    assert picture["data"][WIDGET_VIEW] == view_of(WIDGET)
    assert settled(picture, note={WIDGET: NEWS}.get) == stored


def test_words_in_the_line_are_words_and_no_markup():
    made = playground()
    made["metadata"]["image/png"]["alt"] = "w_1 * $x$ [a](b) <b>"
    line = settled(made)[1]["data"]["text/markdown"]
    assert line.startswith(r"w\_1 \* \$x\$ \[a\](b) \<b\>")


def test_a_question_is_stored_as_its_words():
    data = {"text/html": "<b>?</b>", "text/plain": "?", WIDGET_VIEW: view_of(WIDGET)}
    (words,) = settled(output(data, {LIVE: WIDGET}), note={WIDGET: NEWS | {"data": {}}}.get)
    assert words["data"] == {"text/html": "<b>?</b>", "text/plain": "?"}


@pytest.mark.parametrize("text", [BAR, "0batch [00:00, ?batch/s]", "epoch 2:" + BAR])
def test_a_progress_bar_is_dropped_when_its_cell_has_ended(text):
    bar = output({"text/plain": text, WIDGET_VIEW: view_of(WIDGET)})
    assert settled(bar) == []
    assert settled(bar, count=None) == [bar]  # it is still filling


def foreign() -> dict[str, dict]:
    view = view_of("f" * 32)
    return {
        "ipympl": output({"image/png": "eA==", "text/html": "x", WIDGET_VIEW: view}),
        "interact": output({"text/plain": "interactive(children=())", WIDGET_VIEW: view}),
        "a picture": output({"image/png": "eA==", "text/plain": "Figure(640x480)"}),
        "printed": {"output_type": "stream", "name": "stdout", "text": BAR},
    }


@pytest.mark.parametrize("name", foreign())
def test_what_the_course_did_not_make_stays(name):
    assert settled(foreign()[name]) == [foreign()[name]]


def test_a_bar_whose_state_is_stored_stays():
    bar = output({"text/plain": BAR, WIDGET_VIEW: view_of(WIDGET)})
    state = {"application/vnd.jupyter.widget-state+json": {"state": {WIDGET: {}}}}
    assert settled(bar, widgets=state) == [bar]


FULL = {"name": "python", "version": "3.11.2", "file_extension": ".py"}


@pytest.mark.parametrize(
    ("saved", "stored", "wanted"),
    [
        (FULL, {"name": "python"}, {"name": "python"}),
        (FULL, FULL, FULL),
        ({"name": "R"}, {"name": "python"}, {"name": "R"}),
        (FULL, None, FULL),
    ],
    ids=["a chapter", "of their own", "another language", "nothing stored"],
)
def test_the_language_stays_as_short_as_it_was(saved, stored, wanted):
    made = notebook(language_info=saved)
    keep_metadata(made, {} if stored is None else {"language_info": stored})
    assert made["metadata"]["language_info"] == wanted


@pytest.mark.parametrize("template", ["lab", "classic"])
def test_a_page_has_words_for_its_pictures_and_neither_widgets_nor_bars(template):
    odd = playground()
    odd["metadata"]["image/png"]["alt"] = 'x < 1 & "y"'
    bar = output({"text/plain": BAR, WIDGET_VIEW: view_of("b" * 32)})
    plain = output({"image/png": "eA==", "text/plain": "Figure(640x480)"})
    made = notebook(bar, odd, plain)
    exporter = HTMLExporter(preprocessors=[DESCRIBED], template_name=template)
    page, _ = exporter.from_notebook_node(made)
    images = BeautifulSoup(page, "html.parser").find_all("img")
    assert [image["alt"] for image in images] == ['x < 1 & "y"', "Figure(640x480)"]
    assert [image["src"] for image in images] == [
        f"data:image/png;base64,{png}" for png in ("b2xk", "eA==")
    ]
    assert "batch/s" not in page and "widget-view" not in page
