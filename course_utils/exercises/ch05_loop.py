"""Chapter 05, training: the loop with its losses, and the shapes in a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.exercises.exercise import Case, Exercise, case, mistakes


def filled(model: nn.Module) -> nn.Module:
    """``model`` with parameters that depend on their shapes alone, whatever order they have."""
    with torch.no_grad():
        for p in model.parameters():
            generator = torch.Generator().manual_seed(100 * len(p) + p.numel())
            p.copy_(torch.randn(p.shape, generator=generator))
    return model


def _loop(answer: Callable, sizes: tuple, n: int, num_epochs: int, adam: bool) -> dict[str, Any]:
    """The losses, and the parameters afterwards, of a small network with fixed weights."""
    model = filled(nn.Sequential(nn.Linear(*sizes[:2]), nn.Tanh(), nn.Linear(*sizes[1:])))
    X, y = torch.randn(n, sizes[0]), torch.randn(n, sizes[2])
    optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.3)
    if adam:
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = answer(model, X, y, optimizer, num_epochs)
    entries = losses if isinstance(losses, list | tuple) else [losses]
    tensors = any(
        isinstance(v, torch.Tensor) and (v is not losses or v.requires_grad) for v in entries
    )
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
? These are tensors; note a plain number for each epoch: `loss.item()`.
- loss.item() >>> loss
- loss.item() >>> loss.detach()
- losses.append(loss.item()) >>> losses.append(loss) && return losses >>> return torch.stack(losses)
? The second epoch fails: its `backward` meets a graph that the first one has used up. Each
  epoch needs a `y_hat` and a loss of its own, computed inside the loop.
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
? That is the sum over the outputs, the mean over the samples alone; `nn.MSELoss()` takes the mean
  over both.
- loss_fn(y_hat, y) >>> ((y_hat - y) ** 2).sum() / len(X)
- loss_fn(y_hat, y) >>> ((y_hat - y) ** 2).sum(1).mean()
? There is no factor 1/2 in the mean squared error.
- loss_fn(y_hat, y) >>> loss_fn(y_hat, y) / 2
? The loss has no graph that leads back to the model: compute it outside of `no_grad`, and without
  `detach`.
- loss = loss_fn(y_hat, y) >>> loss = loss_fn(y_hat, y).detach()
? `step` is called twice in an epoch.
- optimizer.step() >>> optimizer.step(); optimizer.step()
? Each step takes one sample alone; all of `X` and `y` give the loss of an epoch, and there is one
  step for each epoch.
def my_train(model, X, y, optimizer, num_epochs):
    losses = []
    for epoch in range(num_epochs):
        total = 0
        for x, target in zip(X, y):
            loss = nn.MSELoss()(model(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total / len(X))
    return losses
? The numbers are rounded: return them as they are.
- loss.item() >>> round(loss.item(), 2)
- loss.item() >>> round(loss.item(), 3)
? `None` comes back: is a `return` missing?
- return losses >>> pass
? The loss before the training is noted twice: one number for each epoch.
- losses = [] >>> losses = [loss_fn(model(X), y).item()]
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
)
