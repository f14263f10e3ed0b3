"""The checkers of chapter 03: right results, and those that typical mistakes give.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from course_utils.probing import NotYet, as_array, attempt, compare, need_function, same

POINTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
NOR = [1, 0, 0, 0]
OTHER_GATES = {
    (0, 1, 1, 1): "That is OR, the opposite at every point: turn all signs around.",
    (1, 1, 1, 0): "That is NAND: one input alone must already outweigh the bias.",
    (0, 0, 0, 1): "That is AND. Here the point (0, 0) must fire, and no other.",
}

TANH_MISTAKES = {
    "again": "y is the output already: the tanh must not be taken again.",
    "cosh": "y is the output already: 1/cosh² wants the z that came before it.",
    "sigmoid": "That is the slope of the sigmoid; tanh has one of its own.",
    "no square": "Nearly: y stands there with a square.",
    "plus": "The sign: cosh² − sinh² = 1, divided by cosh², gives 1 − tanh².",
}

FORWARD_MISTAKES = {
    "last too": "The sums of the last layer are wanted as they are, without a sigmoid.",
    "linear": "No sigmoid between the layers: then all layers together stay linear.",
    "no bias": "The biases are missing: every layer adds its b.",
    "no hidden bias": "The biases are missing in the layers before the last.",
    "no last bias": "The bias of the last layer is missing.",
    "sign": "The sigmoid is turned around: a minus stands in its exponential.",
    "tanh": "That is tanh; a sigmoid is wanted: 1 / (1 + exp(−z)).",
}

GRADIENT_MISTAKES = {
    "sigmoid": "A·(1 − A) is the slope of the sigmoid; with tanh it is 1 − A².",
    "no mean": "The 1/N of the mean is missing.",
    "no two": "The 2 from the square is missing.",
    "no slope": "The slope of tanh is missing from D1.",
    "mean bias": "A bias gradient is a sum over the samples; the 1/N stands in D2 already.",
    "output slope": "The output has no activation here, so D2 has no factor Y·(1 − Y).",
    "sign": "The sign is turned around: the derivative of (Y − T)² is 2(Y − T).",
}
PARTS = ("dW1", "db1", "dW2", "db2")

POLYLINE_MISTAKES = {
    "slopes": "Each ReLU must have the *change* of the slope as its factor, not the slope itself.",
    "interp": "Outside the knots the first and the last piece must go on as straight lines.",
    "no start": "The height of the first knot is missing: begin at heights[0].",
    "no knot": "The first line is measured from the first knot: slope times (x − knots[0]).",
    "straight": "Your line never bends: a ReLU for each inner knot is missing.",
    "first twice": "The first knot needs no ReLU: the first piece also goes on to its left.",
}


def check_nor(answer: Any) -> str:
    """Exercise 03.nor."""
    need_function(answer, "my_nor()")
    call = "`my_nor()`"
    got = as_array(attempt(answer, call=call), call)
    if got.shape != (3,) or not np.isfinite(got).all():
        raise NotYet(f"{call} must return three numbers: `return w1, w2, b`.")
    sums = np.round(POINTS @ got[:2] + got[2], 9)
    outputs = (sums > 0).astype(int).tolist()
    if outputs == NOR:
        return "Negative weights and a positive bias: it fires until somebody objects."
    if sums[0] == 0:
        raise NotYet("At (0, 0) the sum is exactly 0, and the neuron fires only above 0.")
    if message := OTHER_GATES.get(tuple(outputs)):
        raise NotYet(message)
    for point, output, wanted in zip(POINTS, outputs, NOR, strict=True):
        if output != wanted:
            name = f"({point[0]:.0f}, {point[1]:.0f})"
            what = "fires" if output else "does not fire"
            raise NotYet(f"With these numbers the neuron {what} for {name}.")
    raise AssertionError  # one of the points differs


def softmax(z: np.ndarray, mistake: str = "") -> np.ndarray:
    """Softmax over the last axis, stable, or what ``mistake`` gives."""
    axis = {"axis 0": 0, "all": None}.get(mistake, -1)
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    if mistake == "not normalised":
        return e
    return e / e.sum(axis=axis, keepdims=True)


def check_softmax(answer: Any) -> str:
    """Exercise 03.softmax."""
    need_function(answer, "my_softmax(z)")
    cases = {
        "one sample": np.array([0.3, -1.2, 2.0]),
        "1010, 1000, 990": np.array([1010.0, 1000.0, 990.0]),
        "a batch of shape (2, 3)": np.array([[0.5, 1.5, -0.5], [2.0, 0.0, 1.0]]),
        "a batch of shape (3, 3)": np.array([[1.0, 2.0, 0.0], [0.5, 0.0, 3.0], [2.0, 2.0, 1.0]]),
        "a batch of shape (1, 4)": np.array([[1.0, -1.0, 0.5, 0.0]]),
        "a batch with 1010, 1000, 990 and -3, -2, -1": np.array(
            [[1010.0, 1000.0, 990.0], [-3.0, -2.0, -1.0]]
        ),
        "-1000, -1001, -1002": np.array([-1000.0, -1001.0, -1002.0]),
    }
    for name, z in cases.items():
        call = f"`my_softmax` of {name}"
        given = z.copy()
        result = attempt(answer, given, call=call)
        if not np.array_equal(given, z):
            raise NotYet("Your function changes its argument in place: `z -= …` works on the array")
        got = as_array(result, call)
        if got.shape == z.shape and np.isnan(got).any():
            raise NotYet(_softmax_nan(name, got, z))
        mistakes = [] if z.ndim == 1 else [
            (softmax(z, "axis 0"), "The columns sum to 1, the rows do not: use the last axis."),
            (softmax(z, "all"), "All numbers together sum to 1: you summed over the whole batch."),
        ]  # fmt: skip
        with np.errstate(all="ignore"):
            raw = np.exp(z)
        mistakes += [
            (softmax(z, "not normalised"), "Divide by the sum, so that a sample sums to 1."),
            (raw, "Divide by the sum, so that a sample sums to 1."),
        ]
        compare(result, softmax(z), call, mistakes)
    return "Subtracting the maximum changes nothing but the overflow: e^(z−m) / Σe^(z−m)."


def _softmax_nan(name: str, got: np.ndarray, z: np.ndarray) -> str:
    """What is wrong where NaN comes out of softmax."""
    if z.ndim == 2 and np.isnan(got[1]).all() and np.isfinite(got[0]).all():
        return (
            "The second sample gives NaN: it was shifted by the maximum of the whole batch, and "
            "all its exponentials became 0. Subtract from each sample its own largest score."
        )
    if z.max() < 0:
        return f"`my_softmax` of {name} gives NaN: all exponentials became 0. Shift by the maximum."
    return (
        f"`my_softmax` of {name} gives NaN: an overflow, exp(1010) is infinite. "
        "Subtract the largest score first."
    )


def check_tanh_slope(answer: Any) -> str:
    """Exercise 03.tanh_slope."""
    need_function(answer, "my_tanh_slope(y)")
    for values in ([0.0, 0.5, -0.5], [-0.9, 0.2, 0.7, 1.0]):
        y = np.array(values)
        given = y.copy()
        call = f"`my_tanh_slope(np.array({values}))`"
        got = attempt(answer, given, call=call)
        if not np.array_equal(given, y):
            raise NotYet("Your function changes its argument in place: return a new array instead.")
        mistakes = [
            (1 - np.tanh(y) ** 2, TANH_MISTAKES["again"]),
            (1 / np.cosh(y) ** 2, TANH_MISTAKES["cosh"]),
            (y * (1 - y), TANH_MISTAKES["sigmoid"]),
            (1 - y, TANH_MISTAKES["no square"]),
            (1 + y**2, TANH_MISTAKES["plus"]),
        ]
        compare(got, 1 - y**2, call, mistakes)
    return "Steepest where y = 0, and flat where y comes near ±1: there tanh is saturated."


def forward(X: np.ndarray, layers: list, mistake: str = "") -> np.ndarray:
    """The sums of the last layer, or what ``mistake`` gives."""
    A, last = X, len(layers) - 1
    for i, (W, b) in enumerate(layers):
        lost = {"no bias": True, "no hidden bias": i < last, "no last bias": i == last}
        Z = A @ W + (0 if lost.get(mistake) else b)
        if mistake == "linear" or (i == last and mistake != "last too"):
            A = Z
        elif mistake == "tanh":
            A = np.tanh(Z)
        else:
            A = 1 / (1 + np.exp(Z if mistake == "sign" else -Z))
    return A


def check_forward(answer: Any) -> str:
    """Exercise 03.forward."""
    need_function(answer, "my_forward(X, layers)")
    rng = np.random.default_rng(3)
    networks = ((2, 3, 1), (4,)), ((3, 4, 2, 3), (5,)), ((3, 2, 4, 2), ()), ((2, 3), (2,))
    for sizes, batch in networks:
        layers = [[rng.normal(size=(n, m)), rng.normal(size=m)] for n, m in pairwise(sizes)]
        X = rng.normal(size=(*batch, sizes[0]))
        shape = "-".join(map(str, sizes))
        call = f"`my_forward` of a {shape} network for X of shape {X.shape}"
        got = attempt(answer, X, layers, call=call)
        mistakes = [
            (forward(X, layers, kind), text)
            for kind, text in FORWARD_MISTAKES.items()
            if len(layers) > 1 or kind in ("last too", "no bias")
        ]
        compare(got, forward(X, layers), call, mistakes)
    return "One loop, any depth, one sample or a whole batch: `@` takes care of both."


def gradients(
    X: np.ndarray, T: np.ndarray, W1: Any, b1: Any, W2: Any, b2: Any, mistake: str = ""
) -> list[np.ndarray]:
    """dW1, db1, dW2, db2 of the tanh network, or what ``mistake`` gives."""
    A = np.tanh(X @ W1 + b1)
    Y = A @ W2 + b2
    D2 = 2 * (Y - T) / len(X)
    D2 = D2 * {"no mean": len(X), "no two": 0.5, "sign": -1.0}.get(mistake, 1.0)
    if mistake == "output slope":
        D2 = D2 * Y * (1 - Y)
    slope = {"sigmoid": A * (1 - A), "no slope": 1.0}.get(mistake, 1 - A**2)
    D1 = (D2 @ W2.T) * slope
    share = 1 / len(X) if mistake == "mean bias" else 1.0
    return [X.T @ D1, share * D1.sum(axis=0), A.T @ D2, share * D2.sum(axis=0)]


def check_gradients(answer: Any) -> str:
    """Exercise 03.gradients."""
    need_function(answer, "my_gradients(X, T, W1, b1, W2, b2)")
    rng = np.random.default_rng(5)
    for N, D, H in ((4, 2, 3), (5, 3, 4)):
        shapes = ((N, D), (N, 1), (D, H), (H,), (H, 1), (1,))
        values = [rng.normal(size=shape) for shape in shapes]
        call = f"`my_gradients` of a {D}-{H}-1 network and {N} samples"
        got = attempt(answer, *values, call=call)
        if got is None or got is ...:
            as_array(got, call)
        if not isinstance(got, list | tuple) or len(got) != 4:
            raise NotYet("`my_gradients` must return four arrays: `return dW1, db1, dW2, db2`.")
        for i, part in enumerate(PARTS):
            mistakes = [
                (gradients(*values, kind)[i], f"{part}: {text}")
                for kind, text in GRADIENT_MISTAKES.items()
                if not same(gradients(*values, kind)[i], gradients(*values)[i])
            ]
            compare(got[i], gradients(*values)[i], f"{part} from {call}", mistakes)
    return "All four agree with autograd. That is backpropagation, and chapter 04 makes it a habit."


def polyline(
    x: np.ndarray, knots: np.ndarray, heights: np.ndarray, mistake: str = ""
) -> np.ndarray:
    """The bent line through the knots, or what ``mistake`` gives."""
    if mistake == "interp":
        return np.interp(x, knots, heights)
    slopes = np.diff(heights) / np.diff(knots)
    y = slopes[0] * (x - (0 if mistake == "no knot" else knots[0]))
    y = y + (0 if mistake == "no start" else heights[0])
    if mistake == "first twice":
        y = heights[0] + slopes[0] * np.maximum(0, x - knots[0])
    for i in range(1, 1 if mistake == "straight" else len(slopes)):
        change = slopes[i] if mistake == "slopes" else slopes[i] - slopes[i - 1]
        y = y + change * np.maximum(0, x - knots[i])
    return y


def check_polyline(answer: Any) -> str:
    """Exercise 03.polyline."""
    need_function(answer, "my_polyline(x, knots, heights)")
    square = np.linspace(-3, 3, 7)
    cases = (
        ("the points -1, 0, 1 of |x|", np.array([-1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0])),
        ("seven points of x²", square, square**2),
        ("four points", np.array([0.5, 1.0, 3.0, 3.5]), np.array([2.0, -1.0, 4.0, 4.5])),
    )
    for name, knots, heights in cases:
        x = np.linspace(knots[0] - 1.5, knots[-1] + 1.5, 23)
        call = f"`my_polyline` through {name}"
        got = attempt(answer, x, knots.copy(), heights.copy(), call=call)
        wanted = polyline(x, knots, heights)
        mistakes = [
            (polyline(x, knots, heights, kind), text) for kind, text in POLYLINE_MISTAKES.items()
        ]
        compare(got, wanted, call, mistakes)
    return "Every bend is one ReLU: a network with m hidden units can bend a line m times."
