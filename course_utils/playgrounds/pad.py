"""A pad to draw a digit on, and what a network makes of it while you draw.

`read_drawing` is what happens behind it: the drawing is prepared as the training images were, the
network is asked, and its ten probabilities are shown.
"""

from __future__ import annotations

import asyncio
import copy
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.data import DataError, digits, prepare_drawing
from course_utils.live.controls import Control, Slider, button, row
from course_utils.live.playground import Playground
from course_utils.playgrounds.ink import SIDE, brush_line, on_paper, pasted
from course_utils.playgrounds.parts import ALARM, ARROWS, HALO
from course_utils.playgrounds.reader import ROUNDS, Pupil, Reader, chosen_dataset, reader_of
from course_utils.playgrounds.words import capital
from course_utils.plotting import BLACK, BLUE, GREY, RED

FIRST, MAX_EXAMPLES = 44, 1_000  # test digits: the one at the beginning, and how many
EXAMPLE_SIDE = {"embedded": 200, "mnist": 260}  # MNIST images have a margin
CORNER = (30, 24)  # of the pad in the picture, pixels from the left and from the bottom
EMPTY = "The pad is empty. Draw a digit on it, or choose a test digit."
# Said as long as nobody has seen the pad, so that it does not depend on how far the reader is.
UNSEEN = (
    "Test digit number {example}, a {label}. The network behind the pad learns to read in the "
    "seconds after the page has shown it; ten bars say how likely it finds each digit."
)


@dataclass(frozen=True, eq=False)
class Reading:
    """A drawing and what the network says about it.

    ink: (280, 280), 1 is ink and 0 paper. seen: (28, 28) as the network gets it, or None when
    nothing is drawn. probabilities: (10,), or None likewise. label: the true digit of an example.
    note: something odd about the network's answer, in words. pupil: the reader that gave it, if
    it was one that had not yet learned all it can.
    """

    ink: np.ndarray
    seen: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    example: int | None = None
    label: int | None = None
    note: str = ""
    pupil: Pupil | None = None

    @property
    def digit(self) -> int | None:
        """The digit with the largest probability."""
        return None if self.probabilities is None else int(self.probabilities.argmax())


@cache
def _examples(dataset: str) -> tuple[Tensor, Tensor]:
    whole = digits(dataset, dtype=torch.float32)
    return whole.X_test[:MAX_EXAMPLES, 0].clone(), whole.y_test[:MAX_EXAMPLES].clone()


def read_drawing(ink: np.ndarray, model: nn.Module, dataset: str | None = None) -> Reading:
    """What `model` reads in `ink` (height, width, in [0, 1]); an empty drawing is no error.

    Raises ValueError when the model cannot read digits: it raises, or does not give ten numbers.
    """
    first = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    try:
        image = prepare_drawing(ink, dataset, dtype=first.dtype)
    except DataError:
        return Reading(ink)
    seen = image[0, 0].double().numpy()
    with torch.inference_mode():
        try:
            logits = model(image.to(first.device))
        except Exception as error:
            raise ValueError(
                f"this model cannot read digits: given an image of shape {tuple(image.shape)} it "
                f"raised {type(error).__name__}: {error}"
            ) from error
        if not isinstance(logits, Tensor) or tuple(logits.shape) != (1, 10):
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(
                f"this model cannot read digits: for one image it must give logits of shape "
                f"(1, 10), one per digit, got {got}"
            )
        logits = logits[0].double().cpu()
    if not logits.isfinite().all():
        note = "The network's outputs are not numbers: its training has diverged."
        return Reading(ink, seen, note=note)
    note = ""
    if logits.min() >= 0 and abs(logits.sum().item() - 1) < 1e-4:
        note = "The outputs already add up to 1: is there a softmax in the model? Take it out."
    return Reading(ink, seen, logits.softmax(0).numpy(), note=note)


def _ready(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode: the pad neither changes the model nor sees it change."""
    if not isinstance(model, nn.Module):
        hint = "; pass its .model" if hasattr(model, "model") else ""
        raise ValueError(f"model must be a torch.nn.Module, got {type(model).__name__}{hint}")
    model = copy.deepcopy(model).eval()
    return model.requires_grad_(False)


class DigitPad(Playground):
    """A pad to draw a digit on; ten probabilities move while you draw.

    model: any network that gives logits (1, 10) for an image (1, 1, 28, 28); the pad uses a copy
    of it in evaluation mode, in the model's own dtype. Without one, a small network is trained,
    once per kernel and in a few seconds: in a notebook while the pad is shown and reads, elsewhere
    first. values: ``example``, the number of the test digit that is on the pad at the beginning.

    Raises ValueError for something that is no model or does not give ten numbers.
    """

    width, height = 9.0, 3.4
    areas = ((CORNER[0] / 900, CORNER[1] / 340, SIDE / 900, SIDE / 340),)

    def __init__(self, model: nn.Module | None = None, **values: Any) -> None:
        self.dataset = chosen_dataset()
        self._model = None if model is None else _ready(model)
        self._reader = reader_of(self.dataset) if model is None else None
        self._unseen = False
        if self._reader is not None:
            self._meet(self._reader)
        self._drawing: np.ndarray | None = None  # None: the example is on the pad
        self._chosen = False  # whether somebody asked for the example that is on the pad
        self._last: tuple[float, float] | None = None  # where the pen is, while it is down
        super().__init__(**values)

    def _meet(self, reader: Reader) -> None:
        """Have `reader` learn when the page shows the pad, or now where that cannot be."""
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:  # a plain script: nothing can run behind it
            self._loop = None
        self._unseen = self._loop is not None and not reader.newest.ready
        # The course's own stored pictures are of the reader that has learned, as one sees it soon.
        if self._loop is None or os.environ.get("COURSE_AUTHORING") == "1":
            reader.finish(progress=True)

    @property
    def controls(self) -> Iterable[Control]:
        count = len(_examples(self.dataset)[1])
        about = {"label": "test digit number", "width": "360px"}
        about["tip"] = "puts a handwritten digit on the pad that the network has not learned from"
        return (Slider("example", FIRST, low=0, high=count - 1, **about),)

    def compute(self, example: int) -> Reading:
        images, labels = _examples(self.dataset)
        ink = pasted(images[example], EXAMPLE_SIDE[self.dataset])
        return replace(self._read(ink), example=example, label=labels[example].item())

    def recompute(self, values: dict[str, Any]) -> Reading:
        self._unseen = False
        with self._state:
            drawing = None if self._drawing is None else self._drawing.copy()
        return self.compute(**values) if drawing is None else self._read(drawing)

    def _read(self, ink: np.ndarray) -> Reading:
        if self._reader is None:
            return read_drawing(ink, self._model, self.dataset)
        pupil = self._reader.newest
        read = read_drawing(ink, pupil.model, self.dataset)
        return read if pupil.ready else replace(read, pupil=pupil)

    # -- the reader while it learns ----------------------------------------------------------------

    def has_learned(self) -> None:
        """Read what is on the pad again."""
        super().changed()

    def _on_message(self, canvas: Any, message: dict, buffers: Any) -> None:
        super()._on_message(canvas, message, buffers)
        if message.get("type") == "ready" and self._reader is not None and self._loop is not None:
            if not self._reader.newest.ready:
                self._loop.call_soon_threadsafe(self._reader.teach, self)

    def close(self) -> None:
        if not self.closed and self._reader is not None:
            self._reader.leave(self)
        super().close()

    # -- what a learner does -----------------------------------------------------------------------

    @property
    def drawing(self) -> np.ndarray:
        """A copy of what is on the pad: (280, 280), 1 is ink and 0 paper."""
        with self._state:
            if self._drawing is not None:
                return self._drawing.copy()
            return self.compute(**self._values).ink.copy()

    def clear(self) -> None:
        """Empty the pad."""
        with self._state:
            self._drawing, self._last = np.zeros((SIDE, SIDE), np.float32), None
        super().changed()

    def stroke(self, points: Sequence[tuple[float, float]]) -> None:
        """Draw through `points` (x, y), from (0, 0) at the bottom left of the pad to (1, 1)."""
        line = [(x * SIDE, (1 - y) * SIDE) for x, y in points]
        with self._state:
            ink = self._pen_down()
            for start, end in zip(line[:1] + line, line, strict=False):
                brush_line(ink, start, end)
        super().changed()

    def show_example(self) -> None:
        """Put the test digit on the pad whose number the slider shows; if it is there, the next."""
        with self._state:
            shown = self._drawing is None and self._chosen
            number = self._values["example"]
        if shown:
            self.set(example=(number + 1) % (self._specs["example"].high + 1))
        else:
            self.changed()

    def changed(self) -> None:
        """The slider was moved: its digit comes on the pad."""
        with self._state:
            self._drawing, self._chosen, self._last = None, True, None
        super().changed()

    def reset(self) -> None:
        """Back to the beginning: the first test digit, which makes room for a drawing."""
        super().reset()
        self.changed()
        self._chosen = False

    def _pen_down(self) -> np.ndarray:
        """The ink to draw into. The digit that is there at the beginning makes room."""
        if self._drawing is None:
            kept = self._chosen
            self._drawing = self.drawing if kept else np.zeros((SIDE, SIDE), np.float32)
        return self._drawing

    def on_pointer(self, events: list[tuple[str, float, float]]) -> None:
        with self._state:
            for kind, x, y in events:
                at = self._on_pad(x, y)
                if kind == "down" and 0 <= at[0] <= SIDE and 0 <= at[1] <= SIDE:
                    self._last = at
                    brush_line(self._pen_down(), at, at)
                elif kind != "down" and self._last is not None:
                    brush_line(self._pen_down(), self._last, at)
                    self._last = at if kind == "move" else None
        super().changed()

    def _on_pad(self, x: float, y: float) -> tuple[float, float]:
        """Pixels on the pad, y downwards, from fractions of the picture, y upwards."""
        width, height = self.width * 100, self.height * 100
        return x * width - CORNER[0], SIDE - (y * height - CORNER[1])

    def on_key(self, key: str, shift: bool) -> None:
        if key in ("Delete", "Backspace", "Escape"):
            self.clear()
        elif key in ARROWS:
            step = (10 if shift else 1) * sum(ARROWS[key])
            spec = self._specs["example"]
            self.set(example=min(max(self.values["example"] + step, spec.low), spec.high))

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        import ipywidgets as widgets

        tip = "put this test digit on the pad; once more, and the next one comes"
        clear = button("Clear", self.clear, tip="empty the pad", width="90px")
        slider = widgets.HBox([rows["example"]], layout=widgets.Layout(margin="0 0 0 16px"))
        example = button("Example", self.show_example, tip=tip, width="90px")
        return [row(clear, slider, example)]

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        width, height = self.width * 100, self.height * 100

        def axes(left: float, bottom: float, wide: float, high: float) -> Any:
            return fig.add_axes((left / width, bottom / height, wide / width, high / height))

        pad = axes(*CORNER, SIDE, SIDE)
        pad.set_title("Draw a digit here")
        small = axes(365, 164, 140, 140)
        small.set_title("What the network sees", fontsize=11, loc="center")
        small.text(
            0.5, -0.05, "28 × 28 pixels", transform=small.transAxes, ha="center", va="top",
            fontsize=9.5, color=GREY,
        )  # fmt: skip
        images = []
        for ax, pixels in ((pad, SIDE), (small, 28)):
            ax.grid(False)
            ax.set(xticks=[], yticks=[])
            for spine in ax.spines.values():
                spine.set(visible=True, color=GREY, linewidth=1, position=("outward", 1))
            paper = on_paper(np.zeros((pixels, pixels)))
            images.append(ax.imshow(paper, interpolation="nearest", aspect="auto"))
        self._pad_image, self._small_image = images
        self._hint = pad.text(
            0.5, 0.5, "Draw a digit\nwith the mouse,\na pen or a finger", transform=pad.transAxes,
            ha="center", va="center", fontsize=15, color=GREY,
        )  # fmt: skip
        self._reads = fig.text(435 / width, 118 / height, "", ha="center", fontsize=11)
        self._big = fig.text(
            435 / width, 18 / height, "", ha="center", fontsize=62, color=RED, weight="bold"
        )

        bars = axes(585, 44, 295, 260)
        bars.set_title("How likely is each digit?")
        bars.set(xlim=(0, 1.14), ylim=(9.6, -0.6), yticks=range(10))
        bars.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
        bars.set_xlabel("probability (softmax of the logits)", labelpad=2)
        bars.grid(False, axis="y")
        bars.tick_params(axis="y", length=0, labelsize=12)
        self._bars = list(bars.barh(range(10), [0] * 10, height=0.72, linewidth=0))
        self._percents = [bars.text(0, k, "", va="center", fontsize=10) for k in range(10)]
        alarm = ALARM | {"fontsize": 10, "weight": "normal", "ha": "right", "va": "top"}
        self._note = bars.text(0.98, 0.98, "", transform=bars.transAxes, **alarm)
        learning = {"fontsize": 10, "color": BLACK, "ha": "right", "bbox": HALO}
        self._learning = bars.text(0.985, 0, "", transform=bars.transAxes, **learning)
        texts = [self._hint, self._reads, self._big, *self._percents, self._note, self._learning]
        return [*images, *self._bars, *texts]

    def update(self, result: Reading) -> None:
        self._pad_image.set_data(on_paper(result.ink))
        empty = result.seen is None
        self._small_image.set_data(on_paper(np.zeros((28, 28)) if empty else result.seen))
        self._hint.set_visible(empty and result.ink.max() == 0)
        self._reads.set_text("" if result.digit is None else "and reads")
        self._big.set_text("" if result.digit is None else str(result.digit))
        self._note.set_text(result.note.replace(": ", ":\n"))
        self._note.set_visible(bool(result.note))
        # Where the longest bar is not.
        above = result.digit is not None and result.digit > 4
        self._learning.set(y=0.975 if above else 0.025, va="top" if above else "bottom")
        self._learning.set_text("\n".join(_standing(result.pupil)))
        shares = np.zeros(10) if result.probabilities is None else result.probabilities
        for digit, (bar, text) in enumerate(zip(self._bars, self._percents, strict=True)):
            share = float(shares[digit])
            best = digit == result.digit
            bar.set_width(share)
            bar.set_facecolor(RED if best else BLUE)
            text.set_x(share + 0.015)
            text.set_text(f"{100 * share:.0f} %" if share >= 0.005 else "")
            text.set_weight("bold" if best else "normal")

    def summary(self, result: Reading) -> str:
        if self._unseen:
            return UNSEEN.format(example=result.example, label=result.label)
        words = [self._what_it_reads(result), result.note]
        if result.pupil is not None:
            words.append(f"{capital(', '.join(_standing(result.pupil)))}.")
            if result.pupil.stopped:
                words.append("Run the cell again, and it learns on.")
        return " ".join(filter(None, words))

    def _what_it_reads(self, result: Reading) -> str:
        if result.seen is None:
            return EMPTY
        what = "The drawing"
        if result.example is not None:
            what = f"Test digit number {result.example}, a {result.label}"
        if result.digit is None:
            return f"{what}."
        surest = result.probabilities[result.digit]
        floor = min(math.floor(10 * surest), 9) / 10
        text = f"{what}: the network reads {result.digit}, probability above {floor}"
        if surest < 0.5:
            second = int(np.argsort(-result.probabilities, kind="stable")[1])
            text += f"; it is unsure, next comes {second}"
        return f"{text}."


def _standing(pupil: Pupil | None) -> list[str]:
    """How far the reader is, in one or two lines; none when it has learned all it can."""
    if pupil is None:
        return []
    state = "learning stopped" if pupil.stopped else "still learning"
    lines = [f"{state}: round {pupil.rounds + 1} of {ROUNDS}"]
    if pupil.right is not None:
        lines.append(f"{100 * pupil.right:.0f} % of the test digits right so far")
    return lines
