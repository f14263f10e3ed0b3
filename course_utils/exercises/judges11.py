"""The checkers of chapter 11: small images with known answers, and what typical mistakes give.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.probing import (
    NotAttempted,
    NotYet,
    as_array,
    attempt,
    compare,
    describe,
    need_class,
    need_function,
)

# --------------------------------------------------------------------------------- 11.layer

SIDE_MISTAKES = {
    "padding once": "Padding adds pixels on both sides: 2·padding.",
    "no padding": "The padding is missing: it adds 2·padding pixels to the side.",
    "stride outside": "Divide first, then add 1: the first place is there whatever the stride is.",
    "no + 1": "The first place counts too: the + 1 is missing.",
    "no stride": "The stride is missing: only every stride-th place is used.",
    "rounded up": "Round down: a last step that would leave the image is not taken. Use //.",
    "no rounding": "Round down to a whole number: use //.",
    "no kernel": "The kernel must fit inside: subtract kernel_size.",
}
COUNT_MISTAKES = {
    "no bias": "The biases are missing: one for each filter.",
    "one bias": "Each filter has a bias of its own: out_channels biases, not one.",
    "no channels": "A filter has a kernel for each input channel: multiply by in_channels.",
    "not squared": "A kernel has kernel_size · kernel_size weights.",
    "bias per weight": "One bias per filter, not one for each of its kernels.",
    "one filter": "That is a single filter: there are out_channels of them.",
    "per place": "The weights are shared: the same filter is used at all places, count it once.",
}

LayerCase = tuple[int, int, int, int, int, int]


def layer_side(case: LayerCase, mistake: str = "") -> float:
    """The side of the output, or what ``mistake`` gives."""
    size, _, _, kernel_size, stride, padding = case
    both = {"no padding": 0, "padding once": 1}.get(mistake, 2)
    room = size + both * padding - kernel_size * (mistake != "no kernel")
    if mistake == "rounded up":
        return math.ceil(room / stride) + 1
    if mistake == "no rounding":
        return room / stride + 1
    if mistake == "stride outside":
        return (room + 1) // stride
    return room // (1 if mistake == "no stride" else stride) + (mistake != "no + 1")


def layer_parameters(case: LayerCase, mistake: str = "") -> int:
    """The number of parameters, or what ``mistake`` gives."""
    _, in_channels, out_channels, kernel_size, _, _ = case
    if mistake == "no channels":
        in_channels = 1
    weights = in_channels * (kernel_size if mistake == "not squared" else kernel_size**2)
    return {
        "no bias": out_channels * weights,
        "one bias": out_channels * weights + 1,
        "bias per weight": out_channels * (weights + in_channels),
        "one filter": weights + 1,
        "per place": int(out_channels * (weights + 1) * layer_side(case) ** 2),
    }.get(mistake, out_channels * (weights + 1))


def check_layer(answer: Any) -> str:
    """Exercise 11.layer."""
    need_function(answer, "my_layer(size, in_channels, out_channels, kernel_size, stride, padding)")
    cases = (
        (28, 1, 32, 3, 1, 0),
        (28, 32, 64, 3, 1, 1),
        (31, 3, 8, 5, 2, 0),
        (31, 3, 8, 5, 2, 1),
        (224, 3, 64, 7, 2, 3),
    )
    for case in cases:
        call = f"`my_layer({', '.join(map(str, case))})`"
        got = attempt(answer, *case, call=call)
        side, count = _two(got, call, "(side, parameters)")
        sides = [(layer_side(case, kind), text) for kind, text in SIDE_MISTAKES.items()]
        sides += [
            (layer_parameters(case), "That is the number of parameters. The side comes first."),
            (layer_side(case) ** 2, "Those are all pixels of an output; count those of one side."),
        ]
        compare(side, layer_side(case), f"The first value of {call}", sides)
        counts = [(layer_parameters(case, kind), text) for kind, text in COUNT_MISTAKES.items()]
        compare(count, layer_parameters(case), f"The second value of {call}", counts)
    return "The side depends on stride and padding, the number of parameters does not."


def _two(got: Any, call: str, names: str) -> tuple[Any, Any]:
    if got is ...:
        raise NotAttempted
    if got is None:
        raise NotYet(f"{call} gives None. Is a `return` missing?")
    try:
        first, second = got
    except (TypeError, ValueError):
        raise NotYet(f"{call} must return a pair, {names}; got {describe(got)}.") from None
    return first, second


# ---------------------------------------------------------------------- 11.cross_correlation

CORRELATION_MISTAKES = {
    "flipped": "The kernel is turned round: that is the convolution of mathematics. Here the "
    "kernel stays as it is.",
    "no + 1": "The last row and the last column are missing: a kernel of side k fits at "
    "size − k + 1 places.",
    "mean": "Add the products up; do not average them.",
    "padded": "The image is padded: here the kernel stays inside, so the result is smaller.",
    "side by side": "The windows overlap: move the kernel by one pixel, not by its own size.",
    "no products": "You added up the pixels only: multiply each by its weight first.",
}


def correlation(image: np.ndarray, kernel: np.ndarray, mistake: str = "") -> np.ndarray:
    """Cross-correlation of an image (H, W) with a kernel (kH, kW), or what ``mistake`` gives."""
    kernel = {
        "flipped": kernel[::-1, ::-1],
        "mean": kernel / kernel.size,
        "no products": np.ones_like(kernel),
    }.get(mistake, kernel)
    (kH, kW), step_down, step_right = kernel.shape, 1, 1
    if mistake == "padded":
        image = np.pad(image, (((kH - 1) // 2, kH // 2), ((kW - 1) // 2, kW // 2)))
    if mistake == "side by side":
        step_down, step_right = kH, kW
    windows = np.lib.stride_tricks.sliding_window_view(image, (kH, kW))
    result = (windows[::step_down, ::step_right] * kernel).sum((2, 3))
    return result[:-1, :-1] if mistake == "no + 1" else result


def check_cross_correlation(answer: Any) -> str:
    """Exercise 11.cross_correlation."""
    need_function(answer, "my_cross_correlation(image, kernel)")
    rng = np.random.default_rng(11)
    for (H, W), (kH, kW) in (
        ((4, 4), (2, 2)),
        ((6, 6), (3, 3)),
        ((5, 8), (2, 3)),
        ((3, 4), (3, 1)),
    ):
        image = rng.integers(0, 10, (H, W)).astype(float)
        kernel = rng.integers(1, 6, (kH, kW)) * rng.choice([-1.0, 1.0], (kH, kW))
        call = f"For an image ({H}, {W}) and a kernel ({kH}, {kW}), `my_cross_correlation`"
        got = attempt(answer, image.copy(), kernel.copy(), call=call)
        mistakes = [
            (correlation(image, kernel, kind), text) for kind, text in CORRELATION_MISTAKES.items()
        ]
        compare(got, correlation(image, kernel), call, mistakes)
    return "This is all that F.conv2d does, for one channel and one filter."


# -------------------------------------------------------------------------- 11.shift_kernel


def shift_kernel(down: int, right: int) -> np.ndarray:
    """(3, 3): zeros, and a 1 on the side from which the new pixel comes."""
    kernel = np.zeros((3, 3))
    kernel[1 - down, 1 - right] = 1.0
    return kernel


def check_shift_kernel(answer: Any) -> str:
    """Exercise 11.shift_kernel."""
    need_function(answer, "my_shift_kernel(down, right)")
    for down, right in ((0, 1), (1, 0), (-1, 1), (0, 0), (-1, -1), (1, 0)):
        call = f"`my_shift_kernel({down}, {right})`"
        got = attempt(answer, down, right, call=call)
        array = as_array(got, call)
        if array.size == 9 and array.ndim > 2:  # (1, 1, 3, 3), as F.conv2d wants it
            array = array.reshape(3, 3)
        wanted = shift_kernel(down, right)
        mistakes = [
            (np.zeros((3, 3)), "All weights are 0: the output is empty. Put a 1 somewhere."),
            (
                shift_kernel(-down, -right),
                "This kernel moves the image the other way. The output takes the pixel that lies "
                "under the 1: to move right, it must take the pixel on its left.",
            ),
            (
                shift_kernel(right, down),
                "Rows and columns are swapped: `down` belongs to the first index.",
            ),
            (
                shift_kernel(-right, -down),
                "Rows and columns are swapped: `down` belongs to the first index; and the 1 lies "
                "on the other side of the centre.",
            ),
            (
                array.sum() * wanted,
                "The place is right, the number is not: any weight but 1 makes the image darker "
                "or brighter.",
            ),
        ]
        compare(array, wanted, call, mistakes)
    return "A single 1 beside the centre moves the image by one pixel, to the opposite side."


# ------------------------------------------------------------------------------ 11.max_pool

POOL_MISTAKES = {
    "average": "That is average pooling: take the largest value of each window.",
    "overlapping": "The windows overlap: they lie side by side, the stride is `size`.",
    "from 0": "The search for the maximum starts at 0, but all values of a window may be negative.",
    "across channels": "Each channel is pooled by itself: keep the channel axis.",
    "across images": "Each image is pooled by itself: keep the batch axis.",
    "rounded up": "Rows and columns that do not fill a window are dropped.",
    "minimum": "That is the smallest value of each window.",
    "absolute": "You took the largest absolute value: −3 is smaller than 1.",
    "corner": "You took one pixel of each window, the upper left; take the largest.",
}


def max_pool(X: np.ndarray, size: int, mistake: str = "") -> np.ndarray:
    """Max pooling with windows side by side, or what ``mistake`` gives."""
    tensor = torch.tensor(X)
    if mistake == "average":
        return F.avg_pool2d(tensor, size).numpy()
    if mistake == "minimum":
        return -F.max_pool2d(-tensor, size).numpy()
    if mistake == "absolute":
        return F.max_pool2d(tensor.abs(), size).numpy()
    if mistake == "corner":
        H, W = (side // size * size for side in X.shape[2:])
        return X[:, :, :H:size, :W:size]
    pooled = F.max_pool2d(
        tensor, size, stride=1 if mistake == "overlapping" else size,
        ceil_mode=mistake == "rounded up",
    ).numpy()  # fmt: skip
    if mistake in ("across channels", "across images"):
        return pooled.max(1 if mistake == "across channels" else 0)
    return np.maximum(pooled, 0) if mistake == "from 0" else pooled


def check_max_pool(answer: Any) -> str:
    """Exercise 11.max_pool."""
    need_function(answer, "my_max_pool(X, size)")
    rng = np.random.default_rng(12)
    for shape, size in (((1, 1, 4, 4), 2), ((2, 3, 5, 7), 2), ((2, 1, 8, 10), 3)):
        X = rng.permutation(math.prod(shape)).reshape(shape) - 0.6 * math.prod(shape)
        call = f"For X of shape {shape}, `my_max_pool(X, {size})`"
        got = attempt(answer, X.copy(), size, call=call)
        mistakes = [(max_pool(X, size, kind), text) for kind, text in POOL_MISTAKES.items()]
        compare(got, max_pool(X, size), call, mistakes)
    return "No parameters: of each window only the strongest answer stays."


# ----------------------------------------------------------------------- 11.receptive_field

FIELD_MISTAKES = {
    "no jump": "The strides are missing: after a stride of 2 neighbouring outputs lie 2 input "
    "pixels apart.",
    "own stride": "A layer's own stride counts only for the layers behind it: add first, multiply "
    "the jump afterwards.",
    "last stride": "Strides multiply: after two strides of 2 the jump is 4.",
    "whole kernel": "A kernel of side k adds k − 1 pixels, not k: one pixel is there already.",
    "from 0": "Start with 1: before the first layer an output is one pixel.",
    "product": "The kernel sizes do not multiply: each layer adds a border.",
    "jump": "That is the jump, the distance of neighbouring outputs.",
    "backwards": "With these two lines go from the first layer to the last.",
    "sum": "Do not add the kernel sizes: a layer adds (kernel_size − 1) times the jump to 1.",
    "square": "That is the number of pixels in the square; its side is asked for.",
}


def field_size(layers: Sequence[tuple[int, int]], mistake: str = "") -> int:
    """The receptive field of the last layer's output, or what ``mistake`` gives."""
    if mistake == "product":
        return math.prod(kernel_size for kernel_size, _ in layers)
    if mistake == "sum":
        return sum(kernel_size for kernel_size, _ in layers)
    if mistake == "square":
        return field_size(layers) ** 2
    if mistake == "backwards":
        layers = layers[::-1]
    size, jump = int(mistake != "from 0"), 1
    for kernel_size, stride in layers:
        if mistake == "own stride":
            jump *= stride
        added = kernel_size - (mistake != "whole kernel")
        size += added * (1 if mistake == "no jump" else jump)
        if mistake == "last stride":
            jump = stride
        elif mistake != "own stride":
            jump *= stride
    return jump if mistake == "jump" else size


def check_receptive_field(answer: Any) -> str:
    """Exercise 11.receptive_field."""
    need_function(answer, "my_receptive_field(layers)")
    for layers in (
        [(3, 1), (3, 1)],
        [(3, 1), (2, 2), (3, 1)],
        [(7, 2), (3, 2), (3, 1)],
        [(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)],
    ):
        call = f"`my_receptive_field({layers})`"
        got = attempt(answer, list(layers), call=call)
        mistakes = [(field_size(layers, kind), text) for kind, text in FIELD_MISTAKES.items()]
        compare(got, field_size(layers), call, mistakes)
    return "Small kernels see far when layers are stacked, and further behind every stride."


# ------------------------------------------------------------------------------- 11.flatten

MERGED = (
    "went in, {rows} rows came out: `view(-1, …)` fits the rows to the features, and so it merges "
    "or splits samples without a word. `flatten(1)` keeps the batch axis and lets the linear "
    "layer complain."
)
NET_MISTAKES = {
    "no relu": "The ReLU between the convolution and the pool is missing.",
    "average": "Take the maximum of each 2×2 window, not the average.",
    "softmax": "There is a softmax at the end: logits are expected.",
    "relu at the end": "No ReLU after the last layer: logits may be negative.",
}


def check_flatten(answer: Any) -> str:
    """Exercise 11.flatten."""
    need_class(answer, "MyNet", "forward")
    for size in (10, 15, 28):
        _check_net(answer, size)
    return "Any image size, one row of logits per image, and an error where a size does not fit."


def _check_net(answer: type, size: int) -> None:
    call = f"`MyNet({size})`"
    built = attempt(answer, size, call=call)
    if not isinstance(built, nn.Module):
        raise NotYet(f"{call} is {describe(built)}; `MyNet` must be an `nn.Module`.")
    model = copy.deepcopy(built).eval()
    side = (size - 2) // 2
    after = f"After the pool the shape is (N, 8, {side}, {side}): {8 * side * side} features."
    given = torch.get_default_dtype()
    X = torch.rand(3, 1, size, size, generator=torch.Generator().manual_seed(size), dtype=given)

    def run(images: torch.Tensor) -> Any:
        with torch.no_grad():
            return model(images)

    shown = f"{call}, fed with 3 images,"
    try:
        got = attempt(run, X, call=shown)
    except NotYet as error:
        if not any(word in str(error.__cause__) for word in ("mat1", "mismatch", "invalid for in")):
            raise
        raise NotYet(
            f"{call}: the flattened features do not fit the linear layer. {after} Flatten from "
            "axis 1 on, so that the batch axis stays."
        ) from error
    logits = as_array(got, shown)
    if logits.ndim == 2 and len(logits) != 3:
        raise NotYet(f"{call}: 3 images {MERGED.format(rows=len(logits))}")
    _compare_net(model, X, got, shown, side)

    # Images whose features are four times as many: view(-1, ...) makes four rows of each.
    too_large = torch.ones(2, 1, 4 * side + 2, 4 * side + 2, dtype=given)
    shown = f"{call}, fed with 2 images of side {4 * side + 2},"
    try:
        got = attempt(run, too_large, call=shown)
    except NotYet:
        return
    rows = as_array(got, shown).shape[:1]
    if rows != (2,):
        raise NotYet(f"{shown} is wrong: 2 images {MERGED.format(rows=rows[0] if rows else 0)}")
    raise NotYet(f"{shown} should raise an error, but it gives logits.")


def _compare_net(model: nn.Module, X: torch.Tensor, got: Any, call: str, side: int) -> None:
    shapes = [(8, 1, 3, 3), (8,), (10, 8 * side * side), (10,)]
    found = {tuple(p.shape): p.detach() for p in model.parameters()}
    for shape in shapes:
        if shape not in found:
            have = ", ".join(map(str, found)) or "none"
            raise NotYet(
                f"{call.rstrip(',')}: a parameter of shape {shape} is missing; it has {have}. "
                "Shapes read (out, in, kernel, kernel) for a convolution and (out, in) for a "
                "linear layer."
            )
    if len(list(model.parameters())) > len(shapes):
        raise NotYet(f"{call.rstrip(',')}: there are more parameters than those of two layers.")
    filters, bias, weight, last = (found[shape] for shape in shapes)

    def forward(mistake: str = "") -> list:
        h = F.conv2d(X, filters, bias)
        h = h if mistake == "no relu" else F.relu(h)
        h = (F.avg_pool2d if mistake == "average" else F.max_pool2d)(h, 2)
        h = F.linear(h.flatten(1), weight, last)
        h = {"softmax": h.softmax(1), "relu at the end": F.relu(h)}.get(mistake, h)
        return h.tolist()

    compare(got, forward(), call, [(forward(kind), text) for kind, text in NET_MISTAKES.items()])
