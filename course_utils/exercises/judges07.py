"""The checkers of chapter 07: the right losses, and the numbers that typical mistakes give.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from course_utils import losses
from course_utils.probing import NotYet, as_array, attempt, compare, describe, need_function, plain


def _answer_to(answer: Any, *args: Any, call: str) -> Any:
    """What ``answer(*args)`` gives; the arguments must stay as they were."""

    def run(*given: Any) -> Any:
        before = copy.deepcopy(given)
        result = answer(*given)
        for a, b in zip(before, given, strict=True):
            if not np.array_equal(np.asarray(plain(a)), np.asarray(plain(b))):
                raise NotYet("The arguments are changed in place: compute with new arrays instead.")
        return result

    return attempt(run, *args, call=call)


def _one_number(got: Any, call: str, instead: str) -> None:
    array = as_array(got, call)
    if array.size != 1:
        raise NotYet(f"{call} has shape {array.shape}: {instead}")


# ------------------------------------------------------------------------------------ constants


def check_best_constant(answer: Any) -> str:
    """Exercise 07.best_constant."""
    need_function(answer, "my_best_constant(y, loss)")
    for y in ([1.0, 2.0, 9.0], [4.0, -1.0, 0.5, 30.0, 2.0], [-7.0, 1.0, 1.5, 2.0, 5.0]):
        array = np.array(y)
        best = {"MSE": array.mean(), "MAE": np.median(array)}
        for loss, other in (("MSE", "MAE"), ("MAE", "MSE")):
            call = f'`my_best_constant({y}, "{loss}")`'
            got = _answer_to(answer, array.copy(), loss, call=call)
            mistakes = [
                (
                    best[other],
                    f"This is the best number for {other}. Are the two the other way round?",
                ),
                ((array.max() + array.min()) / 2, "The middle of the range is best for neither."),
                (y[len(y) // 2], "Sort first: the median is the middle of the *sorted* targets."),
                (
                    losses.mse(np.full_like(array, best["MSE"]), array)
                    if loss == "MSE"
                    else losses.mae(np.full_like(array, best["MAE"]), array),
                    "That is the loss at its lowest. Wanted is the prediction that gives it.",
                ),
            ]
            compare(got, best[loss], call, mistakes)
    return "The mean listens to how far a target is away, the median only to the side it is on."


# ------------------------------------------------------------------------------------ smooth L1


def smooth_l1(y_hat: np.ndarray, y: np.ndarray, beta: float, mistake: str = "") -> Any:
    """The mean smooth L1 loss, or what ``mistake`` makes of it."""
    d = y_hat - y
    if mistake == "beta 1":
        beta = 1.0
    size = d if mistake == "signed" else np.abs(d)
    near, far = size**2 / (2 * beta), size - beta / 2
    if mistake == "no beta":
        near = size**2 / 2
    elif mistake == "no half":
        near = size**2 / beta
    elif mistake == "no shift":
        far = size
    elif mistake == "shift 1/2":
        far = size - 0.5
    elif mistake == "huber":
        near, far = beta * near, beta * far
    pieces = np.where(size < beta, near, far)
    if mistake == "pieces swapped":
        pieces = np.where(size < beta, far, near)
    return pieces.sum() if mistake == "sum" else pieces.mean()


SMOOTH_L1_MISTAKES = {
    "signed": "The errors keep their sign: take d = |ŷ − y| first.",
    "no beta": "The square is not divided by beta: near 0 it is d²/(2·beta).",
    "no half": "The factor ½ is missing: near 0 it is d²/(2·beta).",
    "no shift": "The straight part is d − beta/2. Without beta/2 the curve jumps at d = beta.",
    "shift 1/2": "Subtracting ½ is right for beta = 1 only: the straight part is d − beta/2.",
    "beta 1": "beta is not used: that is the loss for beta = 1.",
    "huber": "That is the Huber loss, beta times this one. Divide by beta.",
    "pieces swapped": "The two pieces are swapped: the square belongs to the small errors.",
    "sum": "That is the sum of the losses; return their mean.",
}


def check_smooth_l1(answer: Any) -> str:
    """Exercise 07.smooth_l1."""
    need_function(answer, "my_smooth_l1(y_hat, y, beta)")
    y_hat, y = np.array([1.3, -2.0, 0.5, 4.0]), np.array([1.2, 1.0, 0.9, 2.0])
    for beta in (0.5, 2.5, 1.0):
        call = f"`my_smooth_l1({y_hat.tolist()}, {y.tolist()}, {beta})`"
        got = _answer_to(answer, y_hat.copy(), y.copy(), beta, call=call)
        _one_number(got, call, "one number is wanted, the mean of the losses.")
        mistakes = [
            (smooth_l1(y_hat, y, beta, kind), text) for kind, text in SMOOTH_L1_MISTAKES.items()
        ]
        compare(got, losses.smooth_l1(y_hat, y, beta), call, mistakes)
    return "A parabola and two straight lines that meet without a corner."


# ------------------------------------------------------------------------------- BCE with logits


def check_bce_with_logits(answer: Any) -> str:
    """Exercise 07.bce_with_logits."""
    need_function(answer, "my_bce_with_logits(z, y)")
    z, y = np.array([0.8, -1.5, 2.0, 0.3]), np.array([1.0, 0.0, 0.0, 1.0])
    p = 1 / (1 + np.exp(-z))
    right = losses.bce_with_logits(z, y)
    call = f"`my_bce_with_logits({z.tolist()}, {y.tolist()})`"
    got = _answer_to(answer, z.copy(), y.copy(), call=call)
    _one_number(got, call, "one number is wanted, the mean of the losses.")
    mistakes = [
        (right * len(z), "That is the sum of the losses; return their mean."),
        (-right, "The sign is wrong: a loss is the *negative* log-likelihood."),
        (losses.bce(p, 1 - y), "The two targets are swapped: for y = 1 the loss is −log(p)."),
        (losses.bce_with_logits(p, y), "The sigmoid is applied twice."),
        (np.mean(-y * np.log(p)), "The part of the zeros, (1 − y)·log(1 − p), is missing."),
        (np.mean(np.log1p(np.exp(-np.abs(z)))), "The part max(z, 0) − z·y is missing."),
        (
            np.mean(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))),
            "The part −z·y is missing: the loss does not look at the target.",
        ),
    ]
    compare(got, right, call, mistakes)
    for logit in (1000.0, -1000.0, 40.0):
        for target in (0.0, 1.0):
            z, y = np.array([logit]), np.array([target])
            call = f"`my_bce_with_logits([{logit:g}], [{target:g}])`"
            got = _answer_to(answer, z, y, call=call)
            _stable(got, losses.bce_with_logits(z, y), call)
    z = np.array([900.0, -900.0, 0.0])
    y = np.array([0.0, 1.0, 1.0])
    call = "`my_bce_with_logits([900, -900, 0], [0, 1, 1])`"
    compare(_answer_to(answer, z, y, call=call), losses.bce_with_logits(z, y), call)
    return "Right for logits of any size, since e is only ever raised to −|z|."


def _stable(got: Any, right: float, call: str) -> None:
    """Large logits: say what happened to the number."""
    value = as_array(got, call).reshape(-1)
    if value.size == 1 and not np.isfinite(value[0]):
        raise NotYet(
            f"{call} gives `{value[0]}`: for small logits it is right, but here e^|z| is too large"
            " for a float, or log(0) is taken. Never raise e to a positive power."
        )
    mistakes = []
    if value.size == 1 and right > 35 and value[0] < 0.99 * right:
        mistakes = [
            (
                float(value[0]),
                f"The loss should be {right:g}. A probability that is cut off (or rounded to 1) "
                "cannot say *how* wrong a logit is: compute from z itself.",
            )
        ]
    if right < 1e-6 and value.size == 1 and abs(value[0]) < 1e-6:
        return
    compare(got, right, call, mistakes)


# --------------------------------------------------------------------------------- cross-entropy


def _log_softmax(z: np.ndarray, axis: int = 1) -> np.ndarray:
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


def cross_entropy_mistakes(z: np.ndarray, labels: np.ndarray) -> list[tuple[Any, str]]:
    """What typical mistakes give for logits (N, C) and labels (N,) or (N, C)."""
    count, classes = z.shape
    target = np.eye(classes)[labels] if labels.ndim == 1 else labels
    per_sample = -(target * _log_softmax(z)).sum(axis=1)
    p = np.exp(_log_softmax(z))
    own: list[tuple[Any, str]] = []
    if labels.ndim == 1:
        text = "`log_p[:, labels]` takes all these columns from every row. One entry from each row "
        text += "is `log_p[np.arange(N), labels]`."
        own.append((-_log_softmax(z)[:, labels].mean(), text))
    else:
        certain = np.eye(classes)[labels.argmax(axis=1)]
        text = "Only the most probable class counts here: every class must count with its share."
        own.append((-(certain * _log_softmax(z)).sum() / count, text))
    with np.errstate(all="ignore"):
        return [
            *own,
            (per_sample.sum() / classes, "You divided by the number of classes, not by N."),
            (per_sample.sum(), "That is the sum of the losses; return their mean."),
            (per_sample.sum() / z.size, "You averaged over all N·C entries; divide by N only."),
            (-per_sample.mean(), "The sign is wrong: the loss is the *negative* logarithm."),
            (
                -(target * _log_softmax(z, axis=0)).sum() / count,
                "The softmax runs over the batch: its sum must run over the classes, axis 1.",
            ),
            (
                -(target * _log_softmax(p)).sum() / count,
                "The softmax is applied twice: log_softmax takes the logits themselves.",
            ),
            (-(target * p).sum() / count, "The logarithm is missing."),
            (-(target * z).sum() / count, "log Σ e^z is missing: −z_k alone is no loss."),
            (
                np.log(np.exp(z).sum(axis=1)).mean(),
                "The logit of the true class is missing: subtract it from log Σ e^z.",
            ),
            (per_sample, "One number is wanted: the mean of the losses."),
        ]


def check_cross_entropy(answer: Any) -> str:
    """Exercise 07.cross_entropy."""
    need_function(answer, "my_cross_entropy(logits, labels)")
    logits = np.array([[0.1, 0.8, 0.1, -0.4], [0.7, 0.2, 1.1, 0.0], [2.0, -1.0, 0.5, 0.3]])
    soft = np.array([[0.1, 0.6, 0.2, 0.1], [0.0, 0.0, 1.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    cases = (
        (np.array([1, 2, 0]), "class indices, shape (3,)"),
        (np.eye(4)[[1, 2, 0]], "one-hot rows, shape (3, 4)"),
        (soft, "probabilities, shape (3, 4)"),
    )
    for labels, words in cases:
        call = f"`my_cross_entropy(logits, labels)` with {words}"
        got = _answer_to(answer, logits.copy(), labels.copy(), call=call)
        mistakes = cross_entropy_mistakes(logits, labels)
        compare(got, losses.cross_entropy(logits, labels), call, mistakes)
    big = np.array([[1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]])
    for labels in (np.array([1, 2]), np.array([0, 0])):
        call = f"`my_cross_entropy([[1000, 0, -1000], [0, 0, 0]], {labels.tolist()})`"
        got = _answer_to(answer, big.copy(), labels, call=call)
        right = losses.cross_entropy(big, labels)
        array = as_array(got, call)
        if not np.isfinite(array).all():
            raise NotYet(
                f"{call} gives {describe(array)}: e^1000 is too large for a float, or log(0) is "
                "taken. Subtract each row's largest logit first, and take log Σ e^z as a whole."
            )
        compare(got, right, call)
    return "log Σ e^z minus the logit of the truth: no probability is ever computed."


# ----------------------------------------------------------------------------- targets, averages


def smooth_targets(
    labels: list[int], num_classes: int, smoothing: float, mistake: str = ""
) -> np.ndarray:
    """The targets (N, C) of label smoothing, or those that ``mistake`` gives."""
    one_hot = np.eye(num_classes)[labels]
    if mistake == "others only":
        return one_hot * (1 - smoothing) + (1 - one_hot) * smoothing / (num_classes - 1)
    if mistake == "too much":
        return one_hot * (1 - smoothing) + smoothing
    if mistake == "not lowered":
        return one_hot + smoothing / num_classes
    if mistake == "not spread":
        return one_hot * (1 - smoothing)
    if mistake == "swapped":
        return smoothing * one_hot + (1 - smoothing) / num_classes
    if mistake == "true only":
        return one_hot * (1 - smoothing) + (1 - one_hot) * smoothing / num_classes
    return (1 - smoothing) * one_hot + smoothing / num_classes


SMOOTHING_MISTAKES = {
    "others only": "The share is spread over the other classes only. PyTorch spreads it over all "
    "classes, the true one too.",
    "true only": "The true class gets its part of the share too: (1 − s) + s/C.",
    "too much": "The share is not divided: each class gets s/C, not s.",
    "not lowered": "The rows sum to more than 1: the true class must give its share, 1 − s.",
    "not spread": "The rows sum to less than 1: spread what you took, s/C to each class.",
    "swapped": "1 − s and s are swapped: most of the weight stays at the true class.",
}


def check_smooth_targets(answer: Any) -> str:
    """Exercise 07.smooth_targets."""
    need_function(answer, "my_smooth_targets(labels, num_classes, smoothing)")
    for labels, num_classes, smoothing in (([2, 0], 4, 0.1), ([1, 1, 0], 3, 0.3), ([1], 2, 0.0)):
        call = f"`my_smooth_targets({labels}, {num_classes}, {smoothing})`"
        got = _answer_to(answer, np.array(labels), num_classes, smoothing, call=call)
        mistakes = [
            (smooth_targets(labels, num_classes, smoothing, kind), text)
            for kind, text in SMOOTHING_MISTAKES.items()
        ]
        compare(got, smooth_targets(labels, num_classes, smoothing), call, mistakes)
    return "Every row still sums to 1. CrossEntropyLoss(label_smoothing=s) does the same inside."


def check_mean_of_batches(answer: Any) -> str:
    """Exercise 07.mean_of_batches."""
    need_function(answer, "my_mean_of_batches(batch_losses, batch_sizes)")
    cases = (([0.5, 0.3, 2.0], [64, 64, 8]), ([1.0, 4.0], [3, 1]), ([0.2, 0.4], [32, 32]))
    for values, sizes in cases:
        call = f"`my_mean_of_batches({values}, {sizes})`"
        got = _answer_to(answer, np.array(values), np.array(sizes), call=call)
        _one_number(got, call, "one number is wanted, the mean over all samples.")
        total = float(np.dot(values, sizes))
        equal = len(set(sizes)) == 1
        mistakes: list[tuple[Any, str]] = [
            (total, "That is the sum over all samples; divide by their number."),
            (total / len(sizes), "Divide by the number of samples, not by the number of batches."),
            (
                sum(values) / sum(sizes),
                "A batch of n samples counts n times: weigh each mean by n.",
            ),
            (sum(values), "Means of batches cannot be added up."),
        ]
        if not equal:
            text = "The batches count the same, but the samples should: a short batch weighs less."
            mistakes.insert(0, (float(np.mean(values)), text))
        compare(got, total / sum(sizes), call, mistakes)
    return "`training.fit` and `training.evaluate` average in this way."
