"""Training a small network on XOR: the loss falls, and the plane bends until four points are right.

`train_xor` is the training behind it, written out in NumPy as
in chapter 03, so the same seed gives the same run as there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from contourpy import contour_generator
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap

from course_utils.live.controls import Choice, Slider, Toggle, rate_slider, row
from course_utils.live.training import TrainingPlayground
from course_utils.names import unknown_name
from course_utils.playgrounds.parts import HALO, TITLE, Parts
from course_utils.playgrounds.words import PRESS_START, capital, counted, standing
from course_utils.plotting import BLACK, BLUE, GREY, RED
from course_utils.printing import rounded

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])
NUM_EPOCHS = 10_000
GROUP = 25  # epochs between two results: they take half a millisecond
PIXELS = 60  # of the surface, along each side
LOW, HIGH = -0.6, 1.6  # of both inputs, in the picture
ALWAYS_HALF = 0.25  # the loss of a network that answers 0.5 to everything
UNDECIDED = 1e-6  # this close to 0.5 an answer is neither 0 nor 1
LEARNED = 0.01  # the loss below which we call it learned
INITS = ("random", "all zero", "all 0.5")

# From orange (output 0) through white (undecided) to blue (output 1).
COLOURS = LinearSegmentedColormap.from_list("output", ["#E69F00", "#ffffff", "#56B4E9"])

Params = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a training stands. Nothing in it is changed later.

    setting: the values of the controls. epoch: updates done. losses: (epoch / GROUP + 1,) the mean
    squared error at epochs 0, GROUP, 2·GROUP … outputs: (4,) answers to the points of `X`.
    params: W1 (2, H), b1 (H,), W2 (H, 1), b2 (1,).
    """

    setting: dict[str, Any]
    epoch: int
    losses: np.ndarray
    outputs: np.ndarray
    params: Params

    @property
    def right(self) -> np.ndarray:
        """(4,) whether each answer lies on the right side of 0.5."""
        return (2 * Y[:, 0] - 1) * (self.outputs - 0.5) > UNDECIDED

    @cached_property
    def surface(self) -> np.ndarray:
        """(PIXELS, PIXELS) the output over the picture, first row at the bottom."""
        axis = np.linspace(LOW, HIGH, PIXELS)
        points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        return predict(points, *self.params).reshape(PIXELS, PIXELS)


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(−z)), written so that nothing overflows."""
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def predict(
    X: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray
) -> np.ndarray:
    """Outputs of the 2-H-1 network for points X (N, 2): shape (N, 1)."""
    return sigmoid(sigmoid(X @ W1 + b1) @ W2 + b2)


def first_params(hidden: int, seed: int, init: str = "random") -> Params:
    """W1 (2, H), b1 (H,), W2 (H, 1), b2 (1,): standard normal weights, biases 0; see `INITS`."""
    if init == "random":
        rng = np.random.default_rng(seed)
        W1, W2 = rng.normal(size=(2, hidden)), rng.normal(size=(hidden, 1))
    else:
        value = {"all zero": 0.0, "all 0.5": 0.5}[init]
        W1, W2 = np.full((2, hidden), value), np.full((hidden, 1), value)
    return W1, np.zeros(hidden), W2, np.zeros(1)


def train_xor(
    hidden: int = 3,
    lr: float = 0.5,
    seed: int = 0,
    biases: bool = True,
    init: str = "random",
    *,
    dtype: str = "float64",
    num_epochs: int = NUM_EPOCHS,
) -> Iterator[Progress]:
    """Full-batch gradient descent on XOR, handing out a `Progress` every `GROUP` epochs.

    Sigmoid in both layers, loss = mean squared error over the four points, so that one epoch is
    one update. Without ``biases`` they stay 0.
    """
    if init not in INITS:
        raise unknown_name("init", init, INITS)
    setting = {"hidden": hidden, "lr": lr, "seed": seed, "biases": biases, "init": init}
    W1, b1, W2, b2 = (p.astype(dtype) for p in first_params(hidden, seed, init))
    inputs, targets, rate = X.astype(dtype), Y.astype(dtype), np.dtype(dtype).type(lr)
    losses: list[float] = []
    for epoch in range(num_epochs + 1):
        A = sigmoid(inputs @ W1 + b1)
        Y_hat = sigmoid(A @ W2 + b2)
        error = Y_hat - targets
        if epoch % GROUP == 0:
            losses.append(float(np.mean(error * error)))
        if epoch and epoch % GROUP == 0:
            params = tuple(p.copy() for p in (W1, b1, W2, b2))
            yield Progress(setting, epoch, np.array(losses), Y_hat[:, 0].astype(float), params)
        G2 = error * (2 / len(inputs)) * Y_hat * (1 - Y_hat)
        G1 = (G2 @ W2.T) * A * (1 - A)
        W2 -= rate * (A.T @ G2)
        W1 -= rate * (inputs.T @ G1)
        if biases:
            b2 -= rate * G2.sum(axis=0)
            b1 -= rate * G1.sum(axis=0)


def verdict(result: Progress) -> str:
    """What has become of the training, in a few words."""
    loss, count = result.losses[-1], int(result.right.sum())
    if loss < LEARNED:
        return "XOR is learned"
    if np.ptp(result.outputs) < UNDECIDED:
        return "one answer for all four points"
    if count == 4:
        return "all four on the right side, not yet sure"
    return f"{count} of 4 on the right side of 0.5"


class XorTraining(Parts, TrainingPlayground):
    """Train a network of sigmoids on XOR while you watch; every knob starts it anew."""

    width, height = 9.0, 3.4
    preview = 2_000 // GROUP
    controls = (
        Slider("hidden", 3, "hidden units", low=1, high=8, width="270px"),
        rate_slider(0.5, 0.005, 500.0, width="310px", tip=""),
        Slider("seed", 0, low=0, high=59, width="230px", tip="which random first weights"),
        Toggle("biases", True, width="90px", tip="train the biases; else they stay 0"),
        Choice("init", "random", "first weights", options=INITS, width="210px"),
    )
    steps = staticmethod(train_xor)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        hidden, lr, seed, biases, init = rows.values()
        return [row(hidden, lr, seed), row(init, biases, *self.train_buttons())]

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        left = fig.add_axes((0.105, 0.165, 0.395, 0.71), xlabel="epochs (one update each)")
        left.set(xlim=(0, NUM_EPOCHS), ylim=(1e-4, 0.9), yscale="log")
        left.set_ylabel("mean squared error", labelpad=2)
        left.set_xticks(range(0, NUM_EPOCHS + 1, 2500), [f"{n:,}" for n in range(0, 10001, 2500)])
        left.set_yticks([1e-4, 1e-3, 1e-2, 0.1], ["0.0001", "0.001", "0.01", "0.1"])
        left.axhline(ALWAYS_HALF, color=GREY, lw=1, ls=":")
        words = "0.25: always answering 0.5"
        left.text(9_900, ALWAYS_HALF * 1.15, words, color=GREY, fontsize=9.5, ha="right")
        self.curve = self.line(left, color=BLUE)
        self.end = self.line(left, "o", color=BLUE, ms=7, mec="white")
        self.title = self.text(left, 0, 1.05, **TITLE)
        self.count = self.text(left, 0.02, 0.05, fontsize=10, color=BLACK)

        right = fig.add_axes((0.565, 0.165, 0.2682, 0.71), xlabel="x₁", ylabel="x₂")
        right.set(xlim=(LOW, HIGH), ylim=(LOW, HIGH), xticks=(0, 1), yticks=(0, 1))
        right.xaxis.labelpad = right.yaxis.labelpad = -8
        right.grid(visible=False)
        right.set_title("What it answers where")
        self.surface = self.image(right, (LOW, HIGH, LOW, HIGH), cmap=COLOURS, zorder=0)
        units = LineCollection([], colors=GREY, lw=1, linestyles="--", zorder=1)
        self.units = self.add(right, units)
        self.border = self.add(right, LineCollection([], colors=BLACK, lw=2, zorder=2))
        self.wrong = self.line(right, "o", ms=19, mfc="none", mec=RED, mew=2.2, ls="none")
        self.line(right, "o", ms=9, color=BLACK, ls="none").set_data(*X[[1, 2]].T)
        white = {"mfc": "white", "mec": BLACK, "mew": 1.8}
        self.line(right, "o", ms=9, ls="none", **white).set_data(*X[[0, 3]].T)
        above = {"by": "data", "offset": (0, 13.5), "ha": "center", "bbox": HALO | {"alpha": 0.75}}
        self.answers = [self.text(right, x, y, fontsize=10, **above) for x, y in X]
        notes = ("● wanted 1", "○ wanted 0", "blue: 1", "orange: 0", "black line: 0.5")
        notes += ("dashed: where a", "  hidden unit is 0.5", "red ring: wrong")
        for i, note in enumerate(notes):
            fig.text(0.845, 0.84 - 0.075 * i, note, fontsize=9, color=GREY)
        return self.moving

    def update(self, result: Progress) -> None:
        epochs = GROUP * np.arange(len(result.losses))
        self.curve.set_data(epochs, result.losses)
        self.end.set_data(epochs[-1:], result.losses[-1:])
        self.title.set_text(capital(verdict(result)))
        count = f"epoch {result.epoch:,} of {NUM_EPOCHS:,}, loss {rounded(result.losses[-1]):g}"
        before = PRESS_START if result.epoch < NUM_EPOCHS else ""
        self.count.set_text(count + standing(self.shown_state, before))
        surface = result.surface
        self.surface.set_data(surface[::-1])
        axis = np.linspace(LOW, HIGH, PIXELS)
        flat = np.ptp(surface) < 1e-3  # then the border would be drawn through rounding errors
        border = [] if flat else contour_generator(axis, axis, surface).lines(0.5)
        self.border.set_segments(border)
        self.units.set_segments(unit_lines(result.params))
        self.wrong.set_data(*X[~result.right].T)
        for text, answer in zip(self.answers, result.outputs, strict=True):
            text.set_text(f"{answer:.2f}")

    def summary(self, result: Progress) -> str:
        values = result.setting
        units = counted(values["hidden"], "hidden unit")
        weights = f"seed {values['seed']}" if values["init"] == "random" else values["init"]
        answers = ", ".join(f"{answer:g}" for answer in rounded(result.outputs, 2))
        return (
            f"{units} {'with' if values['biases'] else 'without'} biases, "
            f"first weights: {weights}, lr {rounded(values['lr'], 4):g}. "
            f"After {result.epoch:,} epochs the loss is {rounded(result.losses[-1])} and the "
            f"answers to (0, 0), (0, 1), (1, 0), (1, 1) are "
            f"{answers}: {verdict(result)}."
        )


def unit_lines(params: Params) -> list[np.ndarray]:
    """For each hidden unit with a direction the two ends of the line where it outputs 0.5."""
    lines = []
    for w, b in zip(params[0].T, params[1], strict=True):
        length = float(np.hypot(*w))
        if length > 1e-9:
            foot = -b * w / length**2
            along = np.array([-w[1], w[0]]) / length
            lines.append(np.array([foot - 9 * along, foot + 9 * along]))
    return lines
