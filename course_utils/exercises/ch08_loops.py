"""Chapter 08: descent over mini-batches, early stopping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes
from course_utils.exercises.probes import made, need_method
from course_utils.exercises.values import canonical

# ------------------------------------------------------------------------------------- descent


def _descent_cases(r: np.random.Generator) -> Iterator[Case]:
    for sizes, width, lr in (
        ((4, 4, 3), 2, 0.1),
        ((2,), 2, 0.3),
        ((5, 1, 5, 1), 3, 0.02),
        ((3, 6), 1, 0.2),
    ):
        batches = [(r.normal(size=(size, width)), r.normal(size=size)) for size in sizes]
        label = f"with batches of {list(sizes)}"
        yield case(r.normal(size=width) * 2, batches, lr, label=label)


def _descend(answer: Any, w: Any, batches: list, lr: float) -> dict[str, Any]:
    return {"the final w": canonical(answer(w, batches, lr)), "the w that came in": canonical(w)}


DESCENT = Exercise(
    name="08.descent",
    title="mini-batch gradient descent",
    prompt=r"""
Fit a line by one pass over mini-batches. For each `(X, y)` of the list `batches`, with X of shape
(B, D) and y of shape (B,), the loss is the *mean* squared error,
$L(w) = \frac1B \lVert Xw - y\rVert^2$ with the gradient $\frac2B X^\top (Xw - y)$. Make one update
per batch, each from where the last one ended, and return the final `w` of shape (D,). The `w` that
comes in must stay as it is.
""",
    stub='''
def my_descent(w, batches, lr):
    """w after one gradient step for each mini-batch."""
    raise NotImplementedError
''',
    hints=(
        "One loop over the batches; inside it the error `X @ w - y`, of shape (B,), and a step.",
        "`w = w - lr * gradient` makes a new array. `w -= …` would change the one that came in.",
    ),
    solution="""
def my_descent(w, batches, lr):
    for X, y in batches:
        error = X @ w - y
        w = w - lr * 2 * X.T @ error / len(y)
    return w
""",
    wrong=mistakes(r"""
? The gradient is summed over the batch: divide by len(y), else the step grows with B.
-  / len(y) >>> 
? The factor 2 is missing: the derivative of a square has it.
- lr * 2 * >>> lr *
? Neither the factor 2 nor the division by len(y) is there: the gradient is 2/B times the product.
- lr * 2 * >>> lr * &&  / len(y) >>> 
? Divide by the number of samples, len(y), not by the number of weights.
- / len(y) >>> / len(w)
? Each update must begin where the last one ended, not at the first w.
-     for X >>>     start = w\n    for X && error = X @ w >>> error = X @ start
-     for X >>>     start = w\n    for X && w = w - lr >>> w = start - lr
-     for X >>>     start = w\n    for X && w = w - lr >>> w = start - lr
& error = X @ w >>> error = X @ start
? The steps go uphill: subtract the gradient.
- w - lr >>> w + lr
- X @ w - y >>> y - X @ w
? Only the first mini-batch was used. Is the `return` inside the loop?
-     return w >>>         return w
? `my_descent` changes its `w` in place: write `w = w - …`.
- w = w - lr >>> w -= lr
? The learning rate is missing from the update.
- lr * 2 >>> 2
? The error is Xw − y: the targets are missing from it.
- X @ w - y >>> X @ w
? That is the gradient of the absolute error: the error itself stands in the gradient, not its sign.
- X.T @ error >>> X.T @ np.sign(np.asarray(error))
? All batches together made one single update: make one for each, with its own gradient.
def my_descent(w, batches, lr):
    gradient, count = 0, 0
    for X, y in batches:
        gradient = gradient + 2 * X.T @ (X @ w - y)
        count += len(y)
    return w - lr * gradient / count
? The last batch counts as well: there is one update for each.
- in batches >>> in batches[:-1]
? Return the final `w`.
- return w >>> return error
- return w >>> return 2 * X.T @ error / len(y)
? One w is wanted, the final one, not all on the way.
-     for X >>>     ws = []\n    for X && return w >>> return ws
& / len(y) >>> / len(y)\n        ws.append(w)
"""),
    cases=_descent_cases,
    probe=_descend,
    closing="The same steps as the training loop: one update per mini-batch, with its mean gradient.",
)

# ------------------------------------------------------------------------------------ stopping


def _stopping_cases(r: np.random.Generator) -> Iterator[Case]:
    for patience, losses in (
        (1, [3.0, 2.0, 2.5, 2.6, 1.0]),
        (3, [5.0, 4.0, 3.0, 3.5, 3.2, 3.4, 3.3]),  # up and down, but never below 3
        (2, [2.0, 1.0, 1.5, 0.9, 1.2, 0.8, 1.0, 0.9, 1.1]),  # two bad ones in a row at last
        (2, [1.0, 1.0, 1.0, 1.0]),
        (3, [1.0, 0.5, 0.5, 0.7, 0.5, 0.4]),
        (2, [-1.0, -3.0, -2.0, -3.0, 0.0]),
        (2, [7e6, 5e6, 6e6, 8e6, 3e6]),
        (2, [1.0, 0.99999, 0.99998, 0.99997, 0.99996]),
        (2, [1.0, 5.0, 0.9, 5.0, 0.8, 5.0, 0.7, 5.0, 5.0, 5.0]),
        (5, [4.0, 3.0, 2.0, 1.0]),
        (4, r.normal(size=30).round(2).tolist()),
    ):
        yield case(patience, losses, label=f"with patience {patience} and the losses {losses[:10]}")


def _stop(answer: Any, patience: int, losses: Sequence[float]) -> dict[str, Any]:
    """Two objects in turn, each until it says stop; the second sees the losses one higher."""
    stoppers = {name: (made(answer, patience), more) for name, more in (("", 0), ("other ", 1))}
    seen: dict[str, Any] = {}
    for name in stoppers:
        seen[f"{name}epoch of the first True (0: never)"] = 0
        seen[f"{name}best_loss after each epoch"] = []
        seen[f"{name}best_epoch after each epoch"] = []
    running = dict(stoppers)
    for epoch, loss in enumerate(losses, start=1):
        for name, (stopper, more) in list(running.items()):
            stop = canonical(need_method(stopper, "update")(loss + more))
            if not isinstance(stop, np.ndarray) or stop.size != 1 or stop.item() not in (0, 1):
                raise NotYet("`update` must return True or False, in every epoch.")
            for what in ("best_loss", "best_epoch"):
                if not hasattr(stopper, what):
                    raise NotYet("After `update` the object needs `best_loss` and `best_epoch`.")
                seen[f"{name}{what} after each epoch"].append(canonical(getattr(stopper, what)))
            if stop.item():
                seen[f"{name}epoch of the first True (0: never)"] = epoch
                del running[name]
    return seen


STOPPING = Exercise(
    name="08.stopping",
    title="stop in time",
    prompt="""
Write early stopping. After every epoch `update(val_loss)` is called. It remembers the lowest loss
in `best_loss` and its epoch (counted from 1) in `best_epoch`, and returns True as soon as
`patience` epochs in a row have brought no new lowest loss, otherwise False. An equal loss is no
improvement.
""",
    stub='''
class MyEarlyStopping:
    def __init__(self, patience):
        self.patience = patience
        self.best_loss, self.best_epoch = float("inf"), 0

    def update(self, val_loss):
        """Note the loss of one more epoch; True when it is time to stop."""
        raise NotImplementedError
''',
    hints=(
        "You need one more attribute: which epoch is it now?",
        "Stop when `epoch - best_epoch >= patience`.",
    ),
    solution="""
class MyEarlyStopping:
    def __init__(self, patience):
        self.patience = patience
        self.best_loss, self.best_epoch = float("inf"), 0
        self.epoch = 0

    def update(self, val_loss):
        self.epoch += 1
        if val_loss < self.best_loss:
            self.best_loss, self.best_epoch = val_loss, self.epoch
        return self.epoch - self.best_epoch >= self.patience
""",
    wrong=mistakes(r"""
? It stops one epoch too late: `patience` epochs without a new lowest loss are enough.
- >= self.patience >>> > self.patience
? It stops one epoch too early: wait until `patience` epochs brought no new lowest loss.
- >= self.patience >>> >= self.patience - 1
? An equal loss is no improvement: the lowest loss is an old one then.
- val_loss < self >>> val_loss <= self
? Do you compare with the epoch before? The lowest loss so far counts.
- self.epoch = 0 >>> self.epoch, self.bad, self.last = 0, 0, float("inf")
&         self.epoch += 1 >>>         self.epoch += 1\n        worse = val_loss > self.last
&         return self.epoch - self.best_epoch >= >>>         self.last = val_loss\n        return self.bad >=
&         if val_loss < >>>         self.bad = self.bad + 1 if worse else 0\n        if val_loss <
- self.epoch = 0 >>> self.epoch, self.bad, self.last = 0, 0, float("inf")
&         self.epoch += 1 >>>         self.epoch += 1\n        worse = val_loss >= self.last
&         return self.epoch - self.best_epoch >= >>>         self.last = val_loss\n        return self.bad >=
&         if val_loss < >>>         self.bad = self.bad + 1 if worse else 0\n        if val_loss <
? Only epochs in a row count: a new lowest loss starts the counting anew.
- self.epoch = 0 >>> self.epoch, self.bad = 0, 0
&         if val_loss < >>>         self.bad += val_loss >= self.best_loss\n        if val_loss <
& self.epoch - self.best_epoch >= >>> self.bad >=
? It never stops: return True when it is time.
- return self.epoch - self.best_epoch >= self.patience >>> return False
? Is the answer the opposite? True means stop.
- >= self.patience >>> < self.patience
? `update` must return True or False, in every epoch.
- return self.epoch >>> self.epoch
? Epochs count from 1: the first call of `update` is epoch 1.
- self.epoch = 0 >>> self.epoch = -1
- self.epoch = 0 >>> self.epoch = 1
? `best_loss` must hold the lowest loss so far; it is never set.
- self.best_loss, self.best_epoch = val_loss, self.epoch >>> self.best_epoch = self.epoch
? `best_epoch` must hold the epoch of the lowest loss; it is never set.
- self.best_loss, self.best_epoch = val_loss, self.epoch >>> self.best_loss = val_loss
? Note a loss and its epoch only where it is lower than all before.
- if val_loss < self.best_loss >>> if True
? The lowest loss is the best one, not the highest.
- float("inf") >>> -float("inf") && val_loss < self >>> val_loss > self
- val_loss < self >>> val_loss > self
? Every lower loss is an improvement, however small the difference.
- self.best_loss: >>> self.best_loss - 1e-3:
- self.best_loss: >>> self.best_loss - 1e-4:
? Count the epochs without a new lowest loss, not all epochs.
- self.epoch - self.best_epoch >>> self.epoch
? The state is shared between two MyEarlyStopping objects: keep it on `self`, set in `__init__`.
class MyEarlyStopping:
    best_loss, best_epoch, epoch = float("inf"), 0, 0

    def __init__(self, patience):
        self.patience = patience

    def update(self, val_loss):
        here = MyEarlyStopping
        here.epoch += 1
        if val_loss < here.best_loss:
            here.best_loss, here.best_epoch = val_loss, here.epoch
        return here.epoch - here.best_epoch >= self.patience
? `patience` is not used: it always waits for the same number of epochs.
- >= self.patience >>> >= 2
- >= self.patience >>> >= 3
"""),
    cases=_stopping_cases,
    probe=_stop,
    tolerance=1e-6,
    closing="It keeps the best epoch; the weights of that epoch are the ones to use.",
)
