"""Chapter 07: a divergence, the gradient of a weighted loss, and samples without a label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, case, edge, mistakes
from course_utils.exercises.rules import autograd


def _rows(r: np.random.Generator, rows: int, classes: int) -> np.ndarray:
    shares = r.exponential(size=(rows, classes))
    return shares / shares.sum(axis=1, keepdims=True)


def _divergence_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([[0.2, 0.3, 0.5]]), np.array([[0.5, 0.25, 0.25]]))
    for rows, classes in ((4, 3), (3, 3), (2, 6)):
        yield case(_rows(r, rows, classes), _rows(r, rows, classes))
    p = _rows(r, 3, 4)
    yield case(p, p.copy(), label="with y equal to p")
    yield case(np.eye(3)[[1, 0]], _rows(r, 2, 3), label="with one-hot rows in y")
    half = np.array([[0.0, 0.6, 0.4, 0.0], [0.5, 0.0, 0.25, 0.25]])
    yield case(half, _rows(r, 2, 4), label="with zeros in y")


DIVERGENCE = Exercise(
    name="07.divergence",
    title="what the model could still gain",
    prompt=r"""
What a cross-entropy has above the entropy of the targets is the KL divergence: for one sample
$\sum_c y_c\,(\log y_c - \log p_c)$. Return its mean over the N samples. `y` and `p` are arrays (N, C),
rows of true and of predicted probabilities. All of `p` lies above 0; `y` may hold zeros, and such a
class adds nothing. Both arrays stay as they are.
""",
    stub='''
def my_divergence(y, p):
    """The mean KL divergence of y from p, one number."""
    raise NotImplementedError
''',
    hints=(
        "`np.log(0)` is minus infinity, and 0 times that is no number: take the logarithm of "
        "something else where y is 0.",
        "`np.log(np.where(y > 0, y, 1))` is 0 where y is 0. Sum over the classes, then take the "
        "mean over the samples.",
    ),
    solution="""
def my_divergence(y, p):
    log_y = np.log(np.where(y > 0, y, 1.0))
    return (y * (log_y - np.log(p))).sum() / len(y)
""",
    wrong=mistakes(r"""
? Where y is 0, log y is minus infinity, and 0 times that is nan: such a class adds nothing.
- np.where(y > 0, y, 1.0) >>> y
def my_divergence(y, p):
    return (y * np.log(y / p)).sum() / len(y)
? That is the cross-entropy: the entropy of the targets is not subtracted.
- (log_y - np.log(p)) >>> -np.log(p)
? That is the entropy of the targets, or its negative; `p` plays no part.
- (log_y - np.log(p)) >>> log_y
- (log_y - np.log(p)) >>> -log_y
? The sign is wrong: a divergence is never negative.
- log_y - np.log(p) >>> np.log(p) - log_y
? Entropy and cross-entropy are added; one is subtracted from the other.
- (log_y - np.log(p)) >>> -(log_y + np.log(p))
? You averaged over all N·C entries: sum over the classes, and divide by N.
- .sum() / len(y) >>> .mean()
? That is the sum over all samples; return their mean.
-  / len(y) >>> 
? You divided by the number of classes, not by N.
- len(y) >>> y.shape[1]
? Each logarithm is weighed with the truth, y; you weigh with p.
- (y * (log_y >>> (p * (log_y
? The roles are exchanged: the logarithm of the truth comes first, and y weighs.
- (y * (log_y - np.log(p))) >>> (p * (np.log(p) - log_y))
? One number is wanted: the mean over the samples.
- .sum() / len(y) >>> .sum(1)
- .sum() / len(y) >>> 
? Natural logarithms are wanted.
- np.log(np >>> np.log2(np && np.log(p) >>> np.log2(p)
- np.log(np >>> np.log10(np && np.log(p) >>> np.log10(p)
? Only the most probable class counts here: every class counts with its share.
def my_divergence(y, p):
    i, k = np.arange(len(y)), y.argmax(1)
    return (y[i, k] * (np.log(y[i, k]) - np.log(p[i, k]))).mean()
? The logarithms are not weighed: each class counts with its probability y.
- (y * (log_y >>> ((log_y
? That is a distance between probabilities, without a logarithm.
- y * (log_y - np.log(p)) >>> abs(y - p)
- y * (log_y - np.log(p)) >>> (y - p) ** 2
"""),
    cases=_divergence_cases,
    pure=True,
    closing="It is 0 only where p is y: that is the best a model can do.",
    examples=(
        ("my_divergence(np.array([[0.5, 0.5]]), np.array([[0.9, 0.1]]))", "0.5108"),
        ("my_divergence(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]]))", "0.6931"),
    ),
)


def _weighted_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([0.8, -1.5, 2.0]), np.array([1.0, 0.0, 0.0]), 3.0)
    yield case(np.array([-0.4]), np.array([1.0]), 0.5)
    yield case(np.array([0.0, 0.0]), np.array([0.0, 1.0]), 1.0)
    for size, weight in ((4, 9.0), (7, 0.2), (5, 2.5)):
        yield case(r.normal(size=size) * 2, r.integers(0, 2, size) * 1.0, weight)
    yield case(r.normal(size=4), np.zeros(4), 6.0)
    yield case(r.normal(size=3), np.ones(3), 6.0)


WEIGHTED_GRADIENT = Exercise(
    name="07.weighted_gradient",
    title="the pull of a weighted loss",
    prompt=r"""
With `pos_weight` = $w$ the loss of one sample is $-w\,y\log\sigma(z) - (1-y)\log(1-\sigma(z))$.
Derive its gradient with respect to the logit $z$ and return that of the *mean* over the batch:
`z` (logits) and `y` (targets 0 or 1) are arrays of shape (N,), and so is the result. Work it out
with your own formula, without autograd. The arrays stay as they are.
""",
    stub='''
def my_weighted_gradient(z, y, pos_weight):
    """The gradient of the mean weighted BCE with respect to the logits, shape (N,)."""
    raise NotImplementedError
''',
    hints=(
        "Take the two targets one by one. For y = 0 the gradient of a sample is σ(z), as without "
        "weights. For y = 1 it is w times what it was.",
        "For y = 1 it is w·(σ(z) − 1). Put both together with y and 1 − y, and do not forget the "
        "1/N of the mean.",
    ),
    solution="""
def my_weighted_gradient(z, y, pos_weight):
    p = 1 / (1 + np.exp(-z))
    return ((1 - y) * p + pos_weight * y * (p - 1)) / len(z)
""",
    wrong=mistakes(r"""
? `pos_weight` plays no part: that is the gradient without weights.
- pos_weight * y >>> y
? The mean has a factor 1/N, and so has its gradient.
-  / len(z) >>> 
? The weight multiplies all samples; it belongs to those with y = 1.
- ((1 - y) * p + pos_weight * y * (p - 1)) >>> pos_weight * (p - y)
? The weight multiplies the samples with y = 0; it belongs to those with y = 1.
- ((1 - y) * p + pos_weight * y >>> (pos_weight * (1 - y) * p + y
? The sum of the weights divides here; with `pos_weight` the mean is over N.
- / len(z) >>> / (1 - y + pos_weight * y).sum()
? For y = 1 the gradient is w times (σ(z) − 1): the weight multiplies the whole bracket.
- ((1 - y) * p + pos_weight * y * (p - 1)) >>> (p - pos_weight * y)
? The sign is wrong: it pulls the logit the other way.
- ((1 - y) * p + pos_weight * y * (p - 1)) >>> ((y - 1) * p - pos_weight * y * (p - 1))
? That is the gradient with respect to p; one more factor, p·(1 − p), leads to the logit.
- ((1 - y) * p + pos_weight * y * (p - 1)) >>> ((1 - y) / (1 - p) - pos_weight * y / p)
? The factor p·(1 − p) cancels: the logarithm has brought 1/p or 1/(1 − p).
- ((1 - y) * p + pos_weight * y * (p - 1)) >>> ((1 - y) * p + pos_weight * y * (p - 1)) * p * (1 - p)
? The part of the samples with y = 0 is missing.
- (1 - y) * p + pos_weight >>> pos_weight
? The part of the samples with y = 1 is missing.
-  + pos_weight * y * (p - 1) >>> 
? A logit is no probability: the sigmoid comes first.
- 1 / (1 + np.exp(-z)) >>> z
? The sigmoid has e^−z in it; here p falls as z grows.
- np.exp(-z) >>> np.exp(z)
? One number for each logit is wanted, not one for all.
- / len(z) >>> .sum() / len(z)
- / len(z) >>> .mean()
? That is the loss of each sample; its gradient is wanted.
- ((1 - y) * p + pos_weight * y * (p - 1)) >>> (-pos_weight * y * np.log(p) - (1 - y) * np.log(1 - p))
-  ((1 - y) * p + pos_weight * y * (p - 1)) / len(z) >>>  -pos_weight * y * np.log(p) - (1 - y) * np.log(1 - p)
? The two targets are exchanged.
- ((1 - y) * p + pos_weight * y * (p - 1)) >>> (y * p + pos_weight * (1 - y) * (p - 1))
"""),
    cases=_weighted_cases,
    pure=True,
    rules=(autograd(False),),
    closing="A rare yes pulls as hard as `pos_weight` of the others.",
)


def _labelled_cases(r: np.random.Generator) -> Iterator[Case]:
    for rows, classes, missing in ((4, 3, 1), (6, 4, 3), (5, 2, 4), (3, 3, 0), (8, 5, 2)):
        labels = r.integers(0, classes, rows)
        labels[r.permutation(rows)[:missing]] = -100
        words = f"with {missing} of {rows} labels missing"
        yield case(r.normal(size=(rows, classes)) * 2, labels, label=words)
    yield case(r.normal(size=(4, 3)) * 2, np.array([0, -100, 0, 2]), label="with one label missing")
    for logits, labels in (
        ([[1000.0, 0.0, -1000.0], [0.0, 3.0, 0.0]], [1, -100]),
        ([[-1000.0, -1000.0, -999.0], [2000.0, 2000.0, 1999.0], [1.0, 0.0, 1.0]], [0, 2, -100]),
        ([[0.0, 800.0], [-800.0, 0.0]], [-100, 1]),
    ):
        yield edge(np.array(logits), np.array(labels))


LABELLED = Exercise(
    name="07.labelled",
    title="samples without a label",
    prompt=r"""
Where nobody has labelled an image, its entry in `labels` is −100. Return the mean cross-entropy of
the images that *have* a label. `logits` is an array (N, C), `labels` one of whole numbers (N,), at
least one of them a class. Logits of ±1000 must not overflow, and both arrays stay as they are.
""",
    stub='''
def my_labelled_loss(logits, labels):
    """The mean cross-entropy of the samples whose label is not −100, one number."""
    raise NotImplementedError
''',
    hints=(
        "A mask, `labels != -100`, takes the rows that count from both arrays.",
        "Of the rows that are left: z − log Σ e^z along axis 1, shifted by the row's largest "
        "logit; then one entry from each row, `log_p[np.arange(n), y]`.",
    ),
    solution="""
def my_labelled_loss(logits, labels):
    known = labels != -100
    z, y = logits[known], labels[known]
    shifted = z - z.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(y)), y].mean()
""",
    wrong=mistakes(r"""
? The sum is divided by N; only the images with a label count.
- y].mean() >>> y].sum() / len(labels)
? An image without a label counts as one of class 0.
- known = labels != -100\n    z, y = logits[known], labels[known] >>> z, y = logits, np.where(labels == -100, 0, labels)
- known = labels != -100\n    z, y = logits[known], labels[known] >>> z, y = logits, np.maximum(labels, 0)
? An image without a label counts as one of the last class: −1 is the last place of a row.
- known = labels != -100\n    z, y = logits[known], labels[known] >>> z, y = logits, np.maximum(labels, -1)
? Class 0 is a class like any other: only −100 means that there is no label.
- labels != -100 >>> labels > 0
? e^1000 is too large for a float, or log(0) is taken. Subtract each row's largest logit first, and
  take log Σ e^z as a whole.
- z - z.max(axis=1, keepdims=True) >>> z
- z - z.max(axis=1, keepdims=True) >>> z - z.max()
- z - z.max(axis=1, keepdims=True) >>> z - z.mean(axis=1, keepdims=True)
- z - z.max(axis=1, keepdims=True) >>> z - z.min(axis=1, keepdims=True)
- shifted - np.log(np.exp(shifted) >>> np.log(np.exp(shifted) / np.exp(shifted)
- z - z.max(axis=1, keepdims=True) >>> z
& shifted - np.log(np.exp(shifted) >>> np.log(np.exp(shifted) / np.exp(shifted)
? The softmax runs over the batch: its sum must run over the classes, axis 1.
- z.max(axis=1, keepdims=True) >>> z.max(axis=0, keepdims=True)
& sum(axis=1, keepdims=True) >>> sum(axis=0, keepdims=True)
- sum(axis=1, keepdims=True) >>> sum(axis=0, keepdims=True)
? One sum for the whole batch: each row of logits needs its own, along axis 1.
- .sum(axis=1, keepdims=True) >>> .sum()
? `log_p[:, y]` takes all these columns from every row. One entry from each row is wanted.
- log_p[np.arange(len(y)), y] >>> log_p[:, y]
? That is the sum of the losses; return their mean.
- .mean() >>> .sum()
? You divided by the number of classes.
- y].mean() >>> y].sum() / logits.shape[1]
? The sign is wrong: the loss is the *negative* logarithm.
- return -log >>> return log
? The logarithm is missing.
- -log_p[np.arange(len(y)), y].mean() >>> np.exp(log_p[np.arange(len(y)), y]).mean()
- -log_p[np.arange(len(y)), y].mean() >>> -np.exp(log_p[np.arange(len(y)), y]).mean()
? The softmax is applied twice: the logarithm of the softmax takes the logits themselves.
-     shifted = >>>     p = np.exp(SHIFTED)\n    z = p / p.sum(axis=1, keepdims=True)\n    shifted =
& SHIFTED >>> z - z.max(axis=1, keepdims=True)
? log Σ e^z is missing: −z of the true class alone is no loss.
- log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)) >>> log_p = z
? One number is wanted: the mean of the losses.
- .mean() >>> 
? The images without a label are the ones that are left out.
- labels != -100 >>> labels == -100
& -log_p[np.arange(len(y)), y].mean() >>> -log_p.mean()
? A probability that is cut off cannot say how wrong a large logit is: take log Σ e^z as a whole.
- -log_p[np.arange(len(y)), y] >>> -np.log(np.exp(log_p[np.arange(len(y)), y]) + 1e-12)
- -log_p[np.arange(len(y)), y] >>> -np.log(np.exp(log_p[np.arange(len(y)), y]) + 1e-10)
- -log_p[np.arange(len(y)), y] >>> -np.log(np.exp(log_p[np.arange(len(y)), y]) + 1e-8)
- -log_p[np.arange(len(y)), y] >>> -np.log(np.clip(np.exp(log_p[np.arange(len(y)), y]), 1e-12, 1))
- -log_p[np.arange(len(y)), y] >>> -np.log(np.clip(np.exp(log_p[np.arange(len(y)), y]), 1e-8, 1))
"""),
    cases=_labelled_cases,
    pure=True,
    closing="`CrossEntropyLoss` does the same: −100 is its `ignore_index`.",
    examples=(
        (
            "my_labelled_loss(np.array([[2.0, 0.0], [0.0, 9.0]]), np.array([0, -100]))",
            "0.1269",
        ),
    ),
)
