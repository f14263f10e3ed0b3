"""What the exercises say of PyTorch and of the course's own code: solutions beside the original."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import DistributedSampler

from course_utils.exercises import get_exercise
from course_utils.exercises.exercise import load
from course_utils.exercises.judging import judge
from course_utils.playgrounds.speedup import STRONG, speed_up


def solved(name):
    exercise = get_exercise(name)
    return load(exercise.solution, exercise)


@pytest.mark.parametrize(
    ("n", "world"), [(10, 2), (10, 3), (11, 4), (7, 7), (12, 5), (1, 4), (2, 5)]
)
def test_shards_are_those_of_the_distributed_sampler(n, world):
    for rank in range(world):
        sampler = DistributedSampler(range(n), world, rank, shuffle=False)
        assert solved("13.shard")(list(range(n)), world, rank) == list(sampler)


def test_speed_up_is_that_of_the_explorer():
    ours = solved("13.speedup")(8, 0.1024, 1e8, 1e10, 1e-5)
    assert ours == pytest.approx(speed_up(8, STRONG, 512, 200.0, 100.0, 10.0, 10.0, 0.0).speedup)


def test_an_accumulated_step_is_the_step_with_the_whole_batch():
    X, y = torch.randn(10, 4), torch.randint(0, 3, (10,))
    weights = []
    for micro_batch in (10, 4):
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.7)
        solved("13.accumulate")(model, optimizer, X, y, micro_batch)
        weights.append(model.weight.detach())
    torch.testing.assert_close(*weights)


def test_smooth_targets_are_those_of_label_smoothing():
    logits = torch.randn(5, 4, dtype=torch.float64)
    labels = torch.tensor([2, 0, 2, 1, 0])
    targets = torch.tensor(solved("07.smooth_targets")(labels.numpy(), 4, 0.3))
    wanted = F.cross_entropy(logits, labels, label_smoothing=0.3)
    assert F.cross_entropy(logits, targets).item() == pytest.approx(wanted.item())


@pytest.mark.parametrize(("share", "falls"), [(0.99, True), (1.01, False)])
def test_the_largest_rate_is_where_descent_breaks(share, falls):
    X, w = np.array([[3.0, 1.0], [1.0, 2.0], [0.5, -1.0]]), np.array([1.0, 0.3])
    lr = share * solved("08.max_lr")(X)
    for _ in range(2000):
        w = w - lr * 2 * X.T @ (X @ w) / len(X)
    assert bool(np.abs(w).max() < 1) is falls


def test_what_an_answer_does_in_a_strange_container_gives_no_message():
    sorts_itself = """
def my_best_constant(y, loss):
    if loss == "MSE":
        return y.mean()
    y.sort()
    return y[len(y) // 2]
"""  # a tensor's sort leaves it as it was, so that there the middle is not the median
    half = """
def my_labelled_loss(logits, labels):
    z = logits[labels != -100]
    z = z - z.max(axis=1, keepdims=True)
    return np.log(np.exp(z).sum(axis=1)).mean()
"""  # with tensors it raises, as the programs do that overflow
    for name, code, said in (
        ("07.best_constant", sorts_itself, "changes `y` in place"),
        ("07.labelled", half, "gives `0.29487`; expected is `1.365`"),
    ):
        exercise = get_exercise(name)
        assert said in judge(exercise, load(code, exercise)).message
