"""Running and storing notebooks: stable form, no diff on a second run, failures left alone."""

from __future__ import annotations

import base64
import io
import json
import re

import pytest
from PIL import Image

from course_utils.commands import notebook_format as form
from course_utils.commands import notebooks


def png(colour: int, *, level: int) -> str:
    """A 4×4 picture as base64, compressed at a given level."""
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (colour, 0, 0)).save(file, "PNG", compress_level=level)
    return base64.b64encode(file.getvalue()).decode() + "\n"


def code(source: str, name: str = "", **more) -> dict:
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    return {**cell, "id": name, "source": source, **more}


def write(path, cells: list[dict]):
    notebook = {"cells": cells, "metadata": {"widgets": {}}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


@pytest.fixture
def quiet(monkeypatch, tmp_path):
    """The environment of ``make notebooks``, taken back afterwards."""
    for name in ("COURSE_AUTHORING", "OMP_NUM_THREADS", "TQDM_DISABLE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


def test_missing_and_doubled_ids_are_made_from_content_and_good_ones_kept(tmp_path):
    cells = [code("1", "mine"), code("2", "mine"), code("2"), code("3", "no spaces please")]
    path = write(tmp_path / "a.ipynb", cells)
    ids = [cell["id"] for cell in form.read(path)["cells"]]
    assert ids[0] == "mine" and len(set(ids)) == 4
    assert all(form.VALID_ID.match(name) for name in ids)
    assert ids == [cell["id"] for cell in form.read(path)["cells"]]


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    for text in ("not json", "[]", '{"cells": [], "nbformat": 3}'):
        (tmp_path / "x.ipynb").write_text(text)
        with pytest.raises(ValueError, match=r"x\.ipynb is not a notebook"):
            form.read(tmp_path / "x.ipynb")


def test_the_stored_form_drops_what_changes_from_run_to_run():
    stream = {"output_type": "stream", "name": "stdout"}
    view = {
        "output_type": "display_data",
        "data": {"text/plain": "a race", "image/png": png(1, level=1), form.WIDGET_VIEW: {"id": 1}},
        "metadata": {"image/png": {"alt": "a race"}, form.WIDGET_VIEW: {}},
        "transient": {"display_id": "x"},
    }
    result = {"output_type": "execute_result", "data": {"text/plain": "3"}, "metadata": {}}
    outputs = [{**stream, "text": "a\n"}, {**stream, "text": "b\n"}, view]
    outputs.append({**result, "execution_count": 71})
    metadata = {"tags": ["t"], "reason": "why", "execution": {"a": 1}, "collapsed": True}
    notebook = {
        "cells": [
            {"cell_type": "markdown", "id": "m", "metadata": {"x": 1}, "source": "# T\r\nx\n"},
            code("first", "a", metadata=metadata, outputs=outputs, execution_count=70),
            code("  ", "b", metadata={"tags": []}),
            code("last", "c", metadata={"jupyter": {"source_hidden": True, "x": 1}}),
        ],
        "metadata": {"widgets": {"state": 1}, "language_info": {"name": "x", "version": "3.11.2"}},
    }
    new = form.normalised(notebook, {"cells": []})
    text, first, empty, last = new["cells"]
    assert text == {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# T\nx"}
    assert first["metadata"] == {"tags": ["t"], "reason": "why"} and empty["metadata"] == {}
    assert last["metadata"] == {"jupyter": {"source_hidden": True}}
    assert [c["execution_count"] for c in (first, empty, last)] == [1, None, 2]
    words, picture, value = first["outputs"]
    assert words["text"] == "a\nb\n"
    assert set(picture["data"]) == {"text/plain", "image/png"} and "transient" not in picture
    assert picture["metadata"] == {"image/png": {"alt": "a race"}}
    assert value["execution_count"] == 1
    assert new["metadata"]["language_info"] == {"name": "python"} and len(new["metadata"]) == 2
    assert notebook["cells"][1]["outputs"][0]["text"] == "a\n"  # the argument is left alone


@pytest.mark.parametrize(("colour", "kept"), [(1, True), (2, False)])
def test_a_png_keeps_its_bytes_when_the_pixels_are_equal(colour, kept):
    old, new = png(1, level=9), png(colour, level=0)
    assert old != new

    def notebook(image: str) -> dict:
        output = {"output_type": "display_data", "data": {"image/png": image}, "metadata": {}}
        return {"cells": [code("x", "a", outputs=[output])]}

    stored = form.normalised(notebook(new), notebook(old))
    assert (stored["cells"][0]["outputs"][0]["data"]["image/png"] == old) == kept


@pytest.mark.parametrize(
    ("tags", "text", "kept"),
    [([form.MEASURED], "faster: True", True), ([form.MEASURED], "faster: False", False),
     ([], "faster: True", False)],
)  # fmt: skip
def test_a_picture_of_a_measurement_stays_while_its_text_does(tags, text, kept):
    old, new = png(1, level=9), png(2, level=0)

    def notebook(image: str, words: str) -> dict:
        data = {"image/png": image, "text/plain": words}
        output = {"output_type": "display_data", "data": data, "metadata": {}}
        return {"cells": [code("x", "a", outputs=[output], metadata={"tags": tags})]}

    stored = form.normalised(notebook(new, text), notebook(old, "faster: True"))
    assert (stored["cells"][0]["outputs"][0]["data"]["image/png"] == old) == kept


@pytest.mark.parametrize(
    ("tags", "new", "kept"),
    [
        ([form.UNCOMPARED[0]], "loop 1,234 µs,  tensor 9 µs: 137 times", True),
        ([form.UNCOMPARED[0]], "loop 1.2 ms, tensor 9.71 µs: 1e+03 times", True),
        ([form.UNCOMPARED[0]], "a loop 812 µs, tensor 3.1 µs: 262 times", False),
        ([form.UNCOMPARED[0]], "torch 2.16.0", False),
        ([], "loop 1,234 µs, tensor 9 µs: 137 times", False),
    ],
)
def test_a_timing_that_nobody_compares_stays_while_its_words_do(tags, new, kept):
    old = "loop 812 µs, tensor 3.1 µs: 262 times" if "loop" in new else "torch 2.15.0"

    def notebook(words: str) -> dict:
        output = {"output_type": "stream", "name": "stdout", "text": words}
        return {"cells": [code("x", "a", outputs=[output], metadata={"tags": tags})]}

    stored = form.normalised(notebook(new), notebook(old))
    assert stored["cells"][0]["outputs"][0]["text"] == (old if kept else new)


def test_a_second_run_changes_nothing(tmp_path, quiet):
    cells = [
        code("import sys\nprint('a')\nsys.stdout.flush()\nprint('b')"),
        code("import ipywidgets, os\nslider = ipywidgets.IntSlider()\ndisplay(slider)"),
        code("from IPython.display import display, Image\nfrom PIL import Image as P\nimport io\n"
             "f = io.BytesIO(); P.new('RGB', (9, 9)).save(f, 'PNG')\n"
             "display(Image(f.getvalue()))"),
        code("os.getcwd().endswith('chapters'), os.environ['COURSE_AUTHORING']"),
    ]  # fmt: skip
    (tmp_path / "chapters").mkdir()
    path = write(tmp_path / "chapters" / "01_a.ipynb", cells)
    first = notebooks.refresh(path)
    assert not first.failure and first.changed
    bytes_after_first = path.read_bytes()
    assert b"widget-view" not in bytes_after_first
    assert "widgets" not in json.loads(bytes_after_first)["metadata"]
    stored = form.read(path)["cells"]
    assert stored[0]["outputs"][0]["text"] == "a\nb\n"
    assert stored[3]["outputs"][0]["data"]["text/plain"] == "(True, '1')"
    second = notebooks.refresh(path)
    assert not second.failure and not second.changed
    assert path.read_bytes() == bytes_after_first


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\nx / 0", "ZeroDivisionError"),
        ("import warnings; warnings.warn('careful')", "wrote to stderr: .*careful"),
        ("import os; os._exit(1)", "the kernel died"),
        (
            "import ipywidgets\ns = ipywidgets.IntSlider()\n"
            "def callback(change): raise KeyError('inside')\n"
            "s.observe(callback, 'value')\ns.value = 3",
            "KeyError",
        ),
    ],
)
def test_a_failing_notebook_is_named_and_left_alone(tmp_path, quiet, source, message):
    path = write(tmp_path / "01_a.ipynb", [code("1"), code(source, "the-cell"), code("2")])
    before = path.read_bytes()
    report = notebooks.refresh(path)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.tmp"))
    assert "FAILED, not written. Cell 2 (id the-cell" in str(report)
    assert re.search(message, report.failure), report.failure


def test_an_endless_cell_is_named(tmp_path, quiet, monkeypatch):
    monkeypatch.setattr(notebooks, "CELL_TIMEOUT", 2)
    path = write(tmp_path / "01_a.ipynb", [code("while True: pass", "loop")])
    failure = notebooks.refresh(path).failure
    assert "id loop" in failure and "no end after 2 s" in failure


def test_chapters_are_chosen_by_number_or_name(tmp_path):
    for name in ("00_start.ipynb", "09_optimizers.ipynb"):
        (tmp_path / name).touch()
    both = sorted(tmp_path.iterdir())
    assert notebooks.choose([], tmp_path) == both
    for wish in ("9", "09", "09_optimizers", "notebooks/09_optimizers.ipynb"):
        assert notebooks.choose([wish], tmp_path) == both[1:]
    with pytest.raises(ValueError, match=r"no chapter '3'; there are: 00_start, 09_optimizers"):
        notebooks.choose(["3"], tmp_path)
