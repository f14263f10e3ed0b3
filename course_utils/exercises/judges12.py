"""The checkers of chapter 12: small models with known answers, and what typical mistakes give.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils.probing import NotAttempted, NotYet, attempt, compare, describe, need_function

# ------------------------------------------------------------------------- 12.flat_features

FLAT_MISTAKES = {
    "padding once": "Padding adds pixels on both sides: 2·padding.",
    "no padding": "The padding is missing: it adds 2·padding pixels to each side length.",
    "no + 1": "A kernel of side k fits at size + 2·padding − k + 1 places; the + 1 is missing.",
    "no pooling": "The 2×2 pooling after each convolution halves the side, rounded down.",
    "no rounding": "Pooling rounds down: a row or column left over is dropped. Use //.",
    "side": "The image has two sides: size · size pixels per channel.",
    "no channels": "Each pixel has as many features as the last convolution has channels.",
    "all channels": "Only the channels of the last block are left at the end.",
}


def flat_features(size: int, blocks: Sequence[tuple[int, int, int]], mistake: str = "") -> float:
    """The number of features after the blocks, or what ``mistake`` gives."""
    side: float = size
    channels = 1
    for out_channels, kernel_size, padding in blocks:
        both = {"no padding": 0, "padding once": 1}.get(mistake, 2)
        side = side + both * padding - kernel_size + (mistake != "no + 1")
        if mistake != "no pooling":
            side = side / 2 if mistake == "no rounding" else side // 2
        channels = channels * out_channels if mistake == "all channels" else out_channels
    return {"side": channels * side, "no channels": side * side}.get(mistake, channels * side**2)


def check_flat_features(answer: Any) -> str:
    """Exercise 12.flat_features."""
    need_function(answer, "my_flat_features(size, blocks)")
    cases = (
        (28, [(32, 3, 0), (32, 3, 0)]),
        (28, [(32, 3, 1), (64, 3, 1)]),
        (20, [(8, 5, 2)]),
        (31, [(4, 3, 0), (6, 3, 0), (5, 2, 1)]),
    )
    for size, blocks in cases:
        call = f"`my_flat_features({size}, {blocks})`"
        got = attempt(answer, size, list(blocks), call=call)
        mistakes = [
            (flat_features(size, blocks, kind), text) for kind, text in FLAT_MISTAKES.items()
        ]
        compare(got, flat_features(size, blocks), call, mistakes)
    return "800 features for model B, 3136 for model A, and the next one you design yourself."


# ------------------------------------------------------------------------------- 12.model_b

SOFTMAX_TWICE = (
    "There is a softmax in the model, and `cross_entropy` has one of its own: return the logits. "
    "With two, learning slows down or stalls."
)
MODEL_MISTAKES = {
    "softmax": SOFTMAX_TWICE,
    "log_softmax": SOFTMAX_TWICE,
    "relu at the end": "No ReLU after the last layer: logits may be negative.",
    "no relu": "There is no ReLU at all: linear layers in a row are one linear layer.",
    "no relu 1": "The ReLU after the first convolution is missing.",
    "no relu 2": "The ReLU after the second convolution is missing.",
    "no relu 3": "The ReLU between the two linear layers is missing.",
    "average": "Model B takes the maximum of each 2×2 window, not the average.",
}


def _forward_b(x: torch.Tensor, layers: Sequence[torch.Tensor], mistake: str) -> torch.Tensor:
    """Model B by hand: ``layers`` are weight and bias of the four layers in turn."""

    def bend(h: torch.Tensor, place: int) -> torch.Tensor:
        return h if mistake in ("no relu", f"no relu {place}") else F.relu(h)

    pool = F.avg_pool2d if mistake == "average" else F.max_pool2d
    w1, b1, w2, b2, w3, b3, w4, b4 = layers
    h = pool(bend(F.conv2d(x, w1, b1), 1), 2)
    h = pool(bend(F.conv2d(h, w2, b2), 2), 2)
    h = F.linear(bend(F.linear(h.flatten(1), w3, b3), 3), w4, b4)
    last = {
        "softmax": lambda: h.softmax(1),
        "log_softmax": lambda: h.log_softmax(1),
        "relu at the end": lambda: F.relu(h),
    }
    return last[mistake]() if mistake in last else h


def _layers_b(model: nn.Module, in_channels: int) -> list[list[torch.Tensor]]:
    """The model's parameters in the order of `_forward_b`; two orders where shapes leave it open.

    Raises `NotYet` where the shapes are not those of model B.
    """
    found = [p.detach() for p in model.parameters()]
    if not found:
        raise NotYet(
            "The model has no parameters. Layers in a plain Python list stay unknown to PyTorch: "
            "use `nn.Sequential`, or give each layer a name on `self`."
        )
    weights = [(32, in_channels, 3, 3), (32, 32, 3, 3), (100, 800), (10, 100)]
    biases = [(32,), (32,), (100,), (10,)]
    have, want = Counter(tuple(p.shape) for p in found), Counter([*weights, *biases])
    missing, extra = list((want - have).elements()), list((have - want).elements())
    if missing and all(len(shape) == 1 for shape in missing) and not extra:
        raise NotYet(f"A bias of shape {missing[0]} is missing: model B keeps all its biases.")
    if not missing and extra:
        raise NotYet(
            f"The model has more parameters than model B, of shape {extra[0]}: no batch norm, "
            "no further layer."
        )
    if missing:
        there = f"; yours has {extra[0]} instead" if extra else ""
        raise NotYet(
            f"A parameter of shape {missing[0]} is missing{there}. Shapes read (out, in, kernel, "
            "kernel) for a convolution and (out, in) for a linear layer."
        )
    of_shape = {shape: [p for p in found if tuple(p.shape) == shape] for shape in want}
    w1, w2, w3, w4 = (of_shape[shape][0] for shape in weights)
    b3, b4 = of_shape[100,][0], of_shape[10,][0]
    return [[w1, b1, w2, b2, w3, b3, w4, b4] for b1, b2 in itertools.permutations(of_shape[32,])]


def check_model_b(answer: Any) -> str:
    """Exercise 12.model_b."""
    if isinstance(answer, nn.Module):
        raise NotYet("This is a model; pass the function that builds it: `my_model_b`.")
    if not (isinstance(answer, type) and issubclass(answer, nn.Module)):  # a class builds one too
        need_function(answer, "my_model_b(in_channels)")
    for in_channels in (1, 3):
        call = f"`my_model_b({in_channels})`"
        built = attempt(answer, in_channels, call=call)
        if built is ...:
            raise NotAttempted
        if not isinstance(built, nn.Module):
            missing = " Is a `return` missing?" if built is None else ""
            raise NotYet(f"{call} gives {describe(built)}; an `nn.Module` is expected.{missing}")
        model = copy.deepcopy(built)  # it may be a model that the learner still uses
        _compare_model(model, in_channels, call)
    return "Conv, pool, conv, pool, 800 → 100 → 10, and logits at the end."


def _compare_model(model: nn.Module, in_channels: int, call: str) -> None:
    dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())
    generator = torch.Generator().manual_seed(12)
    X = 3 * torch.randn(4, in_channels, 28, 28, generator=generator, dtype=torch.float64).to(dtype)

    def run(images: torch.Tensor) -> Any:
        with torch.no_grad():
            return model.eval()(images)

    try:
        got = attempt(run, X, call=f"{call}, fed with 4 images,")
    except NotYet as error:
        if "mat1 and mat2" not in str(error):
            raise
        shapes = str(error.__cause__).removeprefix("addmm: ")
        raise NotYet(
            f"The flattened features do not fit the linear layer behind them: {shapes}. "
            "Model B does not pad (28 → 26 → 13 → 11 → 5), and flattening keeps the batch axis."
        ) from error
    orders = _layers_b(model, in_channels)
    shown = f"{call}, fed with 4 images,"
    with torch.no_grad():
        rights = [_forward_b(X, layers, "").tolist() for layers in orders]
        mistakes = [
            (_forward_b(X, layers, kind).tolist(), text)
            for kind, text in MODEL_MISTAKES.items()
            for layers in orders
        ]
        try:
            compare(got, rights[0], shown, mistakes)
        except NotYet:
            compare(got, rights[1], shown, mistakes)
        again = attempt(lambda images: model.train()(images), X, call=f"{shown} in train mode,")
        try:
            compare(again, got, shown)
        except NotYet:
            raise NotYet(
                "In train mode the model gives other logits: model B has no dropout."
            ) from None


# ------------------------------------------------------------------------------ 12.accuracy


class Recited(nn.Module):
    """A model that reads its answer from the first pixel, and another one while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(2.0))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Logits (N, 10) for images (N, 1, 28, 28)."""
        if tuple(X.shape[1:]) != (1, 28, 28) or X.ndim != 4:
            raise ValueError(
                f"images of shape (N, 1, 28, 28) are expected, got {tuple(X.shape)}: "
                "a single image needs a batch axis"
            )
        digits = (X[:, 0, 0, 0] * 10).round().long()
        logits = F.one_hot(digits, 10).to(X.dtype) + 0.1 * torch.arange(10, dtype=X.dtype)
        return self.sharpness * (logits.roll(3, dims=1) if self.training else logits)


def images_saying(digits: Sequence[int]) -> torch.Tensor:
    """Images (N, 1, 28, 28) that `Recited` reads as ``digits``."""
    X = torch.zeros(len(digits), 1, 28, 28)
    X[:, 0, 0, 0] = torch.tensor(digits) / 10
    return X


def check_accuracy(answer: Any) -> str:
    """Exercise 12.accuracy."""
    need_function(answer, "my_accuracy(model, loader)")
    said = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    # right: 4 of 4, 2 of 4, 0 of 2; in train mode, three digits further: 0 of 4, 1 of 4, 1 of 2
    true = [1, 2, 3, 4, 5, 6, 0, 2, 5, 3]
    loader = DataLoader(TensorDataset(images_saying(said), torch.tensor(true)), batch_size=4)
    call = "For batches of 4, 4 and 2 images with 4, 2 and 0 right, `my_accuracy(model, loader)`"
    got = attempt(answer, Recited().train(), loader, call=call)
    train = "You evaluated in train mode: call `model.eval()` first."
    mistakes = [
        (
            (4 / 4 + 2 / 4 + 0 / 2) / 3,
            "The accuracy is averaged over unequal batches: count the right ones and the images, "
            "and divide once at the end.",
        ),
        (2 / 10, train),
        ((0 / 4 + 1 / 4 + 1 / 2) / 3, train),
        (60.0, "That is per cent: a fraction between 0 and 1 is expected."),
        (4 / 10, "That is the share of wrong answers."),
        (6.0, "That is the number of right answers: divide by the number of images."),
        (6 / 3, "Divide by the number of images, not by the number of batches."),
        (6 / 12, "Divide by the number of images: the last batch is shorter than the others."),
        (0.0, "Only the last batch counts: add up over all of them."),
        (1.0, "Only the first batch counts: is the `return` inside the loop?"),
    ]
    compare(got, 6 / 10, call, mistakes)
    return "Every image counts the same, however the batches fall."


# ----------------------------------------------------------------------------- 12.confusion


def check_confusion(answer: Any) -> str:
    """Exercise 12.confusion."""
    need_function(answer, "my_confusion(y, y_hat, num_classes)")
    y, y_hat = [0, 1, 1, 2, 2, 2, 2], [0, 1, 1, 1, 2, 2, 0]
    wanted = torch.zeros(4, 4)
    for true, predicted in zip(y, y_hat, strict=True):
        wanted[true, predicted] += 1
    rows = wanted.sum(1, keepdim=True).clamp(min=1)
    call = f"`my_confusion({y}, {y_hat}, 4)`"
    got = attempt(answer, torch.tensor(y), torch.tensor(y_hat), 4, call=call)
    mistakes = [
        (wanted.T, "Rows and columns are swapped: row = true digit, column = predicted digit."),
        (
            wanted.clamp(max=1),
            "A pair that occurs several times counts once: `C[y, y_hat] += 1` reads, adds and "
            "writes each place only once.",
        ),
        (wanted[:3, :3], "Class 3 never occurs here; it still has its row and column of zeros."),
        (wanted / rows, "Counts are expected, not shares of each row."),
        (wanted / wanted.sum(), "Counts are expected, not shares."),
        (wanted.diag(), "That is only the diagonal: the right answers per class."),
    ]
    compare(got, wanted, call, mistakes)
    return "The diagonal holds the right answers; everything beside it is a confusion with a name."


# ------------------------------------------------------------------------------- 12.predict


def check_predict(answer: Any) -> str:
    """Exercise 12.predict."""
    need_function(answer, "my_predict(model, image)")
    call = "`my_predict(model, image)`"
    for digit in (7, 2):
        model, X = Recited(), images_saying([digit])
        with torch.no_grad():
            trained, logits = model.train()(X)[0], model.eval()(X)[0]
        got = attempt(answer, model.train(), X[0], call=call)
        if got is ...:
            raise NotAttempted
        if got is None:
            raise NotYet(f"{call} gives None. Is a `return` missing?")
        if not isinstance(got, tuple | list) or len(got) != 2:
            raise NotYet(f"{call} must return a pair, (digit, probabilities); got {describe(got)}.")
        said, probabilities = got
        train = "You predicted in train mode: call `model.eval()` first."
        mistakes = [
            (trained.softmax(0), train),
            (trained, train),
            (logits, "Those are the logits: softmax turns them into probabilities."),
            (logits.log_softmax(0), "Those are logarithms: take `softmax`, not `log_softmax`."),
            (torch.ones(1, 10), "The softmax ran over the batch axis: take it over the classes."),
            (torch.ones(10), "The softmax ran over the batch axis: take it over the classes."),
            (logits.softmax(0)[None], "The batch axis is still there: return the row `[0]`."),
            (logits.sigmoid(), "Sigmoids do not sum to 1: use softmax over the ten classes."),
            (logits.softmax(0).max(), "All ten probabilities are expected, not only the largest."),
        ]
        mistakes = [(result.tolist(), text) for result, text in mistakes]
        compare(probabilities, logits.softmax(0).tolist(), f"The second value of {call}", mistakes)
        if getattr(probabilities, "requires_grad", False):
            raise NotYet("The probabilities keep their graph: use `torch.inference_mode()`.")
        compare(said, digit, f"The first value of {call}")
    return "Eval mode, no graph, a batch of one, and probabilities: ready for the digit pad."


# ----------------------------------------------------------------------------- 12.occlusion


def check_occlusion(answer: Any) -> str:
    """Exercise 12.occlusion."""
    need_function(answer, "my_occlusion(model, image, digit, size)")
    generator = torch.Generator().manual_seed(4)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval()
    image = torch.rand(1, 28, 28, generator=generator, dtype=torch.float64)
    image = image.to(torch.get_default_dtype())
    with torch.no_grad():
        weight = torch.randn(10, 784, generator=generator, dtype=torch.float64) / 8
        model[1].weight.copy_(weight)
        model[1].bias.zero_()
    for digit, size in ((3, 4), (8, 7)):
        call = f"`my_occlusion(model, image, {digit}, {size})`"
        given = image.clone()
        got = attempt(answer, copy.deepcopy(model), given, digit, size, call=call)
        if not torch.equal(given, image):
            raise NotYet("The image itself is wiped, square by square: cover a `clone` of it.")
        right, logits, left = _occluded(model, image, digit, size)
        mistakes = [
            (-right, "The sign is turned round: a square that matters must give a positive drop."),
            (left, "That is what is left; the drop is the probability before minus that."),
            (logits, "Those are drops of the logit: take the softmax first."),
            (right.T, "Rows and columns are swapped: row i covers the image rows from i·size on."),
            (
                _growing(model, image, digit, size),
                "Squares pile up: start each from a new `clone`.",
            ),
            (right.abs(), "Keep the sign: covering a square may also help."),
        ]
        mistakes = [(result.tolist(), text) for result, text in mistakes]
        compare(got, right.tolist(), call, mistakes)
    return "Bright squares are where the model looks."


def _occluded(
    model: nn.Module, image: torch.Tensor, digit: int, size: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Drop of the probability, drop of the logit, what is left of the probability."""
    steps = 28 // size
    covered = image.repeat(steps * steps, 1, 1, 1)
    for k in range(steps * steps):
        i, j = size * (k // steps), size * (k % steps)
        covered[k, :, i : i + size, j : j + size] = 0
    with torch.no_grad():
        before, after = model(image[None]), model(covered)
    left = after.softmax(1)[:, digit].reshape(steps, steps)
    logits = (before - after)[:, digit].reshape(steps, steps)
    return before.softmax(1)[0, digit] - left, logits, left


def _growing(model: nn.Module, image: torch.Tensor, digit: int, size: int) -> torch.Tensor:
    """What comes out when each square stays covered."""
    covered, steps, rows = image.clone(), 28 // size, []
    with torch.no_grad():
        before = model(image[None]).softmax(1)[0, digit]
        for k in range(steps * steps):
            i, j = size * (k // steps), size * (k % steps)
            covered[:, i : i + size, j : j + size] = 0
            rows.append(before - model(covered[None]).softmax(1)[0, digit])
    return torch.stack(rows).reshape(steps, steps)
