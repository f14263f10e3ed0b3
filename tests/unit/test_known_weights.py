"""Networks of learners run with weights that the check knows, and stay as they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_utils.checks import check
from course_utils.exercises.exercise import NotYet
from course_utils.exercises.known_weights import need_parameters, with_known_weights


class Keeps(nn.Module):
    """A residual block that keeps its last activation, which has a graph and cannot be copied."""

    def __init__(self, c_in: int, c_out: int, stride: int, extra: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False), nn.ReLU(), extra,
            nn.Conv2d(c_out, c_out, 3, padding=1, bias=False),
        )  # fmt: skip
        self.short = nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False)
        self.kept = None

    def forward(self, h):
        self.kept = torch.relu(self.body(h) + self.short(h))
        return self.kept


def test_a_model_that_the_learner_still_uses_stays_as_it_is():
    model = Keeps(2, 3, 2, nn.BatchNorm2d(3)).train()
    model.body[0].eval()  # one part apart from the others
    model(torch.rand(2, 2, 8, 8))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    result = check("12.block", lambda c_in, c_out, stride: model)
    assert result.state == "not yet" and "no batch norm" in result.message
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_the_weights_follow_from_the_shapes_alone(training):
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    X = torch.rand(4, 3)
    ours = [with_known_weights(model, X)(X, training=training) for model in (first, second)]
    assert torch.equal(*ours) and not torch.allclose(ours[0], first(X))
    assert ours[0].requires_grad is False


def test_parameters_are_told_by_their_shapes():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    need_parameters(model, [(2, 3), (2,), (1, 2), (1,)], "`f()`")
    for wanted, words in (
        ([(2, 3), (2,)], "more parameters"),
        ([(2, 3), (2,), (1, 2), (1,), (7,)], "a bias of shape (7,) is missing"),
        ([(2, 4), (2,), (1, 2), (1,)], "shape (2, 4) is missing; yours has (2, 3) instead"),
    ):
        with pytest.raises(NotYet) as caught:
            need_parameters(model, wanted, "`f()`")
        assert words in str(caught.value)
    with pytest.raises(NotYet, match="plain Python list"):
        need_parameters(nn.ReLU(), [(1,)], "`f()`")


def test_batch_norm_is_named_where_it_has_no_parameters():
    result = check("12.block", lambda a, b, s: Keeps(a, b, s, nn.BatchNorm2d(b, affine=False)))
    assert result.state == "not yet" and "no batch norm" in result.message
