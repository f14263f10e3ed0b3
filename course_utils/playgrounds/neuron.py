"""The decision boundary of one neuron: two weights, a bias, and the four points of a gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.patches import Polygon

from course_utils.live.controls import Choice, Slider, row
from course_utils.live.playground import Playground
from course_utils.playgrounds.parts import ARROWS, TITLE, Event, Parts, say
from course_utils.playgrounds.words import signed
from course_utils.plotting import BLACK, BLUE, GREY, RED, SKY
from course_utils.printing import rounded

INPUTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
GATES: dict[str, tuple[int, int, int, int]] = {
    "AND": (0, 0, 0, 1),
    "NAND": (1, 1, 1, 0),
    "OR": (0, 1, 1, 1),
    "XOR": (0, 1, 1, 0),
}
LOW, HIGH = -0.6, 1.6  # of both inputs, in the picture
MOST = 2.0  # of weights and bias
MAP = (0.065, 0.155, 0.2825, 0.7475)  # left, bottom, width, height as fractions: a square
COLUMNS = (0.745, 0.815, 0.895, 0.955)  # of the table, as fractions of the width
SHOWN_SUM = 3.0  # longer bars end at the edge; their number is written beside them


@dataclass(frozen=True, eq=False)
class Decision:
    """What a neuron with these weights says about the four points of a gate."""

    gate: str
    w1: float
    w2: float
    b: float
    sums: np.ndarray
    """w1·x1 + w2·x2 + b for the points of `INPUTS`, shape (4,)."""
    region: np.ndarray
    """Corners of the part of the picture where the neuron fires, shape (n, 2); n may be 0."""
    line: np.ndarray
    """The two ends of the boundary within the picture, shape (2, 2), or (0, 2)."""

    @property
    def outputs(self) -> np.ndarray:
        """1 where the sum is above 0, else 0, shape (4,)."""
        return (self.sums > 0).astype(int)

    @property
    def wanted(self) -> np.ndarray:
        """What the gate gives, shape (4,)."""
        return np.array(GATES[self.gate])

    @property
    def right(self) -> np.ndarray:
        """Whether each point is answered right, shape (4,)."""
        return self.outputs == self.wanted


def decide(gate: str, w1: float, w2: float, b: float) -> Decision:
    """One neuron on the four points of ``gate`` (a name of `GATES`)."""
    # Rounded: 0.1 + 0.2 − 0.3 must be 0, as the sliders say, and not 5.6e-17.
    sums = np.round(INPUTS @ [w1, w2] + b, 9)
    return Decision(gate, w1, w2, b, sums, *half_plane(w1, w2, b))


def half_plane(w1: float, w2: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """(region, line) of w1·x1 + w2·x2 + b > 0 within the picture, as in `Decision`."""
    corners = np.array([(LOW, LOW), (HIGH, LOW), (HIGH, HIGH), (LOW, HIGH)])
    sums = corners @ [w1, w2] + b
    region, line = [], []
    for i in range(4):
        j = (i + 1) % 4
        if sums[i] > 0:
            region.append(corners[i])
        if (sums[i] > 0) != (sums[j] > 0):
            share = sums[i] / (sums[i] - sums[j])
            line.append(corners[i] + share * (corners[j] - corners[i]))
            region.append(line[-1])
    return np.reshape(region, (-1, 2)), np.reshape(line, (-1, 2))


def verdict(result: Decision) -> str:
    """How many points are right, in the words of the picture's title."""
    count = int(result.right.sum())
    if count == 4:
        return f"{result.gate}: all four right, solved"
    return f"{result.gate}: {count} of 4 right"


class NeuronBoundary(Parts, Playground):
    """Set two weights and a bias by hand until one neuron computes a logic gate."""

    width, height = 9.0, 3.4
    areas = (MAP,)
    _weight: ClassVar = {"low": -MOST, "high": MOST, "step": 0.1, "width": "262px"}
    controls = (
        Choice("gate", "AND", options=tuple(GATES), tip="which outputs are wanted", width="160px"),
        Slider("w1", 1.0, "w₁", tip="weight of the first input", **_weight),
        Slider("w2", 0.4, "w₂", tip="weight of the second input", **_weight),
        Slider("b", -0.3, "b", tip="bias: moves the line without turning it", **_weight),
    )
    compute = staticmethod(decide)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        return [row(rows.pop("gate"), self.reset_button()), row(*rows.values())]

    # -- pointer and keys: move the line, which moves the bias -------------------------------------

    def on_pointer(self, events: list[Event]) -> None:
        target = self.dragged(MAP, events)
        if target is not None:
            x1, x2 = (LOW + part * (HIGH - LOW) for part in target)
            values = self.values
            self._bias(-values["w1"] * x1 - values["w2"] * x2)

    def on_key(self, key: str, shift: bool) -> None:
        way = sum(ARROWS.get(key, ()))  # to the right and up is more
        if way:
            self._bias(self.values["b"] + way * (0.5 if shift else 0.1))

    def _bias(self, b: float) -> None:
        self.set(b=min(max(round(b, 1), -MOST), MOST) + 0.0)

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        left = fig.add_axes(MAP, xlim=(LOW, HIGH), ylim=(LOW, HIGH), xlabel="x₁", ylabel="x₂")
        left.set(xticks=(0, 1), yticks=(0, 1))
        left.xaxis.labelpad = left.yaxis.labelpad = -8
        region = Polygon(np.zeros((3, 2)), closed=True, fc=SKY, alpha=0.35, ec="none")
        self.region = self.moves(left.add_patch(region))
        self.border = self.line(left, color=BLUE, lw=2.5)
        self.wrong = self.line(left, "o", ms=21, mfc="none", mec=RED, mew=2.2, ls="none")
        self.ones = self.line(left, "o", ms=10, color=BLACK, ls="none")
        self.zeros = self.line(left, "o", ms=10, mfc="white", mec=BLACK, mew=1.8, ls="none")
        self.fires = self.text(left, by="data", fontsize=10.5, color=BLUE)
        self.rests = self.text(left, by="data", fontsize=10.5, color=GREY)
        self.title = self.text(left, 0, 1.045, **TITLE)

        right = fig.add_axes((0.465, 0.155, 0.24, 0.7475), xlabel="z = w₁x₁ + w₂x₂ + b")
        right.set(xlim=(-SHOWN_SUM, SHOWN_SUM), ylim=(3.6, -0.6))
        right.set_yticks(range(4), [f"({a:.0f}, {b:.0f})" for a, b in INPUTS])
        right.tick_params(axis="y", length=0)
        right.set_ylabel("input (x₁, x₂)", labelpad=2)
        right.axvline(0, color=BLACK, lw=1)
        right.set_title("It fires where z > 0", loc="left")
        right.grid(axis="y", visible=False)
        self.bars = [self.line(right, lw=13, solid_capstyle="butt") for _ in range(4)]
        for x, head in zip(COLUMNS, ("z", "output", "wanted", ""), strict=True):
            fig.text(x, 0.93, head, fontsize=10.5, color=GREY, ha="center")
        heights = [right.transData.transform((0, i))[1] / fig.bbox.height for i in range(4)]
        cell = {"by": "figure", "va": "center", "ha": "center", "fontsize": 12}
        self.words = [[self.text(right, x, y, **cell) for x in COLUMNS] for y in heights]
        notes = ("●  wanted 1      ○  wanted 0", "red ring: wrong", "drag the line to move it")
        for i, note in enumerate(notes):
            fig.text(0.735, 0.145 - 0.062 * i, note, fontsize=9.5, color=GREY)
        return self.moving

    def update(self, result: Decision) -> None:
        some = len(result.region) > 2
        self.region.set_visible(some)
        if some:
            self.region.set_xy(result.region)
        self.border.set_data(*result.line.T)
        wanted = result.wanted == 1
        self.ones.set_data(*INPUTS[wanted].T)
        self.zeros.set_data(*INPUTS[~wanted].T)
        self.wrong.set_data(*INPUTS[~result.right].T)
        self._name_sides(result)
        self.title.set_text(verdict(result))
        rows = zip(result.sums, result.outputs, result.wanted, result.right, strict=True)
        for i, (total, output, want, right) in enumerate(rows):
            end = float(np.clip(total, -SHOWN_SUM, SHOWN_SUM))
            self.bars[i].set_data([0, end], [i, i])
            self.bars[i].set_color(BLUE if total > 0 else GREY)
            say(self.words[i], (signed(total), str(output), str(want), "✓" if right else "✗"))

    def _name_sides(self, result: Decision) -> None:
        """ "output 1" into the corner where the sum is largest, "output 0" where it is smallest."""
        corners = np.array([(LOW, LOW), (HIGH, LOW), (HIGH, HIGH), (LOW, HIGH)])
        weights = np.array([result.w1, result.w2])
        sums = corners @ weights
        wide, high, inset = 0.62, 0.13, 0.07  # of the words, in units of the axes
        for text, index, word, sign in (
            (self.fires, int(sums.argmax()), "output 1", 1),
            (self.rests, int(sums.argmin()), "output 0", -1),
        ):
            x, y = corners[index]
            left = x + inset if x < 0 else x - inset - wide
            low = y + inset if y < 0 else y - inset - high
            text.set_position((left, low))
            box = np.array([(left, low), (left + wide, low + high)])
            inside = sign * (box.mean(axis=0) @ weights + result.b) > 0  # else there is no room
            text.set_text(word if inside else "")

    def summary(self, result: Decision) -> str:
        b = rounded(result.b, 2)
        values = f"w₁ = {rounded(result.w1, 2):g}, w₂ = {rounded(result.w2, 2):g}, b = {b:g}"
        points = "(0, 0), (0, 1), (1, 0), (1, 1)"
        listed = ", ".join(str(output) for output in result.outputs)
        wanted = ", ".join(str(output) for output in result.wanted)
        text = f"{verdict(result)}. With {values} the outputs for {points} are {listed}"
        return f"{text}, as wanted." if result.right.all() else f"{text}; wanted are {wanted}."
