"""Chapter 07: the two cross-entropies from logits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, Wrong, case, edge, mistakes


def _bce_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([0.8, -1.5, 2.0, 0.3]), np.array([1.0, 0.0, 0.0, 1.0]))
    yield case(np.array([-0.4]), np.array([1.0]))
    for size in (2, 9):
        yield case(r.normal(size=size) * 2, r.integers(0, 2, size) * 1.0)
    yield case(r.normal(size=5), np.zeros(5))
    yield case(np.array([5.5, -5.0]), np.array([1.0, 0.0]))
    for logit in (1000.0, -1000.0, 40.0):
        for target in (0.0, 1.0):
            yield edge(np.array([logit]), np.array([target]))
    yield edge(np.array([900.0, -900.0, 0.0]), np.array([0.0, 1.0, 1.0]))


def _cross_entropy_cases(r: np.random.Generator) -> Iterator[Case]:
    kinds = ("class indices", "one-hot rows", "probabilities")
    for rows, classes in ((3, 4), (1, 3), (6, 2), (4, 4)):
        labels = r.integers(0, classes, rows)
        shares = r.exponential(size=(rows, classes))
        all_labels = labels, np.eye(classes)[labels], shares / shares.sum(axis=1, keepdims=True)
        for words, given in zip(kinds, all_labels, strict=True):
            yield case(r.normal(size=(rows, classes)) * 2, given, label=f"with {words}")
    for logits in (
        [[1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]],
        [[-1000.0, -1000.0, -999.0], [2000.0, 2000.0, 1999.0]],
    ):
        for labels in ([1, 2], [0, 0]):
            yield edge(np.array(logits), np.array(labels))
            yield edge(np.array(logits), np.eye(3)[labels])


_CUT_OFF = """
def my_bce_with_logits(z, y):
    p = np.clip(1 / (1 + np.exp(-z)), EPS, 1 - EPS)
    return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p))
"""
_ADDED = """
def my_bce_with_logits(z, y):
    p = 1 / (1 + np.exp(-z))
    return np.mean(-y * np.log(p + EPS) - (1 - y) * np.log(1 - p + EPS))
"""
_LIMITED = """
def my_bce_with_logits(z, y):
    return F.binary_cross_entropy(torch.sigmoid(torch.as_tensor(z)), torch.as_tensor(y))
"""
_EPSILONS = ("1e-15", "1e-12", "1e-10", "1e-9", "1e-8", "1e-7", "1e-6")

BCE_WITH_LOGITS = Exercise(
    name="07.bce_with_logits",
    title="binary cross-entropy that never overflows",
    prompt=r"""
Return the mean binary cross-entropy of the logits `z` for the targets `y` (0 or 1), both of shape
(N,). It must be right for logits of any size, ±1000 too. Section 3.3 has the formula; the sigmoid
does not appear in it. The arrays stay as they are.
""",
    stub='''
def my_bce_with_logits(z, y):
    """The mean of max(z, 0) − z·y + log(1 + e^−|z|), one number."""
    raise NotImplementedError
''',
    hints=(
        "Three parts, each for the whole array: `np.maximum`, a product, and a logarithm.",
        "`np.log(1 + np.exp(-abs(z)))`: the power of e is at most 1, whatever z is.",
    ),
    solution="""
def my_bce_with_logits(z, y):
    losses = np.maximum(z, 0) - z * y + np.log(1 + np.exp(-abs(z)))
    return losses.mean()
""",
    wrong=(
        *mistakes(r"""
? For small logits it is right, but where |z| is large e^|z| is too large for a float, or log(0) is
  taken. Never raise e to a positive power.
def my_bce_with_logits(z, y):
    p = 1 / (1 + np.exp(-z))
    return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p))
def my_bce_with_logits(z, y):
    p = np.exp(z) / (1 + np.exp(z))
    return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p))
def my_bce_with_logits(z, y):
    p = 1 / (1 + np.exp(-z))
    return -np.mean(np.log(np.where(y == 1, p, 1 - p)))
def my_bce_with_logits(z, y):
    return np.mean(np.log(1 + np.exp(z)) - z * y)
def my_bce_with_logits(z, y):
    return np.mean(np.log(1 + np.exp(-z)) + z * (1 - y))
def my_bce_with_logits(z, y):
    return np.mean(np.log(1 + np.exp(np.where(y == 1, -z, z))))
def my_bce_with_logits(z, y):
    return np.mean(y * np.log(1 + np.exp(-z)) + (1 - y) * np.log(1 + np.exp(z)))
? The part −z·y is missing: the loss does not look at the target.
-  - z * y >>> 
? The part max(z, 0) − z·y is missing.
- np.maximum(z, 0) - z * y + >>> 
? The part max(z, 0) is missing.
- np.maximum(z, 0) - z * y >>> -z * y
? The logarithm log(1 + e^−|z|) is missing.
-  + np.log(1 + np.exp(-abs(z))) >>> 
? It is max(z, 0) that stands there: the part that is negative becomes 0.
- np.maximum(z, 0) >>> abs(z)
- np.maximum(z, 0) >>> z
- np.maximum >>> np.minimum
? The power of e is −|z|; without the minus, or without |z|, the logarithm is another one.
- -abs(z) >>> abs(z)
- -abs(z) >>> -z
- -abs(z) >>> z
? The sign of z·y is turned around: it is subtracted.
- - z * y >>> + z * y
? The logarithm is added to the other parts.
- + np.log >>> - np.log
? The sigmoid is applied twice: z is a logit already, and the formula takes it as it is.
-     losses = >>>     z = 1 / (1 + np.exp(-z))\n    losses =
? That is the sum of the losses; return their mean.
- .mean() >>> .sum()
? One number is wanted, the mean of the losses.
- .mean() >>> 
? The sign is wrong: a loss is the *negative* log-likelihood.
- return losses >>> return -losses
? The two targets are swapped: for y = 1 the loss falls as z grows.
- z * y >>> z * (1 - y)
? The part of the zeros, (1 − y)·log(1 − p), is missing.
def my_bce_with_logits(z, y):
    return np.mean(y * np.log(1 + np.exp(-z)))
def my_bce_with_logits(z, y):
    return np.mean(-y * np.log(1 / (1 + np.exp(-z))))
? That is a squared error of the probability; the cross-entropy is a logarithm.
def my_bce_with_logits(z, y):
    return np.mean((1 / (1 + np.exp(-z)) - y) ** 2)
"""),
        Wrong(
            "A probability that is cut off (or rounded to 1) cannot say *how* wrong a large logit "
            "is: compute from z itself.",
            (
                _LIMITED,
                *(code.replace("EPS", eps) for code in (_CUT_OFF, _ADDED) for eps in _EPSILONS),
            ),
        ),
    ),
    cases=_bce_cases,
    pure=True,
    closing="Right for logits of any size, since e is only ever raised to −|z|.",
)

CROSS_ENTROPY = Exercise(
    name="07.cross_entropy",
    title="cross-entropy for both kinds of labels",
    prompt=r"""
Build the heart of `CrossEntropyLoss`. `logits` has shape (N, C). `labels` are either class
indices, whole numbers of shape (N,), or probabilities of shape (N, C), one-hot rows included.
Return the mean over the N samples. Logits of ±1000 must not overflow, and both arrays stay as they
are.
""",
    stub='''
def my_cross_entropy(logits, labels):
    """The mean cross-entropy, one number."""
    raise NotImplementedError
''',
    hints=(
        "Bring both kinds of labels into one form: `np.eye(C)[labels]` makes one-hot rows of "
        "indices. Then the loss of a row is −Σ target · log p.",
        "log p = z − log Σ e^z along axis 1. Subtract the row's largest logit from z first; "
        "never take the logarithm of a finished softmax.",
    ),
    solution="""
def my_cross_entropy(logits, labels):
    num_samples, num_classes = logits.shape
    if labels.ndim == 1:
        targets = np.eye(num_classes)[labels]
    else:
        targets = labels
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(targets * log_p).sum() / num_samples
""",
    wrong=mistakes(r"""
? e^1000 is too large for a float, or log(0) is taken. Subtract each row's largest logit first, and
  take log Σ e^z as a whole.
- logits - logits.max(axis=1, keepdims=True) >>> logits
- logits - logits.max(axis=1, keepdims=True) >>> logits - logits.max()
- logits - logits.max(axis=1, keepdims=True) >>> logits - logits.mean(axis=1, keepdims=True)
- logits - logits.max(axis=1, keepdims=True) >>> logits - logits.min(axis=1, keepdims=True)
- shifted - np.log(np.exp(shifted) >>> np.log(np.exp(shifted) / np.exp(shifted)
- logits - logits.max(axis=1, keepdims=True) >>> logits
& shifted - np.log(np.exp(shifted) >>> np.log(np.exp(shifted) / np.exp(shifted)
def my_cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    if labels.ndim == 1:
        return -np.log(p[np.arange(len(labels)), labels]).mean()
    return -(labels * np.log(p)).sum(axis=1).mean()
def my_cross_entropy(logits, labels):
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if labels.ndim == 1:
        return -np.log(p[np.arange(len(labels)), labels]).mean()
    return -(labels * np.log(p)).sum(axis=1).mean()
? The softmax runs over the batch: its sum must run over the classes, axis 1.
- logits.max(axis=1, keepdims=True) >>> logits.max(axis=0, keepdims=True)
& sum(axis=1, keepdims=True) >>> sum(axis=0, keepdims=True)
- sum(axis=1, keepdims=True) >>> sum(axis=0, keepdims=True)
? One sum for the whole batch: each row of logits needs its own, along axis 1.
- .sum(axis=1, keepdims=True) >>> .sum()
? `log_p[:, labels]` takes all these columns from every row. One entry from each row is
  `log_p[np.arange(N), labels]`.
- return - >>> if labels.ndim == 1:\n        return -log_p[:, labels].mean()\n    return -
? Only the most probable class counts here: every class must count with its share.
- targets = labels >>> targets = np.eye(num_classes)[labels.argmax(axis=1)]
? You divided by the number of classes, not by N.
- / num_samples >>> / num_classes
? That is the sum of the losses; return their mean.
-  / num_samples >>> 
? You averaged over all N·C entries; divide by N only.
- / num_samples >>> / log_p.size
- -(targets * log_p).sum() / num_samples >>> -np.mean(targets * log_p)
? The sign is wrong: the loss is the *negative* logarithm.
- return -( >>> return (
? The softmax is applied twice: log_softmax takes the logits themselves.
-     shifted = >>>     p = np.exp(SHIFTED)\n    logits = p / p.sum(axis=1, keepdims=True)\n    shifted =
& SHIFTED >>> logits - logits.max(axis=1, keepdims=True)
? The logarithm is missing.
- (targets * log_p) >>> (targets * np.exp(log_p))
? log Σ e^z is missing: −z_k alone is no loss.
- log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)) >>> log_p = logits
- log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)) >>> log_p = shifted
? The logit of the true class is missing: subtract it from log Σ e^z.
- -(targets * log_p).sum() / num_samples >>> np.log(np.exp(logits).sum(axis=1)).mean()
? One number is wanted: the mean of the losses.
- .sum() / num_samples >>> .sum(axis=1)
- .sum() / num_samples >>> 
? A probability that is cut off cannot say how wrong a large logit is: take log Σ e^z as a whole.
- targets * log_p >>> targets * np.log(np.exp(log_p) + 1e-12)
- targets * log_p >>> targets * np.log(np.exp(log_p) + 1e-10)
- targets * log_p >>> targets * np.log(np.exp(log_p) + 1e-9)
- targets * log_p >>> targets * np.log(np.exp(log_p) + 1e-8)
- targets * log_p >>> targets * np.log(np.clip(np.exp(log_p), 1e-12, 1))
- targets * log_p >>> targets * np.log(np.clip(np.exp(log_p), 1e-10, 1))
- targets * log_p >>> targets * np.log(np.clip(np.exp(log_p), 1e-8, 1))
"""),
    cases=_cross_entropy_cases,
    pure=True,
    closing="log Σ e^z minus the logit of the truth: no probability is ever computed.",
)
