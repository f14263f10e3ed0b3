"""Each chapter in a real JupyterLab: it runs to its end, and every control does what it should."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe

from course_utils import quizzes
from course_utils.commands import notebook_format as form
from course_utils.live.noted import LIVE
from tests.browser.conftest import NOTEBOOKS
from tests.browser.lab import SAVE, LabPage
from tests.browser.playground import LEARNS_MS, Live, move_everything
from tests.browser.quiz import Quiz

# JupyterLab itself gives the picture of an output no alternative text, whatever is stored for it.
OUTPUTS = {"include": [[".jp-OutputArea-output"]], "exclude": [[".jp-RenderedImage > img"]]}
# Rows of controls, and where the picture ends, in pixels, with this width for the playground.
ROOM = """async (root, width) => {
  root.style.maxWidth = `${width}px`;
  await new Promise((done) => setTimeout(done, 100));
  const top = root.getBoundingClientRect().top;
  const parts = '.widget-inline-hbox, .widget-checkbox, .jupyter-button';
  const middles = [...root.querySelectorAll(parts)].filter((part) => part.offsetParent)
    .map((part) => part.getBoundingClientRect()).map((box) => box.top + box.height / 2);
  middles.sort((a, b) => a - b);
  const rows = middles.filter((y, i) => i === 0 || y - middles[i - 1] > 12).length;
  const bottom = root.querySelector('canvas').getBoundingClientRect().bottom - top;
  root.style.maxWidth = '';
  return [rows, bottom];
}"""
LARGEST = 1_500_000  # bytes of a chapter that was run, played with and saved


@pytest.fixture(scope="class")
def chapter(request, browser, labs) -> Iterator[LabPage]:
    """The chapter of a test class, open and run to its end."""
    url, folder = labs(True)
    (notebook,) = folder.glob(f"{request.cls.number}_*.ipynb")
    lab = LabPage(browser.new_page(), url, notebook.name)
    lab.file = notebook
    lab.run_all()
    yield lab
    lab.close()


class OneChapter:
    """What is asked of each chapter. A class per chapter: tests run side by side."""

    number: str

    def test_runs_to_its_end_without_an_error(self, chapter):
        assert chapter.errors() == []
        assert chapter.console_errors == []
        code = [cell for cell in chapter.cells() if cell["cell_type"] == "code"]
        assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))

    def test_every_playground_shows_its_picture_and_its_text(self, chapter):
        count = chapter.page.locator(".course-playground").count()
        assert count >= 1
        for index in range(count):
            live = Live(chapter, index)
            live.shows_its_text()
            assert live.error() == ""
            assert live.root.bounding_box()["width"] <= 925
            assert live.root.bounding_box()["height"] <= 490

    def test_every_playground_fits_beside_the_file_browser_of_a_small_screen(self, chapter):
        for index in range(chapter.page.locator(".course-playground").count()):
            live = Live(chapter, index)
            rows, bottom = live.root.evaluate(ROOM, 848)
            # The kernel is a control of three rows itself.
            assert rows <= (3 if live.ask("type(p).__name__") == "KernelEditor" else 2)
            assert bottom <= 480

    def test_no_output_shuts_anybody_out(self, chapter):
        """As axe-core judges it: nothing serious or critical."""
        found = Axe().run(chapter.page, OUTPUTS).response["violations"]
        assert [
            (rule["id"], node["html"])
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ] == []

    def test_every_question_answers(self, chapter):
        asked = quizzes.questions_of(self.number) if self.number in quizzes.chapters() else ()
        assert chapter.page.locator(".course-quiz").count() == len(asked)
        for question in asked:
            Quiz(chapter.page, question.name).wrong_by_keyboard_then_right_by_mouse()

    def test_every_control_of_every_playground_moves_its_picture(self, chapter):
        for index in range(chapter.page.locator(".course-playground").count()):
            live = Live(chapter, index)
            move_everything(live)
            if live.ask("hasattr(p, 'stop')"):
                live.ask("p.stop()")  # a training that goes on would only slow the next playground
        assert chapter.errors() == []
        assert chapter.console_errors == []

    def test_saved_it_is_small_and_shows_the_last_pictures_without_a_kernel(self, chapter):
        lives = [
            Live(chapter, i) for i in range(chapter.page.locator(".course-playground").count())
        ]
        for live in lives:  # the pad's network learns behind it, and says so
            live.root.filter(has_not_text="earning: round").wait_for(timeout=LEARNS_MS)
        words = [live.reset().canvas.get_attribute("aria-label") for live in lives]
        chapter.page.evaluate(SAVE)
        assert chapter.file.stat().st_size < LARGEST
        cells = form.read(chapter.file)["cells"]
        outputs = [out for cell in cells for out in cell.get("outputs", []) if "data" in out]
        assert not any(form.WIDGET_VIEW in out["data"] for out in outputs)
        saved = [out for out in outputs if LIVE in out["metadata"] and "image/png" in out["data"]]
        assert [out["metadata"]["image/png"]["alt"] for out in saved] == words


CLASSES = [
    type(f"Test{number}", (OneChapter,), {"number": number})
    for number in sorted({path.name[:2] for path in NOTEBOOKS.glob("*.ipynb")}, reverse=True)
]
globals().update({thing.__name__: thing for thing in CLASSES})
