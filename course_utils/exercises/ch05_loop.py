"""Chapter 05, training: a loop that stops in time, and the shapes in a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.exercises.exercise import Case, Exercise, case, mistakes


def filled(model: nn.Module) -> nn.Module:
    """``model`` with parameters that depend on their shapes alone, whatever order they have."""
    with torch.no_grad():
        for p in model.parameters():
            generator = torch.Generator().manual_seed(100 * len(p) + p.numel())
            p.copy_(torch.randn(p.shape, generator=generator))
    return model


def _until(
    answer: Callable, sizes: tuple, n: int, reached: int | None, max_epochs: int, adam: bool
) -> dict[str, Any]:
    """The losses, and the parameters afterwards, of a small network with fixed weights.

    The goal lies between the losses of epoch ``reached`` and of the one before it; never reached
    if that is None.
    """
    X, y = torch.randn(n, sizes[0]), torch.randn(n, sizes[2])

    def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
        model = filled(nn.Sequential(nn.Linear(*sizes[:2]), nn.Tanh(), nn.Linear(*sizes[1:])))
        if adam:
            return model, torch.optim.Adam(model.parameters(), lr=0.05)
        return model, torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.3)

    goal = 0.0
    if reached is not None:
        model, optimizer = fresh()
        losses = []
        for _ in range(reached + 1):
            loss = F.mse_loss(model(X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        goal = (losses[-1] + losses[-2]) / 2 if reached else 2 * losses[0]
    model, optimizer = fresh()
    losses = answer(model, X, y, optimizer, goal, max_epochs)
    entries = losses if isinstance(losses, list | tuple) else [losses]
    tensors = any(
        isinstance(v, torch.Tensor) and (v is not losses or v.requires_grad) for v in entries
    )
    seen = {
        "the entries of the list": "tensors" if tensors else "numbers",
        "the list of losses": losses,
    }
    return seen | {"the model's parameters afterwards": [p.detach() for p in model.parameters()]}


def _until_cases(r: np.random.Generator) -> Iterator[Case]:
    for sizes, n, reached, max_epochs, adam in (
        ((2, 3, 1), 6, 3, 6, False),
        ((2, 4, 3), 5, None, 4, True),
        ((2, 3, 1), 6, 0, 5, False),
        ((3, 2, 2), 3, None, 1, False),
        ((2, 4, 3), 5, 4, 5, True),
        ((2, 4, 3), 5, 2, 5, True),
    ):
        when = "is not reached" if reached is None else f"is reached in epoch {reached + 1}"
        label = f"where the goal {when}, with max_epochs = {max_epochs}, {n} samples"
        yield case(sizes, n, reached, max_epochs, adam, label=label + " and Adam" * adam)


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
        name="05.until",
        title="train until it is good enough",
        prompt=r"""
Train `model` on all of `X` and `y` with the mean squared error until its loss is at most `goal`. In
each epoch compute the loss and note it. If it is at most `goal`, stop there, without another step;
otherwise take one step with `optimizer`. After `max_epochs` epochs (1 or more) stop in any case.
Return the list of the losses that were noted, plain numbers.
""",
        stub='''
def my_train_until(model, X, y, optimizer, goal, max_epochs):
    """Train until the loss is at most goal, max_epochs at most; return the list of losses."""
    raise NotImplementedError
''',
        hints=(
            "It is the loop of the chapter with one question more. Where does the question stand: "
            "before or after `backward` and `step`?",
            "Forward, loss, `losses.append(loss.item())`; then `if` the loss is small enough, "
            "`break`; then zero_grad, backward, step.",
        ),
        solution="""
def my_train_until(model, X, y, optimizer, goal, max_epochs):
    loss_fn = nn.MSELoss()
    losses = []
    for epoch in range(max_epochs):
        y_hat = model(X)
        loss = loss_fn(y_hat, y)
        losses.append(loss.item())
        if losses[-1] <= goal:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses
""",
        wrong=mistakes(r"""
? The goal plays no part: the training goes on after it is reached.
- if losses[-1] <= goal: >>> if False:
? It stops one step too late: when the loss is at most `goal`, no further step is taken.
-         if losses[-1] <= goal:\n            break\n >>> 
& optimizer.step() >>> optimizer.step()\n        if losses[-1] <= goal:\n            break
? It stops where the loss is still *above* the goal.
- losses[-1] <= goal >>> losses[-1] > goal
? The loss that reaches the goal belongs into the list as well: note it before you stop.
-         losses.append(loss.item())\n >>> 
& if losses[-1] <= goal >>> if loss.item() <= goal && optimizer.step() >>> optimizer.step()\n        losses.append(loss.item())
? After each step the loss is computed once more, and that one decides: ask with the loss of the
  epoch, before the step. The last loss is not in the list.
-         if losses[-1] <= goal:\n            break\n >>> 
& optimizer.step() >>> optimizer.step()\n        if loss_fn(model(X), y) <= goal:\n            break
? These losses are from after each step: note the loss that the gradients come from.
-         losses.append(loss.item())\n >>> 
& if losses[-1] <= goal >>> if False
& optimizer.step() >>> optimizer.step()\n        losses.append(loss_fn(model(X), y).item())\n        if losses[-1] <= goal:\n            break
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
? The second epoch fails: its `backward` meets a graph that the first one has used up. Each
  epoch needs a `y_hat` and a loss of its own, computed inside the loop.
-         y_hat = model(X)\n >>>  && losses = [] >>> losses = []\n    y_hat = model(X)
-         y_hat = model(X)\n        loss = loss_fn(y_hat, y)\n >>> 
& losses = [] >>> losses = []\n    loss = loss_fn(model(X), y)
? `retain_graph=True` keeps a graph whose weights have changed since: call `backward` on the loss of
  this epoch alone, computed inside the loop.
-         y_hat = model(X)\n >>>  && losses = [] >>> losses = []\n    y_hat = model(X)
& loss.backward() >>> loss.backward(retain_graph=True)
? Only the last loss is returned; a list of all of them is wanted.
- return losses >>> return losses[-1]
- return losses >>> return losses[-1:]
? Only the first epoch runs: is the `return` inside the loop?
-     return losses >>>         return losses
? These are sums over the samples: the mean squared error is wanted, `nn.MSELoss()`.
- nn.MSELoss() >>> nn.MSELoss(reduction="sum")
? `nn.MSELoss` is a class: `nn.MSELoss(y_hat, y)` makes no loss, but a loss function with strange
  settings. Make the function first, `loss_fn = nn.MSELoss()`, then call it: `loss_fn(y_hat, y)`.
- nn.MSELoss() >>> nn.MSELoss
- loss_fn(y_hat, y) >>> nn.MSELoss(y_hat, y)
? That is the mean absolute error: `nn.MSELoss()` squares the differences.
- nn.MSELoss() >>> nn.L1Loss()
? That is the sum over the outputs, the mean over the samples alone; `nn.MSELoss()` takes the mean
  over both.
- loss_fn(y_hat, y) >>> ((y_hat - y) ** 2).sum() / len(X)
- loss_fn(y_hat, y) >>> ((y_hat - y) ** 2).sum(1).mean()
? There is no factor 1/2 in the mean squared error.
- loss_fn(y_hat, y) >>> loss_fn(y_hat, y) / 2
? The loss has no graph that leads back to the model: compute it outside of `no_grad`, and without
  `detach`, `item` or `torch.tensor(…)` on the way.
- loss = loss_fn(y_hat, y) >>> loss = loss_fn(y_hat, y).detach()
- loss = loss_fn(y_hat, y) >>> loss = torch.tensor(loss_fn(y_hat, y).item())
- y_hat = model(X) >>> y_hat = model(X).detach()
? `step` is called twice in an epoch.
- optimizer.step() >>> optimizer.step(); optimizer.step()
? Each step takes one sample alone; all of `X` and `y` give the loss of an epoch, and there is one
  step for each epoch.
def my_train_until(model, X, y, optimizer, goal, max_epochs):
    losses = []
    for epoch in range(max_epochs):
        total = 0
        for x, target in zip(X, y):
            loss = nn.MSELoss()(model(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total / len(X))
        if losses[-1] <= goal:
            break
    return losses
? The numbers are rounded: return them as they are.
- return losses >>> return [round(loss, 2) for loss in losses]
- return losses >>> return [round(loss, 3) for loss in losses]
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
? One epoch is missing where the goal is not reached: `range(max_epochs)` has as many as are wanted.
- range(max_epochs) >>> range(max_epochs - 1)
? Where the goal is not reached, that is one epoch more than `max_epochs`.
- range(max_epochs) >>> range(max_epochs + 1)
? The trained model comes back; the list of the losses is wanted.
- return losses >>> return model
? The number of epochs comes back; the list of their losses is wanted.
- return losses >>> return len(losses)
? The losses are added up; one number for each epoch is wanted.
- return losses >>> return sum(losses)
- return losses >>> return np.cumsum(losses)
"""),
        cases=_until_cases,
        probe=_until,
        closing="The same losses to the last digit, and not one step too many.",
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
