"""Live training without a browser: a tiny playground on an event loop, and a page that listens."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from typing import NamedTuple

import pytest

from course_utils.live import training
from course_utils.live.controls import Slider
from course_utils.live.interrupts import running
from course_utils.live.training import TrainingPlayground

TIMEOUT = 10.0


class Count(NamedTuple):
    lr: float
    updates: int
    dtype: str


class Counting(TrainingPlayground):
    """A "training" that counts its mini-batches and keeps a diary of them."""

    width, height = 3.0, 2.0
    preview = 5
    length = 10_000

    def __init__(self, **values):
        self.diary: list[tuple[float, int]] = []
        self.ended: list[float] = []
        super().__init__(**values)

    controls = (Slider("lr", 1.0, low=0.0, high=2.0), Slider("fail_at", 0, low=0, high=100))

    def steps(self, *, dtype, lr, fail_at):
        try:
            for number in range(1, self.length + 1):
                self.diary.append((lr, number))
                if number == fail_at:
                    raise ArithmeticError("the batch is broken")
                yield Count(lr, number, dtype)
        finally:
            self.ended.append(lr)

    def layout(self, rows):
        import ipywidgets as widgets

        return [widgets.HBox([*rows.values(), *self.train_buttons()])]

    def draw(self, fig):
        ax = fig.subplots()
        ax.set(xlim=(0, 100), ylim=(0, 2))
        self.line = ax.plot([], [])[0]
        return [self.line]

    def update(self, result):
        self.line.set_data([0, result.updates], [result.lr, result.lr])

    def summary(self, result):
        return f"lr {result.lr}: {result.updates} updates in {result.dtype}, {self.shown_state}."


class Page:
    """Stands for the browser: keeps what is sent, and says at once that it is painted."""

    def __init__(self, playground):
        self.playground = playground
        self.frames: list[dict] = []
        self.errors: list[str] = []
        assert playground.widget is not None
        playground._canvas.send = self.receive
        playground._on_message(None, {"type": "ready", "dpr": 1}, None)

    def receive(self, message, buffers=None):
        if message["type"] == "error":
            self.errors.append(message["error"])
        elif message["type"] == "frame":
            self.frames.append(message)
            answer = {"type": "painted", "frame": message["frame"]}
            self.playground._on_message(None, answer, None)

    @property
    def said(self) -> str:
        return self.frames[-1]["summary"] if self.frames else ""


async def until(true, what=""):
    end = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < end, f"waited in vain {what}"
        await asyncio.sleep(0.002)


def live(scenario, kind=Counting, **values):
    """Run `scenario(playground, page)` on an event loop of its own; no task may stay behind."""

    async def main():
        playground = kind(**values)
        page = Page(playground)
        try:
            await scenario(playground, page)
        finally:
            playground.close()
            await asyncio.sleep(0)
            await until(lambda: len(asyncio.all_tasks()) == 1, "for the task to end")

    asyncio.run(main())


def test_headless_shows_the_preview_and_starts_nothing():
    playground = Counting()
    assert repr(playground) == "lr 1.0: 5 updates in float64, ready."
    assert playground.ended == [1.0]  # the generator was closed, not left hanging
    playground.set(lr=0.5)
    assert repr(playground) == "lr 0.5: 5 updates in float64, ready."
    assert playground.state == "ready"
    with pytest.raises(RuntimeError, match="show the playground in a notebook first"):
        playground.start()


def test_a_shorter_training_than_the_preview():
    class Short(Counting):
        length = 3

    class Empty(Counting):
        length = 0

    assert Short().result.updates == 3
    with pytest.raises(ValueError, match="without yielding"):
        Empty()


def test_displaying_starts_nothing():
    async def scenario(playground, page):
        await asyncio.sleep(0.05)
        assert playground.state == "ready" and len(playground.diary) == 5

    live(scenario)


def test_starts_in_float32_and_finishes_by_itself():
    class Short(Counting):
        length = 30

    async def scenario(playground, page):
        playground.start()
        assert playground._start_button.description == "Pause"
        await until(lambda: playground.state == "finished")
        await until(lambda: page.said == "lr 1.0: 30 updates in float32, finished.")
        assert playground._start_button.description == "Start"
        playground.start()  # once more, from the beginning
        assert playground.state == "running"
        await until(lambda: playground.state == "finished")
        assert playground.diary.count((1.0, 30)) == 2

    live(scenario, Short)


def test_a_moved_knob_ends_the_run_within_one_mini_batch():
    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 20)
        for lr in (0.5, 1.5, 0.25):
            done = len(playground.diary)
            playground.set(lr=lr)
            await until(lambda lr=lr: playground.result.lr == lr)
            new = playground.diary[done:]
            assert [entry for entry in new if entry[0] != lr] == []  # not one batch of the old run
            assert new[0] == (lr, 1)
        await until(lambda: "lr 0.25" in page.said)
        shown = [float(frame["summary"].split()[1].rstrip(":")) for frame in page.frames]
        assert shown == sorted(shown, key=[1.0, 0.5, 1.5, 0.25].index)  # never an older setting

    live(scenario)


def test_a_knob_moved_on_another_thread():
    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 5)
        thread = threading.Thread(target=playground.set, kwargs={"lr": 0.5})
        thread.start()
        await until(lambda: playground.result.lr == 0.5)
        thread.join()
        await until(lambda: "lr 0.5" in page.said)

    live(scenario)


def test_the_browsers_arithmetic_starts_nothing():
    async def scenario(playground, page):
        playground._bound["lr"].widget.value = 1.0000000000000002  # as a page may say at once
        await asyncio.sleep(0.05)
        assert playground.state == "ready" and playground.values["lr"] == 1.0

    live(scenario)


def test_a_moved_knob_starts_the_training():
    async def scenario(playground, page):
        playground._bound["lr"].widget.value = 0.5
        await until(lambda: playground.state == "running" and playground.result.lr == 0.5)

    live(scenario)


def test_pause_and_go_on():
    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 10)
        playground.start()
        assert playground.state == "paused" and playground._start_button.description == "Go on"
        await until(lambda: page.said.endswith("paused."))
        held = playground.result.updates
        await asyncio.sleep(0.05)
        assert playground.result.updates == held and len(playground.diary) == held + 5
        playground.start()
        await until(lambda: playground.result.updates > held + 10)
        assert playground.diary[5 : held + 6] == [(1.0, n + 1) for n in range(held + 1)]
        # a knob moved while paused starts anew
        playground.start()
        playground.set(lr=0.5)
        await until(lambda: playground.result.lr == 0.5)
        assert playground.state == "running"

    live(scenario)


def test_restart_stop_and_reset():
    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 50)
        playground.restart()
        await until(lambda: 0 < playground.result.updates < 50)
        playground.stop()
        await until(lambda: page.said.endswith("stopped."))
        assert playground.state == "stopped" and playground.result.dtype == "float32"
        playground.set(lr=0.5)
        await until(lambda: playground.result.lr == 0.5)
        playground.reset()
        await until(lambda: page.said == "lr 1.0: 5 updates in float64, ready.")
        assert playground.values["lr"] == playground._bound["lr"].get() == 1.0
        done = len(playground.diary)
        await asyncio.sleep(0.05)
        assert len(playground.diary) == done and playground.state == "ready"

    live(scenario)


def test_an_error_in_a_mini_batch_is_shown_and_stays():
    async def scenario(playground, page):
        playground.set(fail_at=7)
        await until(lambda: page.errors)
        await asyncio.sleep(0.3)  # long enough for a sharp picture, which must not wipe it away
        assert page.errors[-1].startswith("ArithmeticError: the batch is broken")
        assert repr(playground) == page.errors[-1]
        assert playground.state == "stopped"
        frames = len(page.frames)
        playground.set(fail_at=0)  # and the next setting works again
        await until(lambda: len(page.frames) > frames and "running" in page.said)
        assert "updates in float32" in repr(playground)

    live(scenario)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to another process")
def test_the_interrupt_button_ends_the_training():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a kernel has it between two cells

    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 5)
        os.kill(os.getpid(), signal.SIGINT)
        await until(lambda: playground.state == "interrupted")
        await until(lambda: page.said.endswith("interrupted."))
        done = len(playground.diary)
        await asyncio.sleep(0.05)
        assert len(playground.diary) == done
        playground.start()
        await until(lambda: playground.result.updates > 5 and playground.state == "running")

    try:
        live(scenario)
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_inside_a_mini_batch():
    class Interrupted(Counting):
        def steps(self, *, dtype, lr, fail_at):
            for result in super().steps(dtype=dtype, lr=lr, fail_at=fail_at):
                if dtype == "float32" and result.updates == 3:
                    raise KeyboardInterrupt
                yield result

    async def scenario(playground, page):
        playground.start()
        await until(lambda: page.said == "lr 1.0: 2 updates in float32, interrupted.")

    live(scenario, Interrupted)


def test_closing_leaves_no_task_and_no_generator():
    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 5)
        ended = playground.ended  # a closed playground lets go of everything large
        playground.close()
        await until(lambda: len(ended) == 2)  # preview and live run
        await until(lambda: playground._task.done())
        frames = len(page.frames)
        await asyncio.sleep(0.1)
        assert len(page.frames) == frames
        assert playground not in running

    live(scenario)


def test_the_first_picture_of_a_run_has_the_processor_until_it_is_on_the_screen(monkeypatch):
    monkeypatch.setattr(training, "DRAWING", TIMEOUT)

    async def scenario(playground, page):
        tell, answers = playground._on_message, []
        playground._on_message = lambda *answer: answers.append(answer)  # a page that takes long
        playground.start()
        await until(lambda: "float32" in page.said)
        await asyncio.sleep(0.1)
        assert playground.diary[-1] == (1.0, 1)
        playground._on_message = tell
        for answer in answers:
            tell(*answer)
        await until(lambda: playground.result.updates > 20)

    live(scenario)


def test_the_loop_stays_free_for_others():
    class Slow(Counting):
        def steps(self, *, dtype, lr, fail_at):
            for result in super().steps(dtype=dtype, lr=lr, fail_at=fail_at):
                if dtype == "float32":
                    time.sleep(0.01)
                yield result

    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 3)
        waits = []
        for _ in range(10):
            asked = time.monotonic()
            answered = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(answered.set_result, None)
            await answered
            waits.append(time.monotonic() - asked)
            await asyncio.sleep(0.01)
        assert sorted(waits)[5] < 0.05  # about one mini-batch

    live(scenario, Slow)


# -- values that take effect in the running training ----------------------------------------------


class Going(Counting):
    """lr takes effect from the next mini-batch on; fail_at starts the training anew."""

    def steps(self, *, dtype, lr, fail_at):
        try:
            for number in range(1, self.length + 1):
                self.diary.append((lr, number))
                new = yield Count(lr, number, dtype)
                if new is not None:
                    assert new["fail_at"] == fail_at
                    lr = new["lr"]
        finally:
            self.ended.append(lr)

    def takes_effect_now(self, old, new):
        return old["fail_at"] == new["fail_at"]


def shown_values(page):
    return json.loads(page.frames[-1]["values"])


def test_a_value_that_takes_effect_now():
    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 10)
        for lr in (0.5, 1.5, 0.25):
            done = playground.result.updates
            playground.set(lr=lr)
            await until(lambda lr=lr: playground.result.lr == lr)
            assert playground.result.updates > done  # the same run goes on
        assert len(playground.ended) == 1  # only the preview's has ended
        numbers = [number for _, number in playground.diary[5:]]
        assert numbers == list(range(1, len(numbers) + 1))  # and no mini-batch was lost
        await until(lambda: shown_values(page)["lr"] == 0.25 and "lr 0.25" in page.said)
        generations = [frame["generation"] for frame in page.frames]
        assert generations == sorted(generations)
        playground.set(fail_at=50)  # this one starts anew, with the newest lr
        await until(lambda: len(playground.ended) == 2)
        await until(lambda: shown_values(page) == {"lr": 0.25, "fail_at": 50})

    live(scenario, Going)


def test_many_values_in_a_drag_on_another_thread():
    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 5)

        def drag():
            for step in range(1, 101):
                playground.set(lr=step / 100)

        thread = threading.Thread(target=drag)
        thread.start()
        await until(lambda: playground.result.lr == 1.0 and not thread.is_alive())
        await until(lambda: shown_values(page)["lr"] == 1.0 and "lr 1.0" in page.said)
        assert len(playground.ended) == 1
        used = [lr for lr, _ in playground.diary[5:] if lr <= 1]
        assert used[-1] == 1.0

    live(scenario, Going)


def test_a_value_moved_while_paused_shows_and_counts_from_then_on():
    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 10)
        playground.start()
        await until(lambda: page.said.endswith("paused."))
        held = playground.result.updates
        playground.set(lr=0.5)
        await until(lambda: shown_values(page)["lr"] == 0.5)  # the picture follows the control
        assert playground.state == "paused" and playground.result.updates == held
        playground.start()
        await until(lambda: playground.result.updates > held + 3)
        assert playground.diary[5:][held] == (0.5, held + 1)

    live(scenario, Going)


def test_when_nothing_runs_a_value_starts_the_training():
    class Short(Going):
        length = 20

    async def scenario(playground, page):
        playground.set(lr=0.5)
        await until(lambda: playground.state == "finished")
        playground.set(lr=1.5)
        await until(lambda: playground.diary[-1] == (1.5, 20))
        assert playground.diary.count((1.5, 1)) == 1

    live(scenario, Short)


def test_reset_and_restart_forget_a_value_on_its_way():
    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 5)
        playground.set(lr=0.5)
        playground.restart()
        await until(lambda: playground.result.updates > 2 and playground.result.lr == 0.5)
        playground.set(lr=1.5)
        playground.reset()
        await until(lambda: page.said == "lr 1.0: 5 updates in float64, ready.")
        assert shown_values(page)["lr"] == 1.0
        playground.start()
        await until(lambda: playground.result.updates > 5)
        assert {lr for lr, _ in playground.diary[-5:]} == {1.0}

    live(scenario, Going)


def test_a_training_that_does_not_listen_goes_on_unchanged():
    class Deaf(Counting):
        length = 400

        def takes_effect_now(self, old, new):
            return True

    async def scenario(playground, page):
        playground.start()
        await until(lambda: playground.result.updates > 5)
        playground.set(lr=0.5)
        await until(lambda: playground.state == "finished")
        assert playground.result == Count(1.0, 400, "float32")

    live(scenario, Deaf)


def test_a_rest_between_mini_batches_ends_when_something_happens():
    class Resting(Going):
        rest = 30.0

        def wait_after(self, result):
            return self.rest

    async def scenario(playground, page):
        playground.start()
        await until(lambda: len(playground.diary) == 6)
        await asyncio.sleep(0.05)
        assert len(playground.diary) == 6  # it rests
        playground.set(lr=0.5)
        await until(lambda: playground.diary[6:] == [(0.5, 2)])
        playground.set(fail_at=3)
        await until(lambda: playground.diary[7:] == [(0.5, 1)])
        playground.start()
        await until(lambda: page.said.endswith("paused."))
        playground.rest = 0.0
        playground.start()
        await until(lambda: playground.result.updates > 5)

    live(scenario, Resting)
