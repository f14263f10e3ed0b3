"""The checkers of chapter 10: their references against PyTorch, and answers of other kinds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from course_utils.checks import check
from course_utils.exercises import judges10
from course_utils.schedules import plateau, step


def test_references_are_those_of_the_package():
    for epoch in range(200):
        assert judges10.step_rate(epoch, 0.1, 50, 0.5) == step(epoch, 0.1, 50, 0.5)
    losses = np.random.default_rng(0).uniform(0.5, 1.5, 40).tolist()
    ours = judges10.plateau_rates(losses, 0.1, 0.5, 2)
    np.testing.assert_allclose(ours, plateau(losses, 0.1, 0.5, 2, threshold=0)[1:], rtol=1e-12)


def test_warmup_cosine_falls_as_torch_does():
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=96)
    for t in range(4, 100):
        ours = judges10.warmup_cosine_rate(t, 0.1, 4, 100)
        assert ours == pytest.approx(scheduler.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        scheduler.step()


def test_wrong_numbers_differ_from_the_right_one():
    """Otherwise a message could name the wrong mistake."""
    kinds = ["", *judges10.WARMUP_MISTAKES]
    rates = {
        tuple(round(judges10.warmup_cosine_rate(t, 0.1, 4, 100, kind), 6) for t in (0, 1, 3, 5, 52))
        for kind in kinds
    }
    assert len(rates) == len(kinds)
    series = (
        [2.0, 1.0, 1.1, 1.2, 1.05, 1.3, 0.9, 0.95, 0.92, 0.91, 0.8],
        [1.0, 1.5, 1.4, 1.3, 1.2, 1.1, 1.05, 1.02],
        [1.0, 1.0, 0.5, 0.6, 0.4, 0.5, 0.4, 0.7, 0.8],
    )
    kinds = ["", *judges10.PLATEAU_MISTAKES]
    paths = {
        tuple(
            rate for losses in series for rate in judges10.plateau_rates(losses, 0.2, 0.4, 1, kind)
        )
        for kind in kinds
    }
    assert len(paths) == len(kinds)


def answers():
    def in_torch(t, lr, warmup_steps, num_steps):
        if t < warmup_steps:
            return torch.tensor(lr * (t + 1) / (warmup_steps + 1), dtype=torch.float32)
        u = torch.tensor((t - warmup_steps) / (num_steps - warmup_steps))
        return lr * (1 + torch.cos(torch.pi * u)) / 2

    def by_torch(lrs, losses):
        losses = torch.as_tensor(losses, dtype=torch.float32)
        average, smooth = torch.zeros(()), []
        for t in range(len(losses)):
            average = average + 0.1 * (losses[t] - average)
            smooth.append(average / (1 - 0.9 ** (t + 1)))
        return lrs[int(torch.stack(smooth).argmin())] / 10

    def stairs(t):
        return torch.tensor([0.3 if t < 120 else 0.12 if t < 240 else 0.048 if t < 360 else 0.0192])

    class Plateau:
        """Keeps all losses and looks back."""

        def __init__(self, lr=0.1, factor=0.1, patience=2):
            self.lr, self.factor, self.patience = lr, factor, patience
            self.best, self.bad = np.inf, 0

        def step(self, val_loss):
            self.bad = 0 if val_loss < self.best else self.bad + 1
            self.best = min(self.best, val_loss)
            if self.bad == self.patience + 1:
                self.lr, self.bad = self.lr * self.factor, 0
            return np.float32(self.lr)

    yield (
        "10.step_lr",
        lambda epoch, lr, size, gamma: np.float32(lr * gamma ** np.floor(epoch / size)),
    )
    yield "10.gamma", lambda lr, final, n: np.exp((np.log(final) - np.log(lr)) / n)
    yield "10.warmup_cosine", in_torch
    yield "10.suggested_lr", by_torch
    yield "10.plateau", Plateau
    yield "10.own_schedule", stairs


@pytest.mark.parametrize(("name", "answer"), list(answers()), ids=lambda v: str(v)[:20])
def test_other_right_answers(name, answer):
    result = check(name, answer)
    assert result.correct, result


class Minus:
    def __init__(self, lr=0.1, factor=0.1, patience=2):
        self.lr, self.factor, self.patience = lr, factor, patience
        self.best, self.bad = np.inf, 0

    def step(self, val_loss):
        self.bad = 0 if val_loss < self.best else self.bad + 1
        self.best = min(self.best, val_loss)
        if self.bad > self.patience:
            self.lr, self.bad = self.lr - self.factor, 0
        return self.lr


class TooLate(Minus):
    """Returns the rate of the epoch that is over."""

    def step(self, val_loss):
        before = self.lr
        if super().step(val_loss) != before:
            self.lr = before * self.factor
        return before


class Replaced(Minus):
    def step(self, val_loss):
        before = self.lr
        if super().step(val_loss) != before:
            self.lr = self.factor
        return self.lr


class Silent(Minus):
    def step(self, val_loss):
        super().step(val_loss)


def warmed_up(t, lr, warmup, total, bend):
    """The right warm-up, then ``bend`` of the share that is done."""
    if t < warmup:
        return lr * (t + 1) / (warmup + 1)
    return lr * bend((t - warmup) / (total - warmup))


def cosine(top):
    return lambda t: top * (1 + np.cos(np.pi * t / 400)) / 2


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("10.step_lr", lambda e, lr, s, g: lr * g**e, "exponential schedule"),
        ("10.step_lr", lambda e, lr, s, g: g ** (e // s), "multiply it by `lr`"),
        ("10.step_lr", lambda e, lr, s, g: [lr, lr], "one rate is expected"),
        ("10.step_lr", lambda e, lr, s, g: [].sort(), "Is a `return` missing?"),
        ("10.step_lr", 0.1, "A function `my_step_lr"),
        ("10.gamma", lambda lr, final, n: np.log(final / lr) / n, "logarithm of gamma"),
        ("10.gamma", lambda lr, final, n: lr / 0, "ZeroDivisionError"),
        (
            "10.gamma",
            lambda lr, final, n: np.geomspace(lr, final, n)[1] / lr,
            "num_steps factors, not one fewer",
        ),
        (
            "10.warmup_cosine",
            lambda t, lr, w, n: warmed_up(t, lr, w, n, lambda u: (1 + np.cos(3.14 * u)) / 2),
            "gives `0.05004`; expected is `0.05`",
        ),
        (
            "10.warmup_cosine",
            lambda t, lr, w, n: warmed_up(t, lr, w, n, lambda u: 1.0),
            "stays the same: let it fall along the cosine. (`my_warmup_cosine(5, 0.1, 4, 100)` "
            "gives 0.1, expected is 0.09997.)",
        ),
        (
            "10.warmup_cosine",
            lambda t, lr, w, n: (
                warmed_up(t, lr, w, n, lambda u: 1.0) * (1 + np.cos(np.pi * t / n)) / 2
            ),
            "You multiply warm-up and cosine",
        ),
        (
            "10.warmup_cosine",
            lambda t, lr, w, n: 2 * judges10.warmup_cosine_rate(t, lr, w, n),
            "gives",
        ),
        (
            "10.warmup_cosine",
            lambda *case: judges10.warmup_cosine_rate(*case, "twice"),
            "halve 1 + cos",
        ),
        ("10.plateau", Minus, "multiplied"),
        ("10.plateau", Silent, "returns nothing"),
        ("10.plateau", TooLate, "the rate of the epoch that is over"),
        ("10.plateau", Replaced, "not replaced by it"),
        (
            "10.suggested_lr",
            lambda lrs, losses: int(np.argmin(judges10.smoothed(losses))),
            "That is an index",
        ),
        (
            "10.suggested_lr",
            lambda lrs, losses: lrs[int(np.argmin(judges10.smoothed(losses, 0.1)))] / 10,
            "the weights are swapped",
        ),
        ("10.suggested_lr", lambda lrs, losses: losses.sort(), "in place"),
        ("10.own_schedule", lambda t: -0.1, "is negative"),
        ("10.own_schedule", lambda t: float("nan"), "gives nan"),
        ("10.own_schedule", lambda t: 1e9, "The loss explodes in update"),
        ("10.own_schedule", lambda t: [0.1, 0.2], "one rate is expected"),
        ("10.own_schedule", lambda t: "0.1 or so", "numbers are expected"),
        ("10.own_schedule", lambda t: "0.1", "not text"),
        ("10.own_schedule", cosine(1.0), "too high for these networks"),
        ("10.own_schedule", cosine(0.39), "The highest rate, 0.39, is on the high side"),
        ("10.own_schedule", cosine(0.18), "Validation loss 0.1701 ± 0.024, wanted is below 0.17."),
        ("10.own_schedule", lambda t: 0.0, "so low that hardly anything is learned"),
        ("10.own_schedule", lambda t: 0.2 if t < 200 else 1e-4, "stay high for longer"),
    ],
)
def test_other_wrong_answers(name, answer, words):
    result = check(name, answer)
    assert result.state == "not yet" and words in result.message, result
