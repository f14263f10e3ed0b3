"""The losses of the course in NumPy: their values, and their gradients for the prediction.

A loss takes predictions and targets and gives one number (``reduction`` "mean" or "sum") or one
number per prediction ("none"). ``<loss>_gradient`` takes the same arguments and gives the gradient
with respect to the predictions, in their shape; with "none" that of each own loss, which is the
gradient of their sum. Computed in float64, equal to the PyTorch function named in each docstring.

Shapes must agree exactly: (N,) against (N, 1) is refused, because broadcasting it to (N, N) gives a
number that looks like a loss and is none. Empty arrays, NaN in the targets and unknown reductions
raise ValueError as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.names import unknown_name
from course_utils.reals import real_array, real_number

REDUCTIONS = ("mean", "sum", "none")
LOWEST_LOG = -100.0  # PyTorch's floor for a logarithm in the binary cross-entropy
SMALLEST = float(np.float32(1e-12))  # and, rounded as there, for the denominator of its gradient


# -- regression --------------------------------------------------------------------------------


def mae(y_hat: Any, y: Any, reduction: str = "mean") -> Any:
    """Mean absolute error |ŷ − y|. y_hat, y: the same shape. Source: ``F.l1_loss``."""
    y_hat, y = _pair(y_hat, y)
    return _reduce(np.abs(y_hat - y), reduction)


def mae_gradient(y_hat: Any, y: Any, reduction: str = "mean") -> np.ndarray:
    """sign(ŷ − y), with 0 where they are equal (there is no derivative; PyTorch takes 0)."""
    y_hat, y = _pair(y_hat, y)
    return _share(np.sign(y_hat - y), reduction)


def mse(y_hat: Any, y: Any, reduction: str = "mean") -> Any:
    """Mean squared error (ŷ − y)². y_hat, y: the same shape. Source: ``F.mse_loss``."""
    y_hat, y = _pair(y_hat, y)
    return _reduce((y_hat - y) ** 2, reduction)


def mse_gradient(y_hat: Any, y: Any, reduction: str = "mean") -> np.ndarray:
    """2·(ŷ − y): it grows with the error."""
    y_hat, y = _pair(y_hat, y)
    return _share(2 * (y_hat - y), reduction)


def smooth_l1(y_hat: Any, y: Any, beta: float = 1.0, reduction: str = "mean") -> Any:
    """d²/(2β) where the error d = |ŷ − y| is below ``beta``, and d − β/2 from there on.

    beta ≥ 0; with 0 it is `mae`. Source: ``F.smooth_l1_loss``.
    """
    y_hat, y = _pair(y_hat, y)
    error = np.abs(y_hat - y)
    _check_width("beta", beta, zero=True)
    if beta == 0:
        return _reduce(error, reduction)
    return _reduce(np.where(error < beta, error**2 / (2 * beta), error - beta / 2), reduction)


def smooth_l1_gradient(
    y_hat: Any, y: Any, beta: float = 1.0, reduction: str = "mean"
) -> np.ndarray:
    """(ŷ − y)/β near 0, and ±1 from |ŷ − y| = β on."""
    y_hat, y = _pair(y_hat, y)
    _check_width("beta", beta, zero=True)
    error = y_hat - y
    slope = np.sign(error) if beta == 0 else np.clip(error / beta, -1, 1)
    return _share(slope, reduction)


def huber(y_hat: Any, y: Any, delta: float = 1.0, reduction: str = "mean") -> Any:
    """``delta`` times `smooth_l1` with β = delta: d²/2 near 0, then delta·(d − delta/2).

    delta > 0. Source: ``F.huber_loss``; P. J. Huber, 1964.
    """
    _check_width("delta", delta)
    return delta * smooth_l1(y_hat, y, delta, reduction)


def huber_gradient(y_hat: Any, y: Any, delta: float = 1.0, reduction: str = "mean") -> np.ndarray:
    """ŷ − y, cut off at ±delta."""
    _check_width("delta", delta)
    return delta * smooth_l1_gradient(y_hat, y, delta, reduction)


# -- two classes -------------------------------------------------------------------------------


def bce(probabilities: Any, y: Any, reduction: str = "mean") -> Any:
    """Binary cross-entropy −y·log p − (1 − y)·log(1 − p).

    probabilities, y: the same shape, from 0 to 1. Logarithms are not let below −100, as in
    PyTorch. Source: ``F.binary_cross_entropy``.
    """
    p, y = _probabilities(probabilities, y)
    with np.errstate(divide="ignore"):
        yes, no = np.maximum(np.log(p), LOWEST_LOG), np.maximum(np.log1p(-p), LOWEST_LOG)
    return _reduce(-y * yes - (1 - y) * no, reduction)


def bce_gradient(probabilities: Any, y: Any, reduction: str = "mean") -> np.ndarray:
    """(p − y) / (p·(1 − p)), the denominator not let below 1e-12."""
    p, y = _probabilities(probabilities, y)
    return _share((p - y) / np.maximum(p * (1 - p), SMALLEST), reduction)


def bce_with_logits(
    logits: Any, y: Any, reduction: str = "mean", *, pos_weight: float = 1.0
) -> Any:
    """`bce` of sigmoid(logits), without ever leaving the range of floats.

    log(1 + e^−z) is computed as max(−z, 0) + log(1 + e^−|z|). ``pos_weight`` > 0 multiplies the
    part of the ones. Source: ``F.binary_cross_entropy_with_logits``.
    """
    z, y = _logits_and_targets(logits, y, pos_weight)
    weight = 1 + (pos_weight - 1) * y
    return _reduce((1 - y) * z + weight * _softplus(-z), reduction)


def bce_with_logits_gradient(
    logits: Any, y: Any, reduction: str = "mean", *, pos_weight: float = 1.0
) -> np.ndarray:
    """sigmoid(z) − y, where pos_weight is 1."""
    z, y = _logits_and_targets(logits, y, pos_weight)
    weight = 1 + (pos_weight - 1) * y
    return _share((1 - y) - weight * sigmoid(-z), reduction)


# -- many classes ------------------------------------------------------------------------------


def cross_entropy(
    logits: Any,
    y: Any,
    reduction: str = "mean",
    *,
    weight: Any = None,
    label_smoothing: float = 0.0,
) -> Any:
    """−log softmax(logits) at the true class.

    logits: (N, C), scores of any size; **not** probabilities. y: (N,) whole numbers from 0 to
    C − 1, or (N, C) probabilities (one-hot or soft). weight: (C,) weights ≥ 0 of the classes; the
    mean over class indices is then divided by the sum of the weights of the true classes, as in
    PyTorch. label_smoothing: share from 0 to 1 of the target that is spread over all classes.
    Source: ``F.cross_entropy``.
    """
    logits, target, weight, total = _classes(logits, y, weight, label_smoothing)
    losses = -(target * weight * log_softmax(logits)).sum(axis=1)
    _check_reduction(reduction)
    return losses.sum() / total if reduction == "mean" else _reduce(losses, reduction)


def cross_entropy_gradient(
    logits: Any,
    y: Any,
    reduction: str = "mean",
    *,
    weight: Any = None,
    label_smoothing: float = 0.0,
) -> np.ndarray:
    """(N, C). softmax(logits) − one_hot(y), over N for the mean, where no weights are given."""
    logits, target, weight, total = _classes(logits, y, weight, label_smoothing)
    share = target * weight
    gradient = softmax(logits) * share.sum(axis=1, keepdims=True) - share
    _check_reduction(reduction)
    return gradient / total if reduction == "mean" else gradient


def log_sum_exp(z: Any) -> Any:
    """log Σ e^z over the last axis, shifted by the maximum. Source: ``torch.logsumexp``."""
    z = _floats("z", z)
    if z.ndim == 0:
        raise ValueError("z must have at least one axis, got a single number")
    top = z.max(axis=-1, keepdims=True)
    return (top + np.log(np.exp(z - top).sum(axis=-1, keepdims=True)))[..., 0]


def log_softmax(z: Any) -> np.ndarray:
    """z − log Σ e^z over the last axis, in the shape of z. Source: ``F.log_softmax``."""
    z = _floats("z", z)
    return z - log_sum_exp(z)[..., np.newaxis]


def softmax(z: Any) -> np.ndarray:
    """e^z / Σ e^z over the last axis, in the shape of z. Source: ``F.softmax``."""
    return np.exp(log_softmax(z))


def sigmoid(z: Any) -> np.ndarray:
    """1 / (1 + e^−z), in the shape of z, for z of any size. Source: ``torch.sigmoid``."""
    return np.exp(-_softplus(-real_array("z", z).astype(np.float64)))


# -- checks and reductions -----------------------------------------------------------------------


def _softplus(z: np.ndarray) -> np.ndarray:
    """log(1 + e^z) without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _floats(name: str, value: Any) -> np.ndarray:
    array = real_array(name, value).astype(np.float64, copy=False)
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {array.shape}): there is nothing to average")
    return array


def _pair(y_hat: Any, y: Any, name: str = "y_hat") -> tuple[np.ndarray, np.ndarray]:
    y_hat, y = _floats(name, y_hat), _floats("y", y)
    if y_hat.shape != y.shape:
        raise ValueError(
            f"predictions have shape {y_hat.shape}, targets {y.shape}; they must be the same"
        )
    if np.isnan(y).any():
        raise ValueError("y contains NaN; targets must be numbers")
    return y_hat, y


def _number(name: str, value: Any) -> float:
    number = real_number(value)
    if number != number:  # NaN
        raise ValueError(f"{name} must be one number, got {value!r}")
    return number


def _check_width(name: str, value: float, *, zero: bool = False) -> None:
    number = _number(name, value)
    if not (0 < number < np.inf or (zero and number == 0)):
        raise ValueError(f"{name} must be a finite number {'≥' if zero else '>'} 0, got {value!r}")


def _check_reduction(reduction: str) -> None:
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        raise unknown_name("reduction", reduction, REDUCTIONS)


def _reduce(losses: np.ndarray, reduction: str) -> Any:
    _check_reduction(reduction)
    if reduction == "none":
        return losses
    return float(losses.mean() if reduction == "mean" else losses.sum())


def _share(gradient: np.ndarray, reduction: str) -> np.ndarray:
    """The gradient of the reduced loss, from that of each own loss."""
    _check_reduction(reduction)
    return gradient / gradient.size if reduction == "mean" else gradient


def _between_0_and_1(name: str, values: np.ndarray) -> None:
    outside = ~((values >= 0) & (values <= 1))
    if outside.any():
        raise ValueError(f"{name} must lie between 0 and 1, got {values[outside].flat[0]:g}")


def _probabilities(probabilities: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    p, y = _pair(probabilities, y, "probabilities")
    _between_0_and_1("probabilities", p)
    _between_0_and_1("y", y)
    return p, y


def _logits_and_targets(logits: Any, y: Any, pos_weight: float) -> tuple[np.ndarray, np.ndarray]:
    z, y = _pair(logits, y, "logits")
    _between_0_and_1("y", y)
    _check_width("pos_weight", pos_weight)
    return z, y


def _classes(
    logits: Any, y: Any, weight: Any, label_smoothing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """logits (N, C), target (N, C), weight (C,), and what the mean is divided by."""
    logits = _floats("logits", logits)
    if logits.ndim != 2:
        raise ValueError(f"logits must have shape (N, C), got {logits.shape}")
    count, classes = logits.shape
    _between_0_and_1("label_smoothing", np.array(_number("label_smoothing", label_smoothing)))
    given = weight is not None
    weight = _floats("weight", weight) if given else np.ones(classes)
    if weight.shape != (classes,) or not ((weight >= 0) & (weight < np.inf)).all():
        raise ValueError(f"weight must be {classes} numbers ≥ 0, all finite, got {weight.tolist()}")
    y = real_array("y", y)
    if y.shape == (count, classes):
        target, total = np.asarray(y, dtype=np.float64), float(count)
        _between_0_and_1("y", target)
    elif y.shape == (count,) and np.issubdtype(y.dtype, np.integer):
        if y.min() < 0 or y.max() >= classes:
            wrong = y.min() if y.min() < 0 else y.max()
            raise ValueError(f"y contains {wrong}; class indices go from 0 to {classes - 1}")
        target, total = np.eye(classes)[y], float(weight[y].sum())
    else:
        raise ValueError(
            f"y must be {count} whole numbers or probabilities of shape {(count, classes)}, "
            f"got {y.dtype} of shape {y.shape}"
        )
    return logits, (1 - label_smoothing) * target + label_smoothing / classes, weight, total
