"""The losses of the course in NumPy: their values, and their gradients for the prediction.

A loss takes predictions and targets and gives one number (``reduction`` "mean" or "sum") or one
number per prediction ("none"). ``<loss>_gradient`` takes the same arguments and gives the gradient
with respect to the predictions, in their shape; with "none" that of each own loss, which is the
gradient of their sum. Computed in float64, equal to the PyTorch function named in each docstring.

Shapes must agree exactly: (N,) against (N, 1) is refused, because broadcasting it to (N, N) gives a
number that looks like a loss and is none. Empty arrays, NaN in the targets and unknown reductions
raise ValueError as well. Infinite predictions and NaN among them are numbers like any other: what
comes of them is what PyTorch makes of them, without a warning.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.names import unknown_name
from course_utils.reals import number, quiet, real_array

REDUCTIONS = ("mean", "sum", "none")
LOWEST_LOG = -100.0  # PyTorch's floor for a logarithm in the binary cross-entropy
SMALLEST = float(np.float32(1e-12))  # and, rounded as there, for the denominator of its gradient


# -- regression --------------------------------------------------------------------------------


@quiet
def mae(y_hat: Any, y: Any, reduction: str = "mean") -> Any:
    """Mean absolute error |ŷ − y|. y_hat, y: the same shape. Source: ``F.l1_loss``."""
    y_hat, y = _pair(y_hat, y)
    return _reduce(np.abs(y_hat - y), reduction)


@quiet
def mae_gradient(y_hat: Any, y: Any, reduction: str = "mean") -> np.ndarray:
    """sign(ŷ − y), with 0 where they are equal (there is no derivative; PyTorch takes 0)."""
    y_hat, y = _pair(y_hat, y)
    return _share(_sign(y_hat - y), reduction)


@quiet
def mse(y_hat: Any, y: Any, reduction: str = "mean") -> Any:
    """Mean squared error (ŷ − y)². y_hat, y: the same shape. Source: ``F.mse_loss``."""
    y_hat, y = _pair(y_hat, y)
    return _reduce((y_hat - y) ** 2, reduction)


@quiet
def mse_gradient(y_hat: Any, y: Any, reduction: str = "mean") -> np.ndarray:
    """2·(ŷ − y): it grows with the error."""
    y_hat, y = _pair(y_hat, y)
    return _share(y_hat - y, reduction, 2.0)


@quiet
def smooth_l1(y_hat: Any, y: Any, beta: float = 1.0, reduction: str = "mean") -> Any:
    """d²/(2β) where the error d = |ŷ − y| is below ``beta``, and d − β/2 from there on.

    beta ≥ 0; with 0 it is `mae`. Source: ``F.smooth_l1_loss``.
    """
    y_hat, y = _pair(y_hat, y)
    error = np.abs(y_hat - y)
    beta = number("beta", beta, 0)
    if beta == 0:
        return _reduce(error, reduction)
    # Neither d² nor 2β is formed: either may be too large for a float where the loss is not.
    return _reduce(np.where(error < beta, error * (error / beta / 2), error - beta / 2), reduction)


@quiet
def smooth_l1_gradient(
    y_hat: Any, y: Any, beta: float = 1.0, reduction: str = "mean"
) -> np.ndarray:
    """(ŷ − y)/β near 0, and ±1 from |ŷ − y| = β on."""
    y_hat, y = _pair(y_hat, y)
    beta = number("beta", beta, 0)
    error = y_hat - y
    slope = _sign(error) if beta == 0 else np.clip(error / beta, -1, 1)
    return _share(slope, reduction)


@quiet
def huber(y_hat: Any, y: Any, delta: float = 1.0, reduction: str = "mean") -> Any:
    """d²/2 where the error d = |ŷ − y| is at most ``delta``, then delta·(d − delta/2).

    That is ``delta`` times `smooth_l1` with β = delta. delta > 0. Source: ``F.huber_loss``;
    P. J. Huber, 1964.
    """
    y_hat, y = _pair(y_hat, y)
    error, delta = np.abs(y_hat - y), number("delta", delta, 0, above=True)
    losses = np.where(error <= delta, error * (error / 2), delta * (error - delta / 2))
    return _reduce(losses, reduction)


@quiet
def huber_gradient(y_hat: Any, y: Any, delta: float = 1.0, reduction: str = "mean") -> np.ndarray:
    """ŷ − y, cut off at ±delta."""
    y_hat, y = _pair(y_hat, y)
    delta = number("delta", delta, 0, above=True)
    return _share(np.clip(y_hat - y, -delta, delta), reduction)


# -- two classes -------------------------------------------------------------------------------


@quiet
def bce(probabilities: Any, y: Any, reduction: str = "mean") -> Any:
    """Binary cross-entropy −y·log p − (1 − y)·log(1 − p).

    probabilities, y: the same shape, from 0 to 1. Logarithms are not let below −100, as in
    PyTorch. Source: ``F.binary_cross_entropy``.
    """
    p, y = _probabilities(probabilities, y)
    yes, no = np.maximum(np.log(p), LOWEST_LOG), np.maximum(np.log1p(-p), LOWEST_LOG)
    return _reduce(-y * yes - (1 - y) * no, reduction)


@quiet
def bce_gradient(probabilities: Any, y: Any, reduction: str = "mean") -> np.ndarray:
    """(p − y) / (p·(1 − p)), the denominator not let below 1e-12."""
    p, y = _probabilities(probabilities, y)
    return _share((p - y) / np.maximum(p * (1 - p), SMALLEST), reduction)


@quiet
def bce_with_logits(
    logits: Any, y: Any, reduction: str = "mean", *, pos_weight: float = 1.0
) -> Any:
    """`bce` of sigmoid(logits), without ever leaving the range of floats.

    log(1 + e^−z) is computed as max(−z, 0) + log(1 + e^−|z|). ``pos_weight`` > 0, one number,
    multiplies the part of the ones. Source: ``F.binary_cross_entropy_with_logits``.
    """
    z, y, pos_weight = _logits_and_targets(logits, y, pos_weight)
    losses = (1 - y) * _softplus(z) + pos_weight * y * _softplus(-z)
    # PyTorch takes (1 − y)·z out of both logarithms. That loses digits, so it is followed only
    # where it shows what an infinite score is worth.
    weight = 1 + (pos_weight - 1) * y
    return _reduce(np.where(np.isinf(z), (1 - y) * z + weight * _softplus(-z), losses), reduction)


@quiet
def bce_with_logits_gradient(
    logits: Any, y: Any, reduction: str = "mean", *, pos_weight: float = 1.0
) -> np.ndarray:
    """sigmoid(z) − y, where pos_weight is 1."""
    z, y, pos_weight = _logits_and_targets(logits, y, pos_weight)
    return _share((1 - y) * sigmoid(z) - pos_weight * y * sigmoid(-z), reduction)


# -- many classes ------------------------------------------------------------------------------


@quiet
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
    C − 1, or (N, C) probabilities (one-hot or soft). No index is ignored: −100 is refused.
    weight: (C,) weights ≥ 0 of the classes. As in PyTorch, the mean over class indices is then
    divided by the sum of the weights of the true classes, that over probabilities by N, whatever
    the weights. label_smoothing: share from 0 to 1 of the
    target that is spread over all classes.
    Source: ``F.cross_entropy``.
    """
    logits, y, weight, smoothing, total = _classes(logits, y, weight, label_smoothing)
    log_p = log_softmax(logits)
    if y.ndim == 2:
        losses = -(log_p * _smoothed(y, smoothing) * weight).sum(axis=1)
    else:  # the true class alone: an infinite score elsewhere does not count
        losses = (1 - smoothing) * -(weight[y] * log_p[np.arange(len(y)), y])
        if smoothing:
            losses = losses - smoothing / logits.shape[1] * (log_p * weight).sum(axis=1)
    _check_reduction(reduction)
    return float(losses.sum() / total) if reduction == "mean" else _reduce(losses, reduction)


@quiet
def cross_entropy_gradient(
    logits: Any,
    y: Any,
    reduction: str = "mean",
    *,
    weight: Any = None,
    label_smoothing: float = 0.0,
) -> np.ndarray:
    """(N, C). softmax(logits) − one_hot(y), over N for the mean, where no weights are given."""
    logits, y, weight, smoothing, total = _classes(logits, y, weight, label_smoothing)
    p = softmax(logits)
    if y.ndim == 2:
        share = _smoothed(y, smoothing) * weight
        gradient = p * share.sum(axis=1, keepdims=True) - share
    else:
        spread = smoothing / logits.shape[1] * weight
        true = (1 - smoothing) * weight[y]
        gradient = p * (true + spread.sum())[:, np.newaxis] - spread
        gradient[np.arange(len(y)), y] -= true
    _check_reduction(reduction)
    return gradient / total if reduction == "mean" else gradient


@quiet
def log_sum_exp(z: Any) -> Any:
    """log Σ e^z over the last axis, shifted by the maximum. Source: ``torch.logsumexp``."""
    z = _scores(z)
    top = z.max(axis=-1, keepdims=True)
    top = np.where(np.isinf(top), 0, top)  # ∞ − ∞ is no number
    return (top + np.log1p(_powers(z - top)[1]))[..., 0]


@quiet
def log_softmax(z: Any) -> np.ndarray:
    """z − log Σ e^z over the last axis, in the shape of z. Source: ``F.log_softmax``."""
    z = _scores(z)
    # The maximum goes first: beside scores of 1e16 the logarithm of the sum would be rounded away.
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log1p(_powers(shifted)[1])


@quiet
def softmax(z: Any) -> np.ndarray:
    """e^z / Σ e^z over the last axis, in the shape of z. Source: ``F.softmax``."""
    z = _scores(z)
    powers, others = _powers(z - z.max(axis=-1, keepdims=True))
    return powers / (1 + others)


@quiet
def sigmoid(z: Any) -> np.ndarray:
    """1 / (1 + e^−z), in the shape of z, for z of any size. Source: ``torch.sigmoid``."""
    z = real_array("z", z).astype(np.float64)
    small = np.exp(-np.abs(z))  # never overflows
    return np.where(z >= 0, 1, small) / (1 + small)


# -- checks and reductions -----------------------------------------------------------------------


def _sign(error: np.ndarray) -> np.ndarray:
    """1, −1, and 0 where there is no error; for NaN 0 too, as PyTorch has it."""
    return (error > 0).astype(np.float64) - (error < 0)


def _softplus(z: np.ndarray) -> np.ndarray:
    """log(1 + e^z) without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _scores(z: Any) -> np.ndarray:
    z = _floats("z", z)
    if z.ndim == 0:
        raise ValueError("z must have at least one axis, got a single number")
    return z


def _powers(shifted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """e^z, and their sum over the last axis less 1, where the largest z is 0.

    The largest term, e^0, is left out of the sum; log(1 + …) then keeps the digits of the others.
    """
    powers = np.exp(shifted)
    others = powers.copy()
    largest = np.argmax(shifted, axis=-1, keepdims=True)
    np.put_along_axis(others, largest, np.take_along_axis(powers, largest, -1) - 1, -1)
    return powers, others.sum(axis=-1, keepdims=True)


def _smoothed(target: np.ndarray, smoothing: float) -> np.ndarray:
    return (1 - smoothing) * target + smoothing / target.shape[1] if smoothing else target


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


def _check_reduction(reduction: str) -> None:
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        raise unknown_name("reduction", reduction, REDUCTIONS)


def _reduce(losses: np.ndarray, reduction: str) -> Any:
    _check_reduction(reduction)
    if reduction == "none":
        return losses
    return float(losses.mean() if reduction == "mean" else losses.sum())


def _share(gradient: np.ndarray, reduction: str, factor: float = 1.0) -> np.ndarray:
    """The gradient of the reduced loss, from ``factor`` times ``gradient``, that of each own loss.

    One multiplication, so that nothing overflows on the way to a mean that does not.
    """
    _check_reduction(reduction)
    return gradient * (factor / gradient.size if reduction == "mean" else factor)


def _between_0_and_1(name: str, values: np.ndarray) -> None:
    outside = ~((values >= 0) & (values <= 1))
    if outside.any():
        raise ValueError(f"{name} must lie between 0 and 1, got {float(values[outside].flat[0])!r}")


def _probabilities(probabilities: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    p, y = _pair(probabilities, y, "probabilities")
    _between_0_and_1("probabilities", p)
    _between_0_and_1("y", y)
    return p, y


def _logits_and_targets(
    logits: Any, y: Any, pos_weight: Any
) -> tuple[np.ndarray, np.ndarray, float]:
    z, y = _pair(logits, y, "logits")
    _between_0_and_1("y", y)
    return z, y, number("pos_weight", pos_weight, 0, above=True)


def _classes(
    logits: Any, y: Any, weight: Any, label_smoothing: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    """logits (N, C), y (N,) or (N, C), weight (C,), smoothing, and what the mean is divided by."""
    logits = _floats("logits", logits)
    if logits.ndim != 2:
        raise ValueError(f"logits must have shape (N, C), got {logits.shape}")
    count, classes = logits.shape
    smoothing = number("label_smoothing", label_smoothing, 0, 1)
    given = weight is not None
    weight = _floats("weight", weight) if given else np.ones(classes)
    if weight.shape != (classes,) or not ((weight >= 0) & (weight < np.inf)).all():
        raise ValueError(f"weight must be {classes} numbers ≥ 0, all finite, got {weight.tolist()}")
    y = real_array("y", y)
    if y.shape == (count, classes):
        y = y.astype(np.float64)
        _between_0_and_1("y", y)
        return logits, y, weight, smoothing, float(count)
    if y.shape == (count,) and np.issubdtype(y.dtype, np.integer):
        if y.min() < 0 or y.max() >= classes:
            wrong = y.min() if y.min() < 0 else y.max()
            raise ValueError(f"y contains {wrong}; class indices go from 0 to {classes - 1}")
        # No weight at all has no mean.
        return logits, y, weight, smoothing, float(weight[y].sum()) or np.nan
    raise ValueError(
        f"y must be {count} whole numbers or probabilities of shape {(count, classes)}, "
        f"got {y.dtype} of shape {y.shape}"
    )
