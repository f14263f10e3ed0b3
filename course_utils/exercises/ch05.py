"""Chapter 05, modules: count and build; train (``ch05_loop``), initialise and save (``ch05_state``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.exercises.ch05_loop import EXERCISES as LOOP_AND_SHAPES
from course_utils.exercises.ch05_loop import filled
from course_utils.exercises.ch05_state import EXERCISES as INITIALISE_AND_SAVE
from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes
from course_utils.exercises.probes import made


def _count_cases(r: np.random.Generator) -> Iterator[Case]:
    for sizes in ([5, 2], [1, 10, 1], [4, 6, 5, 3, 2], [3, 3, 3, 3], [784, 30, 10]):
        yield case(sizes)
    for length in (2, 3, 5, 6):
        yield case(r.integers(1, 20, length).tolist())


def _net(answer: Callable, sizes: list[int], n: int) -> dict[str, Any]:
    """The parameters that the module knows, its output, and whether gradients come back."""
    X = 2 * torch.randn(n, sizes[0])
    model = made(answer, list(sizes))
    if not isinstance(model, nn.Module):
        raise NotYet("`MyNet` must be an `nn.Module`: write `class MyNet(nn.Module):`.")
    model(X)  # lazy layers have no numbers before
    shapes = sorted(str(tuple(p.shape)) for p in model.parameters())
    seen: dict[str, Any] = {
        "the list of its parameters' shapes": ", ".join(shapes) or "none at all"
    }
    if not shapes:
        return seen
    out = filled(model)(X)
    seen["the output"] = out
    if isinstance(out, torch.Tensor) and out.requires_grad:
        out.sum().backward()
    reached = sum(p.grad is not None for p in model.parameters())
    return seen | {"the number of parameters that get a gradient": reached}


def _net_cases(r: np.random.Generator) -> Iterator[Case]:
    for sizes, n in (
        ([2, 6, 3], 8),
        ([3, 5, 4, 2], 8),
        ([4, 3], 6),
        ([2, 3, 5, 3], 5),
        ([3, 3, 3, 3, 1], 1),
        ([3, 3, 3, 3], 5),
        ([1, 4, 4], 6),
    ):
        yield case(sizes, n, label=f"with sizes {sizes} and an input of shape ({n}, {sizes[0]})")


EXERCISES = (
    Exercise(
        name="05.count",
        title="count the parameters",
        prompt=r"""
A network of `nn.Linear` layers is given by its layer sizes: `[3, 3, 2, 2]` has three inputs, hidden
layers of three and two units, and two outputs. Every layer has its biases. How many parameters does
the network have?
""",
        stub='''
def my_num_params(sizes):
    """Number of weights and biases of the network with these layer sizes."""
    raise NotImplementedError
''',
        hints=(
            "A layer from n_in to n_out has a weight of shape (n_out, n_in). How many biases?",
            "`zip(sizes[:-1], sizes[1:])` gives the pairs (n_in, n_out), one for each layer. Each "
            "adds n_out · n_in weights and n_out biases.",
        ),
        solution="""
def my_num_params(sizes):
    total = 0
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        total += n_out * n_in + n_out
    return total
""",
        wrong=mistakes(r"""
? The biases are missing: a layer has one for each of its outputs.
- n_in + n_out >>> n_in
? A layer has one bias for each *output*, not for each input.
- n_in + n_out >>> n_in + n_in
? You count one bias for the whole layer; it has one for each output.
- n_in + n_out >>> n_in + 1
? The inputs of the network are no layer: they have no biases.
- return total >>> return total + sizes[0]
- return total >>> return sum(sizes) + sum(a * b for a, b in zip(sizes[:-1], sizes[1:]))
? You count only the last layer: add up over all of them.
- total += n_out >>> total = n_out
? You count only the first layer: is the `return` inside the loop?
-     return total >>>         return total
? The weights are missing: a layer has n_out · n_in of them.
- n_out * n_in + n_out >>> n_out
- n_out * n_in + n_out >>> n_out + n_out * 0
? You count units, not the parameters between them.
- return total >>> return sum(sizes)
? The last layer is left out: there are as many layers as pairs of neighbours.
- zip(sizes[:-1], sizes[1:]) >>> zip(sizes[:-2], sizes[1:])
? The first layer is left out: there are as many layers as pairs of neighbours.
- zip(sizes[:-1], sizes[1:]) >>> zip(sizes[1:], sizes[2:])
? The last layer has biases as well.
- return total >>> return total - sizes[-1]
? The weight connects each input with each output: n_in times n_out, not plus.
- n_out * n_in + n_out >>> n_out + n_in + n_out
? The sizes are multiplied through all layers; count layer by layer and add up.
- return total >>> return math.prod(sizes)
? The number of layers comes back, not that of the parameters.
- total += n_out * n_in + n_out >>> total += 1
? Each layer counts for itself; add them up to one number.
- total = 0 >>> total = [] && total += n_out * n_in + n_out >>> total.append(n_out * n_in + n_out)
? Only neighbours are connected: each layer takes what the one before it gives.
- return total >>> return sum(b * sum(sizes[:k]) + b for k, b in enumerate(sizes) if k)
"""),
        cases=_count_cases,
        closing="26 for our model, and 23,860 for a small reader of digits: you can check any "
        "summary.",
        examples=(("my_num_params([3, 3, 2, 2])", "26"),),
    ),
    Exercise(
        name="05.module",
        title="build a module",
        prompt=r"""
Write a module `MyNet(sizes)` for any list of layer sizes: a linear layer between each two
neighbours, a ReLU after every layer **except the last one**. An input of shape (N, `sizes[0]`)
gives an output of shape (N, `sizes[-1]`).
""",
        stub='''
class MyNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        raise NotImplementedError

    def forward(self, X):
        """(N, sizes[0]) → (N, sizes[-1])."""
        raise NotImplementedError
''',
        hints=(
            "Make the layers in `__init__`, in a loop over the pairs of sizes, and keep them where "
            "the module can see them.",
            "`nn.ModuleList` is a list that registers what is in it. (Or collect layers and ReLUs "
            "in a list and hand them to `nn.Sequential(*layers)`.)",
        ),
        solution="""
class MyNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        pairs = zip(sizes[:-1], sizes[1:])
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairs)

    def forward(self, X):
        for layer in self.layers[:-1]:
            X = torch.relu(layer(X))
        return self.layers[-1](X)
""",
        wrong=mistakes(r"""
? The module knows no parameters: layers in a plain Python list, or made in `forward`, stay unknown
  to it. Make them in `__init__`, in an `nn.ModuleList` or `nn.Sequential`.
- nn.ModuleList(nn >>> list(nn
? There is a ReLU after the last layer too: the output can never be negative.
- self.layers[:-1]: >>> self.layers: && return self.layers[-1](X) >>> return X
? There is no ReLU between the layers: linear layers in a row are one linear layer.
- torch.relu(layer(X)) >>> layer(X)
? Only the first layer is followed by a ReLU; each but the last one needs it.
- torch.relu(layer(X)) >>> torch.relu(layer(X)) if layer is self.layers[0] else layer(X)
? The ReLU stands before the layers, not after them: it cuts off negative inputs.
- torch.relu(layer(X)) >>> layer(torch.relu(X)) && self.layers[-1](X) >>> self.layers[-1](X.relu())
? No gradient reaches the parameters, so nothing could be trained: are gradients switched off, or is
  the result detached?
-     def forward >>>     @torch.no_grad()\n    def forward
- return self.layers[-1](X) >>> return self.layers[-1](X).detach()
- nn.Linear(n_in, n_out) >>> nn.Linear(n_in, n_out).requires_grad_(False)
? Only the last layer gets a gradient: nothing on the way may be detached.
- return self.layers[-1](X) >>> return self.layers[-1](X.detach())
? Each layer needs its biases: `nn.Linear` has them unless it is told otherwise.
- nn.Linear(n_in, n_out) >>> nn.Linear(n_in, n_out, bias=False)
? The hidden layers need a ReLU; that is a tanh.
- torch.relu >>> torch.tanh
? The hidden layers need a ReLU; that is a sigmoid.
- torch.relu >>> torch.sigmoid
? The hidden layers need a ReLU; below 0 yours lets a little through.
- torch.relu >>> F.leaky_relu
? A softmax stands at the end: the plain output of the last layer is wanted.
- return self.layers[-1](X) >>> return self.layers[-1](X).softmax(1)
? One layer is missing: each two neighbours in `sizes` are joined by one.
- zip(sizes[:-1], sizes[1:]) >>> zip(sizes[:-2], sizes[1:])
- zip(sizes[:-1], sizes[1:]) >>> list(zip(sizes[:-1], sizes[1:]))[:-1]
? The last layer is made, but `forward` does not use it.
- return self.layers[-1](X) >>> return X
? Only the last hidden layer is followed by a ReLU; each but the last one needs it.
- X = torch.relu(layer(X)) >>> X = layer(X) && self.layers[-1](X) >>> self.layers[-1](X.relu())
? A ReLU is missing where sizes repeat: tell the last layer by its position, not by its sizes.
def MyNet(sizes):
    pairs = list(zip(sizes[:-1], sizes[1:]))
    parts = []
    for pair in pairs:
        parts.append(nn.Linear(*pair))
        if pair != pairs[-1]:
            parts.append(nn.ReLU())
    return nn.Sequential(*parts)
def MyNet(sizes):
    parts = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        parts.append(nn.Linear(n_in, n_out))
        if n_out != sizes[-1]:
            parts.append(nn.ReLU())
    return nn.Sequential(*parts)
? Some layers are missing, or made of the wrong sizes: go through the positions; the same size may
  stand in the list more than once.
def MyNet(sizes):
    parts = []
    for size in sizes[:-1]:
        k = sizes.index(size)
        parts += [nn.Linear(sizes[k], sizes[k + 1]), nn.ReLU()]
    return nn.Sequential(*parts[:-1])
? The layers are made anew in every call of `forward`, so whatever they learn is lost: make them in
  `__init__`.
class MyNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes

    def forward(self, X):
        self.layers = nn.ModuleList(map(nn.Linear, self.sizes[:-1], self.sizes[1:]))
        for layer in self.layers[:-1]:
            X = torch.relu(layer(X))
        return self.layers[-1](X)
? `forward` gives `None`: is a `return` missing?
- return self.layers[-1](X) >>> self.layers[-1](X)
? An absolute value stands where a ReLU should: negative numbers become 0.
- torch.relu(layer(X)) >>> layer(X).abs()
? The hidden layers need a ReLU; that is a GELU.
- torch.relu >>> F.gelu
? A sigmoid stands at the end: the plain output of the last layer is wanted.
- return self.layers[-1](X) >>> return self.layers[-1](X).sigmoid()
? The output has lost a dimension: (N, `sizes[-1]`) is wanted, even where one of the two is 1.
- return self.layers[-1](X) >>> return self.layers[-1](X).squeeze()
? The sizes run the wrong way: the first layer takes `sizes[0]` numbers.
- n_in, n_out) for >>> n_out, n_in) for
"""),
        cases=_net_cases,
        probe=_net,
        closing="Its layers are registered, so an optimizer finds them and `state_dict` saves "
        "them.",
    ),
    *LOOP_AND_SHAPES,
    *INITIALISE_AND_SAVE,
)
