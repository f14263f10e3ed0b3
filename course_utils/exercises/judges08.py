"""The checkers of chapter 08, and the numbers that typical mistakes give.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course_utils.probing import (
    NotAttempted,
    NotYet,
    as_array,
    attempt,
    compare,
    describe,
    need_class,
    need_function,
    plain,
)


def check_updates(answer: Any) -> str:
    """Exercise 08.updates."""
    need_function(answer, "my_num_updates(num_images, batch_size, num_epochs)")
    for n, size, epochs in ((1257, 64, 10), (100, 25, 3), (10, 4, 7), (5, 8, 2), (9, 1, 1)):
        call = f"`my_num_updates({n}, {size}, {epochs})`"
        got = attempt(answer, n, size, epochs, call=call)
        wanted = epochs * math.ceil(n / size)
        mistakes = [
            (
                epochs * (n // size),
                "The last, smaller mini-batch is missing: round up in each epoch.",
            ),
            (
                math.ceil(n * epochs / size),
                "Your mini-batches run on across the epochs: each epoch starts a fresh one.",
            ),
            (epochs * n / size, "The number of updates is a whole number: round up."),
            (math.ceil(n / size), "These are the updates of one epoch only."),
            (epochs * (n // size + 1), "One too many where the batches come out even."),
        ]
        compare(got, wanted, call, mistakes)
    return "1,257 images in batches of 64 are 19 full mini-batches and one of 41."


def check_max_lr(answer: Any) -> str:
    """Exercise 08.max_lr."""
    need_function(answer, "my_max_lr(A)")
    rng = np.random.default_rng(8)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    matrices = (
        np.array([[3.0, 1.0], [1.0, 2.0]]),
        np.diag([0.1, 4.0]),
        turn @ np.diag([0.5, 1.0, 3.0, 8.0]) @ turn.T,
    )
    for A in matrices:
        shown = np.array2string(A, separator=", ").replace("\n", "") if len(A) == 2 else "A (4, 4)"
        call = f"`my_max_lr({shown})`"
        got = attempt(answer, A.copy(), call=call)
        values = np.linalg.eigvalsh(A)
        steep, flat = values[-1], values[0]
        mistakes = [
            (1 / steep, "1/λmax is only half of the bound: up to 2/λmax the steps still shrink."),
            (2 / flat, "You took the flattest direction; the steepest one breaks first."),
            (1 / flat, "You took the flattest direction; the steepest one breaks first."),
            (2 / np.diag(A).max(), "The diagonal is not enough: take the eigenvalues."),
            (2 / values.sum(), "That is the sum of the eigenvalues; only the largest counts."),
            (2 / (steep + flat), "2/(λmin + λmax) is the fastest rate, not the largest one."),
            (steep / flat, "That is the condition number, not a learning rate."),
            (2 * steep, "Turned over: a steeper loss needs a smaller rate."),
        ]
        compare(got, 2 / steep, call, mistakes)
    return "Up to this rate every direction shrinks; from here on the steepest one grows."


def check_scaled_lr(answer: Any) -> str:
    """Exercise 08.scaled_lr."""
    need_function(answer, "my_scaled_lr(lr, batch_size, new_batch_size, max_lr)")
    cases = ((0.05, 16, 64, 0.5), (0.4, 256, 32, 1.0), (0.1, 32, 32, 9.0), (0.05, 16, 1024, 0.5))
    for lr, size, new, most in cases:
        call = f"`my_scaled_lr({lr}, {size}, {new}, max_lr={most})`"
        got = attempt(answer, lr, size, new, most, call=call)
        linear = lr * new / size
        mistakes = [
            (min(lr * size / new, most), "It goes the wrong way: a larger batch, a larger rate."),
            (lr * size / new, "It goes the wrong way: a larger batch, a larger rate."),
            (
                min(lr * math.sqrt(new / size), most),
                "That is the square root rule; the linear one has no root.",
            ),
            (linear, "The result must not exceed max_lr: take the smaller of the two."),
            (max(linear, most), "You took the larger of the two rates; max_lr is an upper end."),
            (most, "max_lr is only the upper end."),
        ]
        compare(got, min(linear, most), call, mistakes)
    return "The rule holds while the rate is small; the bound 2/λmax does not know the batch size."


# ------------------------------------------------------------------------------------- batches


def check_batches(answer: Any) -> str:
    """Exercise 08.batches."""
    need_function(answer, "my_batches(X, y, batch_size, rng)")
    for count, size in ((12, 3), (10, 4), (5, 8)):
        call = f"`my_batches(X, y, {size}, rng)` with {count} samples"
        y = np.arange(float(count))
        X = np.stack([y, y**2], axis=1)
        rows = _labels(answer, X, y, size, 0, call)
        again = _labels(answer, X, y, size, 0, call)
        if rows != again:
            raise NotYet("Twice the same `rng`, two orders: draw from `rng` and nothing else.")
        if count >= 10 and rows == _labels(answer, X, y, size, 2, call):
            raise NotYet("Every `rng` gives the same order: shuffle with the `rng` that comes in.")
        blocks = [set(range(start, start + size)) for start in range(0, count, size)]
        if count == 12 and all(set(row) in blocks for row in rows):
            raise NotYet(
                "Each mini-batch holds the same samples in every epoch, only in another order: "
                "draw one order of *all* samples, and cut that."
            )
    return "Every sample once per epoch, images and labels in the same order."


def _labels(answer: Any, X: Any, y: Any, size: int, seed: int, call: str) -> list[list[float]]:
    """The labels of each batch, once the batches have been seen to be a fair cut of X and y."""
    kept = X.copy(), y.copy()

    def batches(X: Any, y: Any) -> Any:
        made = answer(X, y, size, np.random.default_rng(seed))
        return list(made) if hasattr(made, "__next__") else made

    got = attempt(batches, X, y, call=call)
    if not (np.array_equal(kept[0], X) and np.array_equal(kept[1], y)):
        raise NotYet("`my_batches` shuffles X or y themselves: leave them as they are.")
    if got is ...:
        raise NotAttempted
    if got is None:
        raise NotYet(f"{call} gives None. Is a `return` missing?")
    if not isinstance(got, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in got
    ):
        raise NotYet(f"{call} gives {describe(got)}; a list of pairs (X_batch, y_batch) is wanted.")
    rows = []
    for X_batch, y_batch in got:
        X_batch, y_batch = as_array(X_batch, "X_batch"), as_array(y_batch, "y_batch")
        if y_batch.ndim != 1 or X_batch.shape != (len(y_batch), 2):
            raise NotYet(
                f"A batch has X of shape {X_batch.shape} and y of shape {y_batch.shape}; expected "
                "are (B, 2) and (B,)."
            )
        if not np.array_equal(X_batch[:, 0], y_batch):
            raise NotYet(
                "Images and labels no longer belong together: draw one order and use it for both."
            )
        rows.append(y_batch.tolist())
    every = [label for row in rows for label in row]
    if len(set(every)) < len(every):
        raise NotYet("A sample appears more than once in an epoch: permute, do not draw at random.")
    if len(every) < len(y):
        raise NotYet(
            f"{len(every)} of {len(y)} samples appear, the others are missing: the last batch may "
            "be smaller."
        )
    wanted = [size] * (len(y) // size) + ([len(y) % size] if len(y) % size else [])
    if [len(row) for row in rows] != wanted:
        raise NotYet(
            f"{call}: the batches have the sizes {[len(row) for row in rows]}, not {wanted}."
        )
    if len(every) >= 10 and every == sorted(every):
        raise NotYet("The samples come in the same order as before: shuffle them in every epoch.")
    return rows


# ------------------------------------------------------------------------------------- descent


def descent(w: Any, batches: Any, lr: float, mistake: str = "") -> np.ndarray:
    """The last w of one pass over the batches, or the one that ``mistake`` gives."""
    start = w
    for X, y in batches:
        error = X @ (start if mistake == "from the start" else w) - y
        step = lr * X.T @ error * (1 if mistake == "no 2" else 2)
        step = step if mistake == "sum" else step / len(y)
        w = w + step if mistake == "uphill" else w - step
        if mistake == "first only":
            break
    return w


DESCENT_MISTAKES = {
    "sum": "The gradient is summed over the batch: divide by len(y), else the step grows with B.",
    "no 2": "The factor 2 is missing: the derivative of a square has it.",
    "from the start": "Each update must begin where the last one ended, not at the first w.",
    "uphill": "The steps go uphill: subtract the gradient.",
    "first only": "Only the first mini-batch was used. Is the `return` inside the loop?",
}


def check_descent(answer: Any) -> str:
    """Exercise 08.descent."""
    need_function(answer, "my_descent(w, batches, lr)")
    rng = np.random.default_rng(8)
    for sizes in ((4, 4, 3), (2,), (5, 1, 5, 1)):
        batches = [(rng.normal(size=(size, 2)), rng.normal(size=size)) for size in sizes]
        w = np.array([1.0, -2.0])
        call = f"`my_descent([1, -2], batches, 0.1)` with batches of {list(sizes)}"

        def run(w: Any, *parts: Any) -> Any:
            before = np.array(plain(w))
            pairs = list(zip(parts[::2], parts[1::2], strict=True))
            made = answer(w, pairs, 0.1)
            if not np.array_equal(plain(w), before):
                raise NotYet("`my_descent` changes its `w` in place: write `w = w - …`.")
            return made

        right = descent(w, batches, 0.1)  # now: the answer may change the batches
        mistakes = [
            (descent(w, batches, 0.1, kind), text) for kind, text in DESCENT_MISTAKES.items()
        ]
        got = attempt(run, w, *[part for pair in batches for part in pair], call=call)
        compare(got, right, call, mistakes)
    return "The same steps as the training loop: one update per mini-batch, with its mean gradient."


# ------------------------------------------------------------------------------------ stopping


def check_stopping(answer: Any) -> str:
    """Exercise 08.stopping."""
    need_class(answer, "MyEarlyStopping", "update")
    series = (
        (1, [3.0, 2.0, 2.5, 2.6, 1.0], 3),
        (3, [5.0, 4.0, 3.0, 3.5, 3.2, 3.4, 3.3], 6),  # up and down, but never below 3
        (2, [2.0, 1.0, 1.5, 0.9, 1.2, 0.8, 1.0, 0.9, 1.1], 8),  # two bad ones in a row at last
        (2, [1.0, 1.0, 1.0, 1.0], 3),  # an equal loss is no improvement
        (4, [4.0, 3.0, 2.0, 1.0], None),
    )
    for patience, losses, wanted in series:
        call = f"With patience {patience}, after the losses {losses[:wanted]}"
        got = attempt(_stopped_at, answer, patience, losses, call=call)
        _judge_stop(got, patience, losses, wanted)
    return "It keeps the best epoch; the weights of that epoch are the ones to use."


def _stopped_at(answer: Any, patience: int, losses: list[float]) -> tuple:
    """(epoch of the first True, or None; answers; best_loss, best_epoch at that time)."""
    stopper, answers, epoch = answer(patience), [], None
    for number, loss in enumerate(losses, start=1):
        answers.append(stopper.update(loss))
        if answers[-1]:
            epoch = number
            break
    best = getattr(stopper, "best_loss", None), getattr(stopper, "best_epoch", None)
    return epoch, answers, *best


def _judge_stop(got: tuple, patience: int, losses: list[float], wanted: int | None) -> None:
    epoch, answers, best_loss, best_epoch = got
    shown = f"With patience {patience} and the losses {losses}"
    if any(value is ... for value in answers):
        raise NotAttempted
    if answers[0] is None:
        raise NotYet("`update` gives None: it must return True or False.")
    upto = losses[: wanted or len(losses)]
    if wanted is None and epoch is not None:
        raise NotYet(
            f"{shown} it stops after epoch {epoch}, though every epoch is the best so far."
        )
    if wanted is not None and epoch != wanted:
        equal = len(set(losses)) == 1
        if equal:
            raise NotYet(f"{shown}: an equal loss is no improvement; stop after epoch {wanted}.")
        if epoch is None:
            last_step = "Do you compare with the epoch before? The lowest loss so far counts."
            never = "It never stops." if patience == 1 else last_step
            raise NotYet(f"{shown} it must stop after epoch {wanted}. {never}")
        if epoch == wanted + 1:
            raise NotYet(f"{shown} it stops one epoch too late: after {epoch}, not {wanted}.")
        if epoch == 1:
            raise NotYet(
                f"{shown} it stops after epoch 1, which is always the best so far. Do you return "
                "the opposite?"
            )
        if epoch < wanted:
            raise NotYet(
                f"{shown} it stops after epoch {epoch}, not {wanted}. Count only epochs in a row "
                "without a new lowest loss."
            )
        raise NotYet(f"{shown} it stops after epoch {epoch}, not {wanted}.")
    if best_loss is None or best_epoch is None:
        raise NotYet("After `update` the object needs `best_loss` and `best_epoch`.")
    compare(best_loss, min(upto), f"{shown}: `best_loss`")
    first = upto.index(min(upto)) + 1
    compare(
        best_epoch,
        first,
        f"{shown}: `best_epoch`",
        [(first - 1, "Epochs count from 1."), (len(upto), "That is the last epoch, not the best.")],
    )
