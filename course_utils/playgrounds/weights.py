"""The course's own update rules, at work on a whole network."""

from __future__ import annotations

import torch
from torch import nn

from course_utils.optimizers import Optimizer


class Weights:
    """The weights of a network, moved by a rule of `course_utils.optimizers`.

    The numbers are those of ``torch.optim``, whose first optimizer brings ``torch._dynamo`` along:
    two seconds and 80 MB, which a kernel that compiles nothing need not pay.
    """

    def __init__(self, rule: Optimizer, network: nn.Module) -> None:
        self._rules = [(weight, rule.fresh()) for weight in network.parameters()]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One update with this learning rate; the gradients are used up."""
        for weight, rule in self._rules:
            rule.lr = lr
            weight.copy_(rule.step(weight, weight.grad))
            weight.grad = None
