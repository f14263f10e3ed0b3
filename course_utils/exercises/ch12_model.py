"""Chapter 12: a residual block, built by the learner, run with weights that the check knows."""

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


def _block_cases(r: np.random.Generator) -> Iterator[Case]:
    for c_in, c_out, stride, size in ((2, 3, 2, 8), (3, 5, 1, 6), (4, 4, 2, 7), (4, 2, 3, 9)):
        label = f"for ({c_in}, {c_out}, {stride}), fed with 4 maps of {size}×{size},"
        yield case(c_in, c_out, stride, size, label=label)


def _block(answer: Any, c_in: int, c_out: int, stride: int, size: int) -> Any:
    """What a block makes of 4 samples; a block that the learner still uses stays as it is."""
    if isinstance(answer, nn.Module):
        raise NotYet("This is a block; pass the function that builds it: `my_block`.")
    call = f"`my_block({c_in}, {c_out}, {stride})`"
    block = answer(c_in, c_out, stride)
    if not isinstance(block, nn.Module):
        missing = " Is a `return` missing?" if block is None else ""
        raise NotYet(f"{call} gives {describe_object(block)}; an `nn.Module` is expected.{missing}")
    generator = torch.Generator().manual_seed(12)
    h = 3 * torch.randn(4, c_in, size, size, generator=generator, dtype=torch.float64)
    try:
        run = with_known_weights(block, h)
        out, again = run(h, training=False), run(h, training=True)
    except RuntimeError as error:
        first = str(error).partition("\n")[0]
        if "must match" in first:
            raise NotYet(
                f"The two ways cannot be added: {first}. Both must end with `c_out` channels, and "
                "with maps of the same size: the stride belongs into both, once."
            ) from error
        if "channels" in first:
            raise NotYet(
                f"A convolution gets another number of channels than it was made for: {first}. The "
                "first and the short cut take `c_in`, the second `c_out`."
            ) from error
        raise
    wanted = [(c_out, c_in, 3, 3), (c_out, c_out, 3, 3), (c_out, c_in, 1, 1)]
    need_parameters(block, wanted, call)
    need_gradients(block, h, call)
    ours = {id(part) for part in block.parameters()}
    if any(id(part) in ours for part in answer(c_in, c_out, stride).parameters()):
        raise NotYet(f"{call} gives the same weights each time: make new layers inside of it.")
    same = isinstance(out, torch.Tensor) and isinstance(again, torch.Tensor)
    if same and not (out.shape == again.shape and torch.allclose(out, again, rtol=1e-3)):
        raise NotYet(
            "In train mode the block answers otherwise than in eval mode: it has no dropout and "
            "no batch norm."
        )
    return out


EXERCISES = (
    Exercise(
        name="12.block",
        title="a residual block that changes the shape",
        prompt=r"""
Maps can be added to other maps only if the shapes are equal. Build a residual block (any
`nn.Module`) from $(N, c_\text{in}, H, W)$ to $c_\text{out}$ channels, with maps smaller by the
factor `stride`. Two ways lead through it; their sum passes a ReLU. No layer has a bias, and there
is no batch norm.

| way | layers |
|---|---|
| body | convolution 3×3, padding 1, with the stride, to `c_out` channels; ReLU; convolution 3×3, padding 1, stride 1 |
| short cut | convolution 1×1, no padding, with the stride, to `c_out` channels (also where the shapes are equal) |
""",
        stub='''
def my_block(c_in, c_out, stride):
    """A new, untrained block."""
    raise NotImplementedError
''',
        hints=(
            "Write a class: three convolutions in `__init__`, the sum and the ReLU in `forward`.",
            "`nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False)` is the short cut.",
        ),
        solution="""
def my_block(c_in, c_out, stride):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
            self.second = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
            self.short = nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False)

        def forward(self, h):
            body = self.second(F.relu(self.first(h)))
            return F.relu(body + self.short(h))

    return Block()
""",
        wrong=mistakes(r"""
? The last ReLU is missing: the sum of the two ways passes one.
- return F.relu(body + self.short(h)) >>> return body + self.short(h)
? The ReLU between the two convolutions of the body is missing.
- F.relu(self.first(h)) >>> self.first(h)
? There is no ReLU at all: one belongs between the two convolutions, one behind the sum.
- F.relu(self.first(h)) >>> self.first(h) && return F.relu(body + self.short(h)) >>> return body + self.short(h)
? Add first, then bend: the ReLU comes behind the sum, not before it.
- F.relu(body + self.short(h)) >>> F.relu(body) + self.short(h)
- F.relu(body + self.short(h)) >>> F.relu(body) + F.relu(self.short(h))
- F.relu(body + self.short(h)) >>> body + F.relu(self.short(h))
? One ReLU too many: the short cut, and the end of the body, pass none before the sum.
- F.relu(body + self.short(h)) >>> F.relu(F.relu(body) + self.short(h))
- F.relu(body + self.short(h)) >>> F.relu(body + F.relu(self.short(h)))
? The body needs no ReLU in front: it begins with its convolution.
- self.first(h) >>> self.first(F.relu(h))
? The ways are added, not subtracted.
- body + self.short(h) >>> body - self.short(h)
- body + self.short(h) >>> self.short(h) - body
? The ways are added, not multiplied.
- body + self.short(h) >>> body * self.short(h)
? The ways are added; yours takes their mean.
- F.relu(body + self.short(h)) >>> F.relu(body + self.short(h)) / 2
? The stride belongs into the first convolution of the body, not into the second.
- 3, stride=stride, padding=1 >>> 3, padding=1 && (c_out, c_out, 3, padding=1 >>> (c_out, c_out, 3, stride=stride, padding=1
? The bends are ReLUs; yours are of another kind.
- F.relu(self.first(h)) >>> torch.tanh(self.first(h))
- F.relu(body + self.short(h)) >>> F.sigmoid(body + self.short(h))
- F.relu(self.first(h)) >>> F.gelu(self.first(h))
- F.relu(self.first(h)) >>> F.leaky_relu(self.first(h))
- F.relu(self.first(h)) >>> F.leaky_relu(self.first(h)) && return F.relu(body >>> return F.leaky_relu(body
? The short cut is a convolution with the stride: it takes every stride-th pixel, no mean and no
  maximum of several.
- = nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False) >>> = nn.Sequential(nn.AvgPool2d(stride, ceil_mode=True), nn.Conv2d(c_in, c_out, 1, bias=False))
- = nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False) >>> = nn.Sequential(nn.MaxPool2d(stride, ceil_mode=True), nn.Conv2d(c_in, c_out, 1, bias=False))
? One part of the sum is missing: body and short cut are added.
- body + self.short(h) >>> body + 0 * self.short(h)
- body + self.short(h) >>> self.short(h) + 0 * body
"""),
        cases=_block_cases,
        probe=_block,
        kinds=("array",),
        closing="With such blocks networks of more than a hundred layers can be trained.",
    ),
)
