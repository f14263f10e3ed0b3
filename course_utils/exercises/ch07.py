"""Chapter 07, losses: best constants, stable formulas from logits, soft targets, right averages.

What the learner reads stands here; how the answers are judged, in ``judges07.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges07 as judges

SETUP = "import numpy as np"

_BEST = """
def my_best_constant(y, loss):
    return np.mean(y) if loss == "MSE" else np.median(y)
""".strip()

_MEAN = """
def my_mean_of_batches(batch_losses, batch_sizes):
    total = sum(loss * size for loss, size in zip(batch_losses, batch_sizes))
    return total / sum(batch_sizes)
""".strip()

_SMOOTH_L1 = """
def my_smooth_l1(y_hat, y, beta):
    d = abs(y_hat - y)
    return np.where(d < beta, d**2 / (2 * beta), d - beta / 2).mean()
""".strip()

_BCE = """
def my_bce_with_logits(z, y):
    losses = np.maximum(z, 0) - z * y + np.log(1 + np.exp(-abs(z)))
    return losses.mean()
""".strip()

_CROSS_ENTROPY = """
def my_cross_entropy(logits, labels):
    num_samples, num_classes = logits.shape
    if labels.ndim == 1:
        targets = np.eye(num_classes)[labels]
    else:
        targets = labels
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(targets * log_p).sum() / num_samples
""".strip()

_TARGETS = """
def my_smooth_targets(labels, num_classes, smoothing):
    one_hot = np.eye(num_classes)[labels]
    return (1 - smoothing) * one_hot + smoothing / num_classes
""".strip()

EXERCISES = (
    Exercise(
        name="07.best_constant",
        title="the best single number",
        prompt=r"""
A model without inputs can only predict one number, the same for every sample. Return the number
that makes the loss over the targets `y`, shape (N,) with N odd, as small as possible. `loss` is
`"MSE"` or `"MAE"`.
""",
        answer="my_best_constant",
        stub='''
def my_best_constant(y, loss):
    """The best constant prediction for the targets y under "MSE" or "MAE"."""
    raise NotImplementedError
''',
        hints=(
            "Section 2.1: where do the pulls of all targets cancel, if each pulls as hard as it is "
            "far away? And where, if all pull equally hard?",
            "One of them is `np.mean`, the other `np.median`.",
        ),
        solution=_BEST,
        wrong=(
            (variant(_BEST, ('"MSE"', '"MAE"')), "the other way round"),
            (
                variant(_BEST, ("np.median(y)", "(np.max(y) + np.min(y)) / 2")),
                "middle of the range",
            ),
            (variant(_BEST, ("np.median(y)", "y[len(y) // 2]")), "Sort first"),
            (variant(_BEST, ("np.mean(y)", "np.var(y)")), "the prediction that gives it"),
        ),
        checker=judges.check_best_constant,
        examples=(
            ('float(my_best_constant(np.array([1.0, 2.0, 9.0]), "MSE"))', "4.0"),
            ('float(my_best_constant(np.array([1.0, 2.0, 9.0]), "MAE"))', "2.0"),
        ),
    ),
    Exercise(
        name="07.mean_of_batches",
        title="from the batches to the whole",
        prompt=r"""
A validation set was read in batches, and the last one was short. `batch_losses` holds the *mean*
loss of each batch and `batch_sizes` the number of samples in each. Return the mean loss over all
samples.
""",
        answer="my_mean_of_batches",
        stub='''
def my_mean_of_batches(batch_losses, batch_sizes):
    """The mean over all samples, from the means over the batches."""
    raise NotImplementedError
''',
        hints=(
            "Turn each mean back into a sum. How many samples were in it?",
            "The sum of loss · size over the batches, divided by the sum of the sizes.",
        ),
        solution=_MEAN,
        wrong=(
            (
                "def my_mean_of_batches(batch_losses, batch_sizes):\n"
                "    return sum(batch_losses) / len(batch_losses)",
                "a short batch weighs less",
            ),
            (variant(_MEAN, ("loss * size", "loss")), "counts n times"),
            (variant(_MEAN, (" / sum(batch_sizes)", "")), "divide by their number"),
            (variant(_MEAN, ("sum(batch_sizes)", "len(batch_sizes)")), "number of samples"),
        ),
        checker=judges.check_mean_of_batches,
        examples=(("my_mean_of_batches([1.0, 4.0], [3, 1])", "1.75"),),
    ),
    Exercise(
        name="07.smooth_l1",
        title="smooth L1 with any β",
        prompt=r"""
With the error $d = |\hat y - y|$ the smooth L1 loss of one prediction is $d^2/(2\beta)$ for
$d < \beta$ and $d - \beta/2$ otherwise. Return its mean over all predictions. `y_hat` and `y` have
the same shape (N,), and `beta` is a number above 0.
""",
        answer="my_smooth_l1",
        stub='''
def my_smooth_l1(y_hat, y, beta):
    """The mean smooth L1 loss, one number."""
    raise NotImplementedError
''',
        hints=(
            "Compute both pieces for all errors and choose between them, without `if`.",
            "`np.where(d < beta, ..., ...)` takes its second argument where the condition holds.",
        ),
        solution=_SMOOTH_L1,
        wrong=(
            (variant(_SMOOTH_L1, ("abs(y_hat - y)", "y_hat - y")), "keep their sign"),
            (variant(_SMOOTH_L1, ("(2 * beta)", "2")), "not divided by beta"),
            (variant(_SMOOTH_L1, ("d - beta / 2", "d")), "jumps at d = beta"),
            (variant(_SMOOTH_L1, ("np.where", "beta * np.where")), "Huber loss"),
        ),
        checker=judges.check_smooth_l1,
    ),
    Exercise(
        name="07.bce_with_logits",
        title="binary cross-entropy that never overflows",
        prompt=r"""
Return the mean binary cross-entropy of the logits `z` for the targets `y` (0 or 1), both of shape
(N,). It must be right for logits of any size, ±1000 too. Section 3.3 has the formula; the sigmoid
does not appear in it.
""",
        answer="my_bce_with_logits",
        stub='''
def my_bce_with_logits(z, y):
    """The mean of max(z, 0) − z·y + log(1 + e^−|z|), one number."""
    raise NotImplementedError
''',
        hints=(
            "Three parts, each for the whole array: `np.maximum`, a product, and a logarithm.",
            "`np.log(1 + np.exp(-abs(z)))`: the power of e is at most 1, whatever z is.",
        ),
        solution=_BCE,
        wrong=(
            (
                "def my_bce_with_logits(z, y):\n"
                "    p = 1 / (1 + np.exp(-z))\n"
                "    return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p))",
                "Never raise e to a positive power",
            ),
            (
                "def my_bce_with_logits(z, y):\n"
                "    p = np.clip(1 / (1 + np.exp(-z)), 1e-12, 1 - 1e-12)\n"
                "    return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p))",
                "cut off",
            ),
            (variant(_BCE, (" - z * y", "")), "does not look at the target"),
            (variant(_BCE, ("    losses", "    z = 1 / (1 + np.exp(-z))\n    losses")), "twice"),
        ),
        checker=judges.check_bce_with_logits,
    ),
    Exercise(
        name="07.cross_entropy",
        title="cross-entropy for both kinds of labels",
        prompt=r"""
Build the heart of `CrossEntropyLoss`. `logits` has shape (N, C). `labels` are either class
indices, whole numbers of shape (N,), or probabilities of shape (N, C), one-hot rows included.
Return the mean over the N samples. Logits of ±1000 must not overflow.
""",
        answer="my_cross_entropy",
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
        solution=_CROSS_ENTROPY,
        wrong=(
            (_CROSS_ENTROPY.replace("axis=1", "axis=0"), "runs over the batch"),
            (
                variant(_CROSS_ENTROPY, ("logits - logits.max(axis=1, keepdims=True)", "logits")),
                "too large for a float",
            ),
            (
                variant(
                    _CROSS_ENTROPY,
                    (
                        "    shifted = logits",
                        "    logits = np.exp(logits)\n"
                        "    logits = logits / logits.sum(axis=1, keepdims=True)\n"
                        "    shifted = logits",
                    ),
                ),
                "applied twice",
            ),
            (
                variant(
                    _CROSS_ENTROPY,
                    ("-(targets * log_p).sum() / num_samples", "-np.mean(targets * log_p)"),
                ),
                "divide by N only",
            ),
        ),
        checker=judges.check_cross_entropy,
    ),
    Exercise(
        name="07.smooth_targets",
        title="targets for label smoothing",
        prompt=r"""
Return the targets of label smoothing, shape (N, C): with the share $s$ = `smoothing` the true class
gets $1 - s + s/C$ and every other class $s/C$. `labels` are class indices of shape (N,), and $C$ is
`num_classes`.
""",
        answer="my_smooth_targets",
        stub='''
def my_smooth_targets(labels, num_classes, smoothing):
    """Targets of shape (N, C), each row with the sum 1."""
    raise NotImplementedError
''',
        hints=(
            "Begin with one-hot rows. Shrink them, then add the same number everywhere.",
            "Shrink by `1 - smoothing` and add `smoothing / num_classes`.",
        ),
        solution=_TARGETS,
        wrong=(
            (variant(_TARGETS, ("+ smoothing / num_classes", "+ smoothing")), "s/C, not s"),
            (variant(_TARGETS, (" + smoothing / num_classes", "")), "sum to less than 1"),
            (variant(_TARGETS, ("(1 - smoothing) * one_hot", "one_hot")), "sum to more than 1"),
            (
                variant(
                    _TARGETS,
                    (
                        "+ smoothing / num_classes",
                        "+ (1 - one_hot) * smoothing / (num_classes - 1)",
                    ),
                ),
                "over the other classes only",
            ),
        ),
        checker=judges.check_smooth_targets,
        examples=(
            (
                "my_smooth_targets(np.array([2, 0]), 4, 0.1)",
                "[[0.025, 0.025, 0.925, 0.025], [0.925, 0.025, 0.025, 0.025]]",
            ),
        ),
    ),
)
