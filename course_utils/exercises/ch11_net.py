"""Chapter 11: a network whose samples do not merge when they are flattened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes
from course_utils.exercises.known_weights import (
    need_gradients,
    need_parameters,
    with_known_weights,
)


def _net_cases(r: np.random.Generator) -> Iterator[Case]:
    for size in (10, 15, 28):
        yield case(size, label=f"for size {size}")


def _net(answer: Any, size: int) -> dict[str, Any]:
    """Logits of fitting images, and what becomes of images that leave other numbers of features."""
    call = f"`MyNet({size})`"
    model = answer(size)
    if not isinstance(model, nn.Module):
        raise NotYet(f"{call} gives no `nn.Module`: `MyNet` must be one.")
    side = (size - 2) // 2
    features = 8 * side * side
    after = f"After the pool the shape is (N, 8, {side}, {side}): {features} features."

    def images(count: int, pooled_side: int, extra: int = 0) -> torch.Tensor:
        pixels = 2 * pooled_side + 2 + extra
        generator = torch.Generator().manual_seed(size + count)
        X = torch.rand(count, 1, pixels, pixels, generator=generator, dtype=torch.float64)
        return X.to(torch.get_default_dtype())

    X = images(3, side, size % 2)
    run = with_known_weights(model, X)
    try:
        logits = run(X)
    except RuntimeError as error:
        if any(word in str(error) for word in ("mat1", "invalid for in", "must match", "mismatch")):
            raise NotYet(
                f"{call}, fed with 3 images: the flattened features do not fit the linear layer. "
                f"{after} The layer takes that many, and `flatten(1)` gives them for each image."
            ) from error
        raise
    need_parameters(model, [(8, 1, 3, 3), (8,), (10, features), (10,)], call)
    need_gradients(model, X, call)
    seen = {"logits of 3 images": logits, "logits of 1 image": run(X[:1])}
    for count, other in (
        (2, 2 * side),
        (4, side // 2 if side % 2 == 0 else side - 1),
        (3, side + 1),
    ):
        X = images(count, other)
        seen[f"rows of {count} images of side {X.shape[2]}"] = _rows(run, X)
    return seen


def _rows(run: Any, X: torch.Tensor) -> Any:
    """How many rows come out, or that an error is raised."""
    try:
        rows = run(X)
    except Exception:
        return "an error"
    return len(rows) if isinstance(rows, torch.Tensor) and rows.ndim else "no rows"


EXERCISES = (
    Exercise(
        name="11.flatten",
        title="a network that does not merge samples",
        prompt="""
A network reads images of shape (N, 1, `size`, `size`): convolution with 8 filters of 3×3, no
padding; ReLU; max pool 2×2; flatten; linear layer to 10 numbers per image. A friend wrote
`h.view(-1, 13 * 13 * 8)` and `nn.Linear(13 * 13 * 8, 10)`. That fits size 28 only, and with other
images another number of rows may come out. Write it for every size. Images that leave another
number of features must raise an error, not give another number of rows.
""",
        stub='''
class MyNet(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, kernel_size=3)

    def forward(self, X):
        """(N, 1, size, size) → (N, 10)."""
        raise NotImplementedError
''',
        hints=(
            "How many pixels does a side have after the convolution, and how many after the pool? "
            "The linear layer needs 8 times the square of it.",
            "`side = (size - 2) // 2` in `__init__`, and `h.flatten(1)` in `forward`.",
        ),
        solution="""
class MyNet(nn.Module):
    def __init__(self, size):
        super().__init__()
        side = (size - 2) // 2
        self.conv = nn.Conv2d(1, 8, kernel_size=3)
        self.fc = nn.Linear(8 * side * side, 10)

    def forward(self, X):
        h = F.max_pool2d(F.relu(self.conv(X)), 2)
        return self.fc(h.flatten(1))
""",
        wrong=mistakes(r"""
? `view(-1, …)` fits the rows to the features, and so it merges or splits samples without a word.
  `flatten(1)` keeps the batch axis and lets the linear layer complain.
- h.flatten(1) >>> h.view(-1, self.fc.in_features)
- h.flatten(1) >>> h.reshape(-1, self.fc.weight.shape[1])
? `MyNet(10)`, fed with 3 images: the flattened features do not fit the linear layer.
- (size - 2) // 2 >>> 13
- (size - 2) // 2 >>> size // 2
- (size - 2) // 2 >>> size - 2
- 8 * side * side >>> side * side
- h.flatten(1) >>> h.flatten()
- h.flatten(1) >>> h.view(-1, 13 * 13 * 8)
- h.flatten(1) >>> h
- kernel_size=3 >>> kernel_size=3, padding=1
? The ReLU between the convolution and the pool is missing.
- F.relu(self.conv(X)) >>> self.conv(X)
? Take the maximum of each 2×2 window, not the average.
- max_pool >>> avg_pool
? There is a softmax at the end: logits are expected.
- self.fc(h.flatten(1)) >>> self.fc(h.flatten(1)).softmax(1)
- self.fc(h.flatten(1)) >>> self.fc(h.flatten(1)).log_softmax(1)
? No ReLU after the last layer: logits may be negative.
- self.fc(h.flatten(1)) >>> F.relu(self.fc(h.flatten(1)))
? Images of another size must raise an error; here they are read as if nothing were wrong.
- (size - 2) // 2 >>> (size - 2) // 2\n        self.size = size
& conv(X) >>> conv(X[:, :, : self.size, : self.size])
- (size - 2) // 2 >>> (size - 2) // 2\n        self.side = side
& h.flatten >>> F.adaptive_max_pool2d(h, self.side).flatten
- (size - 2) // 2 >>> (size - 2) // 2\n        self.size = size
& conv(X) >>> conv(F.interpolate(X, self.size))
? Only the first image comes back: one row of ten numbers for each is expected.
- self.fc(h.flatten(1)) >>> self.fc(h.flatten(1))[0]
? `forward` returns nothing: is a `return` missing?
- return self.fc >>> self.fc
? `MyNet(10)`: a parameter of shape (10, 128) is missing
- self.fc = nn.Linear(8 * side * side, 10) >>> self.fc = [nn.Linear(8 * side * side, 10)]
& self.fc(h >>> self.fc[0](h
- self.fc = nn.Linear(8 * side * side, 10) >>> self.features = 8 * side * side
& self.fc(h >>> nn.Linear(self.features, 10)(h
? `MyNet(10)`: some parameters get no gradient, so they could not be trained.
-     def forward >>>     @torch.no_grad()\n    def forward
- self.conv(X) >>> self.conv(X).detach()
? `MyNet(10)`: a bias of shape (8,) is missing
- kernel_size=3 >>> kernel_size=3, bias=False
? `MyNet(10)`: there are more parameters than those of the layers asked for, of shape (8,)
- self.fc = >>> self.norm = nn.BatchNorm2d(8)\n        self.fc =
"""),
        cases=_net_cases,
        probe=_net,
        closing="Any image size, one row of logits per image, and an error where a size does not fit.",
    ),
)
