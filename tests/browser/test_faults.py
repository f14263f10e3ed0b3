"""What goes wrong around a playground: the kernel, the page, the connection; nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.lab import RESTART, SAVE, LabPage, write_notebook
from tests.browser.playground import SETTLE_MS, Live
from tests.browser.test_engine import WAVE

# A training without an end, which lets a page be closed and opened again in its own time.
TRAIN = """
from course_utils.live.controls import Slider
from course_utils.live.training import TrainingPlayground
class Endless(TrainingPlayground):
    width, height, preview = 5.0, 2.0, 3
    controls = (Slider("lr", 0.5, low=0.0, high=1.0),)
    def steps(self, *, dtype, lr):
        done = [0.0]
        while True:
            done = [*done[-200:], done[-1] + lr]
            new = yield done
            lr = lr if new is None else new["lr"]
    def takes_effect_now(self, old, new):
        return True
    def draw(self, fig):
        axes = fig.subplots()
        axes.set(xlim=(0, 200))
        self.line = axes.plot([], [])[0]
        return [self.line]
    def update(self, result):
        self.line.set_data(range(len(result)), result)
    def summary(self, result):
        return f"After {result[-1]:.1f} steps."
    def layout(self, rows):
        return [*rows.values(), *self.train_buttons()]
training = Endless()
training
"""
# A cell that never ends, begun and not waited for; `window.endless` becomes how it ended.
ENDLESS = """() => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({code: 'print("begun")\\nwhile True: pass'});
  future.onIOPub = (m) => {
    if (m.header.msg_type === 'stream') window.endless = 'begun';
    if (m.header.msg_type === 'error') window.endless = m.content.ename;
  };
}"""
PATCHED = "() => document.querySelector('.course-live canvas').dataset.format === 'patch'"
CONNECTION = """(status) =>
  window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.connectionStatus === status"""


@pytest.fixture
def opened(browser, lab) -> Iterator[Callable[..., LabPage]]:
    """`opened(name, source)` writes a notebook of one cell; `opened(name)` opens it once more."""
    url, folder = lab
    pages: list[LabPage] = []

    def open_page(name: str, source: str = "", page: Any = None) -> LabPage:
        if source:
            write_notebook(folder / name, source)
        pages.append(LabPage(page or browser.new_page(), url, name))
        if source:
            pages[-1].run_all()
            assert pages[-1].errors() == []
        return pages[-1]

    yield open_page
    pages[0].page.bring_to_front()
    pages[0].close()  # with the kernel
    for page in pages[1:]:
        page.page.close()


def goes_on(live: Live) -> None:
    """Wait until the training has done a mini-batch more."""
    done = live.ask("p.result[-1]")
    while live.ask("p.result[-1]") == done:
        assert live.ask("p.state") == "running"


@pytest.mark.either_thread
def test_an_interrupt_meant_for_a_cell_leaves_the_training_alone(opened):
    page = opened("interrupted.ipynb", TRAIN)
    live = Live(page, 0)
    live.button("Start").click()
    live.button("Pause").wait_for()
    page.page.evaluate(ENDLESS)
    page.page.wait_for_function("() => window.endless === 'begun'")
    page.interrupt()
    page.page.wait_for_function("() => window.endless === 'KeyboardInterrupt'")
    goes_on(live)
    values = live.press(live.knobs()[0], "ArrowRight")
    assert values["lr"] > 0.5 and live.error() == ""
    live.ask("p.stop()")
    assert page.console_errors == []


def test_a_restarted_kernel_leaves_a_picture_that_says_so(opened):
    page = opened("restarted.ipynb", WAVE)
    live = Live(page, 0)
    words = live.summary()
    page.page.evaluate(RESTART)
    page.wait_idle()
    live.root.get_by_role("alert").filter(has_text="run its cell again").wait_for()
    assert live.summary() == words and live.canvas.is_visible()
    # Who tries all the same does no harm.
    live.drag([(0.2, 0.3), (0.5, 0.5), (0.7, 0.6)])
    live.canvas.press("ArrowUp")
    live.knobs()[0].evaluate("(knob) => knob.focus()")
    page.page.keyboard.press("End")
    live.boxes()[0].click(force=True)
    assert live.summary() == words
    assert live.knobs()[0].get_attribute("aria-valuenow") == "1.0"
    assert page.console_errors == []
    page.run_cell(0)
    again = Live(page, 0)
    assert again.error() == ""
    again.press(again.knobs()[0], "End")
    assert again.summary() == "A wave of frequency 5.00."
    assert page.page.locator(".course-playground").count() == 1
    assert page.errors() == [] and page.console_errors == []


def test_a_reloaded_page_finds_its_training_still_running(opened):
    """A saved notebook finds its playground by itself; one not saved, by running its cell."""
    page = opened("reloaded.ipynb", TRAIN)
    live = Live(page, 0)
    live.button("Start").click()
    live.button("Pause").wait_for()
    page.page.evaluate(SAVE)
    run = live.ask("p._run")
    page.page.reload(wait_until="domcontentloaded")
    page.wait_open()
    live = Live(page, 0, at_rest=False)
    assert live.ask("[p._run, p.state]") == [run, "running"]
    goes_on(live)
    page.page.wait_for_function(PATCHED, timeout=SETTLE_MS)  # it has got its background too
    live.button("Pause").click()
    live.button("Go on").wait_for()
    assert live.paints()["older"] == 0
    page.run_cell(0)
    fresh = Live(page, 0)
    assert fresh.ask("p.state") == "ready"
    fresh.press(fresh.knobs()[0], "ArrowRight")
    fresh.ask("p.stop()")
    assert page.errors() == [] and page.console_errors == []


def test_a_page_reloaded_without_saving_loses_no_variable_and_trains_once(opened):
    page = opened("unsaved.ipynb", TRAIN)
    live = Live(page, 0)
    live.button("Start").click()
    live.button("Pause").wait_for()
    page.kernel("answer, old = 42, training")
    page.page.on("dialog", lambda dialog: dialog.accept())  # "Leave site?"
    page.page.reload(wait_until="domcontentloaded")
    page.wait_open()
    assert page.kernel("print(answer, training.state)").strip() == "42 running"
    page.run_cell(0)
    fresh = Live(page, 0)
    assert page.page.locator(".course-playground").count() == 1
    assert page.kernel("print(old.closed, old is training)").strip() == "True False"
    fresh.button("Start").click()
    fresh.button("Pause").wait_for()
    goes_on(fresh)
    fresh.ask("p.stop()")
    assert page.errors() == [] and page.console_errors == []


@pytest.mark.either_thread
def test_two_tabs_show_the_same_value_whichever_moves_it(opened):
    first = opened("twice.ipynb", WAVE)
    one = Live(first, 0)
    first.page.evaluate(SAVE)
    second = opened("twice.ipynb")
    two = Live(second, 0)
    for mover, other, key, end in ((two, one, "End", "5"), (one, two, "Home", "0.5")):
        mover.page.bring_to_front()
        values = mover.press(mover.knobs()[0], key)
        assert values["frequency"] == float(end)
        other.page.bring_to_front()
        assert other.settle() == values
        assert float(other.knobs()[0].get_attribute("aria-valuenow")) == values["frequency"]
        assert other.summary() == mover.summary()
    for page in (first, second):
        assert page.errors() == [] and page.console_errors == []


@pytest.mark.either_thread
def test_a_dropped_connection_comes_back_and_the_last_value_is_shown(browser, opened):
    sockets = []

    def watch(socket: Any) -> None:
        sockets.append((socket, socket.connect_to_server()))

    tab = browser.new_page()
    tab.route_web_socket("**/api/kernels/*/channels*", watch)
    page = opened("dropped.ipynb", WAVE, tab)
    live = Live(page, 0)
    for ours, servers in sockets:
        ours.close(code=4000)
        servers.close(code=4000)
    tab.wait_for_function(f"() => !({CONNECTION})('connected')")
    knob = live.knobs()[0]
    knob.focus()
    knob.press("End")
    tab.wait_for_function(f"() => ({CONNECTION})('connected')")
    assert live.settle()["frequency"] == 5.0
    assert live.error() == ""
    live.press(knob, "Home")
    assert page.errors() == []
