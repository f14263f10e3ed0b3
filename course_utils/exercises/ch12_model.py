"""Chapter 12: model B, built by the learner, run with weights that the check knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.exercises.describing import describe_object
from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes
from course_utils.exercises.known_weights import (
    need_gradients,
    need_parameters,
    with_known_weights,
)


def _model_cases(r: np.random.Generator) -> Iterator[Case]:
    for in_channels in (1, 3):
        yield case(in_channels, label=f"for in_channels = {in_channels}, fed with 4 images,")


def _model_b(answer: Any, in_channels: int) -> Any:
    """Logits of 4 images; a model that the learner still uses stays as it is."""
    if isinstance(answer, nn.Module):
        raise NotYet("This is a model; pass the function that builds it: `my_model_b`.")
    call = f"`my_model_b({in_channels})`"
    model = answer(in_channels)
    if not isinstance(model, nn.Module):
        missing = " Is a `return` missing?" if model is None else ""
        raise NotYet(f"{call} gives {describe_object(model)}; an `nn.Module` is expected.{missing}")
    generator = torch.Generator().manual_seed(12)
    X = 3 * torch.randn(4, in_channels, 28, 28, generator=generator, dtype=torch.float64)
    try:
        run = with_known_weights(model, X)
        logits, again = run(X, training=False), run(X, training=True)
        alone = run(X[:1], training=False)
    except RuntimeError as error:
        first = str(error).partition("\n")[0]
        if "mat1 and mat2" in first:
            raise NotYet(
                "The flattened features do not fit the linear layer behind them: "
                f"{first.removeprefix('addmm: ')}. Model B does not pad (28 → 26 → 13 → 11 → 5), "
                "and flattening keeps the batch axis."
            ) from error
        if "channels" in first:
            raise NotYet(
                f"A convolution gets another number of channels than it was made for: {first}. The "
                "first takes `in_channels`, the second 32."
            ) from error
        raise
    need_parameters(
        model,
        [
            (32, in_channels, 3, 3),
            (32,),
            (32, 32, 3, 3),
            (32,),
            (100, 800),
            (100,),
            (10, 100),
            (10,),
        ],
        call,
    )
    need_gradients(model, X, call)
    if isinstance(alone, torch.Tensor) and alone.shape == (10,):
        raise NotYet(
            f"{call}, fed with 1 image, gives logits of shape (10,); expected is (1, 10): the "
            "batch axis stays, even if it holds one image."
        )
    ours = {id(part) for part in model.parameters()}
    if any(id(part) in ours for part in answer(in_channels).parameters()):
        raise NotYet(f"{call} gives the same weights each time: make new layers inside of it.")
    same = isinstance(logits, torch.Tensor) and isinstance(again, torch.Tensor)
    if same and not (logits.shape == again.shape and torch.allclose(logits, again, rtol=1e-3)):
        raise NotYet(
            "In train mode the model gives other logits than in eval mode: model B has no dropout "
            "and no batch norm."
        )
    return logits


EXERCISES = (
    Exercise(
        name="12.model_b",
        title="build model B",
        prompt=r"""
Build model B for images of shape (`in_channels`, 28, 28), as any `nn.Module` you like. Every layer
keeps its bias; the output is ten logits.

| layer | from → to |
|---|---|
| convolution 3×3, no padding; ReLU; max pool 2×2 | `in_channels` → 32 channels |
| convolution 3×3, no padding; ReLU; max pool 2×2 | 32 → 32 channels |
| flatten; linear; ReLU | 800 → 100 |
| linear | 100 → 10 |
""",
        stub='''
def my_model_b(in_channels):
    """A new, untrained model B."""
    raise NotImplementedError
''',
        hints=(
            "`nn.Sequential` takes the layers in the order of the table.",
            "You need `nn.Conv2d`, `nn.ReLU`, `nn.MaxPool2d`, `nn.Flatten` and `nn.Linear`.",
        ),
        solution="""
def my_model_b(in_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, 32, kernel_size=3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, kernel_size=3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
""",
        wrong=mistakes(r"""
? There is a softmax in the model, and `cross_entropy` has one of its own: return the logits. With
  two, learning slows down or stalls.
- nn.Linear(100, 10) >>> nn.Linear(100, 10), nn.Softmax(dim=1)
- nn.Linear(100, 10) >>> nn.Linear(100, 10), nn.LogSoftmax(dim=1)
? No ReLU after the last layer: logits may be negative.
- nn.Linear(100, 10) >>> nn.Linear(100, 10), nn.ReLU()
? No sigmoid after the last layer: it gives logits.
- nn.Linear(100, 10) >>> nn.Linear(100, 10), nn.Sigmoid()
? There is no ReLU at all: linear layers in a row are one linear layer.
def my_model_b(in_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, 32, 3), nn.MaxPool2d(2), nn.Conv2d(32, 32, 3), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 100), nn.Linear(100, 10))
? The ReLU after the first convolution is missing.
-         nn.ReLU(),\n        nn.MaxPool2d(2),\n        nn.Conv2d >>>         nn.MaxPool2d(2),\n        nn.Conv2d
? The ReLU after the second convolution is missing.
-         nn.ReLU(),\n        nn.MaxPool2d(2),\n        nn.Flatten >>>         nn.MaxPool2d(2),\n        nn.Flatten
? The ReLU between the two linear layers is missing.
-         nn.ReLU(),\n        nn.Linear >>>         nn.Linear
? Two of the three ReLUs are missing: one stands after each convolution, one between the linear layers.
-         nn.ReLU(),\n        nn.Linear >>>         nn.Linear
&         nn.ReLU(),\n        nn.MaxPool2d(2),\n        nn.Flatten >>>         nn.MaxPool2d(2),\n        nn.Flatten
-         nn.ReLU(),\n        nn.MaxPool2d(2),\n        nn.Conv2d >>>         nn.MaxPool2d(2),\n        nn.Conv2d
&         nn.ReLU(),\n        nn.MaxPool2d(2),\n        nn.Flatten >>>         nn.MaxPool2d(2),\n        nn.Flatten
-         nn.ReLU(),\n        nn.MaxPool2d(2),\n        nn.Conv2d >>>         nn.MaxPool2d(2),\n        nn.Conv2d
&         nn.ReLU(),\n        nn.Linear >>>         nn.Linear
? Model B takes the maximum of each 2×2 window, not the average.
def my_model_b(in_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, 32, 3), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(32, 32, 3), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(800, 100), nn.ReLU(), nn.Linear(100, 10))
-         nn.MaxPool2d(2),\n        nn.Conv2d >>>         nn.AvgPool2d(2),\n        nn.Conv2d
-         nn.MaxPool2d(2),\n        nn.Flatten >>>         nn.AvgPool2d(2),\n        nn.Flatten
? The bends of model B are ReLUs; yours are of another kind.
def my_model_b(in_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, 32, 3), nn.Tanh(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3), nn.Tanh(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 100), nn.Tanh(), nn.Linear(100, 10))
def my_model_b(in_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, 32, 3), nn.Sigmoid(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3), nn.Sigmoid(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 100), nn.Sigmoid(), nn.Linear(100, 10))
def my_model_b(in_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, 32, 3), nn.LeakyReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3), nn.LeakyReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 100), nn.LeakyReLU(), nn.Linear(100, 10))
? The flattened features do not fit the linear layer behind them
- in_channels, 32, kernel_size=3 >>> in_channels, 32, kernel_size=3, padding=1
- 32, 32, kernel_size=3 >>> 32, 32, kernel_size=3, padding=1
-         nn.Flatten(),\n >>>
- nn.Flatten() >>> nn.Flatten(0)
-         nn.MaxPool2d(2),\n        nn.Flatten >>>         nn.Flatten
? A convolution gets another number of channels than it was made for
- in_channels, 32 >>> 1, 32
- 32, 32, >>> 64, 32,
? `my_model_b(1)`: a bias of shape (32,) is missing
- in_channels, 32, kernel_size=3 >>> in_channels, 32, kernel_size=3, bias=False
? `my_model_b(1)`: there are more parameters than those of the layers asked for, of shape (100,)
- nn.Linear(800, 100),\n >>> nn.Linear(800, 100),\n        nn.BatchNorm1d(100),\n
? `my_model_b(1)`: there are more parameters than those of the layers asked for, of shape (32,)
- nn.Conv2d(32, 32, kernel_size=3),\n >>> nn.Conv2d(32, 32, kernel_size=3),\n        nn.BatchNorm2d(32),\n
? `my_model_b(1)`: a parameter of shape (100, 800) is missing; yours has
- 800, 100 >>> 800, 128 && 100, 10 >>> 128, 10
? `my_model_b(1)`: the model has no parameters. Layers in a plain Python list stay unknown to PyTorch
def my_model_b(in_channels):
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Conv2d(in_channels, 10, 28), nn.Flatten()]
        def forward(self, x):
            return self.layers[1](self.layers[0](x))
    return Plain()
? In train mode the model gives other logits than in eval mode: model B has no dropout and no batch
  norm.
- nn.Linear(800, 100),\n >>> nn.Linear(800, 100),\n        nn.Dropout(0.5),\n
- nn.Flatten() >>> nn.Dropout(0.2), nn.Flatten()
? `my_model_b(1)`: some parameters get no gradient, so they could not be trained.
def my_model_b(in_channels):
    class Frozen(nn.Sequential):
        @torch.no_grad()
        def forward(self, x):
            return super().forward(x)
    return Frozen(
        nn.Conv2d(in_channels, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 100), nn.ReLU(), nn.Linear(100, 10))
? `my_model_b(1)` gives a `NoneType`; an `nn.Module` is expected. Is a `return` missing?
- return nn.Sequential >>> nn.Sequential
"""),
        cases=_model_cases,
        probe=_model_b,
        closing="Conv, pool, conv, pool, 800 → 100 → 10, and logits at the end.",
    ),
)
