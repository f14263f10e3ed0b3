"""Training that one watches: it runs while the page stays alive, and starts over when a knob moves.

A subclass of `TrainingPlayground` writes its training as an ordinary generator that yields a fresh
result after every mini-batch. The engine drives it as a task on the kernel's event loop: between
two mini-batches sliders, buttons and other cells get their turn, and a newer setting ends the run
at once, or, where `takes_effect_now` says so, reaches the running generator. `matplotlib` never
runs here; the renderer's thread draws what was yielded last.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Generator
from itertools import islice
from typing import Any, NamedTuple

from course_utils.live.controls import button
from course_utils.live.interrupts import running, watch_interrupts
from course_utils.live.playground import Playground, describe_error
from course_utils.live.renderer import RENDERER, REST_AFTER

REPAINT_EVERY = 1 / 15  # seconds between two pictures of a running training
DRAWING = 0.08  # seconds for which a training waits at most until its picture is drawn
UNSEEN_AFTER = 1.0  # seconds in which another view can say that it is there
NAP = 0.02  # seconds between two looks at the controls while a training rests
YIELDS = 12  # turns of the event loop between mini-batches: a message needs several to arrive


class Trained(NamedTuple):
    """Where a live run stands: its newest result (or error) and the setting it belongs to."""

    run: int
    generation: int
    values: dict[str, Any]
    result: Any = None
    error: Exception | None = None


class TrainingPlayground(Playground):
    """A playground whose result grows while a training runs.

    Instead of `compute`, a subclass writes `steps`. `preview` mini-batches of it, in float64, are
    the picture before anything is started; they are what the stored notebook shows and compares.
    """

    preview: int = 60

    def steps(self, *, dtype: str, **values: Any) -> Generator:
        """Train with these values in `dtype` ("float32" live, "float64" in the preview).

        Yields a fresh, unchanging result after each mini-batch; ends by itself. Values that take
        effect now come out of the `yield`, which otherwise gives None:

            new = yield result
            if new is not None:
                lr = new["lr"]
        """
        raise NotImplementedError

    def takes_effect_now(self, old: dict[str, Any], new: dict[str, Any]) -> bool:
        """Whether a running or paused training goes on with the `new` values, instead of anew."""
        return False

    def wait_after(self, result: Any) -> float:
        """Seconds that a live training rests after `result`: for one too quick to follow."""
        return 0.0

    def compute(self, **values: Any) -> Any:
        """The result after `preview` mini-batches, or at the end of a shorter training."""
        training = self.steps(dtype="float64", **values)
        results = list(islice(training, self.preview))
        training.close()
        if not results:
            raise ValueError("steps() ended without yielding a result")
        return results[-1]

    def __init__(self, **values: Any) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task | None = None
        self._run = 0  # number of the newest run asked for
        self._drawing = self._drawn_run = 0  # runs that the newest picture and frame belong to
        self._live: Trained | None = None  # None until a live run has a result
        self._asked: dict[str, Any] = {}  # the values that the newest run was last given
        self._handed: tuple[int, dict[str, Any]] | None = None  # generation, values: on their way
        self._going = threading.Event()  # clear while paused
        self._wake: asyncio.Event | None = None
        self._state_name = self.shown_state = "ready"
        self._start_button: Any = None
        super().__init__(**values)
        self._preview = (self.values, self._result)

    # -- what a learner does -----------------------------------------------------------------------

    @property
    def state(self) -> str:
        """ "ready", "running", "paused", "finished", "interrupted" or "stopped".

        The one that belongs to the picture, for `update` and `summary`, is `shown_state`.
        """
        return self._state_name

    @property
    def result(self) -> Any:
        """The newest result; while a training runs, this may be ahead of the picture."""
        live = self._live
        return live.result if live is not None and live.result is not None else self._result

    def start(self) -> None:
        """Start, pause or go on, whichever is next."""
        if self.state == "running":
            self._going.clear()
            self._show_state("paused")
        elif self.state == "paused":
            self._show_state("running")
            self._resume()
        else:
            self.restart()

    def restart(self) -> None:
        """Train from the beginning with the current values."""
        if self._loop is None:
            raise RuntimeError("nothing to train in yet: show the playground in a notebook first")
        with self._state:
            self._run += 1
            self._asked, self._handed = dict(self._values), None
        self._show_state("running")
        self._resume()
        self._loop.call_soon_threadsafe(self._ensure_task)

    def stop(self) -> None:
        """End the running training; what was learned stays on screen.

        A run that has no result yet leaves the picture of the one before.
        """
        self._finish("stopped")

    def reset(self) -> None:
        """End the training, and put controls and picture back to where they started."""
        with self._state:
            self._generation += 1
            self._values = dict(self._defaults)
            self._live = None
        for name, bound in self._bound.items():
            if bound.get() != self._defaults[name]:
                bound.set(self._defaults[name])
        self._stale = not self._viewed
        self._finish("ready")

    def changed(self) -> None:
        """A knob moved: go on with it or train anew if this is live, else just note it."""
        with self._state:
            self._generation += 1
        if self._loop is not None and self._viewed:
            if not self._hand_over():
                self.restart()
        else:
            self._live = None
            self._stale = True

    def _hand_over(self) -> bool:
        """Give the values to the training under way, if there is one and it is to go on."""
        with self._state:
            new, live = dict(self._values), self._live
            if self._state_name not in ("running", "paused"):
                return False
            if not self.takes_effect_now(dict(self._asked), dict(new)):
                return False
            self._asked, self._handed = new, (self._generation, new)
            if live is not None and live.run == self._run:  # the picture says so at once
                self._live = live._replace(generation=self._generation, values=new)
        RENDERER.request(self)
        return True

    def train_buttons(self) -> list[Any]:
        """Start/Pause, Restart and Reset, for a `layout`."""
        self._start_button = button("Start", self.start, tip="start, pause or go on", width="90px")
        return [
            self._start_button,
            button("Restart", self.restart, tip="train from the beginning", width="90px"),
            self.reset_button(),
        ]

    def train_box(self) -> Any:
        """These buttons as one part of a row."""
        import ipywidgets as widgets

        return widgets.HBox(self.train_buttons(), layout=widgets.Layout(width="292px"))

    def interrupt(self) -> None:
        """End the training because the interrupt button was pressed."""
        self._loop.call_soon_threadsafe(self._finish, "interrupted")

    # -- the task ----------------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        if self._loop is None:
            try:
                self._loop = asyncio.get_running_loop()
                self._wake = asyncio.Event()
            except RuntimeError:
                pass  # a plain script: there is a picture, but nothing can run behind it
        return super().widget

    def recompute(self, values: dict[str, Any]) -> Any:
        if self._preview[0] != values:
            self._preview = (values, self.compute(**values))
        return self._preview[1]

    def close(self) -> None:
        with self._state:
            self._run += 1
        self._state_name = "stopped"
        if self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)
        super().close()

    def _let_go(self) -> None:
        if self._task is None or self._task.done() or self._loop.is_closed():
            super()._let_go()
        else:  # the training still has to put its things away
            after = super()._let_go
            self._loop.call_soon_threadsafe(self._task.add_done_callback, lambda _: after())

    def _on_message(self, widget: Any, message: dict, buffers: Any) -> None:
        super()._on_message(widget, message, buffers)
        if message.get("type") == "gone":
            threading.Timer(UNSEEN_AFTER, self._rest_unseen).start()

    def _rest_unseen(self) -> None:
        """Pause, if no other view has answered: the output was cleared, or its cell deleted."""
        if not self._viewed and not self._closed and self.state == "running":
            self.start()

    def _resume(self) -> None:
        self._going.set()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    def _ensure_task(self) -> None:
        if not self._closed and (self._task is None or self._task.done()):
            self._task = self._loop.create_task(self._train_newest(), name="course-live-training")

    def _finish(self, state: str) -> None:
        with self._state:
            self._run += 1
        self._show_state(state)
        self._resume()

    async def _train_newest(self) -> None:
        running.add(self)
        try:
            run = None
            while run != self._run and self._state_name == "running":
                with self._state:
                    run, generation, values = self._run, self._generation, dict(self._values)
                    self._asked, self._handed = values, None
                try:
                    await self._train(run, generation, values)
                except Exception as error:
                    if self._note(Trained(run, generation, values, error=error)):
                        self._show_state("stopped")
        finally:
            running.discard(self)

    async def _train(self, run: int, generation: int, values: dict[str, Any]) -> None:
        training = self.steps(dtype="float32", **values)
        painted, started = 0.0, False
        try:
            while run == self._run:
                watch_interrupts()
                handed = None
                if started:  # a generator can be told something from its first yield on
                    with self._state:
                        handed, self._handed = self._handed, None
                if handed is not None:
                    generation, values = handed
                try:
                    result = _advance(training, None if handed is None else dict(values))
                except KeyboardInterrupt:
                    self._finish("interrupted")
                    break
                started = True
                if result is None:
                    if run == self._run:
                        self._show_state("finished")
                    break
                if not self._note(Trained(run, generation, values, result)):
                    break
                now = time.monotonic()
                if now - painted >= REPAINT_EVERY:
                    first, painted = not painted, now
                    await self._repaint(run, first=first)
                for _ in range(YIELDS):
                    await asyncio.sleep(0)
                if wait := self.wait_after(result):
                    await self._rest_until(now + wait, run)
                if not self._going.is_set() and run == self._run:
                    RENDERER.request(self)
                    self._wake.clear()
                    await self._wake.wait()
        finally:
            training.close()

    async def _repaint(self, run: int, *, first: bool) -> None:
        """Ask for a picture, and sleep while it is drawn: it then has the processor for itself.

        The first one of a run answers a hand: it has the processor until it is on the screen.
        """
        frames, end = self._line.frames, time.monotonic() + DRAWING
        RENDERER.request(self)
        while time.monotonic() < end and run == self._run:
            full = self.wait_to_send() == math.inf
            sent = self._drawn_run == run and (self._line.frames > frames or full)
            if sent and (not first or self._line.idle):
                return
            await asyncio.sleep(0.002)

    async def _rest_until(self, end: float, run: int) -> None:
        """Sleep, but not when something has happened meanwhile."""
        while (left := end - time.monotonic()) > 0:
            if run != self._run or self._handed is not None or not self._going.is_set():
                return
            await asyncio.sleep(min(left, NAP))

    def _note(self, state: Trained) -> bool:
        """Make `state` the newest, unless its run has been overtaken; whether it has not."""
        with self._state:
            if state.run != self._run:
                return False
            if self._handed is not None:  # newer values wait; the picture is never older than they
                generation, values = self._handed
                state = state._replace(generation=generation, values=values)
            self._live = state
        return True

    def _refresh(self) -> int:
        self.shown_state = self._state_name  # first: when "finished", the last result is there
        live = self._live
        if live is None:
            return super()._refresh()
        try:
            if live.error is not None:
                self._error = describe_error(live.error)
            else:
                with self.picture.lock:
                    self.update(live.result)
                self._result, self._error = live.result, ""
        except Exception as error:
            self._error = describe_error(error)
        self._shown_values = live.values
        self._drawing = live.run
        return live.generation

    def render(self, *, moving: bool) -> None:
        super().render(moving=moving)
        self._drawn_run = self._drawing

    @property
    def rest_after(self) -> float:
        """No sharp picture while the next one is about to come."""
        return 2.0 if self._state_name == "running" else REST_AFTER

    def _show_state(self, state: str) -> None:
        self._state_name = state
        if self._start_button is not None and not self._closed:
            text = {"running": "Pause", "paused": "Go on"}.get(state, "Start")
            self._start_button.description = text
        if state != "running":
            RENDERER.request(self)


def _advance(training: Generator, values: dict[str, Any] | None) -> Any:
    """The next result of `training`, which is told the new `values`, if any; None at its end."""
    if values is None:
        return next(training, None)
    try:
        return training.send(values)
    except StopIteration:
        return None
