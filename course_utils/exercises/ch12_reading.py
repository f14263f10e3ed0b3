"""Chapter 12: a trained model measured, used and looked into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes


class Recited(nn.Module):
    """A model that looks its logits up by the first pixel, and gives others while it trains."""

    def __init__(self, logits: np.ndarray) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.tensor(logits, dtype=torch.get_default_dtype()))

    def forward(self, X: Tensor) -> Tensor:
        """Logits (N, 10) for images (N, 1, 28, 28)."""
        if tuple(X.shape[1:]) != (1, 28, 28) or X.ndim != 4:
            raise ValueError(
                f"images of shape (N, 1, 28, 28) are expected, got {tuple(X.shape)}: "
                "a single image needs a batch axis"
            )
        logits = self.table[(X[:, 0, 0, 0] * 100).round().long()]
        return logits.roll(3, dims=1) if self.training else logits


def _images(count: int) -> Tensor:
    """(N, 1, 28, 28): the first pixel says which image it is."""
    X = torch.zeros(count, 1, 28, 28)
    X[:, 0, 0, 0] = torch.arange(count) / 100
    return X


def _accuracy_cases(r: np.random.Generator) -> Iterator[Case]:
    for count, size, off in (
        (10, 4, [0, 0, 0, 0, 0, 0, 1, 5, 2, 3]),
        (7, 3, [3, 0, 1, 0, 0, 0, 6]),
        (10, 10, [0, 0, 0, 0, 4, 0, 3, 0, 0, 0]),
        (5, 8, [0, 3, 0, 7, 2]),
        (21, 10, r.choice([0, 0, 3, 5], 21).tolist()),
        (1, 1, [0]),
    ):
        sizes = [min(size, count - first) for first in range(0, count, size)]
        label = f"for batches of size {', '.join(map(str, sizes))}"
        yield case(2 * r.normal(size=(count, 10)), size, off, label=label)


def _accuracy(answer: Any, logits: np.ndarray, batch_size: int, off: Sequence[int]) -> Any:
    """The accuracy of a model that is right where ``off`` is 0; it comes in train mode."""
    logits = np.asarray(logits)
    y = torch.tensor((logits.argmax(1) + off) % 10)
    loader = DataLoader(TensorDataset(_images(len(y)), y), batch_size=batch_size)
    return answer(Recited(logits).train(), loader)


def _predict_cases(r: np.random.Generator) -> Iterator[Case]:
    logits = 3 * r.normal(size=(5, 10))
    logits[4] = -9.0, -4, -5, -6, -3, -8, -7, -6, -5, -9
    for k in (3, 1, 2, 4):
        yield case(logits, k, label=f"for image {k}")


def _predict(answer: Any, logits: np.ndarray, k: int) -> dict[str, Any]:
    got = answer(Recited(np.asarray(logits)).train(), _images(5)[k])
    if got is None:
        raise NotYet("`my_predict(model, image)` gives None. Is a `return` missing?")
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise NotYet("`my_predict(model, image)` must return a pair, (digit, probabilities).")
    digit, probabilities = got
    graph = bool(getattr(probabilities, "requires_grad", False))
    return {"the first value": digit, "the second value": probabilities, "a graph": graph}


def _occlusion_cases(r: np.random.Generator) -> Iterator[Case]:
    for digit, size in ((3, 14), (8, 7), (0, 4), (5, 28)):
        label = f"for digit {digit} and size {size}"
        yield case(r.uniform(size=(1, 28, 28)), digit, size, label=label)


def _occlusion(answer: Any, image: Any, digit: int, size: int) -> Any:
    generator = torch.Generator().manual_seed(4)
    layers = [(16, 784, 6), (10, 16, 1)]
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.Tanh(), nn.Linear(16, 10)).eval()
    with torch.no_grad():
        for layer, (rows, columns, scale) in zip((model[1], model[3]), layers, strict=True):
            numbers = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
            layer.weight.copy_(numbers / scale)
            layer.bias.zero_()
    return answer(model, image, digit, size)


EXERCISES = (
    Exercise(
        name="12.accuracy",
        title="accuracy over batches of unequal size",
        prompt=r"""
Write the accuracy of `model` over all images of `loader`: the share of images whose largest logit
is at the true digit, a number between 0 and 1. The last batch may be shorter than the others, and
the model may come in train mode.
""",
        stub='''
def my_accuracy(model, loader):
    """Share of right answers; loader gives batches (X, y)."""
    raise NotImplementedError
''',
        hints=(
            "Switch to eval mode. Count right answers and images through the loop.",
            "`(model(X).argmax(1) == y).sum().item()` counts the right ones of a batch. Divide "
            "once, after the loop.",
        ),
        solution="""
def my_accuracy(model, loader):
    model.eval()
    num_right = num_images = 0
    with torch.inference_mode():
        for X, y in loader:
            y_hat = model(X).argmax(1)
            num_right += (y_hat == y).sum().item()
            num_images += len(y)
    return num_right / num_images
""",
        wrong=mistakes(r"""
? The accuracy is averaged over unequal batches: count the right ones and the images, and divide once
  at the end.
- .sum().item() >>> .float().mean().item() && += len(y) >>> += 1
? You evaluated in train mode: call `model.eval()` first.
-     model.eval()\n >>>
-     model.eval()\n >>>
& .sum().item() >>> .float().mean().item() && += len(y) >>> += 1
- model.eval() >>> model.train()
? That is per cent: a fraction between 0 and 1 is expected.
- return num_right >>> return 100 * num_right
? That is the share of wrong answers.
- y_hat == y >>> y_hat != y
? That is the number of right answers: divide by the number of images.
-  / num_images >>>
? Divide by the number of images, not by the number of batches.
- / num_images >>> / len(loader)
- num_images += len(y) >>> num_images += 1
? Divide by the number of images: the last batch is shorter than the others.
- / num_images >>> / (len(loader) * loader.batch_size)
? The right answers of the last batch alone are counted: add up over all of them.
- num_right += >>> num_right = && num_images += >>> num_images =
- num_right += >>> num_right =
? Only the first batch counts: is the `return` inside the loop?
-     return >>>             return
? `argmax()` without an axis gives one place for the whole batch: take it over the classes, axis 1.
- argmax(1) >>> argmax()
? `argmax(0)` goes over the images of the batch; the classes are axis 1.
- argmax(1) >>> argmax(0)
? The softmax ran over the batch axis, so images compete with each other: the logits of one image are
  enough, along axis 1.
- .argmax(1) >>> .softmax(0).argmax(1)
? That is the smallest logit: the model's answer is where the largest is.
- argmax >>> argmin
? These are the values of the largest logits; their places are the digits.
- argmax(1) >>> max(1).values
"""),
        cases=_accuracy_cases,
        probe=_accuracy,
        kinds=("array",),
        closing="Every image counts the same, however the batches fall.",
    ),
    Exercise(
        name="12.predict",
        title="read one image",
        prompt=r"""
Read one image of shape (1, 28, 28), not a batch: return the digit as a number and the ten
probabilities as a tensor of shape (10,). The model gives logits, and may come in train mode. No
gradients are needed: the probabilities carry no graph.
""",
        stub='''
def my_predict(model, image):
    """(digit, probabilities) for one image of shape (1, 28, 28)."""
    raise NotImplementedError
''',
        hints=(
            "Eval mode, `torch.inference_mode()`, a batch axis, and a softmax over the classes.",
            "`image[None]` has shape (1, 1, 28, 28). After `.softmax(1)`, take the row `[0]`.",
        ),
        solution="""
def my_predict(model, image):
    model.eval()
    with torch.inference_mode():
        probabilities = model(image[None]).softmax(1)[0]
    return probabilities.argmax().item(), probabilities
""",
        wrong=mistakes(r"""
? You predicted in train mode: call `model.eval()` first.
-     model.eval()\n >>>
-     model.eval()\n >>>  && with torch.inference_mode() >>> if True
-     model.eval()\n >>>  && .softmax(1) >>>
? The model reads batches: a single image needs a batch axis.
- image[None] >>> image
? The softmax ran over the batch axis: take it over the classes.
- softmax(1) >>> softmax(0)
- softmax(1)[0] >>> softmax(0)
? Those are the logits: softmax turns them into probabilities.
- .softmax(1) >>>
? Those are logarithms: take `softmax`, not `log_softmax`.
- .softmax >>> .log_softmax
? The batch axis is still there: return the row `[0]`.
- softmax(1)[0] >>> softmax(1)
? Sigmoids do not sum to 1: use softmax over the ten classes.
- softmax(1) >>> sigmoid()
? There is one softmax too many: it flattens the probabilities.
- .softmax(1) >>> .softmax(1).softmax(1)
? All ten probabilities are expected, not only the largest.
- .item(), probabilities >>> .item(), probabilities.max()
? The digit is the place of the largest probability, not its value.
- argmax().item() >>> max().item()
? The other way round: the digit comes first, then the probabilities.
- return probabilities.argmax().item(), probabilities >>> return probabilities, probabilities.argmax().item()
? `my_predict(model, image)` must return a pair, (digit, probabilities).
- return probabilities.argmax().item(), probabilities >>> return probabilities
? The probabilities keep their graph: use `torch.inference_mode()`.
- with torch.inference_mode() >>> if True
? Probabilities lie between 0 and 1: these are per cent.
- .softmax(1) >>> .softmax(1).mul(100)
? That is the least probable digit: take the largest probability.
- argmax >>> argmin
"""),
        cases=_predict_cases,
        probe=_predict,
        kinds=("array",),
        closing="Eval mode, no graph, a batch of one, and probabilities: ready for the digit pad.",
    ),
    Exercise(
        name="12.occlusion",
        title="where does the model look?",
        prompt=r"""
Cover a square of `size` × `size` pixels with 0 and see how much the probability of `digit` drops:
$p_\text{before} - p_\text{covered}$. Do so for every square of the grid and return the drops in an
array of shape (28/`size`, 28/`size`); entry $(i, j)$ belongs to the square whose upper left pixel
is $(i\cdot\text{size},\ j\cdot\text{size})$. The model is in eval mode and gives logits; `image`
is a tensor of shape (1, 28, 28) and must stay as it is; 28 is a multiple of `size`.
""",
        stub='''
def my_occlusion(model, image, digit, size):
    """Drop of the probability of digit for each covered square."""
    raise NotImplementedError
''',
        hints=(
            "Two loops over the grid. In each turn: a fresh copy of the image, one square set to "
            "0, one forward pass.",
            "`covered = image.clone()`, then `covered[:, i * size : (i + 1) * size, "
            "j * size : (j + 1) * size] = 0`.",
        ),
        solution="""
def my_occlusion(model, image, digit, size):
    steps = 28 // size
    drop = torch.zeros(steps, steps)
    with torch.inference_mode():
        before = model(image[None]).softmax(1)[0, digit]
        for i in range(steps):
            for j in range(steps):
                covered = image.clone()
                covered[:, i * size : (i + 1) * size, j * size : (j + 1) * size] = 0
                after = model(covered[None]).softmax(1)[0, digit]
                drop[i, j] = before - after
    return drop
""",
        wrong=mistakes(r"""
? The image itself is wiped, square by square: cover a `clone` of it.
- image.clone() >>> image
? The sign is turned round: a square that matters must give a positive drop.
- before - after >>> after - before
? That is what is left; the drop is the probability before minus that.
- before - after >>> after
? Those are drops of the logit: take the softmax first.
- model(image[None]).softmax(1) >>> model(image[None])
& model(covered[None]).softmax(1) >>> model(covered[None])
? Rows and columns are swapped: row i covers the image rows from i·size on.
- drop[i, j] >>> drop[j, i]
- [:, i * size : (i + 1) * size, j * size : (j + 1) * size] >>> [:, j * size : (j + 1) * size, i * size : (i + 1) * size]
? Squares pile up: start each from a new `clone`.
-                 covered = image.clone()\n >>>
& in range(steps):\n            for >>> in range(steps):\n            covered = image.clone() if i == 0 else covered\n            for
-                 covered = image.clone()\n >>>
& in range(steps):\n            for >>> in range(steps):\n            covered = image.clone()\n            for
? Keep the sign: covering a square may also help.
- before - after >>> (before - after).abs()
- before - after >>> (before - after).clamp(min=0)
? The square is to be covered with 0.
- ] = 0 >>> ] = 1
- ] = 0 >>> ] = image.mean()
- ] = 0 >>> ] = 0.5
? All drops are 0: does the softmax run over the batch axis, so that each probability is 1? (Or is
  the array one of whole numbers?)
- model(image[None]).softmax(1) >>> model(image[None]).softmax(0)
& model(covered[None]).softmax(1) >>> model(covered[None]).softmax(0)
? The drop is a difference, not a share of the probability before.
- before - after >>> (before - after) / before
- before - after >>> 1 - after / before
? The squares lie side by side: number (i, j) begins at row i·size, column j·size.
- i * size : (i + 1) * size, j * size : (j + 1) * size >>> i : i + size, j : j + size
? Cover the square alone, not everything around it.
- = image.clone() >>> = torch.zeros_like(image)
& j * size : (j + 1) * size] = 0 >>> j * size : (j + 1) * size] = image[:, i * size : (i + 1) * size, j * size : (j + 1) * size]
? The probability of `digit` is asked for, not that of the most probable class.
- model(image[None]).softmax(1)[0, digit] >>> model(image[None]).softmax(1).max()
& model(covered[None]).softmax(1)[0, digit] >>> model(covered[None]).softmax(1).max()
? Only the first round of a loop counts: does the `return` stand inside it?
-     return drop >>>             return drop
-     return drop >>>                 return drop
"""),
        cases=_occlusion_cases,
        probe=_occlusion,
        kinds=("tensor",),
        pure=True,
        closing="Bright squares are where the model looks.",
    ),
)
