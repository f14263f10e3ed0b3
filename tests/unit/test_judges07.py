"""The checkers of chapter 07: their references against PyTorch, and answers of other kinds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import losses
from course_utils.checks import check
from course_utils.exercises import judges07


def test_references_are_those_of_torch():
    y_hat, y = torch.tensor([1.3, -2.0, 0.5]), torch.tensor([1.2, 1.0, 0.9])
    for beta in (0.5, 1.0, 2.5):
        wanted = F.smooth_l1_loss(y_hat, y, beta=beta).item()
        assert judges07.smooth_l1(y_hat.numpy(), y.numpy(), beta) == pytest.approx(wanted)
    logits = torch.randn(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = [2, 0]
    targets = torch.tensor(judges07.smooth_targets(labels, 4, 0.1))
    wanted = F.cross_entropy(logits, torch.tensor(labels), label_smoothing=0.1).item()
    assert F.cross_entropy(logits, targets).item() == pytest.approx(wanted)


def test_wrong_numbers_differ_from_the_right_one():
    """Otherwise a message could name the wrong mistake."""
    y_hat, y = np.array([1.3, -2.0, 0.5, 4.0]), np.array([1.2, 1.0, 0.9, 2.0])
    kinds = ["", *judges07.SMOOTH_L1_MISTAKES]
    values = [round(judges07.smooth_l1(y_hat, y, 0.5, kind), 6) for kind in kinds]
    assert len(set(values)) == len(values)
    kinds = ["", *judges07.SMOOTHING_MISTAKES]
    rows = [tuple(judges07.smooth_targets([2], 4, 0.1, kind).round(6).ravel()) for kind in kinds]
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("best_constant", lambda y, loss: y.mean() if loss == "MSE" else torch.median(y)),
        ("smooth_l1", lambda y_hat, y, beta: F.smooth_l1_loss(y_hat, y, beta=beta)),
        ("bce_with_logits", lambda z, y: F.binary_cross_entropy_with_logits(z, y)),
        ("cross_entropy", lambda z, y: F.cross_entropy(z, y)),
        ("cross_entropy", lambda z, y: np.float32(losses.cross_entropy(z, y))),
        ("mean_of_batches", lambda losses, sizes: np.average(losses, weights=sizes)),
    ],
)
def test_other_right_answers(name, answer):
    result = check(f"07.{name}", answer)
    assert result.correct, result


@pytest.mark.parametrize(
    ("name", "answer", "part"),
    [
        ("smooth_l1", lambda a, b, beta: losses.smooth_l1(a, b), "beta is not used"),
        (
            "smooth_l1",
            lambda a, b, beta: losses.smooth_l1(a, b, beta, "none"),
            "mean of the losses",
        ),
        ("smooth_l1", lambda a, b, beta: losses.smooth_l1(a, b, beta, "sum"), "return their mean"),
        ("bce_with_logits", lambda z, y: losses.bce_with_logits(z, y, "sum"), "return their mean"),
        ("bce_with_logits", lambda z, y: losses.bce_with_logits(z, 1 - y), "swapped"),
        ("bce_with_logits", lambda z, y: -losses.bce_with_logits(z, y), "sign is wrong"),
        ("cross_entropy", lambda z, y: losses.cross_entropy(z, y, "sum"), "return their mean"),
        (
            "cross_entropy",
            lambda z, y: -losses.log_softmax(z)[:, y].mean(),
            "takes all these columns",
        ),
        (
            "cross_entropy",
            lambda z, y: losses.cross_entropy(z, y if y.ndim == 1 else y.argmax(1)),
            "with its share",
        ),
        ("cross_entropy", lambda z, y: -losses.cross_entropy(z, y), "sign is wrong"),
        ("cross_entropy", lambda z, y: losses.cross_entropy(z, y, "none"), "mean of the losses"),
        ("mean_of_batches", lambda losses, sizes: losses, "one number is wanted"),
        ("best_constant", lambda y, loss: print(end=""), "`return` missing"),
        ("best_constant", 3.0, "A function"),
    ],
)
def test_other_wrong_answers(name, answer, part):
    result = check(f"07.{name}", answer)
    assert result.state == "not yet" and part in result.message, result


def test_answers_that_change_their_arguments():
    def my_best_constant(y, loss):
        y.sort()
        return np.mean(y) if loss == "MSE" else y[len(y) // 2]

    def my_bce_with_logits(z, y):
        result = losses.bce_with_logits(z, y)
        z += 1
        return result

    def sorts_for_one_loss_only(y, loss):
        if loss == "MAE":
            y.sort()  # a tensor has a `sort` as well, but that one changes nothing
        return y.mean() if loss == "MSE" else y[len(y) // 2]

    assert "changed in place" in check("07.best_constant", my_best_constant).message
    assert "changed in place" in check("07.best_constant", sorts_for_one_loss_only).message
    assert "changed in place" in check("07.bce_with_logits", my_bce_with_logits).message
