"""The initialisation explorer: does a signal survive twelve layers, forward and backward?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection

from course_utils.live.controls import Choice, Notches, Slider, row
from course_utils.live.playground import Playground
from course_utils.names import look_up
from course_utils.playgrounds.parts import HALO, TITLE, Parts
from course_utils.plotting import BLUE, GREEN, GREEN_INK, GREY, RED

DEPTH = 12
SAMPLES = 64
WIDTHS = (16, 32, 64, 128)
BAND = (0.5, 2.0)  # the goal
EDGE = 3.0  # values beyond are counted at the edge of the left picture
BINS = 60
LOWEST, HIGHEST = 1e-3, 1e3  # ends of the right picture

# Each activation with its derivative, written with the output a as in chapter 03.
ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "ReLU": (lambda z: np.maximum(z, 0), lambda a: (a > 0).astype(float)),
    "sigmoid": (lambda z: 0.5 + 0.5 * np.tanh(0.5 * z), lambda a: a * (1 - a)),
    "none": (lambda z: z, lambda a: np.ones_like(a)),
}

# Standard deviation of the weights for gain 1, from the number of inputs (= outputs) of a layer.
INITIALISATIONS: dict[str, Callable[[int], float]] = {
    "Xavier normal": lambda n: math.sqrt(2 / (n + n)),
    "Kaiming normal": lambda n: math.sqrt(2 / n),
    "plain normal": lambda n: 1.0,
}


@dataclass(frozen=True, eq=False)
class Signal:
    """What happens to a signal in a deep network just after its initialisation.

    weight_std: standard deviation of all weights.
    activation_std: (13,) of the input and of each layer's activations.
    gradient_std: (12,) of the gradient for the activations of layers 1 to 12; the last one is 1.
    shares: (12, 60) share of each layer's activations in each of the bins from -3 to 3; the first
    and the last bin hold all that lies beyond.
    """

    activation: str
    init: str
    gain: float
    width: int
    weight_std: float
    activation_std: np.ndarray
    gradient_std: np.ndarray
    shares: np.ndarray

    @property
    def activations_inside(self) -> int:
        """In how many of the 12 layers the activations' standard deviation is in the band."""
        return _inside(self.activation_std[1:])

    @property
    def gradients_inside(self) -> int:
        """In how many of the 12 layers the gradients' standard deviation is in the band."""
        return _inside(self.gradient_std)


def _inside(std: np.ndarray) -> int:
    return int(((std >= BAND[0]) & (std <= BAND[1])).sum())


@cache
def _draws(width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fixed input (64, width), weights (12, width, width) and last gradient, standard normal."""
    rng = np.random.default_rng(width)
    X = rng.standard_normal((SAMPLES, width))
    weights = rng.standard_normal((DEPTH, width, width))
    last = rng.standard_normal((SAMPLES, width))
    return X, weights / weights.std(), last / last.std()


def send_signal(activation: str, init: str, gain: float, width: int) -> Signal:
    """Send 64 random samples through 12 fresh layers (no biases), and a random gradient back.

    Raises ValueError for an unknown activation or initialisation.
    """
    act, slope = look_up("activation", activation, ACTIVATIONS)
    weight_std = gain * look_up("initialisation", init, INITIALISATIONS)(width)
    X, normals, grad = _draws(width)
    layers = [X]
    for normal in normals:
        layers.append(act(layers[-1] @ normal * weight_std))
    gradient_std = [float(grad.std())]
    for a, normal in zip(layers[:1:-1], normals[:0:-1], strict=True):
        grad = (grad * slope(a)) @ normal.T * weight_std
        gradient_std.append(float(grad.std()))
    activations = np.stack(layers[1:])
    # One count for all layers at once: layer number · bins + bin.
    bins = np.clip((activations + EDGE) * (BINS / (2 * EDGE)), 0, BINS - 1).astype(np.intp)
    bins += BINS * np.arange(DEPTH)[:, None, None]
    counts = np.bincount(bins.ravel(), minlength=DEPTH * BINS).reshape(DEPTH, BINS)
    return Signal(
        *(activation, init, gain, width, weight_std),
        np.array([layer.std() for layer in layers]),
        np.array(gradient_std[::-1]),
        counts / (SAMPLES * width),
    )


def verdict(result: Signal) -> str:
    """What one sees, for the title of the picture."""
    forward, backward = result.activation_std[-1], result.gradient_std[0]
    if result.activations_inside == result.gradients_inside == DEPTH:
        return "Goal reached: all 12 layers in the band, both ways"
    if forward < BAND[0] / 5:
        return f"The signal fades: {number(forward)} after 12 layers"
    if forward > 5 * BAND[1]:
        return f"The signal explodes: {number(forward)} after 12 layers"
    if backward < BAND[0] / 5:
        return f"The gradient vanishes: {number(backward)} at layer 1"
    if backward > 5 * BAND[1]:
        return f"The gradient explodes: {number(backward)} at layer 1"
    if result.activations_inside == DEPTH:
        return "The activations hold, the gradients not quite"
    return "Neither lost nor blown up, but not in the band"


def number(x: float) -> str:
    """Two digits that count: 0.63, 12, 4,600, 3e-05."""
    if 100 <= x < 1e6:
        return f"{float(f'{x:.2g}'):,.0f}"
    return f"{x:.2g}"


class InitExplorer(Parts, Playground):
    """Follow a signal through 12 freshly initialised layers, and a gradient back."""

    width, height = 9.0, 3.5
    controls = (
        Choice("activation", "tanh", options=tuple(ACTIVATIONS), width="190px",
               tip="applied after each of the 12 layers"),
        Choice("init", "Xavier normal", "initialisation", options=tuple(INITIALISATIONS),
               width="250px",
               tip="how the standard deviation of the weights follows from the width"),
        Notches("width", 64, "units per layer", options=WIDTHS, width="270px"),
        Slider("gain", 1.0, low=0.01, high=10.0, log=True, step=0.02, width="560px",
               tip="factor on all weights; with plain normal it is their standard deviation"),
    )  # fmt: skip
    compute = staticmethod(send_signal)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        gain = rows.pop("gain")
        return [row(*rows.values()), row(gain, self.reset_button())]

    # -- picture -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        left = fig.add_axes((0.092, 0.145, 0.49, 0.74))
        left.set(xlim=(0.4, DEPTH + 0.6), ylim=(-EDGE, EDGE), xlabel="layer")
        left.set_ylabel("activations", labelpad=2)
        left.set_xticks(range(1, DEPTH + 1))
        left.set_yticks(range(-3, 4), ["≤ −3", "−2", "−1", "0", "1", "2", "≥ 3"])
        left.xaxis.grid(False)
        self.violins = self.add(left, PolyCollection([], facecolors=BLUE, lw=0, alpha=0.8))
        self.title = self.text(left, 0, 1.04, **TITLE)

        right = fig.add_axes((0.69, 0.145, 0.295, 0.74))
        right.set(xlim=(-0.5, DEPTH + 0.5), ylim=(LOWEST, HIGHEST), yscale="log", xlabel="layer")
        right.set_xticks(range(0, DEPTH + 1, 2))
        right.set_yticks([1e-3, 1e-2, 0.1, 1, 10, 100, 1000])
        right.set_yticklabels(["≤ 0.001", "0.01", "0.1", "1", "10", "100", "≥ 1000"])
        right.minorticks_off()
        right.set_ylabel("standard deviation", labelpad=0)
        right.axhspan(*BAND, color=GREEN, alpha=0.22, lw=0)
        right.text(-0.3, 2.2, "goal: 0.5 to 2", color=GREEN_INK, fontsize=9.5)
        style = dict(markersize=5, clip_on=False, zorder=3)
        self.forward = self.line(right, "o-", color=BLUE, label="activations →", **style)
        self.backward = self.line(right, "s--", color=RED, label="← gradients", **style)
        right.legend(loc="lower left", bbox_to_anchor=(-0.03, 0.98), ncols=2, fontsize=9.5,
                     handlelength=2.0, columnspacing=1.0, borderpad=0.1)  # fmt: skip
        grey = {"color": GREY, "fontsize": 10, "ha": "right", "bbox": HALO}
        self.sigma = self.text(right, 0.98, 0.04, zorder=4, **grey)
        left.xaxis.labelpad = right.xaxis.labelpad = 1
        return self.moving

    def update(self, result: Signal) -> None:
        self.violins.set_verts(violins(result.shares))
        self.title.set_text(verdict(result))
        layers = np.arange(DEPTH + 1)
        self.forward.set_data(layers, np.clip(result.activation_std, LOWEST, HIGHEST))
        self.backward.set_data(layers[1:], np.clip(result.gradient_std, LOWEST, HIGHEST))
        self.sigma.set_text(f"weights: σ = {result.weight_std:.3g}")

    def summary(self, result: Signal) -> str:
        forward, backward = result.activation_std, result.gradient_std
        after = "no activation" if result.activation == "none" else result.activation
        return (
            f"{after}, {result.init} with gain {number(result.gain)}, {result.width} units per "
            f"layer: weights with standard deviation {result.weight_std:.3g}. Activations: "
            f"{number(forward[1])} in layer 1, {number(forward[-1])} in layer 12, in the band in "
            f"{result.activations_inside} of 12 layers. Gradients: {number(backward[-1])} in layer "
            f"12, {number(backward[0])} in layer 1, in the band in {result.gradients_inside}."
        )


def violins(shares: np.ndarray) -> np.ndarray:
    """Outlines (12, 122, 2) of the violins; their width grows with the root of the share."""
    widths = np.sqrt(shares)
    widths *= 0.45 / widths.max(axis=1, keepdims=True)
    # Each bin is a small step: its width at its lower and at its upper edge.
    steps = np.repeat(widths, 2, axis=1)
    edges = np.repeat(np.linspace(-EDGE, EDGE, BINS + 1), 2)[1:-1]
    centres = np.arange(1, DEPTH + 1)[:, None]
    x = np.concatenate([centres + steps, (centres - steps)[:, ::-1]], axis=1)
    y = np.broadcast_to(np.concatenate([edges, edges[::-1]]), x.shape)
    return np.stack([x, y], axis=2)
