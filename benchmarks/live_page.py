"""What `bench_live` does inside the page: press a key, wait for the repaint, watch it."""

from __future__ import annotations

import json

from tests.browser.lab import LabPage

# One notebook: the echo floor, the playground, the same picture by interact, the live training.
CELLS = {
    "echo": """
import ipywidgets as widgets
slider = widgets.IntSlider(value=500, min=0, max=1000, description="echo")
label = widgets.Label("500")
slider.observe(lambda change: setattr(label, "value", str(change["new"])), "value")
slider.add_class("echo-slider"), label.add_class("echo-label")
widgets.VBox([slider, label])
""",
    "ours": """
from course_utils.playgrounds import race
FIVE = ("SGD", "Momentum", "AdaGrad", "RMSProp", "Adam")
ours = race(optimizers=FIVE, lr=0.01)
ours.widget.add_class("bench-ours")
_ = ours._bound["lr"].widget.add_class("bench-rate")
ours
""",
    "interact": """
%matplotlib inline
import matplotlib.pyplot as plt
from ipywidgets import FloatLogSlider, interact
twin = race(optimizers=FIVE)
def picture(lr):
    figure = plt.figure(figsize=(twin.width, twin.height), dpi=100)
    twin.draw(figure)
    twin.update(twin.compute(**{**twin.values, "lr": lr}))
    plt.show()
rate = FloatLogSlider(value=0.01, base=10, min=-4, max=1, step=0.05, continuous_update=True)
rate.add_class("bench-interact")
_ = interact(picture, lr=rate)
""",
    "training": """
from course_utils.playgrounds import train_digits
training = train_digits()
training.widget.add_class("bench-training")
training
""",
    "census": """
import asyncio, gc, threading
import matplotlib.pyplot as plt
import psutil
from comm import get_comm_manager
from matplotlib.figure import Figure
def census():
    gc.collect()
    return dict(
        pyplot=len(plt.get_fignums()),
        figures=sum(isinstance(thing, Figure) for thing in gc.get_objects()),
        comms=len(get_comm_manager().comms), tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(), mb=psutil.Process().memory_info().rss / 2**20)
""",
}
ORDER = list(CELLS)


PAUSE = 300  # milliseconds between two key presses
# Where a key is pressed, what is repainted, and the attribute that says for which value, if any.
OURS = (".bench-ours", ".bench-ours .course-live canvas", "data-generation")
RATE = (".bench-rate", *OURS[1:])  # of the race: the slider that `interact` has too
INTERACT = (".bench-interact", ".bench-output", None)
MARK_OUTPUT = """() => {
  const slider = document.querySelector('.bench-interact');
  slider.closest('.widget-interact').querySelector('.jupyter-widget-output, .widget-output')
    .classList.add('bench-output');
}"""

# A slider's key press until the next repaint after the watched element has changed. Pauses vary, so
# that presses do not fall into step with the screen.
PRESS = """async ([handle, watch, attribute, count, pause, run]) => {
  const knob = document.querySelector(handle), times = [];
  for (let i = 0; i < count; i++) {
    const target = document.querySelector(watch);
    const old = target.querySelector('img')?.src;
    const was = attribute && target.getAttribute(attribute);
    knob.focus({preventScroll: true});
    const key = Math.floor(i / run) % 2 ? 'ArrowLeft' : 'ArrowRight';
    const changed = new Promise((done) => {
      const observer = new MutationObserver(async () => {
        if (attribute && target.getAttribute(attribute) === was) return; // of an older value
        if (old && (target.querySelector('img')?.src ?? old) === old) return; // cleared, not drawn
        observer.disconnect();
        const images = [...target.querySelectorAll('img')];
        await Promise.all(images.map((image) => image.decode().catch(() => 0)));
        requestAnimationFrame(() => done(performance.now()));
      });
      observer.observe(target, attribute ? {attributes: true, attributeFilter: [attribute]}
        : {childList: true, characterData: true, subtree: true, attributes: true,
           attributeFilter: ['src']});
    });
    const start = performance.now();
    knob.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    const late = new Promise((done) => setTimeout(() => done(NaN), 5000));
    times.push(await Promise.race([changed, late]) - start);
    await new Promise((r) => setTimeout(r, pause * (0.7 + 0.6 * Math.random())));
  }
  return times;
}"""

# `count` key presses in `seconds`; every repaint of the picture with the values it shows.
FLOOD = """async ([slider, picture, count, seconds, run]) => {
  const knob = document.querySelector(`${slider} .noUi-handle`);
  const canvas = document.querySelector(picture);
  const painted = [];
  const observer = new MutationObserver(() => {
    const values = canvas.dataset.values, generation = Number(canvas.dataset.generation);
    requestAnimationFrame(() => painted.push([performance.now(), generation, values]));
  });
  observer.observe(canvas, {attributes: true, attributeFilter: ['data-frame']});
  knob.focus({preventScroll: true});
  const begin = performance.now();
  for (let i = 0; i < count; i++) {
    const key = Math.floor(i / run) % 2 ? 'ArrowLeft' : 'ArrowRight';
    knob.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    const next = begin + (i + 1) * seconds * 1000 / count;
    if (i < count - 1) await new Promise((r) => setTimeout(r, next - performance.now()));
  }
  const last = performance.now();
  await new Promise((r) => setTimeout(r, 1500));
  observer.disconnect();
  return {last, painted};
}"""

# The knob of a running training until the first picture of the training with the new value.
CANCEL = """async ([root, slider, count, pause, run]) => {
  const knobs = document.querySelectorAll(`${root} .noUi-handle`);
  const canvas = document.querySelector(`${root} .course-live canvas`);
  const times = [];
  for (let i = 0; i < count; i++) {
    const before = Number(canvas.dataset.generation);
    const first = new Promise((done) => {
      const observer = new MutationObserver(() => {
        if (Number(canvas.dataset.generation) <= before) return;
        observer.disconnect();
        requestAnimationFrame(() => done(performance.now()));
      });
      observer.observe(canvas, {attributes: true, attributeFilter: ['data-frame']});
    });
    const key = Math.floor(i / run) % 2 ? 'ArrowLeft' : 'ArrowRight';
    const start = performance.now();
    knobs[slider].focus({preventScroll: true});
    knobs[slider].dispatchEvent(
      new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    const late = new Promise((done) => setTimeout(() => done(NaN), 5000));
    times.push(await Promise.race([first, late]) - start);
    await new Promise((r) => setTimeout(r, pause * (0.7 + 0.6 * Math.random())));
  }
  return times;
}"""


def press(
    page: LabPage,
    handle: str,
    watch: str,
    attribute: str | None,
    count: int,
    pause: int,
    run: int = 8,
) -> list[float]:
    """Milliseconds from each of `count` key presses on `handle` to the repaint of `watch`.

    `run` presses go to the right, as many to the left, and so on. Not a number: no repaint in 5 s.
    """
    knob = f"{handle} .noUi-handle"
    return page.page.evaluate(PRESS, [knob, watch, attribute, count, pause, run])


def echo(page: LabPage, count: int, pause: int) -> list[float]:
    return press(page, ".echo-slider", ".echo-label", None, count, pause)


def census(page: LabPage) -> dict[str, float]:
    """Open figures, comms, tasks, threads and memory of the kernel, once it has come to rest.

    A picture that is just being sent is a task for some milliseconds; so two counts in a row must
    agree. What stays is counted, for what stays is what would pile up.
    """
    seen = None
    for _ in range(20):
        now = json.loads(page.kernel("import json; print(json.dumps(census()))"))
        counts = {key: value for key, value in now.items() if key != "mb"}
        if counts == seen:
            break
        seen = counts
        page.page.wait_for_timeout(250)
    return now
