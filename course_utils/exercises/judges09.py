"""The checkers of chapter 09: the right rules, and the paths that typical mistakes walk.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from course_utils.optimizers import Adam
from course_utils.paths import OwnRuleError, Path, descend_own
from course_utils.probing import (
    NotAttempted,
    NotYet,
    as_array,
    attempt,
    compare,
    need_class,
    need_function,
    plain,
    same,
)
from course_utils.surfaces import Surface, get_surface

NUM_STEPS = 60
TARGET = 0.001

EMA_MISTAKES = {
    "uncorrected": "The bias correction is missing: divide S by 1 − beta**t.",
    "swapped": "The two weights are swapped: beta belongs to the old average.",
    "sum": "The weight of the new value is missing: it counts 1 − beta.",
    "from first": "S must start at 0, not at the first value; the correction does the rest.",
    "from first, corrected": "S must start at 0, not at the first value.",
    "correction fed back": "The corrected average was fed back: correct only what you return.",
}

RMSPROP_MISTAKES = {
    "not squared": "You averaged the gradient; RMSProp averages the squared gradient.",
    "eps inside": "The epsilon is inside the root: add it after the root.",
    "no root": "The root is missing: divide by √s + eps.",
    "swapped": "The two weights are swapped: alpha belongs to the old average.",
    "sum": "The new squared gradient counts 1 − alpha, not 1.",
    "old s": "The step uses the average from before this gradient: update s first.",
    "uphill": "The step goes uphill: subtract it from w.",
}

ADAM_MISTAKES = {
    "uncorrected": "The bias correction is missing: divide m by 1 − beta1**t, s by 1 − beta2**t.",
    "m only": "The bias correction of s is missing.",
    "s only": "The bias correction of m is missing.",
    "eps inside": "The epsilon is inside the root: add it after the root.",
    "eps before correction": "Correct s first, take the root, then add epsilon.",
    "not squared": "You averaged the gradient twice; s averages the squared gradient.",
    "shared": "The state is shared between parameters: each needs its own m and s.",
    "t per parameter": "Count t once per step, not once per parameter.",
    "swapped betas": "beta1 belongs to m and beta2 to s; you have them the other way round.",
    "uphill": "The step goes uphill: subtract it from w.",
}

ADAMW_MISTAKES = {
    "l2": "That is L2: the decay went into the gradient, where Adam's root rescales it.",
    "l2 and decay": "The decay is there twice: once in the gradient, once in w.",
    "no lr": "The learning rate is missing from the decay: the factor is 1 − lr·weight_decay.",
    "after": "The decay comes after Adam's step; PyTorch shrinks w before it.",
    "none": "Nothing decays: w must shrink by the factor 1 − lr·weight_decay.",
    "grows": "The weights grow: the factor is 1 − lr·weight_decay, not 1 + ….",
}


# ----------------------------------------------------------------------------- averages, rates


def ema_path(values: Sequence[float], beta: float, mistake: str = "") -> list[float]:
    """The corrected averages, or those that ``mistake`` gives."""
    average, averages = 0.0, []
    old, new = (1 - beta, beta) if mistake == "swapped" else (beta, 1 - beta)
    if mistake == "sum":
        new = 1.0
    for t, value in enumerate(values, start=1):
        if t == 1 and mistake.startswith("from first"):
            average = value
        else:
            average = old * average + new * value
        correct = mistake not in ("uncorrected", "from first") and beta
        averages.append(average / (1 - beta**t) if correct else average)
        if mistake == "correction fed back":
            average = averages[-1]
    return averages


def check_ema(answer: Any) -> str:
    """Exercise 09.ema."""
    need_function(answer, "my_ema(values, beta)")
    series = ([1.0, 2.0, 3.0], 0.5), ([4.0, -1.0, 2.0, 2.0, 7.0], 0.9), ([3.0, 1.0], 0.0)
    for values, beta in series:
        call = f"`my_ema({values}, {beta})`"
        got = attempt(answer, np.array(values), beta, call=call)
        mistakes = [(ema_path(values, beta, kind), text) for kind, text in EMA_MISTAKES.items()]
        wanted = ema_path(values, beta)
        mistakes.append((wanted[-1], "Return all the averages, not only the last one."))
        compare(got, wanted, call, mistakes)
    return "Thanks to the correction the first average is the first value, whatever beta is."


def check_pytorch_lr(answer: Any) -> str:
    """Exercise 09.pytorch_lr."""
    need_function(answer, "my_pytorch_lr(lr_ema, momentum)")
    for lr, momentum in ((0.1, 0.9), (0.02, 0.99), (1.0, 0.6), (0.3, 0.0)):
        call = f"`my_pytorch_lr({lr}, {momentum})`"
        got = attempt(answer, lr, momentum, call=call)
        mistakes = [
            (
                lr / (1 - momentum),
                "The other way round: PyTorch's v is the larger one, so its rate is the smaller.",
            ),
            (lr, "The two rates differ, because v and S differ by a factor."),
            (lr * momentum, "The factor is 1 − momentum, not momentum."),
        ]
        compare(got, lr * (1 - momentum), call, mistakes)
    return "v is S / (1 − momentum), so the learning rate shrinks by the same factor."


# --------------------------------------------------------------------------------- rules


def walk(make: Any, w: Any, grads: list[Any], method: str) -> list[Any]:
    """Feed ``grads`` to a fresh optimizer and return its path; arguments must stay as they were.

    Where the method returns nothing, the path is ``[None]``.
    """
    optimizer, path = make(), []
    for grad in grads:
        given = copy.deepcopy((w, grad))
        new = getattr(optimizer, method)(w, grad)
        if not _unchanged(given, (w, grad)):
            raise NotYet(f"`{method}` changes its arguments in place: return new values instead.")
        if new is None or new is ...:
            return [new]
        path.append(copy.deepcopy(new))
        w = new
    return path


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, list | tuple):
        return all(_unchanged(a, b) for a, b in zip(before, after, strict=True))
    return np.array_equal(np.asarray(plain(before)), np.asarray(plain(after)), equal_nan=True)


def _walk_twice(answer: Any, settings: Any, w: Any, grads: Any, method: str, call: str) -> Any:
    """The path of one object, once a second object has been seen to walk the same one."""

    def both(w: Any, grads: list[Any]) -> tuple[Any, Any]:
        paths = [walk(lambda: answer(**settings), w, grads, method) for _ in range(2)]
        return paths[0], paths[1]

    first, second = attempt(both, w, grads, call=call)
    if first[0] is None or first[0] is ...:
        return first[0]
    if not _unchanged(first, second):
        name = answer.__name__
        raise NotYet(
            f"The state is shared between two {name} objects: a second one walks another path. "
            "Keep the state on `self`, set in `__init__`."
        )
    return first


def rmsprop_path(
    w: Any, grads: Any, mistake: str = "", *, lr: float, alpha: float, eps: float
) -> Any:
    """RMSProp's points, shape (steps, …), or those that ``mistake`` gives."""
    path, s = [], 0.0
    old, new = (1 - alpha, alpha) if mistake == "swapped" else (alpha, 1 - alpha)
    if mistake == "sum":
        new = 1.0
    for g in grads:
        before = s
        s = old * s + new * (g if mistake == "not squared" else g * g)
        used = before if mistake == "old s" else s
        root = {
            "eps inside": np.sqrt(used + eps),
            "no root": used + eps,
        }.get(mistake, np.sqrt(used) + eps)
        w = w + lr * g / root if mistake == "uphill" else w - lr * g / root
        path.append(w)
    return np.array(path)


def check_rmsprop(answer: Any) -> str:
    """Exercise 09.rmsprop."""
    need_class(answer, "MyRMSProp", "update")
    settings = {"lr": 0.1, "alpha": 0.9, "eps": 0.5}  # a large eps shows where it is added
    start = np.array([1.0, -2.0])
    positive = [np.array(g) for g in ([1.0, 4.0], [0.5, 3.0], [2.0, 0.5], [1.5, 1.0])]
    signed = [np.array(g) for g in ([-1.0, 0.3], [2.0, -4.0], [-0.5, 1.0])]
    for grads in (positive, signed):
        call = f"The path of `MyRMSProp(lr=0.1, alpha=0.9, eps=0.5)` over {len(grads)} updates"
        got = _walk_twice(answer, settings, start, grads, "update", call)
        with np.errstate(all="ignore"):
            mistakes = [
                (rmsprop_path(start, grads, kind, **settings), text)
                for kind, text in RMSPROP_MISTAKES.items()
            ]
        compare(got, rmsprop_path(start, grads, **settings), call, mistakes)
    return "It takes the same steps as `torch.optim.RMSprop`."


def adam_path(
    params: Any, grads: Any, mistake: str = "", *, lr: float, betas: tuple[float, float], eps: float
) -> list[list[float]]:
    """Adam's parameters after each step, flattened into one row, or what ``mistake`` gives."""
    beta1, beta2 = betas[::-1] if mistake == "swapped betas" else betas
    ms, ss, t, rows = [0.0] * len(params), [0.0] * len(params), 0, []
    params = list(params)
    for step in grads:
        t += mistake != "t per parameter"
        for i, g in enumerate(step):
            t += mistake == "t per parameter"
            k = 0 if mistake == "shared" else i
            ms[k] = beta1 * ms[k] + (1 - beta1) * g
            ss[k] = beta2 * ss[k] + (1 - beta2) * (g if mistake == "not squared" else g * g)
            m = ms[k] if mistake in ("uncorrected", "s only") else ms[k] / (1 - beta1**t)
            s = ss[k] if mistake in ("uncorrected", "m only") else ss[k] / (1 - beta2**t)
            root = {
                "eps inside": np.sqrt(s + eps),
                "eps before correction": (np.sqrt(ss[k]) + eps) / np.sqrt(1 - beta2**t),
            }.get(mistake, np.sqrt(s) + eps)
            params[i] = params[i] + (lr if mistake == "uphill" else -lr) * m / root
        rows.append(_row(params))
    return rows


def _row(arrays: Sequence[Any]) -> list[float]:
    return [x for w in arrays for x in np.ravel(as_array(w, "A parameter")).tolist()]


def check_adam(answer: Any) -> str:
    """Exercise 09.adam."""
    need_class(answer, "MyAdam", "step")
    settings = {"lr": 0.1, "betas": (0.8, 0.95), "eps": 0.2}  # a large eps, as for RMSProp
    for shapes in (((2,), (2,)), ((3, 2), (4,), ())):
        rng = np.random.default_rng(9)
        params = [np.array(rng.normal(size=shape)) for shape in shapes]
        grads = [[np.array(rng.uniform(0.1, 3, size=s)) for s in shapes] for _ in range(5)]
        shown = " and ".join(str(shape) for shape in shapes)
        call = f"The path of `MyAdam(lr=0.1, betas=(0.8, 0.95), eps=0.2)` for shapes {shown}"
        got = _walk_twice(answer, settings, params, grads, "step", call)
        if got is not None and got is not ...:
            for step in got:
                if not isinstance(step, list | tuple) or len(step) != len(shapes):
                    raise NotYet(f"`step` must return a list of {len(shapes)} arrays here.")
            got = [_row(step) for step in got]
            if np.isnan(got[0]).any():
                raise NotYet(
                    "The first step gives NaN. Is t still 0 there? Then 1 − beta**t is 0: "
                    "count first."
                )
        mistakes = [
            (adam_path(params, grads, kind, **settings), text)
            for kind, text in ADAM_MISTAKES.items()
            if kind != "shared" or len(set(shapes)) == 1
        ]
        compare(got, adam_path(params, grads, **settings), call, mistakes)
    return "It takes the same steps as `torch.optim.Adam`, for parameters of any shape."


def adamw_path(w: Any, grads: Any, mistake: str, lr: float, decay: float) -> Any:
    """AdamW's points, shape (steps, 2), or those that ``mistake`` gives."""
    adam, path = Adam(lr=lr), []
    factor = {"no lr": 1 - decay, "grows": 1 + lr * decay}.get(mistake, 1 - lr * decay)
    before = 1.0 if mistake in ("l2", "after", "none") else factor
    for grad in grads:
        if mistake.startswith("l2"):
            grad = grad + decay * w
        w = adam.update(w * before, grad) * (factor if mistake == "after" else 1.0)
        path.append(w)
    return np.array(path)


class _LearnersAdam:
    """The ``adam`` that the learner's function gets: `update`, for arrays or tensors."""

    def __init__(self, lr: float) -> None:
        self._adam = Adam(lr=lr)

    def update(self, w: Any, grad: Any) -> Any:
        new = self._adam.update(as_array(w, "`w`"), as_array(grad, "`grad`"))
        return w.new_tensor(new) if hasattr(w, "new_tensor") else new


def check_adamw(answer: Any) -> str:
    """Exercise 09.adamw."""
    need_function(answer, "my_adamw_update(w, grad, adam, lr, weight_decay)")
    lr, decay = 0.1, 0.5
    start = np.array([3.0, -2.0])
    grads = [np.array(g) for g in ([1.0, 0.1], [0.5, 0.2], [-1.0, 0.4])]
    call = "The path of three updates from `[3, -2]` with `lr=0.1, weight_decay=0.5`"

    class Rule:
        def __init__(self) -> None:
            self.adam = _LearnersAdam(lr)

        def my_adamw_update(self, w: Any, grad: Any) -> Any:
            return answer(w, grad, self.adam, lr, decay)

    got = attempt(walk, Rule, start, grads, "my_adamw_update", call=call)
    got = got[0] if got[0] is None or got[0] is ... else got
    mistakes = [
        (adamw_path(start, grads, kind, lr, decay), text) for kind, text in ADAMW_MISTAKES.items()
    ]
    compare(got, adamw_path(start, grads, "", lr, decay), call, mistakes)
    return "It takes the same steps as `torch.optim.AdamW`: the root never sees the decay."


# ------------------------------------------------------------------------------- the ravine


def check_own_rule(answer: Any) -> str:
    """Exercise 09.own_rule."""
    if not callable(answer) and not callable(getattr(answer, "update", None)):
        raise NotYet("A class with `update(w, grad)` is expected. Pass the class: `MyRule`.")
    ravine = get_surface("ravine")
    path = _own_path(ravine, answer, ravine.start)
    _judge_path(path)
    dx, dy = 3.0, -1.0
    elsewhere = dataclasses.replace(
        ravine,
        value=lambda x, y: ravine.value(x - dx, y - dy),
        gradient=lambda x, y: ravine.gradient(x - dx, y - dy),
    )
    moved = _own_path(elsewhere, answer, (ravine.start[0] + dx, ravine.start[1] + dy))
    if not same(moved.losses, path.losses, 1e-3) and not moved.losses[-1] < TARGET:
        raise NotYet(
            "On the ravine the rule arrives, but not where the same ravine stands elsewhere: it "
            "seems to know where the minimum is. Use only `w`, `grad` and what you remember."
        )
    first = int(np.argmax(path.losses < TARGET))
    return f"The loss is below {TARGET:g} for the first time after {first} steps."


def _own_path(surface: Surface, answer: Any, start: tuple[float, float]) -> Path:
    # Through a function without arguments the rule keeps its own lr instead of the race's.
    rule = (lambda: answer()) if isinstance(answer, type) else answer

    def run() -> Path:
        return descend_own(surface, rule, start, NUM_STEPS)

    try:
        return attempt(run, call="Your rule on the ravine")
    except NotYet as error:
        cause = error.__cause__
        if not isinstance(cause, OwnRuleError):
            raise
        if isinstance(cause.__cause__, NotImplementedError):
            raise NotAttempted from None
        raise NotYet(f"On the ravine, {cause}.") from None


def _judge_path(path: Path) -> None:
    if path.diverged_at is not None:
        raise NotYet(
            f"The path diverges in step {path.diverged_at}: its steps are too long for the steep "
            "direction y."
        )
    loss, (x, y) = path.losses[-1], path.points[-1]
    if loss < TARGET:
        return
    if 2 * y**2 > 0.05 * x**2:
        why = "Across the valley it still swings: take shorter steps or remember less."
    elif (path.points[:, 0] * path.points[0, 0] < 0).any():
        why = "Along the valley it shot past the minimum: remember less."
    else:
        why = "Along the valley it is not there yet: take longer steps or remember more."
    raise NotYet(
        f"After {NUM_STEPS} steps the loss is {loss:.4f} at ({x:.2f}, {y:.2f}); wanted is a loss "
        f"below {TARGET:g}. {why}"
    )
