"""Each hygiene rule finds what it is there for, and leaves a good chapter alone."""

from __future__ import annotations

import copy
import json

import pytest

from course_utils.commands import notebook_format as form
from course_utils.exercises import exercises_of
from tests.notebooks import hygiene, teaching
from tests.notebooks.hygiene import Chapter, allowed_uncompared, count_uncompared

RULES = hygiene.RULES | teaching.RULES

HEADER = """# 09 Optimizers

You will choose an optimizer with your eyes open.

After this chapter you can

- write one
- tune one
- choose one

**Prerequisites:** [start](00_start_here.ipynb). **Reading time:** about 5 minutes.
**Run time:** 1 minute.
"""
RECAP = """## Recap

It is all in the step. Next: [the last](12_cnn_digits.ipynb).

**References**

- [one](https://example.org/a)
- [two](https://example.org/b)
"""
OPEN = """### Open experiment

Which one is quickest?

| a good answer | shows |
|---|---|
| compares | more than one seed |
| is careful | where it does not hold |
"""
ALT = "Adam ends at (0.10, 0.00), SGD does not."


def text(source: str, name: str) -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def code(source: str, name: str, *outputs: dict, fold: bool = False) -> dict:
    metadata = form.kept_metadata(form.FOLDED) if fold else {}
    cell = {"cell_type": "code", "id": name, "metadata": metadata, "source": source}
    return {**cell, "outputs": list(outputs), "execution_count": 0}


def picture() -> dict:
    data = {"text/plain": ALT, "image/png": "iVBORw0KGgo="}
    return {"output_type": "display_data", "data": data, "metadata": {"image/png": {"alt": ALT}}}


def stream(words: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": words}


def good() -> form.Notebook:
    """A small chapter that keeps every rule."""
    asks = [
        code(f'check("{e.name}", x)\n# hint("{e.name}")\n# solution("{e.name}")', f"ask{i}")
        for i, e in enumerate(exercises_of("09"))
    ]
    cells = [
        text(HEADER, "top"),
        text("## The step\n\nSee [below](#Live:-the-race) and [here](#the-step).", "body"),
        code("print(1 / 2)", "half", stream("0.5\n")),
        text("### Live: the race\n\n**Goal:** below 0.01 in 60 steps.", "live"),
        code('predict("09.saddle")', "first"),
        code("race()", "race", picture()),
        code('predict("09.adamw")', "second"),
        code("x = np.ones(3)", "data"),
        code("fig, ax = plt.subplots()\nax.plot(x)\nshow(fig, 'One line.')", "open"),
        code("fig, ax = plt.subplots()\nax.plot(x)\nshow(fig, 'One line.')", "drawn", fold=True),
        text("## Pitfalls", "pitfalls"),
        text("## Exercises", "exercises"),
        *asks,
        text(OPEN, "free"),
        text(RECAP, "recap"),
    ]
    count = 0
    for cell in cells:
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
    metadata = {"kernelspec": form.KERNELSPEC, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def chapter(folder, notebook: form.Notebook, name: str = "09_optimizers.ipynb") -> Chapter:
    for other in ("00_start_here.ipynb", "12_cnn_digits.ipynb"):
        (folder / other).write_text(json.dumps(good()), encoding="utf-8")
    (folder / name).write_text(json.dumps(notebook), encoding="utf-8")
    return Chapter.read(folder / name)


@pytest.mark.parametrize("rule", RULES)
def test_a_good_chapter_keeps_the_rule(rule, tmp_path):
    assert RULES[rule](chapter(tmp_path, good())) == []


def put(name: str, **changes):
    """Change fields of the cell with this id."""

    def change(notebook):
        next(cell for cell in notebook["cells"] if cell["id"] == name).update(changes)

    return change


def swap(name: str, old: str, new: str):
    """Replace words in the source of the cell with this id."""

    def change(notebook):
        cell = next(cell for cell in notebook["cells"] if cell["id"] == name)
        assert old in cell["source"]
        cell["source"] = cell["source"].replace(old, new)

    return change


def in_picture(**changes):
    def change(notebook):
        next(cell for cell in notebook["cells"] if cell["id"] == "race")["outputs"][0].update(
            changes
        )

    return change


def top(**changes):
    return lambda notebook: notebook.update(changes)


def tagged(*tags: str, **more: str):
    return put("half", metadata={"tags": list(tags), **more})


def several_uncompared(notebook):
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for cell in cells[:4]:
        cell["metadata"] = {"tags": ["nbval-ignore-output"], "reason": "timings of this machine"}


ERROR = {"output_type": "error", "ename": "KeyError", "evalue": "x", "traceback": []}
HTML = {"text/html": "<img src='data:image/png;base64,xx'>", "text/plain": ALT}
PNG = "iVBORw0KGgo="
BROKEN = [
    ("name_and_title", swap("top", "# 09 Optimizers", "# Optimizers"), "chapter's number"),
    ("name_and_title", swap("body", "## The step", "# The step"), "one title"),
    ("header", swap("top", "Reading time", "Time"), "reading time"),
    ("header", swap("top", "After this chapter you can", "You will"), "you can"),
    ("header", swap("top", "- tune one\n- choose one\n", ""), "1 objectives"),
    ("sections", put("pitfalls", source="## Traps"), "0 sections (##) named Pitfalls"),
    ("sections", put("recap", source="## Recap\n\n## More"), "last sections must be"),
    ("sections", swap("live", "Live: ", ""), "no heading has the word Live"),
    ("sections", swap("live", "**Goal:**", "Try:"), "Goal"),
    ("recap", swap("recap", "- [two](https://example.org/b)\n", ""), "1 references"),
    ("recap", swap("recap", "(12_cnn_digits.ipynb)", "(00_start_here.ipynb)"), "next chapter"),
    ("executed", put("race", execution_count=None), "execution count None"),
    ("executed", put("race", execution_count=7), "execution count 7"),
    ("executed", put("half", source=" "), "is empty"),
    ("executed", put("half", outputs=[ERROR]), "ended with KeyError"),
    ("executed", put("half", outputs=[stream("careful", "stderr")]), "stderr"),
    ("stored_form", top(metadata={"widgets": {}}), "notebook metadata"),
    ("stored_form", top(nbformat_minor=4), "4.5"),
    ("stored_form", put("race", id="half"), "ids"),
    ("stored_form", put("race", metadata={"execution": {}}), "metadata ['execution']"),
    ("stored_form", put("race", metadata={"jupyter": {"outputs_hidden": True}}), "is folded"),
    ("stored_form", in_picture(data={form.WIDGET_VIEW: {}}), "widget view"),
    ("sizes", put("half", source="1\n" * 26), "26 lines"),
    ("sizes", put("body", source="a\n\n" * 26), "26 lines"),
    ("sizes", put("half", outputs=[stream("x" * 100_001)]), "over 100 kB"),
    ("sizes", put("half", outputs=[stream("x" * 90_000)] * 12), "1 MB"),
    ("portable", put("half", outputs=[stream("in /home/ann/course")]), "absolute path"),
    ("portable", put("half", source="open('C:\\\\Users\\\\ann')"), "absolute path"),
    ("portable", put("half", outputs=[stream("<f at 0x7f52a8>")]), "address"),
    ("alt_texts", in_picture(metadata={}), "no alt text"),
    ("alt_texts", in_picture(data={"image/png": PNG, "text/plain": "<Figure>"}), "beside it"),
    ("alt_texts", in_picture(data=HTML), "<img>"),
    ("alt_texts", put("body", source="![](a.png)"), "no alt text"),
    ("links", swap("body", "#the-step", "#nowhere"), "no such heading"),
    ("links", swap("top", "00_start_here", "01_none"), "does not exist"),
    ("links", swap("top", "00_start_here.ipynb", "00_start_here.ipynb#x"), "no such heading"),
    ("offline", put("body", source="![a](https://example.org/a.png)"), "from the network"),
    ("offline", put("body", source="<script src='https://example.org'>"), "from the network"),
    ("offline", put("half", source="%pip install x"), "installs packages"),
    ("plain_code", put("half", source="from math import *"), "import *"),
    ("plain_code", put("half", source="import sys\nsys.path.append('..')"), "sys.path"),
    ("plain_code", put("half", source="x = 1\nx;"), "';'"),
    ("plain_code", put("half", source="x ="), "does not parse"),
    ("exercises", swap("ask0", "# hint(", "# hunt("), "has no hint"),
    ("exercises", swap("ask1", "# solution(", "# "), "has no solution"),
    ("exercises", swap("ask1", "check(", "("), "has no check"),
    ("uncompared", put("half", source="# NBVAL_SKIP\nprint(1)"), "marker comment"),
    ("uncompared", tagged("nbval-ignore-output"), "gives no reason"),
    ("uncompared", tagged("raises-exception"), "catch the exception"),
    ("folded", put("drawn", metadata={}), "only draws"),
    ("folded", put("data", metadata=form.FOLDED), "draws nothing"),
    ("folded", swap("drawn", "ax.plot(x)", "x = train()\nax.plot(x)"), "makes x"),
    ("notation", put("body", source="The loss is $-\\ln p$."), "writes \\ln"),
    ("notation", put("body", source="Its gradient is (p - t) / N."), "writes p - t"),
    ("notation", put("body", source="of shape (N,K)"), "writes (N, K)"),
    ("numbers", put("half", outputs=[stream("equal: True\n" * 20)]), "20 lines of output"),
    ("open_experiment", swap("free", "Open experiment", "More"), "0 headings"),
    ("open_experiment", swap("free", "| is careful", "is careful"), "no table"),
    ("open_experiment", swap("exercises", "## Exercises", "## Exercises\n\n" + OPEN), "2 head"),
    ("questions", put("first", source="1"), "1 questions"),
    ("questions", put("data", source='check("09.ema", ema)'), "answers nothing"),
    ("reading_time", put("body", source="word " * 3000), "about 20 minutes; the header says"),
    ("reading_time", swap("top", "about 5", "some"), "no 'about N minutes'"),
    ("uncompared_cells", several_uncompared, "4 cells are not compared"),
]


@pytest.mark.parametrize(("rule", "change", "message"), BROKEN)
def test_a_broken_chapter_is_found_by_its_rule(rule, change, message, tmp_path):
    notebook = copy.deepcopy(good())
    change(notebook)
    problems = RULES[rule](chapter(tmp_path, notebook))
    assert message in "\n".join(problems)


def test_every_rule_has_a_chapter_that_breaks_it():
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


@pytest.mark.parametrize("name", ["9_x.ipynb", "09-x.ipynb", "09_Big.ipynb"])
def test_a_badly_named_notebook_is_found(name, tmp_path):
    (problem,) = RULES["name_and_title"](chapter(tmp_path, good(), name))
    assert "NN_lower_case" in problem


def test_two_chapters_with_one_number_are_found(tmp_path):
    (tmp_path / "09_other.ipynb").write_text(json.dumps(good()), encoding="utf-8")
    assert "number 09" in RULES["name_and_title"](chapter(tmp_path, good()))[0]


def test_the_first_chapter_links_every_other(tmp_path):
    chapter(tmp_path, good())
    start = Chapter.read(tmp_path / "00_start_here.ipynb")
    problems = RULES["sections"](start)
    assert problems == ["the map of chapters does not link 09_optimizers.ipynb"]


def test_uncompared_cells_are_counted_against_the_table(tmp_path):
    notebook = good()
    tagged("nbval-ignore-output", reason="versions of this machine")(notebook)
    assert RULES["uncompared"](chapter(tmp_path, notebook)) == []
    assert count_uncompared(chapter(tmp_path, notebook)) == 1
    tagged("measured-picture")(notebook)
    assert len(RULES["uncompared"](chapter(tmp_path, notebook))) == 1
    table = "| chapter | cells | reason |\n|---|---|---|\n| 00 | 1 | versions |\n| 09 | 2 | x |\n"
    assert allowed_uncompared(table) == {"00": 1, "09": 2}
