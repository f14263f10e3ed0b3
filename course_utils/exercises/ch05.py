"""Chapter 05, modules: count, build, train, compare shapes; initialise and save in ``ch05_state``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.exercises.ch05_state import EXERCISES as INITIALISE_AND_SAVE
from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes
from course_utils.exercises.probes import made


def _count_cases(r: np.random.Generator) -> Iterator[Case]:
    for sizes in ([5, 2], [1, 10, 1], [4, 6, 5, 3, 2], [3, 3, 3, 3], [784, 30, 10]):
        yield case(sizes)
    for length in (2, 3, 5, 6):
        yield case(r.integers(1, 20, length).tolist())


def _filled(model: nn.Module) -> nn.Module:
    """``model`` with parameters that depend on their shapes alone, whatever order they have."""
    with torch.no_grad():
        for p in model.parameters():
            generator = torch.Generator().manual_seed(100 * len(p) + p.numel())
            p.copy_(torch.randn(p.shape, generator=generator))
    return model


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
    out = _filled(model)(X)
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
    ):
        yield case(sizes, n, label=f"with sizes {sizes} and an input of shape ({n}, {sizes[0]})")


def _loop(answer: Callable, sizes: tuple, n: int, num_epochs: int, adam: bool) -> dict[str, Any]:
    """The losses, and the parameters afterwards, of a small network with fixed weights."""
    model = _filled(nn.Sequential(nn.Linear(*sizes[:2]), nn.Tanh(), nn.Linear(*sizes[1:])))
    X, y = torch.randn(n, sizes[0]), torch.randn(n, sizes[2])
    optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.3)
    if adam:
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = answer(model, X, y, optimizer, num_epochs)
    tensors = isinstance(losses, list | tuple) and any(isinstance(v, torch.Tensor) for v in losses)
    seen = {
        "the entries of the list": "tensors" if tensors else "numbers",
        "the list of losses": losses,
    }
    return seen | {"the model's parameters afterwards": [p.detach() for p in model.parameters()]}


def _loop_cases(r: np.random.Generator) -> Iterator[Case]:
    for sizes, n, num_epochs, adam in (
        ((2, 3, 1), 6, 5, False),
        ((2, 4, 3), 5, 3, True),
        ((3, 2, 2), 1, 1, False),
    ):
        label = f"for {num_epochs} epochs with {n} samples, {sizes[0]} inputs, {sizes[2]} outputs"
        yield case(sizes, n, num_epochs, adam, label=label + " and Adam" * adam)


def _mse_cases(r: np.random.Generator) -> Iterator[Case]:
    for y_hat, y in (([1.0, 2.0, 4.0], [1.5, 2.0, 2.0]), ([0.5, -1.0], [1.0, 3.0]), ([3.0], [1.0])):
        yield case(np.array(y_hat)[:, None], np.array(y))
        yield case(np.array(y_hat)[:, None], np.array(y)[:, None])
    for n in (5, 30):
        y_hat, y = r.normal(size=(n, 1)), r.normal(3, 2, size=n)
        yield case(y_hat, y)
        yield case(y_hat, y[:, None])


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
? The sizes run the wrong way: the first layer takes `sizes[0]` numbers.
- n_in, n_out) for >>> n_out, n_in) for
"""),
        cases=_net_cases,
        probe=_net,
        closing="Its layers are registered, so an optimizer finds them and `state_dict` saves "
        "them.",
    ),
    Exercise(
        name="05.loop",
        title="the five-line loop",
        prompt=r"""
Train `model` on all of `X` and `y` for `num_epochs` epochs, with the mean squared error. Return the
list of the losses, one plain number per epoch: the loss that the epoch's gradients come from.
""",
        stub='''
def my_train(model, X, y, optimizer, num_epochs):
    """Train the model; return its losses, a list of num_epochs numbers."""
    raise NotImplementedError
''',
        hints=(
            "Five lines in the loop: forward, loss, zero_grad, backward, step. And one that notes "
            "the loss.",
            "`losses.append(loss.item())`: without `.item()` each entry keeps its whole graph.",
        ),
        solution="""
def my_train(model, X, y, optimizer, num_epochs):
    loss_fn = nn.MSELoss()
    losses = []
    for epoch in range(num_epochs):
        y_hat = model(X)
        loss = loss_fn(y_hat, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
""",
        wrong=mistakes(r"""
? The gradients pile up: call `optimizer.zero_grad()` in every epoch, before `backward`.
-         optimizer.zero_grad()\n >>> 
-         optimizer.zero_grad()\n >>>  && losses = [] >>> losses = []\n    optimizer.zero_grad()
? The loss never changes: in each epoch the order is `zero_grad`, `backward`, `step`; with
  `zero_grad` between the last two, without one of them, or with a loss that has been cut off from
  the model (`item`, `detach`), nothing is learned.
-         optimizer.zero_grad()\n >>>  && optimizer.step() >>> optimizer.zero_grad()
-         optimizer.zero_grad()\n >>>  && loss.backward() >>> loss.backward(); optimizer.zero_grad()
-         optimizer.step()\n >>> 
-         loss.backward()\n >>> 
- loss = loss_fn(y_hat, y) >>> loss = loss_fn(y_hat, y).detach().requires_grad_()
? `step` comes before `backward`, so it uses the gradients of the epoch before.
-         optimizer.zero_grad()\n >>>         optimizer.step()\n        optimizer.zero_grad()\n
&         loss.backward()\n        optimizer.step()\n >>>         loss.backward()\n
? The list holds tensors; note a plain number: `loss.item()`.
- loss.item() >>> loss
- loss.item() >>> loss.detach()
? The second epoch fails: its `backward` meets a graph that the first one has used up. Compute
  `y_hat` and the loss inside the loop.
-         y_hat = model(X)\n >>>  && losses = [] >>> losses = []\n    y_hat = model(X)
-         y_hat = model(X)\n        loss = loss_fn(y_hat, y)\n >>> 
& losses = [] >>> losses = []\n    loss = loss_fn(model(X), y)
? `retain_graph=True` keeps a graph whose weights have changed since: call `backward` on the loss of
  this epoch alone, computed inside the loop.
-         y_hat = model(X)\n >>>  && losses = [] >>> losses = []\n    y_hat = model(X)
& loss.backward() >>> loss.backward(retain_graph=True)
? These losses are from after each step: note the loss that the gradients come from.
- losses.append(loss.item()) >>> losses.append(loss_fn(model(X), y).item())
? Only the last loss is returned; a list of all of them is wanted.
- return losses >>> return losses[-1]
- return losses >>> return losses[-1:]
? Only the first epoch runs: is the `return` inside the loop?
-     return losses >>>         return losses
? These are sums over the samples: the mean squared error is wanted, `nn.MSELoss()`.
- nn.MSELoss() >>> nn.MSELoss(reduction="sum")
? `nn.MSELoss` is a class: make a loss function of it first, with parentheses, and call that.
- nn.MSELoss() >>> nn.MSELoss
? That is the mean absolute error: `nn.MSELoss()` squares the differences.
- nn.MSELoss() >>> nn.L1Loss()
? The root is too much: train with the mean squared error itself.
- loss_fn(y_hat, y) >>> loss_fn(y_hat, y) ** 0.5
? The losses are right, but `model` itself was not trained: work with the model that is passed.
- losses = [] >>> losses = []\n    import copy\n    model, optimizer = copy.deepcopy((model, optimizer))
? The `optimizer` that is passed plays no part: call its `step`.
-     losses = [] >>>     optimizer = torch.optim.SGD(model.parameters(), lr=0.03)\n    losses = []
-     losses = [] >>>     optimizer = torch.optim.Adam(model.parameters())\n    losses = []
? One epoch is missing: `range(num_epochs)` has as many as are wanted.
- range(num_epochs) >>> range(num_epochs - 1)
? That is one epoch more than `num_epochs`.
- range(num_epochs) >>> range(num_epochs + 1)
? The trained model comes back; the list of the losses is wanted.
- return losses >>> return model
? The losses are added up; one number for each epoch is wanted.
- return losses >>> return sum(losses)
- return losses >>> return np.cumsum(losses)
"""),
        cases=_loop_cases,
        probe=_loop,
        closing="Forward, loss, zero_grad, backward, step: the same losses to the last digit.",
    ),
    Exercise(
        name="05.shapes",
        title="find the bug",
        prompt=r"""
A colleague's loss is far too large, and the network learns to give the same number everywhere:

```python
def mse(y_hat, y):
    return ((y_hat - y) ** 2).mean()
```

The model gives `y_hat` of shape (N, 1); the targets come as (N,) from one file and as (N, 1) from
another. Write `my_mse`, which gives the mean squared error for both.
""",
        stub='''
def my_mse(y_hat, y):
    """Mean squared error, a number. y_hat: (N, 1). y: (N,) or (N, 1)."""
    raise NotImplementedError
''',
        hints=(
            "Which shape has `y_hat - y` when the shapes are (N, 1) and (N,)? Broadcasting aligns "
            "from the right.",
            "Give `y` the shape of `y_hat` first: `reshape` does it for both kinds of targets.",
        ),
        solution="""
def my_mse(y_hat, y):
    difference = y_hat - y.reshape(y_hat.shape)
    return (difference**2).mean()
""",
        wrong=mistakes(r"""
? The difference was broadcast to (N, N) when y has shape (N,): give both the same shape first.
- y.reshape(y_hat.shape) >>> y
? The difference was broadcast to (N, N) when y has shape (N, 1): give both the same shape first.
- y_hat - y.reshape(y_hat.shape) >>> y_hat[:, 0] - y
- y.reshape(y_hat.shape) >>> y[:, None]
? The difference was broadcast to (N, N), whichever shape y has: give both the same shape first.
- y_hat - y.reshape(y_hat.shape) >>> y_hat.reshape(-1) - y.reshape(-1, 1)
- y.reshape(y_hat.shape) >>> y.reshape(-1)
? That is the sum; the mean over the samples is wanted.
- .mean() >>> .sum()
? That is the mean absolute error: square it.
- difference**2 >>> abs(difference)
? There is no factor 1/2 in the mean squared error.
- .mean() >>> .mean() / 2
? No root: the mean of the squares is wanted.
- (difference**2).mean() >>> (difference**2).mean() ** 0.5
? Square first, then take the mean.
- (difference**2).mean() >>> difference.mean() ** 2
? The differences are not squared.
- (difference**2).mean() >>> difference.mean()
? One number for each sample comes back; their mean is wanted.
- .mean() >>> 
- (difference**2).mean() >>> (difference**2)[:, 0]
? Divide by the number of samples, N, not by N − 1.
- .mean() >>> .sum() / max(len(y) - 1, 1)
? y must be taken as it is, with its sign: the difference is wanted, not the sum.
- y_hat - y >>> y_hat + y
"""),
        cases=_mse_cases,
        closing="Both kinds of targets give the same number: N differences, not N².",
        examples=(("my_mse(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 4.0]))", "2.0"),),
    ),
    *INITIALISE_AND_SAVE,
)
